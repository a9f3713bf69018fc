/* Every named converter at its limits, both ways, by JSON and by protobuf. */
#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/loss.h"
#include "adapters/run/plan_run.h"
#include "tests/unit/adapters/changes_schema.h"

/* One list, compiled for JSON to JSON, and by way of protobuf. */
typedef struct Way {
    Loaded *loaded;
    const Plan *straight, *to_wire, *from_wire;
} Way;

static const Plan *compiled(Loaded *loaded, const MappingSet *set, const Mapping *mapping,
                            Codec from, Codec to)
{
    PlanOptions options = {.from = from, .to = to, .types = set};
    const Plan *plan;
    assert_ok(loaded->arena, plan_compile(loaded->arena, mapping, &options, &plan));
    return plan;
}

static Way way_of(void **state, const char *kind, const char *message, const char *yaml,
                  bool upwards)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, kind, yaml, upwards), *same;
    const char *end = upwards ? "Old" : "New";
    const MessageType *type = schema_message(
        loaded->schema,
        bytes_of(arena_printf(loaded->arena, "changes.%s.%s.%s", kind, end, message)));
    assert_ok(loaded->arena, mapping_set_identity(loaded->arena, loaded->schema, &same));
    const Mapping *mapping = mapping_set_find(set, type);
    return (Way){
        loaded, compiled(loaded, set, mapping, CODEC_JSON, CODEC_JSON),
        compiled(loaded, set, mapping, CODEC_JSON, CODEC_PROTO),
        compiled(loaded, same, mapping_set_find(same, mapping->to), CODEC_PROTO, CODEC_JSON)};
}

static Way way(void **state, const char *kind, const char *yaml, bool upwards)
{
    return way_of(state, kind, "M", yaml, upwards);
}

static Result run(Loaded *loaded, const Plan *plan, Bytes from, Bytes *to_out)
{
    Buffer out = buffer_in(loaded->arena);
    Result r = plan_run(plan, &(PlanInput){.bytes = from}, loaded->arena, &out, NULL);
    *to_out = buffer_bytes(&out);
    return r;
}

static void gives(Way w, const char *from, const char *to)
{
    Bytes straight, wire, back;
    assert_ok(w.loaded->arena, run(w.loaded, w.straight, bytes_of(from), &straight));
    assert_bytes(straight, to);
    assert_ok(w.loaded->arena, run(w.loaded, w.to_wire, bytes_of(from), &wire));
    assert_ok(w.loaded->arena, run(w.loaded, w.from_wire, wire, &back));
    assert_bytes(back, to);
}

static void refuses(Way w, const char *from)
{
    Bytes out;
    assert_fault(run(w.loaded, w.straight, bytes_of(from), &out), FAULT_CANNOT_CONVERT);
    assert_fault(run(w.loaded, w.to_wire, bytes_of(from), &out), FAULT_CANNOT_CONVERT);
}

static const char *const numbers = "messages: {M: {d: {by: number}}}";

static void numbers_stop_at_the_range_of_the_other_kind(void **state)
{
    Way up = way(state, "Numbers", numbers, true), down = way(state, "Numbers", numbers, false);
    gives(up, "{\"a\":-2147483648,\"b\":\"2147483647\"}",
          "{\"a\":\"-2147483648\",\"b\":2147483647}");
    refuses(up, "{\"b\":\"2147483648\"}");
    refuses(up, "{\"b\":\"18446744073709551615\"}");
    gives(down, "{\"a\":\"-2147483648\"}", "{\"a\":-2147483648}");
    refuses(down, "{\"a\":\"-2147483649\"}");
    refuses(down, "{\"a\":\"2147483648\"}");
    refuses(down, "{\"b\":-1}");
    refuses(down, "{\"e\":[\"1\",\"9223372036854775807\"]}");
    refuses(down, "{\"f\":{\"k\":\"-9223372036854775808\"}}");
}

static void whole_numbers_and_floats_go_together_while_they_are_exact(void **state)
{
    Way up = way(state, "Numbers", numbers, true), down = way(state, "Numbers", numbers, false);
    gives(up, "{\"d\":\"9007199254740992\"}", "{\"d\":9007199254740992}");
    refuses(up, "{\"d\":\"9007199254740993\"}");
    refuses(up, "{\"d\":\"9223372036854775807\"}");
    gives(down, "{\"d\":-9007199254740992}", "{\"d\":\"-9007199254740992\"}");
    refuses(down, "{\"d\":0.5}");
    refuses(down, "{\"d\":\"NaN\"}");
    refuses(down, "{\"d\":\"-Infinity\"}");
    refuses(down, "{\"d\":1e19}");
    gives(up, "{\"c\":\"NaN\"}", "{\"c\":\"NaN\"}");
    gives(down, "{\"c\":\"-Infinity\"}", "{\"c\":\"-Infinity\"}");
    refuses(down, "{\"c\":1e300}");
}

static const char *const scales =
    "messages: {M: {milliseconds: {to: seconds, by: scale, divided_by: 1000}, "
    "bytes: {to: kilobytes, by: scale, divided_by: 1024}, steps: {by: scale, times: 3}, "
    "share: {to: per_mille, by: scale, times: 1000}, ratio: {by: scale, divided_by: 7}, "
    "small: {by: scale, divided_by: 1000}, weight: {to: grams, by: scale, times: 1000}, "
    "large: {by: scale, times: 10}}}";

/* 1001 / 1000 is no double, and 1.001 * 1000 is less than 1001. */
static void a_scaled_number_comes_back_from_the_double_nearest_to_it(void **state)
{
    Way up = way(state, "Scales", scales, true), down = way(state, "Scales", scales, false);
    for (int i = 1; i < 2000; i += 7) {
        const char *small = arena_printf(up.loaded->arena, "{\"small\":%d}", i);
        const char *there = arena_printf(up.loaded->arena, "{\"small\":%.15g}", i / 1000.0);
        gives(up, small, there);
        gives(down, there, small);
    }
    gives(up, "{\"milliseconds\":\"1001\"}", "{\"seconds\":1.001}");
    gives(down, "{\"seconds\":1.001}", "{\"milliseconds\":\"1001\"}");
    gives(down, "{\"seconds\":-1.001}", "{\"milliseconds\":\"-1001\"}");
    refuses(down, "{\"seconds\":1.0011}");
    gives(up, "{\"share\":1.001}", "{\"perMille\":\"1001\"}");
    gives(up, "{\"weight\":1.001}", "{\"grams\":\"1001\"}");
    gives(down, "{\"grams\":\"1001\"}", "{\"weight\":1.001}");
    refuses(down, "{\"grams\":\"123456787\"}");
}

static void a_scaled_number_that_would_not_come_back_is_refused(void **state)
{
    Way up = way(state, "Scales", scales, true), down = way(state, "Scales", scales, false);
    gives(up, "{\"milliseconds\":\"9007199254740992\"}", "{\"seconds\":9007199254740.9922}");
    refuses(up, "{\"milliseconds\":\"9223372036854775807\"}");
    refuses(up, "{\"bytes\":\"9007199254740993\"}");
    gives(up, "{\"bytes\":\"9007199254740994\"}", "{\"kilobytes\":8796093022208.002}");
    gives(up, "{\"bytes\":\"18446744073709549568\"}", "{\"kilobytes\":18014398509481982}");
    refuses(up, "{\"bytes\":\"18446744073709551615\"}");
    gives(up, "{\"steps\":\"5592405\"}", "{\"steps\":16777215}");
    refuses(up, "{\"steps\":\"134217729\"}");
    refuses(up, "{\"large\":1e308}");
    refuses(up, "{\"ratio\":1e300}");
    refuses(down, "{\"kilobytes\":\"NaN\"}");
    refuses(down, "{\"kilobytes\":1e300}");
    refuses(down, "{\"kilobytes\":-1}");
}

static const char *const seconds =
    "messages: {M: {at: {by: seconds}, wait: {by: milliseconds}, hours: {by: hours}, days: {by: "
    "days}, nanos: {by: nanoseconds}, single: {by: seconds}}}";

static void a_time_as_a_double_comes_back_or_is_refused(void **state)
{
    Way up = way(state, "Seconds", seconds, true), down = way(state, "Seconds", seconds, false);
    gives(up, "{\"at\":\"2026-03-01T00:00:00.250Z\"}", "{\"at\":1772323200.25}");
    gives(down, "{\"at\":1772323200.25}", "{\"at\":\"2026-03-01T00:00:00.250Z\"}");
    refuses(up, "{\"at\":\"2026-03-01T00:00:00.123456789Z\"}");
    gives(up, "{\"at\":\"1970-01-01T00:00:00.123456789Z\"}", "{\"at\":0.123456789}");
    gives(down, "{\"at\":0.123456789}", "{\"at\":\"1970-01-01T00:00:00.123456789Z\"}");
    gives(down, "{\"wait\":0.1}", "{\"wait\":\"0.000100s\"}");
    refuses(down, "{\"wait\":1e-7}");
    gives(up, "{\"nanos\":\"1970-04-15T05:59:59.254740992Z\"}", "{\"nanos\":9007199254740992}");
    refuses(up, "{\"nanos\":\"1970-04-15T05:59:59.254740993Z\"}");
    gives(up, "{\"hours\":0.1}", "{\"hours\":\"360s\"}");
    gives(down, "{\"hours\":\"360s\"}", "{\"hours\":0.1}");
    refuses(down, "{\"single\":1e-10}");
    refuses(up, "{\"single\":\"1000000.5001s\"}");
    refuses(down, "{\"at\":1e300}");
    refuses(down, "{\"at\":\"Infinity\"}");
}

static const char *const texts =
    "messages: {M: {a: {by: text}, b: {by: text}, c: {by: base64}, d: {by: utf8}, "
    "e: {by: enum_name}, f: {by: flag, values: {false: OFF, true: ON}, others: loud}}}";

static void texts_that_are_no_values_are_refused(void **state)
{
    Way up = way(state, "Texts", texts, true), down = way(state, "Texts", texts, false);
    gives(up, "{\"a\":-2147483648,\"b\":true}",
          "{\"a\":\"-2147483648\",\"b\":\"true\",\"f\":\"OFF\"}");
    gives(down, "{\"a\":\"2147483647\",\"b\":\"false\"}", "{\"a\":2147483647}");
    refuses(down, "{\"a\":\"2147483648\"}");
    refuses(down, "{\"a\":\"+1\"}");
    refuses(down, "{\"a\":\"01\"}");
    refuses(down, "{\"a\":\" 1\"}");
    refuses(down, "{\"a\":\"0x10\"}");
    refuses(down, "{\"a\":\"1.5\"}");
    refuses(down, "{\"b\":\"True\"}");
    refuses(down, "{\"e\":\"GREEN\"}");
    gives(up, "{}", "{\"f\":\"OFF\"}"); /* without presence, unset is false */
    gives(down, "{\"f\":\"OFF\"}", "{}");
    gives(down, "{\"f\":\"ON\"}", "{\"f\":true}");
}

static void bytes_are_texts_only_when_they_are(void **state)
{
    Way up = way(state, "Texts", texts, true), down = way(state, "Texts", texts, false);
    gives(up, "{\"c\":\"-_8=\",\"d\":\"w6k=\"}",
          "{\"c\":\"+/8=\",\"d\":\"\xc3\xa9\",\"f\":\"OFF\"}");
    refuses(up, "{\"d\":\"w6k6/w==\"}"); /* ends with 0xff */
    refuses(up, "{\"d\":\"7aCA\"}");     /* half of a surrogate pair */
    gives(down, "{\"c\":\"+/8=\"}", "{\"c\":\"+/8=\"}");
    gives(down, "{\"c\":\"-_8\"}", "{\"c\":\"+/8=\"}");
    refuses(down, "{\"c\":\"+/8=x\"}");
    refuses(down, "{\"c\":\"+\"}");
}

static const char *const times =
    "messages: {M: {a: {by: seconds}, b: {by: milliseconds}, c: {by: time_text}, d: {by: date}, "
    "e: {by: date_text}}}";

static void times_reach_from_year_1_to_9999(void **state)
{
    Way up = way(state, "Times", times, true), down = way(state, "Times", times, false);
    gives(up, "{\"a\":\"0001-01-01T00:00:00Z\"}", "{\"a\":\"-62135596800\"}");
    gives(up, "{\"a\":\"9999-12-31T23:59:59Z\"}", "{\"a\":\"253402300799\"}");
    refuses(up, "{\"a\":\"1969-12-31T23:59:59.5Z\"}");
    gives(down, "{\"a\":\"-62135596800\"}", "{\"a\":\"0001-01-01T00:00:00Z\"}");
    refuses(down, "{\"a\":\"-62135596801\"}");
    refuses(down, "{\"a\":\"253402300800\"}");
    refuses(down, "{\"a\":\"9223372036854775807\"}");
    gives(up, "{\"b\":\"-1500\"}", "{\"b\":\"-1.500s\"}");
    gives(up, "{\"b\":\"315576000000000\"}", "{\"b\":\"315576000000s\"}");
    refuses(up, "{\"b\":\"315576000001000\"}");
    gives(down, "{\"b\":\"-0.001s\"}", "{\"b\":\"-1\"}");
    refuses(down, "{\"b\":\"0.0005s\"}");
    gives(up, "{\"c\":\"-0.5s\"}", "{\"c\":\"-0.500s\"}");
    refuses(down, "{\"c\":\"1.5\"}");
    refuses(down, "{\"c\":\"1.0000000001s\"}");
}

static void dates_are_days_that_exist(void **state)
{
    Way up = way(state, "Times", times, true), down = way(state, "Times", times, false);
    gives(up, "{\"d\":\"2024-02-29T00:00:00Z\"}", "{\"d\":{\"year\":2024,\"month\":2,\"day\":29}}");
    refuses(up, "{\"d\":\"2024-02-29T00:00:01Z\"}");
    gives(down, "{\"d\":{\"year\":1,\"month\":1,\"day\":1}}", "{\"d\":\"0001-01-01T00:00:00Z\"}");
    refuses(down, "{\"d\":{\"year\":2023,\"month\":2,\"day\":29}}");
    refuses(down, "{\"d\":{\"year\":1900,\"month\":2,\"day\":29}}");
    refuses(down, "{\"d\":{\"year\":10000,\"month\":1,\"day\":1}}");
    refuses(down, "{\"d\":{\"year\":2024}}");
    gives(up, "{\"e\":{\"year\":9999,\"month\":12,\"day\":31}}", "{\"e\":\"9999-12-31\"}");
    gives(down, "{\"e\":\"2000-02-29\"}", "{\"e\":{\"year\":2000,\"month\":2,\"day\":29}}");
    refuses(down, "{\"e\":\"2100-02-29\"}");
    refuses(down, "{\"e\":\"2026-3-1\"}");
}

static void amounts_keep_every_part_or_are_refused(void **state)
{
    const char *yaml = "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, "
                       "fee: {by: units_to_money, currency: EUR, round: graceful}, "
                       "meters: {to: kilometers, by: scale, divided_by: 1000}}}";
    Way up = way(state, "Amounts", yaml, true), down = way(state, "Amounts", yaml, false);
    gives(up, "{\"cents\":\"-199\",\"currency\":\"EUR\"}",
          "{\"total\":{\"currencyCode\":\"EUR\",\"units\":\"-1\",\"nanos\":-990000000}}");
    gives(up, "{\"cents\":\"9223372036854775807\"}",
          "{\"total\":{\"units\":\"92233720368547758\",\"nanos\":70000000}}");
    gives(down, "{\"total\":{\"units\":\"92233720368547758\",\"nanos\":70000000}}",
          "{\"cents\":\"9223372036854775807\"}");
    refuses(down, "{\"total\":{\"units\":\"92233720368547758\",\"nanos\":80000000}}");
    refuses(down, "{\"total\":{\"units\":\"1\",\"nanos\":1}}");
    gives(down, "{\"fee\":{\"currencyCode\":\"EUR\",\"units\":\"-1\",\"nanos\":-999999999}}",
          "{\"fee\":\"-1\"}");
    refuses(down, "{\"fee\":{\"currencyCode\":\"USD\",\"units\":\"1\"}}");
    gives(up, "{\"meters\":\"1500\"}", "{\"kilometers\":1.5}");
    gives(down, "{\"kilometers\":-0.25}", "{\"meters\":\"-250\"}");
    refuses(down, "{\"kilometers\":0.0001}");
    refuses(down, "{\"kilometers\":\"NaN\"}");
    refuses(down, "{\"kilometers\":1e16}");
}

static void names_match_their_template_to_the_end(void **state)
{
    const char *yaml = "messages:\n  M:\n"
                       "    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: "
                       "[project_id, topic_id]}\n"
                       "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}\"}\n"
                       "    key: {template: \"k/{project}/{topic}\", from: [project, topic]}";
    Way up = way(state, "Templates", yaml, true), down = way(state, "Templates", yaml, false);
    gives(up, "{\"name\":\"projects/p/topics/t/u\"}", "{\"projectId\":\"p\",\"topicId\":\"t/u\"}");
    refuses(up, "{\"name\":\"projects/p\"}");
    refuses(up, "{\"name\":\"xprojects/p/topics/t\"}");
    refuses(up, "{\"project\":\"p\"}");
    gives(up, "{\"path\":\"a/1/b/2\"}", "{\"path\":\"c/2/d/1\"}");
    refuses(down, "{\"projectId\":\"p\"}");
}

/* "a//b/" would be split into other parts than those that it was composed of. */
static void parts_that_would_not_come_back_are_refused(void **state)
{
    const char *yaml = "messages:\n  M:\n"
                       "    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: "
                       "[project_id, topic_id]}\n"
                       "    path: {template: \"a/{x}//{y}-\", into: \"c/{y}/d/{x}\"}\n"
                       "    key: {template: \"{project};{topic}\", from: [project, topic]}";
    Way up = way(state, "Templates", yaml, true), down = way(state, "Templates", yaml, false);
    gives(up, "{\"project\":\"1\",\"topic\":\"a;b\"}", "{\"key\":\"1;a;b\"}");
    gives(down, "{\"key\":\"1;a;b\"}", "{\"project\":\"1\",\"topic\":\"a;b\"}");
    refuses(up, "{\"project\":\"1;2\",\"topic\":\"a\"}");
    refuses(down, "{\"projectId\":\"p/topics/q\",\"topicId\":\"t\"}");
    gives(down, "{\"projectId\":\"p/topic\",\"topicId\":\"t/topics/u\"}",
          "{\"name\":\"projects/p/topic/topics/t/topics/u\"}");
    /* The slash before // belongs to it as soon as it stands in front of it. */
    gives(down, "{\"path\":\"c/2-/d/1\"}", "{\"path\":\"a/1//2--\"}");
    refuses(down, "{\"path\":\"c/2/d/1/\"}");
    refuses(up, "{\"path\":\"a/1//2/d/-\"}");
    gives(up, "{\"path\":\"a/1//2--\"}", "{\"path\":\"c/2-/d/1\"}");
}

static void a_part_is_never_empty(void **state)
{
    const char *yaml = "messages:\n  M:\n"
                       "    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: "
                       "[project_id, topic_id]}\n"
                       "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}\"}\n"
                       "    key: {template: \"{project};{topic}\", from: [project, topic]}";
    Way up = way(state, "Templates", yaml, true), down = way(state, "Templates", yaml, false);
    refuses(up, "{\"name\":\"projects//topics/t\"}");
    refuses(up, "{\"name\":\"projects/p/topics/\"}");
    refuses(up, "{\"path\":\"a//b/2\"}");
    refuses(down, "{\"key\":\";t\"}");
    refuses(down, "{\"key\":\"p;\"}");
}

static const char *masked(Loaded *loaded, const char *wider)
{
    return arena_printf(
        loaded->arena,
        "messages:\n  Update: {update_mask: {of: Thing%s}}\n  Thing:\n"
        "    price: {by: cents_to_money, currency: EUR}\n"
        "    path: {template: '{project}/{topic}', from: [project, topic]}\n"
        "    all: {from: [first, others], first: loud}\n"
        "    cents: {to: total, by: cents_to_money, currency: currency}\n"
        "    at: {by: seconds}\n    limit: {by: wrapper}\n"
        "    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: BANK}}]\n"
        "    kind: {select: {card: CARD, bank: BANK}}\n"
        "    name: {template: '{host}:{port}', to: [host, port]}\n"
        "    listed: {key: x, duplicates: loud}\n"
        "    fee: {by: cents_to_money, currency: fee_currency}\n    day: {by: date_text}\n"
        "    unlimited: {means: {true: {attempts: -1}}}\n    one: {more: loud}\n"
        "  Inner: {x: y, cost: {by: units_to_money, currency: EUR}}\n"
        "  Inner to Listed: {cost: {by: units_to_money, currency: EUR}}\n",
        wider);
}

static void refuses_as(Way w, const char *from, const char *why)
{
    Bytes out;
    Result r = run(w.loaded, w.to_wire, bytes_of(from), &out);
    assert_fault(r, FAULT_CANNOT_CONVERT);
    if (!strstr(error_text(w.loaded->arena, r), why))
        fail_msg("%s, not: %s", error_text(w.loaded->arena, r), why);
}

/* A service would write what the client did not name. */
static void a_mask_never_names_more_than_the_client_did(void **state)
{
    Way up = way_of(state, "Parted", "Update", masked(*state, ""), true);
    Way down = way_of(state, "Parted", "Update", masked(*state, ""), false);
    gives(up, "{\"updateMask\":\"project,topic,price\"}", "{\"updateMask\":\"path,price\"}");
    gives(up, "{\"updateMask\":\"currency\"}", "{\"updateMask\":\"total.currencyCode\"}");
    gives(up, "{\"updateMask\":\"by.k.x,many.*.x\"}", "{\"updateMask\":\"by.k.y,many.*.y\"}");
    gives(down, "{\"updateMask\":\"total.currencyCode\"}", "{\"updateMask\":\"currency\"}");
    refuses_as(up, "{\"updateMask\":\"price.units\"}",
               "the path price.units names only a part of what becomes price in the version it is "
               "converted to: name price");
    refuses_as(
        up, "{\"updateMask\":\"by.k.cost.nanos\"}",
        "names only a part of what becomes by.k.cost in the version it is converted to: name "
        "by.k.cost");
    refuses_as(up, "{\"updateMask\":\"topic\"}", "name project and topic");
    refuses_as(up, "{\"updateMask\":\"first\"}", "name first and others");
    refuses_as(up, "{\"updateMask\":\"at.seconds\"}", "name at");
    refuses_as(up, "{\"updateMask\":\"day.year\"}", "name day");
    gives(up, "{\"updateMask\":\"limit.value\"}", "{\"updateMask\":\"limit\"}");
    refuses_as(up, "{\"updateMask\":\"one.x\"}", "name one");
}

static void a_path_that_names_nothing_is_refused(void **state)
{
    Way up = way_of(state, "Parted", "Update", masked(*state, ""), true);
    refuses_as(up, "{\"updateMask\":\"topic.name\"}",
               "the path topic.name names no field of Parted.Old.Thing");
    refuses_as(up, "{\"updateMask\":\"nowhere\"}", "names no field");
    refuses_as(up, "{\"updateMask\":\"many.x\"}", "names no field");
    refuses_as(up, "{\"updateMask\":\"price.currencyCode\"}", "has no place");
}

static const char *const boxed =
    "enums: {E: {B: C}}\nmessages:\n  M:\n    voucher: voucher.code\n    points: points.n\n"
    "    code: {to: code.inner.hex, by: hex}\n    e: e.e\n    note: note.text\n"
    "    plain: plain.text\n";

/* The message is there if the field is, so that the choice is not lost when it is empty. */
static void what_is_alone_in_a_message_keeps_its_presence(void **state)
{
    Way up = way(state, "Boxed", boxed, true), down = way(state, "Boxed", boxed, false);
    gives(up, "{\"voucher\":\"\"}", "{\"voucher\":{}}");
    gives(up, "{\"voucher\":\"a\"}", "{\"voucher\":{\"code\":\"a\"}}");
    gives(up, "{\"points\":0}", "{\"points\":{}}");
    gives(up, "{\"code\":\"\"}", "{\"code\":{\"inner\":{}}}");
    gives(up, "{\"e\":\"A\",\"note\":\"\"}", "{\"e\":{},\"note\":{}}");
    gives(up, "{}", "{}");
    gives(up, "{\"plain\":\"\"}", "{}");
    gives(down, "{\"voucher\":{}}", "{\"voucher\":\"\"}");
    gives(down, "{\"points\":{}}", "{\"points\":0}");
    gives(down, "{\"code\":{\"inner\":{}}}", "{\"code\":\"\"}");
    gives(down, "{\"e\":{},\"note\":{}}", "{\"e\":\"A\",\"note\":\"\"}");
    gives(down, "{\"code\":{}}", "{}");
}

static const char *const words =
    "messages:\n  M:\n"
    "    plan: {by: text_table, values: {free: basic, trial: basic, pro: [premium, gold]}}\n"
    "    tags: {by: text_table, values: {a: b}, others: kept}\n"
    "    by: {by: text_table, values: {x: y}, others: {old: x, new: none}}\n"
    "    color: {by: enum_name, values: {RED: [rouge, red]}, ignore_case: true}\n"
    "    size: {by: text_table, values: {Small: S, Large: [L, XL]}, ignore_case: true}\n";

static void several_texts_stand_for_one_value(void **state)
{
    Way up = way(state, "Words", words, true), down = way(state, "Words", words, false);
    gives(up, "{\"color\":\"RED\"}", "{\"color\":\"rouge\"}");
    gives(down, "{\"color\":\"rouge\"}", "{\"color\":\"RED\"}");
    gives(down, "{\"color\":\"Red\"}", "{\"color\":\"RED\"}");
    gives(down, "{\"color\":\"none\"}", "{}");
    refuses(down, "{\"color\":\"reed\"}");
}

static void texts_become_others_by_a_table(void **state)
{
    Way up = way(state, "Words", words, true), down = way(state, "Words", words, false);
    gives(up, "{\"plan\":\"trial\"}", "{\"plan\":\"basic\"}");
    gives(down, "{\"plan\":\"basic\"}", "{\"plan\":\"free\"}");
    gives(down, "{\"plan\":\"gold\"}", "{\"plan\":\"pro\"}");
    refuses(up, "{\"plan\":\"Pro\"}");
    refuses(up, "{\"plan\":\"basic\"}");
    gives(up, "{\"tags\":[\"a\",\"c\"]}", "{\"tags\":[\"b\",\"c\"]}");
    refuses(up, "{\"tags\":[\"b\"]}"); /* it would come back as a */
    refuses(down, "{\"tags\":[\"a\"]}");
    gives(up, "{\"by\":{\"k\":\"?\"}}", "{\"by\":{\"k\":\"none\"}}");
    gives(down, "{\"by\":{\"k\":\"?\"}}", "{\"by\":{\"k\":\"x\"}}");
    gives(up, "{\"size\":\"sMALL\"}", "{\"size\":\"S\"}");
    gives(down, "{\"size\":\"xl\"}", "{\"size\":\"Large\"}");
}

/* ---- What is lost without an error ----------------------------------------------------------- */

static void on_loss(void *owner, const Loss *loss)
{
    assert_false(loss->loud);
    buffer_printf(owner, "%s ", strrchr(loss->path, '.') + 1);
}

/* The fields whose losses are counted, straight and by way of protobuf. */
static void loses(Way w, const char *from, const char *fields)
{
    const Plan *plans[] = {w.straight, w.to_wire};
    for (size_t i = 0; i < 2; i++) {
        Buffer lost = buffer_in(w.loaded->arena), out = buffer_in(w.loaded->arena);
        PlanRun report = {.on_loss = on_loss, .owner = &lost};
        assert_ok(w.loaded->arena, plan_run(plans[i], &(PlanInput){.bytes = bytes_of(from)},
                                            w.loaded->arena, &out, &report));
        assert_bytes(buffer_bytes(&lost), fields);
    }
}

static void a_value_of_an_enum_that_has_no_counterpart_is_named(void **state)
{
    const char *yaml = "enums: {Status: {PENDING: {to: QUEUED, back: true}, WAITING: QUEUED, LOST: "
                       "{removed: loud}, HELD: {added: loud}}}";
    Way up = way(state, "Enums", yaml, true), down = way(state, "Enums", yaml, false);
    Way texts_up = way(state, "Texts", texts, true);
    refuses_as(up, "{\"status\":\"LOST\"}",
               "status: LOST (4) of changes.Enums.Old.Status has no counterpart in "
               "changes.Enums.New.Status");
    refuses_as(down, "{\"status\":\"HELD\"}",
               "status: HELD (7) of changes.Enums.New.Status has no counterpart in "
               "changes.Enums.Old.Status");
    refuses_as(texts_up, "{\"e\":99}",
               "e: the value (99) of changes.Texts.Old.Color has no counterpart");
}

static void a_value_that_comes_back_as_another_is_counted(void **state)
{
    const char *yaml = "enums: {Status: {PENDING: {to: QUEUED, back: true}, WAITING: QUEUED, LOST: "
                       "{removed: DONE}, HELD: {added: WAITING}}}";
    Way up = way(state, "Enums", yaml, true), down = way(state, "Enums", yaml, false);
    loses(up, "{\"status\":\"PENDING\"}", "");
    loses(up, "{\"status\":\"WAITING\"}", "status ");
    loses(up, "{\"status\":\"LOST\"}", "status ");
    loses(up, "{\"status\":\"DONE\"}", "");
    loses(down, "{\"status\":\"QUEUED\"}", "");
    loses(down, "{\"status\":\"HELD\"}", "status ");
}

static const char lossy[] = "messages: {M: {at: {by: time_text}, part: {by: wrapper}, plan: {by: "
                            "text_table, values: {free: basic, trial: "
                            "basic, pro: [premium, gold]}, others: loud}}}";

static void a_text_that_comes_back_as_another_is_counted(void **state)
{
    Way up = way(state, "Lossy", lossy, true), down = way(state, "Lossy", lossy, false);
    loses(up, "{\"plan\":\"free\"}", "");
    loses(up, "{\"plan\":\"trial\"}", "plan ");
    loses(down, "{\"plan\":\"premium\"}", "");
    loses(down, "{\"plan\":\"gold\"}", "plan ");
}

static void another_spelling_of_a_time_is_counted(void **state)
{
    Way up = way(state, "Lossy", lossy, true), down = way(state, "Times", times, false);
    loses(up, "{\"at\":\"2026-03-01T00:00:00Z\"}", "");
    loses(up, "{\"at\":\"2026-03-01T00:00:00.100Z\"}", "");
    loses(up, "{\"at\":\"2026-03-01T00:00:00.1Z\"}", "at ");
    loses(up, "{\"at\":\"2026-03-01T00:00:00.000Z\"}", "at ");
    loses(up, "{\"at\":\"2026-03-01T00:00:00+00:00\"}", "at ");
    loses(up, "{\"at\":\"2026-03-01T00:00:00-00:00\"}", "at ");
    loses(down, "{\"c\":\"1s\"}", "");
    loses(down, "{\"c\":\"1.500s\"}", "");
    loses(down, "{\"c\":\"1.5s\"}", "c ");
    loses(down, "{\"c\":\"-0s\"}", "c ");
    loses(up, "{\"at\":\"2026-03-01T01:00:00+01:00\"}", "at ");
    loses(up, "{\"at\":\"2026-03-01T00:00:00-00:01\"}", "at ");
}

/* Unused bits of the last character are a spelling, too. */
static void another_spelling_of_bytes_is_counted(void **state)
{
    Way hex = way(state, "Texts",
                  "messages: {M: {a: {by: text}, b: {by: text}, c: {by: hex}, d: {by: utf8}, "
                  "e: {by: enum_name, others: loud}, f: {by: flag, values: {false: OFF, true: "
                  "ON}, others: loud}}}",
                  false);
    loses(hex, "{\"c\":\"00ff\",\"d\":\"FF\"}", "");
    loses(hex, "{\"c\":\"00fF\"}", "c ");
    Way down = way(state, "Texts",
                   "messages: {M: {a: {by: text}, b: {by: text}, c: {by: base64}, d: {by: base64}, "
                   "e: {by: enum_name, others: loud}, f: {by: flag, values: {false: OFF, true: "
                   "ON}, others: loud}}}",
                   false);
    loses(down, "{\"c\":\"4w==\",\"d\":\"+/8=\"}", "");
    loses(down, "{\"c\":\"4w\",\"d\":\"-_8=\"}", "c d ");
    loses(down, "{\"c\":\"+_8=\",\"d\":\"4w==\"}", "c ");
    loses(down, "{\"c\":\"42==\",\"d\":\"AAB\"}", "c d ");
    loses(down, "{\"c\":\"AAAA\",\"d\":\"\"}", "");
}

/* The least float that is not zero is 1.4e-45; what is nearer to it than to zero becomes it. */
static void another_spelling_of_a_number_is_counted(void **state)
{
    Way down = way(state, "Texts", texts, false);
    loses(down, "{\"a\":\"1000\"}", "");
    loses(down, "{\"a\":\"-1\",\"b\":\"true\"}", "");
    loses(down, "{\"a\":\"1e3\"}", "a ");
    loses(down, "{\"a\":\"1.0\"}", "a ");
    loses(down, "{\"a\":\"-0\"}", "a a "); /* and zero is unset */
    Way floats =
        way(state, "Floats",
            "messages: {M: {a: {by: text}, b: {by: text}, c: {by: text}, d: {by: text}}}", false);
    loses(floats, "{\"a\":\"0.1\",\"b\":\"0.1\",\"c\":[\"1e+20\",\"NaN\",\"-0\"]}", "");
    loses(floats, "{\"a\":\"0.10\"}", "a ");
    loses(floats, "{\"b\":\"0.1000000001\"}", "b ");
    loses(floats, "{\"c\":[\"1e20\",\"2.0\"]}", "c c ");
    loses(floats, "{\"a\":\"0.1000000000000000055\"}", "a ");
    Way names = way(state, "Names",
                    "messages:\n  M:\n    name: {template: \"projects/{project}/topics/{topic}\", "
                    "to: [project, topic]}\n    path: {template: \"a/{x}\", into: \"b/{x}\"}\n"
                    "    shard: {template: \"{host}/{n}/{m}\", to: [host, n, m]}\n",
                    true);
    loses(names, "{\"shard\":\"h/7/8\"}", "");
    loses(names, "{\"shard\":\"h/7/8.0\"}", "shard ");
}

static void an_error_says_why_a_value_has_no_place(void **state)
{
    Way amounts =
        way(state, "Amounts",
            "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, fee: "
            "{by: units_to_money, currency: EUR}, meters: {to: kilometers, by: scale, "
            "divided_by: 1000}}}",
            false);
    refuses_as(amounts, "{\"fee\":{\"currencyCode\":\"USD\"}}", "(another currency)");
    refuses_as(amounts, "{\"fee\":{\"units\":\"1\"}}", "(an amount without a currency)");
    refuses_as(amounts, "{\"fee\":{\"nanos\":1}}", "(an amount without a currency)");
    gives(amounts, "{\"fee\":{\"units\":\"1\",\"currencyCode\":\"EUR\"}}", "{\"fee\":\"1\"}");
    gives(amounts, "{\"fee\":{}}", "{}");
    Way gone =
        way(state, "Gone",
            "messages: {M: {comment: {removed: loud}, level: {constant: 7}, currency: {added: "
            "graceful}, region: {added: graceful}}}",
            true);
    refuses_as(gone, "{\"comment\":\"x\"}", "(it has no counterpart)");
    refuses_as(gone, "{\"level\":8}", "(unless it is the value that comes back)");
    Way exact = way(state, "Numbers", "messages: {M: {b: {by: number}, d: {by: number}}}", false);
    refuses_as(exact, "{\"d\":1e300}", "out of range");
    refuses_as(exact, "{\"d\":\"Infinity\"}", "out of range");
    refuses_as(exact, "{\"d\":0.5}", "not whole");
    refuses_as(exact, "{\"d\":\"NaN\"}", "not whole");
    refuses_as(way(state, "Texts", texts, false), "{\"b\":\"yes\"}", "neither true nor false");
}

static void a_text_for_zero_is_counted_where_zero_is_unset(void **state)
{
    Way down = way(state, "Texts", texts, false);
    loses(down, "{\"a\":\"0\",\"b\":\"false\",\"e\":\"NONE\"}", "a b e ");
    loses(down, "{\"a\":\"1\",\"b\":\"true\"}", "");
    loses(down, "{\"a\":\"\",\"e\":\"\"}", "");
    Way given =
        way(state, "Floats",
            "messages: {M: {a: {by: text, required: \"0\"}, b: {by: text, required: \"1\"}, c: "
            "{by: text}, d: {by: text}}}",
            false);
    loses(given, "{\"a\":\"0\",\"d\":\"0\",\"c\":[\"0\"]}", "");
    loses(given, "{\"b\":\"0\"}", "b ");
    Way table = way(state, "Words",
                    "messages: {M: {plan: {by: text_table, values: {free: \"\", pro: gold}}, "
                    "color: {by: enum_name}}}",
                    true);
    loses(table, "{\"plan\":\"free\"}", "plan ");
    loses(table, "{\"plan\":\"pro\"}", "");
}

static void a_list_of_one_zero_is_counted_where_zero_is_unset(void **state)
{
    const char *yaml =
        "messages: {M: {a: {more: graceful}, b: {more: graceful}, c: {more: graceful}}, "
        "Inner: {x: y}}";
    Way up = way(state, "Lists", yaml, true), down = way(state, "Lists", yaml, false);
    loses(up, "{\"b\":[\"\"]}", "b ");
    loses(up, "{\"b\":[\"x\"]}", "");
    loses(up, "{\"b\":[]}", "");
    loses(down, "{\"a\":[\"\"]}", "a ");
    loses(down, "{\"a\":[\"\",\"x\"]}", "a a ");
    loses(down, "{\"c\":[{}]}", ""); /* a message has presence */
}

static void another_spelling_of_a_word_is_counted(void **state)
{
    Way up = way(state, "Words", words, true), down = way(state, "Words", words, false);
    loses(down, "{\"color\":\"rouge\"}", "");
    loses(down, "{\"color\":\"Rouge\"}", "color ");
    loses(down, "{\"color\":\"red\"}", "color ");
    loses(up, "{\"size\":\"Small\",\"plan\":\"free\"}", "");
    loses(up, "{\"size\":\"SMALL\"}", "size ");
    loses(down, "{\"size\":\"S\"}", "");
    loses(down, "{\"size\":\"s\"}", "size ");
    loses(down, "{\"size\":\"XL\"}", "size ");
}

static void a_number_that_becomes_zero_is_counted(void **state)
{
    Way up = way(state, "Lossy", lossy, true), down = way(state, "Lossy", lossy, false);
    loses(up, "{\"share\":0}", "");
    loses(up, "{\"share\":1e-45}", "");
    loses(up, "{\"share\":1e-46}", "share ");
    loses(up, "{\"share\":-1e-50,\"part\":1e-50}", "share part ");
    loses(up, "{\"share\":0.1}", "");
    loses(down, "{\"share\":1e-45}", "");
}

static void a_choice_that_only_zero_tells_is_counted(void **state)
{
    const char *yaml = "messages: {M: {b: {by: seconds}}}";
    Way up = way(state, "Unchosen", yaml, true), down = way(state, "Unchosen", yaml, false);
    loses(up, "{\"a\":\"\"}", "a ");
    loses(up, "{\"a\":\"x\"}", "");
    loses(up, "{\"b\":\"0s\"}", "b ");
    loses(up, "{\"b\":\"1s\"}", "");
    loses(up, "{\"c\":0}", "");
    loses(down, "{\"b\":\"0\",\"c\":0}", "");
    loses(way(state, "Boxed", boxed, true), "{\"voucher\":\"\"}", "");
    loses(way(state, "Boxed", boxed, false), "{\"voucher\":{}}", "");
    loses(way(state, "Boxed", boxed, false), "{\"code\":{}}", "code ");
}

static void a_number_that_is_rounded_is_counted(void **state)
{
    static const char *const scaled =
        "messages: {M: {milliseconds: {to: seconds, by: scale, divided_by: 1000, round: graceful}, "
        "bytes: {to: kilobytes, by: scale, divided_by: 1024, round: graceful}, "
        "steps: {by: scale, times: 3, round: graceful}, share: {to: per_mille, by: scale, times: "
        "1000, round: graceful}, ratio: {by: scale, divided_by: 7}, small: {by: scale, divided_by: "
        "1000}, weight: {to: grams, by: scale, times: 1000}, large: {by: scale, times: 10}}}";
    static const char *const timed =
        "messages: {M: {at: {by: seconds, round: graceful}, wait: {by: milliseconds, round: "
        "graceful}, hours: {by: hours}, days: {by: days}, nanos: {by: nanoseconds, round: "
        "graceful}, single: {by: seconds, round: graceful}}}";
    Way up = way(state, "Scales", scaled, true), down = way(state, "Scales", scaled, false);
    loses(up, "{\"milliseconds\":\"1001\",\"bytes\":\"3\"}", "");
    loses(up, "{\"milliseconds\":\"9223372036854775807\"}", "milliseconds ");
    loses(up, "{\"bytes\":\"9007199254740993\"}", "bytes ");
    loses(up, "{\"steps\":\"134217729\"}", "steps ");
    loses(down, "{\"seconds\":1.001}", "");
    loses(down, "{\"seconds\":1.0011}", "seconds ");
    loses(down, "{\"large\":5e-324}", "large ");
    up = way(state, "Seconds", timed, true);
    down = way(state, "Seconds", timed, false);
    loses(up, "{\"at\":\"2026-03-01T00:00:00.123456789Z\"}", "at ");
    loses(up, "{\"at\":\"1970-01-01T00:00:00.123456789Z\"}", "");
    loses(down, "{\"wait\":1e-7}", "wait ");
    loses(down, "{\"nanos\":0.4,\"single\":1e-10}", "nanos single ");
    loses(up, "{\"nanos\":\"1970-04-15T05:59:59.254740993Z\"}", "nanos ");
}

static void a_mask_that_becomes_wider_is_counted_where_the_list_lets_it(void **state)
{
    Way up = way_of(state, "Parted", "Update", masked(*state, ", wider: graceful"), true);
    loses(up, "{\"updateMask\":\"project,topic,price,b.x\"}", "");
    gives(up, "{\"updateMask\":\"topic\"}", "{\"updateMask\":\"path\"}");
    loses(up, "{\"updateMask\":\"topic\"}", "update_mask ");
    loses(up, "{\"updateMask\":\"price.units\"}", "update_mask ");
    refuses_as(up, "{\"updateMask\":\"price.euros\"}", "names no field");
    LossReport report;
    Loaded *loaded = *state;
    Buffer text = buffer_in(loaded->arena);
    loss_report_all(loaded->arena,
                    read_set(loaded, "Parted", masked(loaded, ", wider: graceful"), true), &report);
    loss_report_text(&report, false, &text);
    assert_non_null(strstr(arena_text(loaded->arena, buffer_bytes(&text)),
                           "Update.update_mask: field_mask, a path without a counterpart is an "
                           "error, a path of a part names the whole (loud)"));
}

static void what_is_counted_is_in_the_report(void **state)
{
    Loaded *loaded = *state;
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    loss_report_all(loaded->arena, read_set(loaded, "Lossy", lossy, true), &report);
    loss_report_text(&report, false, &text);
    assert_bytes(
        buffer_bytes(&text),
        "  respelled Lossy.Old.M.at -> Lossy.New.M.at: time_text, a text that is no time "
        "is an error, another spelling comes back (loud)  [list.yaml:3]\n"
        "  narrowed  Lossy.Old.M.plan -> Lossy.New.M.plan: text_table, free and trial "
        "become basic, another text is an error (loud)  [list.yaml:3]\n"
        "  narrowed  Lossy.Old.M.share -> Lossy.New.M.share: number, out of range is an "
        "error, a number too near to zero becomes zero (loud)  [list.yaml:3]\n"
        "  narrowed  Lossy.Old.M.part -> Lossy.New.M.part: wrapper, out of range is an "
        "error, a number too near to zero becomes zero (loud)  [list.yaml:3]\n"
        "  0 kept, 0 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 4 loud\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_an_enum_that_has_no_counterpart_is_named),
        cmocka_unit_test(a_value_that_comes_back_as_another_is_counted),
        cmocka_unit_test(a_text_that_comes_back_as_another_is_counted),
        cmocka_unit_test(another_spelling_of_a_time_is_counted),
        cmocka_unit_test(another_spelling_of_bytes_is_counted),
        cmocka_unit_test(a_number_that_becomes_zero_is_counted),
        cmocka_unit_test(another_spelling_of_a_number_is_counted),
        cmocka_unit_test(an_error_says_why_a_value_has_no_place),
        cmocka_unit_test(a_text_for_zero_is_counted_where_zero_is_unset),
        cmocka_unit_test(a_list_of_one_zero_is_counted_where_zero_is_unset),
        cmocka_unit_test(another_spelling_of_a_word_is_counted),
        cmocka_unit_test(a_number_that_is_rounded_is_counted),
        cmocka_unit_test(a_choice_that_only_zero_tells_is_counted),
        cmocka_unit_test(what_is_alone_in_a_message_keeps_its_presence),
        cmocka_unit_test(a_mask_that_becomes_wider_is_counted_where_the_list_lets_it),
        cmocka_unit_test(a_mask_never_names_more_than_the_client_did),
        cmocka_unit_test(a_path_that_names_nothing_is_refused),
        cmocka_unit_test(what_is_counted_is_in_the_report),
        cmocka_unit_test(a_scaled_number_comes_back_from_the_double_nearest_to_it),
        cmocka_unit_test(a_scaled_number_that_would_not_come_back_is_refused),
        cmocka_unit_test(a_time_as_a_double_comes_back_or_is_refused),
        cmocka_unit_test(numbers_stop_at_the_range_of_the_other_kind),
        cmocka_unit_test(whole_numbers_and_floats_go_together_while_they_are_exact),
        cmocka_unit_test(texts_that_are_no_values_are_refused),
        cmocka_unit_test(bytes_are_texts_only_when_they_are),
        cmocka_unit_test(times_reach_from_year_1_to_9999),
        cmocka_unit_test(dates_are_days_that_exist),
        cmocka_unit_test(amounts_keep_every_part_or_are_refused),
        cmocka_unit_test(names_match_their_template_to_the_end),
        cmocka_unit_test(parts_that_would_not_come_back_are_refused),
        cmocka_unit_test(a_part_is_never_empty),
        cmocka_unit_test(several_texts_stand_for_one_value),
        cmocka_unit_test(texts_become_others_by_a_table),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
