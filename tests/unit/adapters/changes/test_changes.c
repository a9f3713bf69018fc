#include "adapters/changes/changes.h"

#include "adapters/mapping/expr.h"
#include "tests/unit/adapters/changes_schema.h"

/* The rules and guards of the mapping of one message, one a line. */
static Bytes rules_of(Loaded *loaded, const MappingSet *set, const char *message)
{
    Buffer text = buffer_in(loaded->arena);
    for (uint32_t i = 0; i < set->n_mappings; i++) {
        if (bytes_end_with(bytes_of(set->mappings[i]->from->full_name), message))
            mapping_print(set->mappings[i], &text);
    }
    Bytes whole = buffer_bytes(&text);
    size_t line = bytes_find(whole, '\n');
    return bytes_slice(whole, line + 1, whole.size);
}

static void check(void **state, const char *kind, const char *yaml, const char *message,
                  const char *up, const char *down)
{
    Loaded *loaded = *state;
    assert_bytes(rules_of(loaded, read_set(loaded, kind, yaml, true), message), up);
    assert_bytes(rules_of(loaded, read_set(loaded, kind, yaml, false), message), down);
}

static void refused(void **state, const char *kind, const char *yaml, const char *expected)
{
    Loaded *loaded = *state;
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list = read_list(loaded, kind, yaml, &problems);
    Buffer text = buffer_in(loaded->arena);
    problems_print(&problems, &text);
    assert_null(list);
    assert_bytes(buffer_bytes(&text), expected);
}

/* A list of the kind Given of which all is said, with this change among it. */
static const char *given(Loaded *loaded, const char *change)
{
    static const char *const fields[] = {"mask",  "paths", "time",   "wait",  "count", "extra",
                                         "value", "list",  "tags",   "sizes", "names", "data",
                                         "ratio", "part",  "on",     "color", "box",   "empty",
                                         "zero",  "wide",  "numbers"};
    Buffer yaml = buffer_in(loaded->arena);
    buffer_printf(&yaml, "messages:\n  M:\n    %s\n", change);
    buffer_add_text(&yaml,
                    "    pull: {removed: loud}\n    size: {removed: loud}\n    at: {removed: "
                    "loud}\n");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t size = strlen(fields[i]);
        if (strncmp(change, fields[i], size) != 0 || change[size] != ':')
            buffer_printf(&yaml, "    %s: {added: graceful}\n", fields[i]);
    }
    return arena_text(loaded->arena, buffer_bytes(&yaml));
}

/* ---- Every operation, both ways -------------------------------------------------------------- */

static void a_field_is_renamed(void **state)
{
    check(state, "Rename", "messages: {M: {a: b}}", ".M", "  b = a\n  same = same\n",
          "  a = b\n  same = same\n");
}

static void two_fields_change_their_names_with_each_other(void **state)
{
    check(state, "Swap", "messages: {M: {a: b, b: a}}", ".M", "  a = b\n  b = a\n",
          "  a = b\n  b = a\n");
}

static void fields_move_into_and_out_of_messages(void **state)
{
    check(state, "Move",
          "messages:\n  M: {street: address.street, city: extra.city, extra.note: note}\n"
          "  Extra: {note: {removed: loud}, city: {added: graceful}}",
          ".M",
          "  address = Move.New.Address{street: street}\n"
          "  extra = Move.New.Extra{city: city, tag: extra.tag} if extra\n"
          "  note = extra.note\n",
          "  street = address.street\n"
          "  city = extra.city\n"
          "  extra = Move.Old.Extra{note: note, tag: extra.tag} if extra\n"
          "  drop address unless address.street\n");
}

static void a_message_moves_whole(void **state)
{
    check(state, "Lists",
          "messages: {M: {a: {more: loud}, b: {more: graceful}, c: {more: loud}}, Inner: {x: y}}",
          ".M",
          "  a = list(a)\n  b = first(b)\n  c = list(Lists.New.Inner(c))\n"
          "  drop first(b) when first(b) = \"\"\n",
          "  a = only(a)\n  b = list(b)\n  c = Lists.Old.Inner(only(c))\n"
          "  drop first(a) when first(a) = \"\"\n");
}

static void fields_come_and_go(void **state)
{
    check(state, "Gone",
          "messages:\n  M:\n    comment: {removed: graceful}\n    level: {removed: loud, ignored: "
          "1, back: 3}\n"
          "    currency: {added: EUR}\n    region: {added: loud, back: loud}",
          ".M",
          "  id = id\n  currency = \"EUR\"\n  region = required()\n"
          "  drop comment\n  refuse level unless 1\n",
          "  id = id\n  level = 3\n  drop currency unless \"EUR\"\n  refuse region\n");
}

static void a_constant_is_written_and_checked(void **state)
{
    check(state, "Gone",
          "messages:\n  M:\n    comment: {removed: graceful}\n    level: {constant: 7}\n"
          "    currency: {constant: \"loud\"}\n    region: {added: graceful}",
          ".M", "  id = id\n  currency = \"loud\"\n  drop comment\n  refuse level unless 7\n",
          "  id = id\n  level = 7\n  refuse currency unless \"loud\"\n  drop region\n");
}

static void numbers_widen_and_narrow(void **state)
{
    check(state, "Numbers", "messages: {M: {d: {by: number}}}", ".M",
          "  a = number[int32 to int64](a)\n  b = number[uint64 to int32](b)\n"
          "  c = number[float to double](c)\n  d = number[int64 to double](d)\n"
          "  e = number[int32 to int64](e)\n  f = number[int32 to int64](f)\n",
          "  a = number[int64 to int32](a)\n  b = number[int32 to uint64](b)\n"
          "  c = number[double to float](c)\n  d = number[double to int64](d)\n"
          "  e = number[int64 to int32](e)\n  f = number[int64 to int32](f)\n");
}

static void values_become_texts(void **state)
{
    check(state, "Texts",
          "messages: {M: {a: {by: text}, b: {by: text}, c: {by: base64}, d: {by: utf8}, "
          "e: {by: enum_name, values: {RED: rouge}}, f: {by: flag, values: {false: OFF, true: ON}, "
          "others: true}}}",
          ".M",
          "  a = text(a)\n  b = text(b)\n  c = base64(c)\n  d = utf8(d)\n  e = enum_name[0=NONE "
          "1=rouge](e)\n"
          "  f = flag[0=2 1=1](f) else OFF\n",
          "  a = text(a)\n  b = text(b)\n  c = base64(c)\n  d = utf8(d)\n  e = enum_name[NONE=0 "
          "rouge=1](e)\n"
          "  f = flag[1=1 2=0 else 1](f)\n"
          "  drop a when text(a) = 0\n  drop b when text(b) = false\n"
          "  drop e when enum_name[NONE=0 rouge=1](e) = NONE\n");
}

static void a_text_for_zero_that_the_list_gives_back_is_kept(void **state)
{
    check(state, "Texts",
          "messages: {M: {a: {by: text, required: \"0\"}, b: {by: text, required: \"false\"}, c: "
          "{by: "
          "base64}, d: {by: utf8}, e: {by: enum_name, required: \"NONE\"}, f: [{removed: "
          "graceful}, {added: graceful}]}}",
          ".M",
          "  a = text(a) else \"0\"\n  b = text(b) else \"false\"\n  c = base64(c)\n"
          "  d = utf8(d)\n  e = enum_name[0=NONE 1=RED](e) else \"NONE\"\n  drop f\n",
          "  a = text(a)\n  b = text(b)\n  c = base64(c)\n  d = utf8(d)\n"
          "  e = enum_name[NONE=0 RED=1](e)\n  drop a when text(a) = 0 unless \"0\"\n"
          "  drop b when text(b) = false unless \"false\"\n"
          "  drop e when enum_name[NONE=0 RED=1](e) = NONE unless \"NONE\"\n  drop f\n");
}

static void times_become_numbers_texts_and_dates(void **state)
{
    check(state, "Times",
          "messages: {M: {a: {by: seconds, round: graceful}, b: {by: milliseconds}, c: {by: "
          "time_text}, "
          "d: {by: date}, e: {by: date_text}}}",
          ".M",
          "  a = seconds(a)\n  b = milliseconds(b)\n  c = time_text(c)\n  d = date(d)\n  e = "
          "date_text(e)\n",
          "  a = seconds(a)\n  b = milliseconds(b)\n  c = time_text(c)\n  d = date(d)\n  e = "
          "date_text(e)\n");
}

static void amounts_become_money_and_other_units(void **state)
{
    check(state, "Amounts",
          "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, "
          "fee: {by: units_to_money, currency: EUR}, meters: {to: kilometers, by: scale, "
          "divided_by: 1000}}}",
          ".M",
          "  total = cents_to_money(cents else 0 when currency, currency)\n  fee = "
          "units_to_money(fee, \"EUR\")\n"
          "  kilometers = scale[*1/1000](meters)\n",
          "  cents = cents_to_money(total)\n  currency = total.currency_code\n  fee = "
          "units_to_money(fee)\n"
          "  meters = scale[*1000/1](kilometers)\n  refuse fee.currency_code unless \"EUR\"\n"
          "  refuse select true if sentinel[0](fee.units) | true if sentinel[0](fee.nanos) unless "
          "fee.currency_code\n");
}

static void scalars_are_wrapped_and_messages_serialized(void **state)
{
    check(state, "Wrappers",
          "messages: {M: {a: {by: wrapper}, b: {by: serialized}, c: {by: wrapper}, d: {by: "
          "wrapper}, e: {by: wrapper}, f: {by: wrapper}}}",
          ".M",
          "  a = wrapper(a)\n  b = serialized[bytes](b)\n  c = wrapper(c)\n  d = wrapper(d)\n"
          "  e = wrapper(e)\n  f = wrapper(f)\n",
          "  a = wrapper(a)\n  b = serialized[message](b)\n  c = wrapper(c)\n  d = wrapper(d)\n"
          "  e = wrapper(e)\n  f = wrapper(f)\n");
}

static void a_wrapper_of_numbers_takes_numbers_and_nothing_else(void **state)
{
    static const char *const good[] = {"c", "d", "e", "f"};
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Problems problems = problems_in(loaded->arena);
        read_list(loaded, "Wrappers",
                  arena_printf(loaded->arena, "messages: {M: {%s: {by: wrapper}}}", good[i]),
                  &problems);
        for (size_t k = 0; k < problems.n; k++)
            assert_null(strstr(problems.items[k].path, good[i]));
    }
    Problems problems = problems_in(loaded->arena);
    read_list(loaded, "Wrappers", "messages: {M: {b: {by: wrapper}}}", &problems);
    assert_non_null(strstr(problems.items[0].reason, "wrapper does not fit"));
}

static void sentinels_and_zeros_become_presence(void **state)
{
    check(state, "Presence", "messages: {M: {limit: {sentinel: -1}, count: {zero: set}}}", ".M",
          "  limit = sentinel[-1](limit else 0)\n  count = count else 0\n",
          "  limit = limit else -1\n  count = count\n  drop limit when limit = -1\n");
}

static void enum_values_are_mapped_many_to_one(void **state)
{
    check(state, "Enums",
          "enums:\n  Status:\n    PENDING: {to: QUEUED, back: true}\n    WAITING: QUEUED\n"
          "    LOST: {removed: loud}\n    HELD: {added: WAITING}",
          ".M", "  status = enum[0=0 1=2 2=2 3=1](status)\n",
          "  status = enum[0=0 1=3 2=1 7=2](status)\n");
}

static void enum_values_fall_back(void **state)
{
    check(state, "Enums",
          "enums:\n  Status:\n    PENDING: QUEUED\n    WAITING: {removed: graceful}\n"
          "    LOST: {removed: graceful}\n    HELD: {added: loud}\n    fallback: {new: HELD}",
          ".M", "  status = enum[0=0 1=2 3=1 else 7](status)\n",
          "  status = enum[0=0 1=3 2=1](status)\n");
}

static void an_unset_enum_keeps_its_meaning(void **state)
{
    check(state, "Zero", "enums: {E: {NONE: {added: A}}}", ".M", "  e = enum[0=2 1=1](e) else A\n",
          "  e = enum[0=0 1=1 2=0](e)\n");
}

static void resource_names_are_split_and_composed(void **state)
{
    check(state, "Templates",
          "messages:\n  M:\n"
          "    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: [project_id, "
          "topic_id]}\n"
          "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}\"}\n"
          "    key: {template: \"k/{project}/{topic}\", from: [project, topic]}",
          ".M",
          "  project_id = template[projects/{0}/topics/{1} part 0](name)\n"
          "  topic_id = template[projects/{0}/topics/{1} part 1](name)\n"
          "  key = template[k/{0}/{1}](project, topic)\n"
          "  path = template[c/{0}/d/{1}](template[a/{0}/b/{1} part 1](path), "
          "template[a/{0}/b/{1} part 0](path))\n",
          "  name = template[projects/{0}/topics/{1}](project_id, topic_id)\n"
          "  project = template[k/{0}/{1} part 0](key)\n"
          "  topic = template[k/{0}/{1} part 1](key)\n"
          "  path = template[a/{0}/b/{1}](template[c/{0}/d/{1} part 1](path), "
          "template[c/{0}/d/{1} part 0](path))\n");
}

static void a_kind_and_a_value_become_one_of_several(void **state)
{
    check(state, "Kinds",
          "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: "
          "BANK}}]\n"
          "    kind: {select: {card: CARD, bank: BANK}}\n    api: {constant: \"2\"}",
          ".M",
          "  card = value when (kind else NONE) = CARD\n  bank = value when (kind else NONE) = "
          "BANK\n  api = \"2\"\n"
          "  refuse value when sentinel[BANK](sentinel[CARD](kind else NONE))\n"
          "  drop sentinel[CARD](kind) when value when (kind else NONE) = CARD else "
          "sentinel[BANK](kind) when value when (kind else NONE) = BANK else sentinel[NONE](kind) "
          "unless value when (kind else NONE) = BANK unless value when (kind else NONE) = CARD\n",
          "  kind = select CARD if card | BANK if bank\n  value = card else bank\n"
          "  refuse api unless \"2\"\n");
}

/* Both versions have the kind, and only one has a field for each. */
static void a_value_that_its_kind_does_not_name_is_refused(void **state)
{
    check(state, "KindsBoth",
          "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: "
          "BANK}}]\n",
          ".M",
          "  kind = kind\n  card = value when (kind else NONE) = CARD\n  bank = value when (kind "
          "else "
          "NONE) = BANK\n  refuse value when sentinel[BANK](sentinel[CARD](kind else NONE))\n",
          "  kind = kind\n  value = card else bank\n"
          "  refuse card when sentinel[CARD](kind else NONE)\n"
          "  refuse bank when sentinel[BANK](kind else NONE)\n");
}

static const char *const ports = "messages:\n  M:\n    number: {to: number, when: {type: 0}}\n"
                                 "    name: {to: name, when: {type: 1}}\n"
                                 "    range: {to: range, when: {type: 2}}\n";

static void a_zero_that_the_kind_does_not_name_is_dropped(void **state)
{
    Loaded *loaded = *state;
    check(
        state, "Ports",
        arena_printf(loaded->arena, "%s    type: {select: {number: 0, name: 1, range: 2}}\n",
                     ports),
        ".M",
        "  name = name when (type else 0) = 1\n  number = number when (type else 0) = 0\n"
        "  range = same Ports.New.Range(range) when (type else 0) = 2\n"
        "  refuse sentinel[0](number) when sentinel[0](type else 0)\n"
        "  drop number when sentinel[0](type else 0)\n"
        "  refuse sentinel[\"\"](name) when sentinel[1](type else 0)\n"
        "  drop name when sentinel[1](type else 0)\n"
        "  refuse range when sentinel[2](type else 0)\n"
        "  drop sentinel[0](type) when number when (type else 0) = 0 else sentinel[1](type) when "
        "name when (type else 0) = 1 else sentinel[2](type) when range when (type else 0) = 2 else "
        "sentinel[0](type) unless range when (type else 0) = 2 unless name when (type else 0) = 1 "
        "unless number when (type else 0) = 0\n",
        "  type = select 0 if number | 1 if name | 2 if range\n  number = number\n  name = name\n"
        "  range = same Ports.Old.Range(range)\n  refuse name when number\n"
        "  refuse range when select true if number | true if name\n");
}

static void zeros_that_say_nothing_give_way_to_what_is_more(void **state)
{
    Loaded *loaded = *state;
    Bytes down = rules_of(
        loaded,
        read_set(loaded, "Ports",
                 arena_printf(
                     loaded->arena,
                     "%s    type: {select: {number: 0, name: 1, range: 2}, unused: zero}\n", ports),
                 false),
        ".M");
    const char *chosen =
        "select 0 if sentinel[0](number) | 1 if sentinel[\"\"](name) | 2 if range | "
        "0 if number | 1 if name | 2 if range";
    assert_bytes(down, arena_printf(loaded->arena,
                                    "  type = %s\n  number = number when %s = 0\n"
                                    "  name = name when %s = 1\n"
                                    "  range = same Ports.Old.Range(range) when %s = 2\n"
                                    "  refuse sentinel[\"\"](name) when sentinel[0](number)\n"
                                    "  refuse range when select true if sentinel[0](number) | true "
                                    "if sentinel[\"\"](name)\n",
                                    chosen, chosen, chosen, chosen));
}

static void that_a_message_was_there_is_lost_with_its_fields(void **state)
{
    static const char *const rows[][2] = {
        {"", "  drop web unless web.routing | web.retries | sentinel[0](web.inner.a)\n"
             "  drop web.inner unless sentinel[0](web.inner.a)\n"},
        {"    web: {removed: loud}\n",
         "  drop web.inner unless sentinel[0](web.inner.a)\n"
         "  refuse web unless web.routing | web.retries | sentinel[0](web.inner.a)\n"},
        {"    web: {removed: graceful, back: {}}\n",
         "  drop web.inner unless sentinel[0](web.inner.a)\n"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_bytes(
            rules_of(loaded,
                     read_set(loaded, "Hoisted",
                              arena_printf(loaded->arena,
                                           "messages:\n  M:\n    web.routing: routing\n"
                                           "    web.retries: retries\n    web.inner.a: a\n%s",
                                           rows[i][0]),
                              true),
                     ".M"),
            arena_printf(loaded->arena,
                         "  name = name\n  routing = same Hoisted.New.Routing(web.routing)\n"
                         "  retries = web.retries\n  a = web.inner.a\n%s",
                         rows[i][1]));
}

static void what_is_said_of_a_message_beside_its_fields_is_only_that_it_is_there(void **state)
{
    refused(state, "Hoisted",
            "messages:\n  M:\n    web.routing: routing\n    web.retries: retries\n"
            "    web: {removed: loud, back: {retries: 1}}\n    a: {added: graceful}\n",
            "list.yaml:4:3: M.web.inner: v1 has this field, and nothing says what becomes of it "
            "(write web.inner: {removed: graceful} or loud)\n"
            "list.yaml:7:5: M.web: other changes fill the fields inside it, so only its presence "
            "can be given (write web: {back: {}})\n");
    refused(state, "Ports",
            "messages:\n  M:\n    range: {to: range, when: {type: 2}}\n"
            "    type: {select: {range: 2}, unused: zreo, others: maybe}\n",
            "list.yaml:6:32: M.type: expected zero, graceful or loud\n");
}

static void a_value_means_a_sentinel_or_that_a_message_is_there(void **state)
{
    const char *yaml =
        "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: -1}}}\n"
        "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}}\n"
        "    forever: {removed: graceful}\n    speed: {means: {0: {pace: SLOW}, 1: {pace: "
        "FAST}}}\n";
    static const char *const up[] = {
        "  max_attempts = -1 when unlimited = true else max_attempts\n",
        "  avro = Meanings.New.Avro{} if true when format = AVRO\n",
        "  pace = SLOW when (speed else 0) = 0 else FAST when speed = 1\n",
        "  drop max_attempts when unlimited when unlimited = true\n",
        "  drop max_attempts when max_attempts = -1\n",
    };
    static const char *const down[] = {
        "  unlimited = select true if max_attempts when max_attempts = -1\n",
        "  max_attempts = sentinel[-1](max_attempts)\n",
        "  format = select AVRO if avro | JSON if json\n",
        ("  speed = select 0 if pace else SLOW when (pace else SLOW) = SLOW | 1 if pace when pace "
         "= "
         "FAST\n"),
        "  drop sentinel[Meanings.New.Avro{}](avro)\n",
        "  refuse sentinel[FAST](sentinel[SLOW](pace))\n",
    };
    Bytes rules = rules_of(*state, read_set(*state, "Meanings", yaml, true), ".M");
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        if (!strstr(arena_text(((Loaded *)*state)->arena, rules), up[i]))
            fail_msg("not %s in %.*s", up[i], BYTES_ARGS(rules));
    }
    rules = rules_of(*state, read_set(*state, "Meanings", yaml, false), ".M");
    for (size_t i = 0; i < sizeof down / sizeof *down; i++) {
        if (!strstr(arena_text(((Loaded *)*state)->arena, rules), down[i]))
            fail_msg("not %s in %.*s", down[i], BYTES_ARGS(rules));
    }
}

static void other_values_than_the_one_with_a_meaning_go_as_their_own_change_says(void **state)
{
    const char *yaml =
        "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: -1}}}\n"
        "    max_attempts: {added: graceful}\n    forever: {means: {true: {days: 7}}}\n"
        "    days: {constant: 3}\n    speed: {means: {1: {pace: 10}, 9: {pace: 90}}}\n"
        "    pace: {added: loud, back: loud}\n    named: {means: {true: {name: me}}}\n"
        "    name: {added: you}\n";
    static const char *const up[] = {
        "  max_attempts = -1 when unlimited = true\n",
        "  days = 7 when forever = true else 3\n",
        "  pace = 10 when speed = 1 else 90 when speed = 9 else required() unless 10 when speed = "
        "1 "
        "| 90 when speed = 9\n",
        "  name = \"me\" when named = true else \"you\" unless \"me\" when named = true\n",
    };
    static const char *const down[] = {
        "  drop sentinel[-1](max_attempts)\n",
        "  refuse sentinel[7](days) unless 3\n",
        "  refuse sentinel[90](sentinel[10](pace))\n",
        "  drop sentinel[\"me\"](name) unless \"you\"\n",
    };
    Loaded *loaded = *state;
    Bytes rules = rules_of(loaded, read_set(loaded, "Meant", yaml, true), ".M");
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        if (!strstr(arena_text(loaded->arena, rules), up[i]))
            fail_msg("not %s in %.*s", up[i], BYTES_ARGS(rules));
    }
    rules = rules_of(loaded, read_set(loaded, "Meant", yaml, false), ".M");
    for (size_t i = 0; i < sizeof down / sizeof *down; i++) {
        if (!strstr(arena_text(loaded->arena, rules), down[i]))
            fail_msg("not %s in %.*s", down[i], BYTES_ARGS(rules));
    }
    if (strstr(arena_text(loaded->arena, rules), "refuse sentinel[-1]"))
        fail_msg("max_attempts is refused, too: %.*s", BYTES_ARGS(rules));
}

static void what_a_value_means_is_one_field_with_a_value(void **state)
{
    refused(state, "Meanings",
            "messages:\n  M:\n    unlimited: {means: {yes: {max_attempts: -1}}}\n"
            "    format: {means: {AVRO: {avro: {size: 1}}}}\n    forever: {means: {true: days}}\n"
            "    speed: {means: {1: {pace: SLO}}}\n    avro: {added: graceful}\n"
            "    json: {added: graceful}\n    pace: {added: graceful}\n",
            "list.yaml:5:25: M.unlimited: this is no value of bool (true or false)\n"
            "list.yaml:6:29: M.format: a value can mean a plain value, or that a message is "
            "there: {}\n"
            "list.yaml:7:23: M.forever: expected one field of the other version, with its value "
            "(write true: {FIELD: VALUE}, or {} for a message)\n"
            "list.yaml:8:25: M.speed: Meanings.New.Pace has no value SLO (did you mean SLOW?)\n");
}

static void values_that_mean_the_same_are_refused(void **state)
{
    const char *rest = "    format: {removed: graceful}\n    forever: {removed: graceful}\n"
                       "    json: {added: graceful}\n    days: days\n";
    static const char *const rows[][2] = {
        {"    unlimited: {means: {true: {max_attempts: -1}, false: {max_attempts: -1}}}\n"
         "    speed: {removed: graceful}\n    pace: {added: graceful}\n    avro: {added: "
         "graceful}\n",
         "list.yaml:5:5: M.unlimited: false means the same as true of unlimited, so what comes "
         "back would be a guess: max_attempts is -1 (give each value a meaning of its own)\n"},
        {"    unlimited: {means: {true: {pace: FAST}}}\n    speed: {means: {7: {pace: FAST}}}\n"
         "    avro: {added: graceful}\n",
         "list.yaml:6:5: M.speed: 7 means the same as true of unlimited, so what comes back would "
         "be a guess: pace is FAST (give each value a meaning of its own)\n"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        refused(state, "Meanings",
                arena_printf(loaded->arena, "messages:\n  M:\n%s%s", rows[i][0], rest), rows[i][1]);
    }
}

static void a_meaning_that_an_unset_field_has_is_refused(void **state)
{
    const char *rest = "    format: {removed: graceful}\n    forever: {removed: graceful}\n"
                       "    speed: {removed: graceful}\n    json: {added: graceful}\n"
                       "    days: days\n    pace: {added: graceful}\n";
    Loaded *loaded = *state;
    refused(state, "Meanings",
            arena_printf(loaded->arena,
                         "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: 0}}}\n"
                         "    avro: {added: graceful}\n%s",
                         rest),
            "list.yaml:5:5: M.unlimited: max_attempts is 0 when it is unset, which would come back "
            "as true (add false: {max_attempts: VALUE}, or give true another meaning)\n");
    refused(state, "Meanings",
            arena_printf(loaded->arena,
                         "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: 0}, false: "
                         "{avro: {}}}}\n%s",
                         rest),
            "list.yaml:5:5: M.unlimited: max_attempts is 0 when it is unset, which would come back "
            "as true (give true another meaning)\n");
    read_set(
        loaded, "Meanings",
        arena_printf(loaded->arena,
                     "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: 0}, false: "
                     "{max_attempts: 1}}}\n    avro: {added: graceful}\n%s",
                     rest),
        true);
    read_set(loaded, "Meanings",
             arena_printf(loaded->arena,
                          "messages:\n  M:\n    unlimited: {means: {false: {max_attempts: 0}}}\n"
                          "    avro: {added: graceful}\n%s",
                          rest),
             true);
}

static void of_two_fields_that_mean_something_of_one_the_first_counts(void **state)
{
    const char *yaml = "messages:\n  M:\n    unlimited: {means: {true: {pace: -1}}}\n"
                       "    named: {means: {true: {pace: -2}}%s}\n    pace: {added: graceful}\n"
                       "    speed: {removed: graceful}\n    forever: {removed: graceful}\n"
                       "    max_attempts: {added: graceful}\n    days: {added: graceful}\n"
                       "    name: {added: graceful}\n";
    static const char *const rows[][2] = {{"", "drop"}, {", others: loud", "refuse"}};
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bytes rules = rules_of(
            loaded, read_set(loaded, "Meant", arena_printf(loaded->arena, yaml, rows[i][0]), true),
            ".M");
        const char *wanted = arena_printf(
            loaded->arena, "  %s named when named = true when unlimited when unlimited = true\n",
            rows[i][1]);
        if (!strstr(arena_text(loaded->arena, rules), wanted))
            fail_msg("not %s in %.*s", wanted, BYTES_ARGS(rules));
    }
}

static void two_fields_that_mean_members_of_one_oneof_are_an_error(void **state)
{
    Loaded *loaded = *state;
    const char *yaml = "messages:\n  M:\n    unlimited: {means: {true: {avro: {}}}}\n"
                       "    speed: {means: {7: {json: {}}}}\n    format: {removed: graceful}\n"
                       "    forever: {removed: graceful}\n    pace: {added: graceful}\n";
    Bytes rules = rules_of(loaded, read_set(loaded, "Meanings", yaml, true), ".M");
    const char *wanted = "  refuse speed when speed = 7 when unlimited when unlimited = true\n";
    if (!strstr(arena_text(loaded->arena, rules), wanted))
        fail_msg("not %s in %.*s", wanted, BYTES_ARGS(rules));
}

static void a_kind_and_its_alternatives_agree(void **state)
{
    const char *value = "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, "
                        "when: {kind: BANK}}]\n    api: {added: graceful}\n";
    Loaded *loaded = *state;
    refused(state, "Kinds",
            arena_printf(loaded->arena, "%s    kind: {select: {card: BANK, bank: CARD}}\n", value),
            "list.yaml:7:5: M.kind: card is there when kind is CARD, and says that it is BANK "
            "(write select: {..., card: CARD})\n"
            "list.yaml:7:5: M.kind: bank is there when kind is BANK, and says that it is CARD "
            "(write select: {..., bank: BANK})\n");
    refused(state, "Kinds",
            arena_printf(loaded->arena, "%s    kind: {select: {card: CARD, bank: CARD}}\n", value),
            "list.yaml:7:5: M.kind: bank is there when kind is BANK, and says that it is CARD "
            "(write select: {..., bank: BANK})\n");
    refused(state, "Kinds",
            "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: "
            "CARD}}]\n    api: {added: graceful}\n    kind: {removed: graceful}\n",
            "list.yaml:5:13: M.kind: v1 has this field alone, and nothing says which value the "
            "alternatives give it (write kind: {select: {card: CARD, bank: CARD}})\n"
            "list.yaml:5:45: M.value: two changes write value of v1; the other is in line 5 (write "
            "{to: ..., when: {FIELD: VALUE}} for each, or remove one)\n");
}

#define ALL_GO "    all: [{removed: graceful}, {added: graceful}]\n"
static const char *const prices =
    "messages:\n  M:\n    kind: {removed: graceful}\n    value: {removed: graceful}\n"
    "    one: [{removed: graceful}, {added: graceful}]\n    card: {added: graceful}\n"
    "    two: [{removed: graceful}, {added: graceful}]\n    bank: {added: graceful}\n" ALL_GO;

static void the_currency_of_two_amounts_is_not_one_field(void **state)
{
    Loaded *loaded = *state;
    Problems none = problems_in(loaded->arena);
    refused(state, "Prices",
            arena_printf(loaded->arena,
                         "%s    net: {by: cents_to_money, currency: code}\n"
                         "    tax: {by: cents_to_money, currency: code}\n",
                         prices),
            "list.yaml:13:5: M.tax: two changes write code of v1; the other is in line 12 (write "
            "currency: EUR, or another field, for one of them)\n");
    refused(
        state, "Prices",
        arena_printf(loaded->arena,
                     "%s    net: {by: cents_to_money, currency: code}\n"
                     "    tax: {by: cents_to_money, currency: EUR}\n    code: {removed: loud}\n",
                     prices),
        "list.yaml:14:5: M.code: two changes write code of v1; the other is in line 12 (leave "
        "out one of them)\n");
    /* Amounts of which only one can be there share it. */
    const char *alternatives =
        "messages:\n  M:\n    net: {by: cents_to_money, currency: EUR}\n"
        "    tax: {by: cents_to_money, currency: EUR}\n    one: [{removed: graceful}, {added: "
        "graceful}]\n"
        "    two: [{removed: graceful}, {added: graceful}]\n"
        "    kind: {select: {card: CARD, bank: BANK}}\n"
        "    value: [{to: card, by: cents_to_money, currency: code, when: {kind: CARD}}, {to: "
        "bank, "
        "by: cents_to_money, currency: code, when: {kind: BANK}}]\n" ALL_GO;
    const char *chosen = "messages:\n  M:\n    net: {by: cents_to_money, currency: EUR}\n"
                         "    tax: {by: cents_to_money, currency: EUR}\n"
                         "    kind: {removed: graceful}\n    value: {removed: graceful}\n"
                         "    card: {added: graceful}\n    bank: {added: graceful}\n"
                         "    one: {by: cents_to_money, currency: code}\n"
                         "    two: {by: cents_to_money, currency: code}\n" ALL_GO;
    assert_non_null(read_list(loaded, "Prices", alternatives, &none));
    assert_non_null(read_list(loaded, "Prices", chosen, &none));
}

static void a_currency_is_a_field_or_a_code(void **state)
{
    static const char *const rows[][2] = {
        {"coed", "list.yaml:12:31: M.net: coed is neither a field of changes.Prices.Old.M nor a "
                 "currency (did you mean code?)\n"},
        {"Euro", "list.yaml:12:31: M.net: Euro is neither a field of changes.Prices.Old.M nor a "
                 "currency (write EUR, or the field that has it; another text is put in quotes)\n"},
    };
    static const char *const good[] = {"EUR", "\"Euro\"", "\"\""};
    const char *yaml =
        "%s    net: {by: cents_to_money, currency: %s}\n    tax: {by: cents_to_money, "
        "currency: USD}\n    code: {removed: graceful}\n";
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(state, "Prices", arena_printf(loaded->arena, yaml, prices, rows[i][0]), rows[i][1]);
    for (size_t i = 0; i < 3; i++) {
        Problems none = problems_in(loaded->arena);
        assert_non_null(
            read_list(loaded, "Prices", arena_printf(loaded->arena, yaml, prices, good[i]), &none));
    }
}

static void the_amounts_of_a_list_have_no_currency(void **state)
{
    Loaded *loaded = *state;
    const char *rest = strchr(prices, ':');
    refused(state, "Prices",
            arena_printf(loaded->arena,
                         "messages%.*s    net: {by: cents_to_money, currency: code}\n"
                         "    tax: {by: cents_to_money, currency: EUR}\n"
                         "    all: {by: cents_to_money, currency: EUR}\n",
                         (int)(strstr(rest, "    all") - rest), rest),
            "list.yaml:13:5: M.all: only a single amount can have a currency, not those of a list "
            "or a map (no converter fits: write all: [{removed: graceful}, {added: graceful}])\n");
}

static void a_scale_has_one_factor(void **state)
{
    refused(state, "Scales",
            "messages:\n  M:\n    milliseconds: {to: seconds, by: scale, divided_by: 1000, times: "
            "2}\n    bytes: {removed: graceful}\n    kilobytes: {added: graceful}\n"
            "    share: {removed: graceful}\n    per_mille: {added: graceful}\n"
            "    weight: {removed: graceful}\n    grams: {added: graceful}\n"
            "    steps: {by: scale, times: 1}\n    small: {by: scale, times: 1}\n"
            "    large: {by: scale, times: 1}\n    ratio: {by: scale, times: 1}\n",
            "list.yaml:5:44: M.milliseconds: times and divided_by exclude each other (write times: "
            "1000, or divided_by: 1000)\n");
}

static void a_converter_with_parameters_of_its_own_is_told_once(void **state)
{
    static const char *const hint =
        "expected the name of a converter; its parameters are keys beside by";
    Loaded *loaded = *state;
    refused(state, "Amounts",
            "messages: {M: {cents: {to: total, by: {cents_to_money: EUR}}, currency: {removed: "
            "loud}, fee: {by: [x]}, meters: {to: kilometers, by: {scale: 0.01}}}}",
            arena_printf(loaded->arena,
                         "list.yaml:3:35: M.cents: %s (write by: cents_to_money)\n"
                         "list.yaml:3:96: M.fee: %s (for example by: text)\n"
                         "list.yaml:3:131: M.meters: %s (write by: scale, times: 1000 or "
                         "divided_by: 1000)\n",
                         hint, hint, hint));
}

static void fields_that_join_a_oneof_exclude_each_other(void **state)
{
    check(state, "Choice", "", ".M",
          "  a = a\n  b = b\n  c = c\n  d = d\n  refuse b when a\n  refuse c when a\n  refuse c "
          "when b\n"
          "  refuse d when a\n  refuse d when b\n",
          "  a = a\n  b = b\n  c = c\n  d = d\n  drop a when a = \"\"\n  drop b when b = \"\"\n");
}

static void what_is_made_up_in_a_oneof_gives_way_to_what_is_there(void **state)
{
    check(state, "Chosen", "messages: {M: {b: {added: none}}}", ".M",
          "  a = a\n  b = \"none\" unless a | limit\n  limit = limit\n  refuse limit when a\n",
          "  a = a\n  limit = limit\n  drop b unless \"none\"\n  drop a when a = \"\"\n"
          "  drop limit when limit = 0\n");
}

static void a_constant_beside_others_of_its_oneof_is_refused(void **state)
{
    refused(state, "Chosen", "messages:\n  M:\n    b: {constant: x}\n",
            "list.yaml:5:5: M.b: the constant would always be set, so a of v2, in the same oneof, "
            "never could (write b: {added: ...} for when no other is there)\n");
    refused(state, "Chosen", "messages:\n  M:\n    b: {added: x}\n    limit: {required: 7}\n",
            "list.yaml:6:5: M.limit: it and b of v2 are in the same oneof, and only one of them "
            "can have a default value\n");
}

static void a_message_has_another_name_wherever_it_is(void **state)
{
    check(state, "Types", "messages: {Line: {sku: code}}\ntypes: {Item: Line}", ".List",
          "  items = Types.New.Line(items)\n  named = Types.New.Line(named)\n  one = "
          "Types.New.Line(one)\n"
          "  any = any(any)\n",
          "  items = Types.Old.Item(items)\n  named = Types.Old.Item(named)\n  one = "
          "Types.Old.Item(one)\n"
          "  any = any(any)\n");
}

static void messages_of_one_name_may_have_nothing_to_do_with_each_other(void **state)
{
    const char *types = "types: {Item: [{removed: loud}, {added: loud}]}\n";
    Loaded *loaded = *state;
    Problems problems = problems_in(loaded->arena);
    read_list(loaded, "Namesakes",
              arena_printf(loaded->arena,
                           "%smessages: {M: {gone: {removed: loud}, fresh: {added: loud}}}", types),
              &problems);
    assert_int_equal(problems.n,
                     1); /* the field gives the one as the other, which has to be said */
    assert_non_null(strstr(problems.items[0].reason, "the types differ"));
    const char *yaml = arena_printf(
        loaded->arena,
        "%smessages:\n  M: {item: {by: message}, gone: {removed: loud}, fresh: {added: loud}}\n"
        "  Item to Item: {a: b, n: {added: 7}}",
        types);
    const MappingSet *set = read_set(loaded, "Namesakes", yaml, true);
    const MessageType *item =
        schema_message(loaded->schema, bytes_of("changes.Namesakes.Old.Item"));
    assert_null(mapping_set_find(set, item));
    assert_int_equal(set->n_stranded, 1);
}

static void a_field_mask_follows_the_fields_it_names(void **state)
{
    check(state, "Masks", "messages: {Thing: {name: title}, Get: {read_mask: {of: Thing}}}",
          ".Update",
          "  thing = Masks.New.Thing(thing)\n  update_mask = "
          "field_mask[Masks.Old.Thing](update_mask)\n",
          "  thing = Masks.Old.Thing(thing)\n  update_mask = "
          "field_mask[Masks.New.Thing](update_mask)\n");
}

static void a_type_that_contains_itself_is_mapped_once(void **state)
{
    check(state, "Tree", "messages: {Node: {name: label}}", ".Node",
          "  label = name\n  left = Tree.New.Node(left)\n  more = Tree.New.Node(more)\n",
          "  name = label\n  left = Tree.Old.Node(left)\n  more = Tree.Old.Node(more)\n");
}

static void what_is_the_same_all_the_way_down_is_copied(void **state)
{
    check(state, "Same", "", ".Node",
          "  name = name\n  left = same Same.New.Node(left)\n  by = same Same.New.Node(by)\n  e = "
          "e\n",
          "  name = name\n  left = same Same.Old.Node(left)\n  by = same Same.Old.Node(by)\n  e = "
          "e\n");
}

/* This problem is among those that it has. */
static void refused_among(Loaded *loaded, const char *kind, const char *yaml, const char *expected)
{
    Problems problems = problems_in(loaded->arena);
    Buffer text = buffer_in(loaded->arena);
    assert_null(read_list(loaded, kind, yaml, &problems));
    problems_print(&problems, &text);
    if (!strstr(arena_text(loaded->arena, buffer_bytes(&text)), expected))
        fail_msg("%.*s has no %s", BYTES_ARGS(buffer_bytes(&text)), expected);
}

/* ---- A list of messages as a map ------------------------------------------------------------- */

static const char *const keyed =
    "messages:\n"
    "  M:\n"
    "    labels: {key: name, duplicates: loud}\n"
    "    prices: {key: id, duplicates: graceful}\n"
    "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
    "    nodes: {key: id, duplicates: graceful}\n"
    "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
    "  Label to LabelValue: {note: text, extra: {added: here}}\n"
    "  Price to Priced: {cents: {by: text}}\n"
    "  Node: {nodes: {key: id, duplicates: loud}, id: {removed: loud}}\n";

static void a_list_of_messages_becomes_a_map_by_a_key(void **state)
{
    check(state, "Keyed", keyed, ".M",
          "  labels = keyed once[Keyed.New.M.LabelsEntry](labels)\n"
          "  prices = listed[Keyed.New.Priced](prices)\n"
          "  tags = keyed[Keyed.New.M.TagsEntry](tags)\n"
          "  nodes = keyed[Keyed.New.M.NodesEntry](nodes)\n",
          "  labels = listed[Keyed.Old.Label](labels)\n"
          "  prices = keyed[Keyed.Old.M.PricesEntry](prices)\n"
          "  tags = listed[Keyed.Old.Tag](tags)\n"
          "  nodes = listed[Keyed.Old.Node](nodes)\n");
}

static void the_key_is_taken_out_of_the_message_and_the_rest_is_the_value(void **state)
{
    Loaded *loaded = *state;
    assert_bytes(rules_of(loaded, read_set(loaded, "Keyed", keyed, false), "M.LabelsEntry"),
                 "  name = key\n"
                 "  rank = number[int64 to int32](value.rank)\n"
                 "  note = value.text\n"
                 "  color = value.color\n"
                 "  drop value.extra unless \"here\"\n");
}

static void a_map_by_a_key_that_does_not_fit_is_refused(void **state)
{
    static const struct {
        const char *change, *problem;
    } rows[] = {
        {"labels: {key: name}", "M.labels: say what becomes of a key that is there twice (add "
                                "duplicates: loud, or graceful to keep the last one)\n"},
        {"labels: {key: name, duplicates: lod}",
         "M.labels: expected loud or graceful (did you mean loud?)\n"},
        {"labels: {key: nam, duplicates: loud}",
         "M.labels: changes.Keyed.Old.Label has no field nam (did you mean name?)\n"},
        {"labels: {key: rank, duplicates: loud}",
         "M.labels: rank is int32, and the keys of the map are string\n"},
        {"labels: {key: [name], duplicates: loud}", "M.labels: expected a field of the messages\n"},
        {"labels: {key: name, more: loud, duplicates: loud}",
         "M.labels: more does not go with key\n"},
        {"labels: {duplicates: loud}",
         "M.labels: duplicates is said of a list of messages that is a map in the other version "
         "(write labels: {key: FIELD, duplicates: loud})\n"},
        {"labels: labels",
         "M.labels: a map and its keys cannot be converted: it is a list of Label "
         "in v1 and a map of LabelValue in v2 (write labels: {key: FIELD, "
         "duplicates: loud})\n"},
        {"labels: {to: prices, key: name, duplicates: loud}",
         "M.labels: only a list of messages becomes a map by a key, or a map such a list\n"},
        {"labels: {to: tags, key: name, duplicates: loud}",
         "M.labels: name is string, and the keys of the map are bool\n"},
        {"nodes: {to: tags, key: nodes, duplicates: loud}",
         "M.nodes: nodes is a list of message, and the keys of the map are bool\n"},
        {"tags: {key: on, value: texts, duplicates: loud}",
         "M.tags: changes.Keyed.Old.Tag has no field texts (did you mean text?)\n"},
        {"prices: {key: label, duplicates: loud}",
         "M.prices: label is message, and the keys of the map are int64\n"},
        {"labels: {key: name, duplicates: loud}",
         "Label to LabelValue.note: v1 has this field, and nothing says what becomes of it (write "
         "note: {removed: graceful} or loud)\n"},
        {"labels: {key: name, duplicates: loud}",
         "Label to LabelValue.text: v2 has this field, and nothing says what is in it (write text: "
         "{added: graceful}, loud or a value)\n"},
        {"labels: {key: name, duplicates: loud, by: text}",
         "M.labels: by is for plain values, and what is in LabelValue goes by its own changes "
         "(list "
         "them under Label to LabelValue)\n"},
        {"tags: {key: on, duplicates: loud}",
         "Tag to M.TagsEntry.text: the types differ: it is string in v1 and int32 in v2 (write "
         "text: {to: value, by: text})\n"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *yaml = arena_printf(loaded->arena, "messages:\n  M:\n    %s\n", rows[i].change);
        refused_among(loaded, "Keyed", yaml, rows[i].problem);
    }
}

/* ---- A field and a list as one list ---------------------------------------------------------- */

static void a_field_and_a_list_become_one_list(void **state)
{
    check(
        state, "Merges",
        "messages:\n  M:\n    emails: {from: [primary, others], first: loud}\n"
        "    items: {to: [item, more], first: loud}\n"
        "    colors: {from: [color, colors], by: enum_name, first: graceful}\n"
        "    scores: {from: [best, scores], first: graceful}\n"
        "    phones: {from: [contact.phone, contact.phones], first: loud}\n"
        "  Item: {a: b}",
        ".M",
        "  emails = join(list(primary), others)\n"
        "  item = Merges.New.Item(first(items))\n"
        "  more = Merges.New.Item(rest(items))\n"
        "  colors = join(list(enum_name[0=NONE 1=RED](color)), enum_name[0=NONE 1=RED](colors))\n"
        "  scores = join(list(number[int32 to int64](best)), number[int32 to int64](scores))\n"
        "  phones = join(list(contact.phone), contact.phones)\n"
        "  refuse others unless primary\n"
        "  drop colors unless color\n"
        "  drop scores unless best\n"
        "  drop contact unless join(list(contact.phone), contact.phones)\n"
        "  refuse contact.phones unless contact.phone\n",
        "  primary = first(emails)\n"
        "  others = rest(emails)\n"
        "  items = join(list(Merges.Old.Item(item)), Merges.Old.Item(more))\n"
        "  color = enum_name[NONE=0 RED=1](first(colors))\n"
        "  colors = enum_name[NONE=0 RED=1](rest(colors))\n"
        "  best = number[int64 to int32](first(scores))\n"
        "  scores = number[int64 to int32](rest(scores))\n"
        "  contact = Merges.Old.Contact{phone: first(phones), phones: rest(phones)}\n"
        "  refuse first(emails) when first(emails) = \"\"\n"
        "  refuse more unless item\n"
        "  drop enum_name[NONE=0 RED=1](first(colors)) when enum_name[NONE=0 RED=1](first(colors)) "
        "= NONE\n"
        "  refuse first(phones) when first(phones) = \"\"\n");
}

static void what_a_list_without_its_first_becomes_is_said(void **state)
{
    static const struct {
        const char *change, *problem;
    } rows[] = {
        {"all: {from: [one, many]}",
         "list.yaml:5:5: M.one: say what becomes of a list of which the first element is not there "
         "(add first: loud, or graceful to let the next one be the first)\n"},
        {"all: {from: [one, many], first: lod}",
         "list.yaml:5:30: M.all: expected loud or graceful (did you mean loud?)\n"},
        {"all: {from: [many, one], first: loud}",
         "list.yaml:5:5: M.many: a single field and a list, in this order, can be one list, and "
         "nothing else (write from: [one, many])\n"},
        {"all: {from: [one, many, other], first: loud}",
         "list.yaml:5:5: M.one: a single field and a list, in this order, can be one list, and "
         "nothing else (write from: [FIELD, LIST])\n"},
        {"all: {from: [one, by], first: loud}",
         "list.yaml:5:5: M.one: a single field and a list, in this order, can be one list, and "
         "nothing else (write from: [FIELD, LIST])\n"},
        {"all: {from: [one, numbers], first: loud}",
         "list.yaml:5:5: M.one: one and the elements of numbers are not of the same type\n"},
        {"all: {from: [one, box.many], first: loud}",
         "list.yaml:5:5: M.one: one and box.many are not in the same message, and only as one they "
         "are one list\n"},
        {"all: {from: [one, other]}",
         "list.yaml:5:5: M.one: several fields can only be the parts of a template, or a field and "
         "a list (write template: \"{one}/{other}\", with a name for each)\n"},
        {"all: {from: many, first: loud}",
         "list.yaml:5:23: M.all: first is said of a field and a list that are one list in the "
         "other "
         "version (write all: {from: [FIELD, LIST], first: loud})\n"},
        {"all: {from: [one, many], first: loud, more: loud}",
         "list.yaml:5:43: M.all: more does not go with first\n"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *yaml = arena_printf(loaded->arena, "messages:\n  M:\n    %s\n", rows[i].change);
        refused_among(loaded, "Unmerged", yaml, rows[i].problem);
    }
}

static void a_default_is_no_element_of_a_list(void **state)
{
    refused(state, "Defaulted", "messages: {M: {all: {from: [one, many], first: loud}}}",
            "list.yaml:3:16: M.one: unset, one is here, which an empty list does not say\n");
}

static void a_value_that_means_something_is_no_element(void **state)
{
    refused(state, "Unmerged",
            "messages:\n  M:\n    all: {from: [one, many], first: loud}\n"
            "    numbers: {removed: graceful}\n    other: {removed: graceful}\n"
            "    box: {removed: graceful}\n    by: {removed: graceful}\n"
            "    one: {added: graceful}\n    flag: {means: {true: {one: x}}}\n",
            "list.yaml:5:5: M.one: a value of one means something else, and is no element\n");
}

/* ---- Planted mistakes ------------------------------------------------------------------------ */

static void an_unsaid_drop_is_refused(void **state)
{
    refused(state, "Rename", "",
            "list.yaml:1:1: M.a: v1 has this field, and nothing says what becomes of it (write a: "
            "b, or a: {removed: graceful} or loud)\n"
            "list.yaml:1:1: M.b: v2 has this field, and nothing says what is in it (write b: "
            "{added: graceful}, loud or a value)\n");
}

static void an_unknown_field_is_refused(void **state)
{
    refused(state, "Rename", "messages:\n  M:\n    aa: b\n    smae: same",
            "list.yaml:4:3: M.a: v1 has this field, and nothing says what becomes of it (write a: "
            "b, or a: {removed: graceful} or loud)\n"
            "list.yaml:5:5: M.aa: changes.Rename.Old.M has no field aa (did you mean a?)\n"
            "list.yaml:6:5: M.smae: changes.Rename.Old.M has no field smae (did you mean same?)\n");
}

/* "name: left.left. ... .nowhere", of so many fields. */
static bool is_said_of_path(Loaded *loaded, uint32_t n_fields, const char *expected)
{
    Problems problems = problems_in(loaded->arena);
    Buffer yaml = buffer_in(loaded->arena), text = yaml;
    buffer_add_text(&yaml, "messages:\n  Node:\n    name: ");
    for (uint32_t i = 1; i < n_fields; i++)
        buffer_add_text(&yaml, "left.");
    buffer_add_text(&yaml, "nowhere\n");
    assert_null(
        read_list(loaded, "Round", arena_text(loaded->arena, buffer_bytes(&yaml)), &problems));
    problems_print(&problems, &text);
    return strstr(arena_text(loaded->arena, buffer_bytes(&text)), expected);
}

static void a_path_is_no_deeper_than_messages_are(void **state)
{
    assert_true(is_said_of_path(*state, 64, "has no field nowhere"));
    assert_true(is_said_of_path(*state, 65, "a path of more than 64 fields"));
    assert_true(is_said_of_path(*state, 100000, "a path of more than 64 fields"));
}

static void two_fields_to_one_are_refused(void **state)
{
    refused(state, "Swap", "messages:\n  M:\n    a: b\n    b: {to: b}",
            "list.yaml:4:3: M.a: v2 has this field, and nothing says what is in it: that of v1 is "
            "said in "
            "line 5 (write a: {added: graceful}, loud or a value)\n"
            "list.yaml:6:5: M.b: two changes write b of v2; the other is in line 5 (write {to: "
            "..., when: {FIELD: VALUE}} for each, or remove one)\n");
}

static void a_wrong_converter_is_refused(void **state)
{
    refused(state, "Times",
            "messages:\n  M:\n    a: {by: date_text}\n    b: {by: secnods}\n    c: {by: "
            "time_text}\n    d: {by: date}\n    e: {by: date_text}",
            "list.yaml:5:5: M.a: date_text does not fit: it is google.protobuf.Timestamp in v1 and "
            "int64 in v2 (write a: {by: nanoseconds | microseconds | milliseconds | seconds | "
            "minutes | hours | days})\n"
            "list.yaml:6:5: M.b: there is no converter secnods (did you mean seconds?)\n");
}

static void types_that_clash_are_refused(void **state)
{
    refused(state, "Texts", "messages: {M: {b: {by: text}}}",
            "list.yaml:3:12: M.a: the types differ: it is int32 in v1 and string in v2 (write a: "
            "{by: text})\n"
            "list.yaml:3:12: M.c: the types differ: it is bytes in v1 and string in v2 (write c: "
            "{by: utf8 | base64 | hex})\n"
            "list.yaml:3:12: M.d: the types differ: it is bytes in v1 and string in v2 (write d: "
            "{by: utf8 | base64 | hex})\n"
            "list.yaml:3:12: M.e: the types differ: it is Color in v1 and string in v2 (write e: "
            "{by: enum_name})\n"
            "list.yaml:3:12: M.f: the types differ: it is bool in v1 and State in v2 (write f: "
            "{by: flag})\n");
}

static void an_unmapped_enum_value_is_refused(void **state)
{
    refused(
        state, "Enums",
        "enums:\n  Status:\n    PENDING: QUEUED\n    WAITING: QUEUED\n    LOST: {to: UNKNWON}",
        "list.yaml:4:3: Status.WAITING: 2 values become QUEUED, and the list does not say to which "
        "of them it is converted back (write WAITING: {to: QUEUED, back: true} for one of them)\n"
        "list.yaml:4:3: Status.HELD: the value HELD is only in v2, and nothing says what "
        "becomes of it (write HELD: {added: loud}, or a value of v1)\n"
        "list.yaml:7:5: Status.LOST: Enums.New.Status has no value UNKNWON in v2 (did you mean "
        "UNKNOWN?)\n");
}

static void a_list_without_an_inverse_is_refused(void **state)
{
    refused(state, "Lists", "messages: {M: {a: {more: loud}}, Inner: {x: y}}",
            "list.yaml:3:12: M.b: it is one value in v2 and a list in v1: say what becomes of more "
            "than one (write b: {more: loud})\n"
            "list.yaml:3:12: M.c: it is one value in v1 and a list in v2: say what becomes of more "
            "than one (write c: {more: loud})\n");
}

static void a_cycle_is_refused(void **state)
{
    refused(state, "Round", "messages:\n  Node:\n    left.name: inner",
            "list.yaml:4:3: Node.left: the changes form a cycle: Round.Old.Node contains "
            "itself, and a path leads into it\n");
}

static void words_that_are_no_words_are_refused(void **state)
{
    refused(
        state, "Gone",
        "message: {}\nmessages:\n  M:\n    comment: {remvoed: graceful}\n    level: {removed: "
        "maybe}\n"
        "    currency: {added: EUR, back: sometimes}\n    region: 7.5\n  N: {a: b}\n",
        "list.yaml:3:1: a change list has no message (did you mean messages?)\n"
        "list.yaml:6:15: M.comment: a change of a field has no remvoed (did you mean removed?)\n"
        "list.yaml:7:13: M.level: expected loud or graceful\n"
        "list.yaml:8:28: M.currency: expected loud or graceful\n"
        "list.yaml:9:5: M.region: changes.Gone.Old.M has no field region\n"
        "list.yaml:10:3: no message N in v1 (did you mean M?)\n");
}

static void values_that_do_not_fit_are_refused(void **state)
{
    refused(state, "Gone",
            "messages:\n  M:\n    comment: {removed: graceful}\n    level: {removed: loud, "
            "ignored: 3000000000, back: x}\n"
            "    currency: {added: EUR}\n    region: {added: [a]}\n",
            "list.yaml:6:28: M.level: this is no value of int32\n"
            "list.yaml:8:14: M.region: this is no value of string\n");
}

static void a_value_is_read_by_the_type_of_its_field(void **state)
{
    static const char *const lists[][3] = {
        {"mask", "\"name,displaySize.width\"",
         "FieldMask{paths: \"name\", paths: \"display_size.width\"}"},
        {"paths", "{paths: [a, b]}", "FieldMask{paths: [\"a\", \"b\"]}"},
        {"paths", "{paths: a}", "FieldMask{paths: list(\"a\")}"},
        {"paths", "{}", "FieldMask{} if true"},
        {"time", "{seconds: 1}", "Timestamp{seconds: 1}"},
        {"wait", "\"-1.5s\"", "time_text(\"-1.5s\")"},
        {"count", "-7", "wrapper(-7)"},
        {"tags", "[a, \"\"]", "[\"a\", \"\"]"},
        {"tags", "a", "list(\"a\")"},
        {"sizes", "[{width: 1}, {}]", "[Given.New.Size{width: 1}, Given.New.Size{}]"},
        {"numbers", "[-1, 2147483647]", "[-1, 2147483647]"},
        {"box", "{width: 0}", "Given.New.Size{width: 0} if true"},
        {"box", "{height: 0}", "Given.New.Size{height: 0}"},
        {"names", "{list: [1, NaN], color: 1}", "Given.New.Names{list: [1, nan], color: RED}"},
        {"data", "AAEC", "\\x00\\x01\\x02"},
        {"ratio", "-Infinity", "-inf"},
        {"on", "true", "true"},
        {"color", "RED", "RED"},
        {"color", "1", "RED"},
        {"color", "7", "7"},
        {"wide", "18446744073709551615", "18446744073709551615"},
        {"empty", "{}", "Given.New.Pull{} if true"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        Bytes rules = rules_of(loaded,
                               read_set(loaded, "Given",
                                        given(loaded, arena_printf(loaded->arena, "%s: {added: %s}",
                                                                   lists[i][0], lists[i][1])),
                                        true),
                               ".M");
        const char *expected = arena_printf(loaded->arena, "  %s = %s\n", lists[i][0], lists[i][2]);
        if (!strstr(arena_text(loaded->arena, rules), expected))
            fail_msg("not%sin\n%.*s", expected, BYTES_ARGS(rules));
    }
}

static void a_value_that_its_type_does_not_take_is_refused(void **state)
{
    static const char *const values[][3] = {
        {"time", "yesterday",
         "this is no value of google.protobuf.Timestamp (\"2026-03-01T00:00:00Z\")"},
        {"wait", "5", "this is no value of google.protobuf.Duration (\"1.5s\")"},
        {"count", "many", "this is no value of int64"},
        {"mask", "[a]",
         "this is no value of google.protobuf.FieldMask (write {}, or its fields: {FIELD: VALUE})"},
        {"mask", "{path: a}", "google.protobuf.FieldMask has no field path (did you mean paths?)"},
        {"tags", "[]", "an empty list is the same as an unset one (graceful)"},
        {"tags", "[a, [b]]", "this is no value of string"},
        {"numbers", "[1, 2147483648]", "this is no value of sint32"},
        {"names", "{by: {a: x}}", "this is no value of int32"},
        {"names", "{by: [1]}",
         "this is no value of changes.Given.New.Names.ByEntry (write {KEY: VALUE})"},
        {"names", "{color: GREEN}", "Given.New.Color has no value GREEN"},
        {"data", "\"?\"", "this is no value of bytes (bytes are written in base64)"},
        {"on", "yes", "this is no value of bool (true or false)"},
        {"ratio", "inf", "this is no value of double (a number, NaN, Infinity or -Infinity)"},
        {"wide", "-1", "this is no value of fixed64"},
        {"empty", "{a: 1}", "changes.Given.New.Pull has no field a"},
        {"tags", "gracefull",
         "gracefull is nearly a word of change lists; a value like this is put in quotes (did you "
         "mean graceful?)"},
        {"color", "Loud",
         "Loud is nearly a word of change lists; a value like this is put in quotes (did you mean "
         "loud?)"},
        {"tags", "luod",
         "luod is nearly a word of change lists; a value like this is put in quotes (did you mean "
         "loud?)"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        Problems problems = problems_in(loaded->arena);
        assert_null(read_list(loaded, "Given",
                              given(loaded, arena_printf(loaded->arena, "%s: {added: %s}",
                                                         values[i][0], values[i][1])),
                              &problems));
        Buffer told = buffer_in(loaded->arena);
        problems_print(&problems, &told);
        if (!strstr(arena_text(loaded->arena, buffer_bytes(&told)), values[i][2]))
            fail_msg("%s: %.*s", values[i][1], BYTES_ARGS(buffer_bytes(&told)));
    }
}

/* "good" is a value, and so is what is nearly a word but stands in quotes. */
static void a_value_that_is_like_a_word_is_put_in_quotes(void **state)
{
    Loaded *loaded = *state;
    read_set(loaded, "Given", given(loaded, "tags: {added: good}"), true);
    read_set(loaded, "Given", given(loaded, "tags: {added: \"cloud\"}"), true);
    read_set(loaded, "Given", given(loaded, "tags: {added: \"loud\"}"), true);
    refused(state, "Gone",
            "messages:\n  M:\n    comment: {removed: gracful}\n    level: {removed: Loud}\n"
            "    currency: {added: EUR, back: lout}\n    region: {added: cloud}\n",
            "list.yaml:5:15: M.comment: expected loud or graceful (did you mean graceful?)\n"
            "list.yaml:6:13: M.level: expected loud or graceful (did you mean loud?)\n"
            "list.yaml:7:28: M.currency: expected loud or graceful (did you mean loud?)\n"
            "list.yaml:8:14: M.region: cloud is nearly a word of change lists; a value like this "
            "is put in quotes (did you mean loud?)\n");
}

static void the_values_of_an_enum_or_a_flag_are_those_that_there_are(void **state)
{
    refused(state, "Texts",
            "messages:\n  M:\n    a: {by: text}\n    b: {by: text}\n    c: {by: base64}\n"
            "    d: {by: utf8}\n    e: {by: enum_name, values: {RDE: rouge}, others: laud}\n"
            "    f: {by: flag, values: {false: OF, true: ON}}\n",
            "list.yaml:9:33: M.e: there is no value RDE (did you mean RED?)\n"
            "list.yaml:10:28: M.f: Texts.New.State has no value OF (did you mean ON?)\n");
    refused(state, "Texts",
            "messages:\n  M:\n    a: {by: text}\n    b: {by: text}\n    c: {by: base64}\n"
            "    d: {by: utf8}\n    e: {by: enum_name, others: laud}\n"
            "    f: {by: flag, values: {flase: OFF, true: ON}}\n",
            "list.yaml:9:24: M.e: Texts.Old.Color has no value laud\n"
            "list.yaml:10:28: M.f: flase is neither true nor false\n");
}

static void a_table_of_texts_leads_each_to_one(void **state)
{
    const char *rest =
        "    by: {by: text_table, values: {x: y}}\n    tags: {by: text_table, values: "
        "{x: y}}\n";
    Loaded *loaded = *state;
    refused(
        state, "Words",
        arena_printf(loaded->arena,
                     "messages:\n  M:\n    plan: {by: text_table}\n"
                     "    color: {by: enum_name, values: {RED: [NONE, red]}}\n"
                     "    size: {by: text_table, values: {a: b, A: c}, ignore_case: true}\n%s",
                     rest),
        "list.yaml:5:5: M.plan: say which texts become which (write values: {OLD: NEW})\n"
        "list.yaml:6:5: M.color: two values have the text NONE, so it cannot be converted back\n"
        "list.yaml:7:5: M.size: two values have the text a, so it cannot be converted back\n");
    refused(state, "Words",
            arena_printf(loaded->arena,
                         "messages:\n  M:\n    plan: {by: text_table, values: {a: {b: c}}}\n"
                         "    color: {by: enum_name, values: {RED: []}, ignore_case: maybe}\n"
                         "    size: {by: text_table, values: {a: b}, others: Loud}\n%s",
                         rest),
            "list.yaml:5:37: M.plan: a: expected a text, or a list of texts\n"
            "list.yaml:6:37: M.color: RED: expected a text, or a list of texts\n"
            "list.yaml:7:44: M.size: a value like this is put in quotes (did you mean loud?)\n");
}

static void a_message_that_is_made_up_says_nothing_when_it_comes_back(void **state)
{
    Loaded *loaded = *state;
    Bytes rules = rules_of(
        loaded, read_set(loaded, "Given", given(loaded, "mask: {added: {paths: \"*\"}}"), false),
        ".M");
    assert_non_null(strstr(arena_text(loaded->arena, rules),
                           "  drop sentinel[FieldMask{paths: \"*\"}](mask)\n"));
}

static void a_mask_of_nobody_knows_what_is_refused(void **state)
{
    refused(state, "Masks", "messages: {Thing: {name: title}}",
            "list.yaml:3:1: Get.read_mask: the list does not say whose fields this mask names "
            "(write read_mask: {of: MESSAGE})\n");
    refused(state, "Masks",
            "messages: {Thing: {name: {to: title, wider: loud}}, Get: {read_mask: {of: Thing, "
            "wider: lod}}}",
            "list.yaml:3:38: Thing.name: wider is said of a field mask\n"
            "list.yaml:3:82: Get.read_mask: expected loud or graceful (did you mean loud?)\n");
}

static void a_money_without_a_currency_is_refused(void **state)
{
    refused(state, "Amounts",
            "messages: {M: {cents: {to: total, by: cents_to_money}, currency: {removed: loud}, "
            "fee: {by: units_to_money, currency: EUR}, meters: {to: kilometers, by: scale}}}",
            "list.yaml:3:16: M.cents: the message has a currency, and the list does not say which "
            "(write "
            "currency: EUR, or currency: with the field that has it)\n"
            "list.yaml:3:125: M.meters: scale needs a whole number to multiply with or to divide "
            "by (write {by: scale, times: 1000} or divided_by)\n");
}

static void an_unset_field_that_would_say_another_thing_is_refused(void **state)
{
    refused(
        state, "Defaults",
        "enums: {Color: {RED: ROT}}\nmessages:\n  M:\n    unit: weight_unit\n    on: {required: "
        "true}\n",
        "list.yaml:5:3: M.limit: the default is 5 in v1 and 7 in v2, and the list does not say "
        "what an unset field becomes "
        "(write limit: {required: 5, optional: 7}, or graceful for a value)\n"
        "list.yaml:6:5: M.unit: the default is \"kg\" in v1 and \"\" in v2, and the list does not "
        "say what an unset field becomes (write unit: {to: weight_unit, required: \"kg\", "
        "optional: \"\"}, or graceful for "
        "a "
        "value)\n"
        "list.yaml:7:5: M.on: the default is true in v1 and false in v2, and the list does not say "
        "what an unset field becomes (write on: {optional: false}, or graceful for a value)\n");
}

static const char *const defaults = "enums: {Color: {RED: ROT}}\nmessages:\n  M:\n"
                                    "    unit: {to: weight_unit, required: kg, optional: \"\"}\n"
                                    "    on: {required: true, optional: graceful}\n"
                                    "    limit: {required: 5, optional: 7}\n";

static void an_unset_field_says_the_same_to_both(void **state)
{
    check(state, "Defaults", defaults, ".M",
          "  limit = limit else 5\n  same = number[int32 to int64](same)\n"
          "  weight_unit = unit else \"kg\"\n  color = enum[0=0 1=2 2=1](color)\n"
          "  on = on else true\n  plain = plain\n  wide = number[int32 to int64](wide)\n",
          "  limit = limit else 7\n  same = number[int64 to int32](same)\n"
          "  unit = weight_unit else \"\"\n  color = enum[0=0 1=2 2=1](color)\n"
          "  on = on\n  plain = plain\n  wide = number[int64 to int32](wide)\n");
}

static void a_field_that_has_to_be_there_is_said(void **state)
{
    refused(
        state, "Needed", "",
        "list.yaml:1:1: M.c: v1 has this field, and nothing says what becomes of it (write c: d, "
        "or c: {removed: graceful} or loud)\n"
        "list.yaml:1:1: M.b: the field is required in v1, and nothing says what to do without it "
        "(write b: {optional: loud}, graceful or a value)\n"
        "list.yaml:1:1: M.d: v2 has this field, and nothing says what is in it (write d: {added: "
        "graceful}, loud or a value)\n"
        "list.yaml:1:1: M.a: the field is required in v2, and nothing says what to do without it "
        "(write a: {required: loud}, graceful or a value)\n");
}

static void words_that_do_not_go_together_are_refused(void **state)
{
    refused(state, "Gone",
            "messages:\n  M:\n    comment: {removed: graceful, to: region}\n    level: {removed: "
            "loud}\n"
            "    currency: {added: EUR, required: USD}\n    region: {added: graceful}\n",
            "list.yaml:5:34: M.comment: to does not go with removed\n"
            "list.yaml:7:28: M.currency: required does not go with added\n");
    refused(state, "Texts",
            "messages:\n  M:\n    a: {by: text, round: graceful}\n    b: {by: text}\n"
            "    c: {by: base64, values: {a: b}}\n    d: {by: utf8}\n    e: {by: enum_name}\n"
            "    f: {by: flag, times: 3, values: {false: OFF, true: ON}, others: true}\n",
            "list.yaml:5:19: M.a: round does not go with by: text\n"
            "list.yaml:7:21: M.c: values does not go with by: base64\n"
            "list.yaml:10:19: M.f: times does not go with by: flag\n");
}

static void a_section_that_is_misspelt_is_told_alone(void **state)
{
    refused(state, "Rename", "mesages: {M: {a: b}}\n",
            "list.yaml:3:1: a change list has no mesages (did you mean messages?)\n");
}

static void a_kind_that_would_not_come_back_is_refused(void **state)
{
    refused(state, "Kinds",
            "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: "
            "BANK}}]\n    kind: {select: {card: CARD}}\n    api: {constant: \"2\"}",
            "list.yaml:6:5: M.kind: the list does not say which value of kind belongs to bank "
            "(write select: "
            "{..., bank: "
            "BANK})\n");
}

static void a_condition_that_nobody_knows_is_refused(void **state)
{
    refused(state, "Kinds",
            "messages:\n  M:\n    value: [{to: card, when: {knd: CARD}}, {to: bank, when: {kind: "
            "CASH}}]\n    kind: {select: {card: CARD, bank: BANK}}\n    api: {constant: \"2\"}",
            "list.yaml:5:31: M.value: changes.Kinds.Old.M has no field knd (did you mean kind?)\n"
            "list.yaml:5:62: M.value: Kinds.Old.Kind has no value CASH (did you mean CARD?)\n");
}

static void a_template_that_lacks_a_part_is_refused(void **state)
{
    refused(state, "Templates",
            "messages:\n  M:\n    name: {template: \"projects/{p}/topics/{t}\", to: [project_id]}\n"
            "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}\"}\n"
            "    key: {template: \"k/{p/{t}\", from: [project, topic]}\n"
            "    topic_id: {added: graceful}\n",
            "list.yaml:5:5: M.name: the template has 2 names, and 1 fields are given (write to: "
            "with a field "
            "for each of {p}, {t})\n"
            "list.yaml:6:5: M.path: {x} is only in one of the two templates (write parts: {x: "
            "{removed: graceful, back: ...}})\n"
            "list.yaml:7:11: M.key: a template has {names} with text between them: "
            "\"projects/{project}/topics/{topic}\"\n");
}

static const char *const parts =
    "messages:\n  M:\n"
    "    name: {template: \"projects/{project}/locations/{l}/topics/{topic}\", to: [project, "
    "topic], "
    "parts: {l: {removed: %s, back: global}}}\n"
    "    path: {template: \"a/{x}/b/{y}\", into: \"{x}:{z}\", parts: {y: {removed: graceful, "
    "back: \"1\"}, z: {added: here, back: loud}}}\n"
    "    shard: {template: \"{host}/shards/{n}/parts/{m}\", to: [host, n, m]}\n";

static void a_template_may_drop_a_part_and_have_numbers(void **state)
{
    Loaded *loaded = *state;
    check(state, "Names", arena_printf(loaded->arena, parts, "graceful"), ".M",
          "  path = template[{0}:{1}](template[a/{0}/b/{1} part 0](path), \"here\" when path)\n"
          "  project = template[projects/{0}/locations/{1}/topics/{2} part 0](name)\n"
          "  topic = template[projects/{0}/locations/{1}/topics/{2} part 2](name)\n"
          "  host = template[{0}/shards/{1}/parts/{2} part 0](shard)\n"
          "  n = text(template[{0}/shards/{1}/parts/{2} part 1](shard))\n"
          "  m = text(template[{0}/shards/{1}/parts/{2} part 2](shard))\n"
          "  drop template[projects/{0}/locations/{1}/topics/{2} part 1](name) unless \"global\"\n"
          "  drop template[a/{0}/b/{1} part 1](path) unless \"1\"\n",
          "  name = template[projects/{0}/locations/{1}/topics/{2}](project, \"global\" when "
          "project, topic)\n"
          "  path = template[a/{0}/b/{1}](template[{0}:{1} part 0](path), \"1\" when path)\n"
          "  shard = template[{0}/shards/{1}/parts/{2}](host, text(n else 0 when host), text(m))\n"
          "  refuse template[{0}:{1} part 1](path) unless \"here\"\n");
}

static void a_part_has_the_name_of_its_field(void **state)
{
    refused(state, "Templates",
            "messages:\n  M:\n    key: {template: \"{topic};{project}\", from: [project, topic]}\n"
            "    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}\"}\n"
            "    name: {template: \"p/{projct}/t/{topic_id}\", to: [project_id, "
            "topic_id]}\n",
            "list.yaml:7:5: M.name: no field has the name of the part {projct} (write {project_id} "
            "in place of {projct})\n");
}

static void a_part_without_a_way_back_is_refused(void **state)
{
    refused(state, "Names",
            "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
            "topic], "
            "parts: {l: {removed: graceful}}}\n"
            "    path: {template: \"a/{x}/b/{y}\", into: \"{x}:{y}\", parts: {y: {added: a}, w: "
            "{added: b}}}\n"
            "    shard: {template: \"shards/{n}\", to: [n]}\n    host: {added: graceful}\n    m: "
            "{added: graceful}\n    project: {added: graceful}\n    topic: {added: graceful}\n",
            "list.yaml:5:83: M.name: a part that only the old version has needs a text for the way "
            "back (write {removed: graceful, back: TEXT})\n"
            "list.yaml:6:5: M.path: {y} is in both templates\n"
            "list.yaml:6:5: M.path: no template has a part {w}\n"
            "list.yaml:7:5: M.shard: all parts are integers without presence, so zeros and an "
            "unset template cannot be told apart\n");
}

static void a_part_is_of_the_version_that_has_it(void **state)
{
    refused(
        state, "Names",
        "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
        "topic], "
        "parts: {l: {added: global}}}\n"
        "    path: {template: \"a/{x}\", into: \"{x}:{z}\", parts: {z: {removed: loud, back: "
        "here}}}\n"
        "    shard: {removed: graceful}\n    host: {added: graceful}\n    n: {added: graceful}\n"
        "    m: {added: graceful}\n",
        "list.yaml:5:83: M.name: {l} is only in the template of v1 (write {removed: graceful, "
        "back: \"global\"}, or loud)\n"
        "list.yaml:6:56: M.path: {z} is only in the template of v2 (write {added: \"here\", "
        "back: graceful}, or loud)\n");
}

static void a_part_cannot_be_left_out(void **state)
{
    refused(
        state, "Names",
        "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
        "topic], "
        "parts: {l: {removed: loud, back: graceful}}}\n"
        "    path: {template: \"a/{x}\", into: \"{x}:{b}:{c}:{d}:{e}:{f}\", parts: {b: {added: "
        "\"\"}, c: {added: Loud}, d: {added: d, bak: loud}, e: {removed: graceful, added: e}, "
        "f: {added: graceful}}}\n"
        "    shard: {removed: graceful}\n    host: {added: graceful}\n    n: {added: graceful}\n"
        "    m: {added: graceful}\n    project: {added: graceful}\n    topic: {added: graceful}\n",
        "list.yaml:5:102: M.name: a part needs a text, and graceful without quotes is a word of "
        "change lists (write back: \"graceful\" for this text)\n"
        "list.yaml:6:76: M.path: a part that only the new version has needs a text (write {added: "
        "TEXT})\n"
        "list.yaml:6:92: M.path: Loud is nearly a word of change lists; a value like this is put "
        "in quotes (write added: \"Loud\" for this text)\n"
        "list.yaml:6:106: M.path: expected what becomes of a part that only one version has "
        "(write {removed: graceful, back: TEXT}, or {added: TEXT})\n"
        "list.yaml:6:132: M.path: expected what becomes of a part that only one version has "
        "(write {removed: graceful, back: TEXT}, or {added: TEXT})\n"
        "list.yaml:6:170: M.path: a part needs a text, and graceful without quotes is a word of "
        "change lists (write added: \"graceful\" for this text)\n");
}

static void words_in_quotes_are_texts_of_parts(void **state)
{
    check(state, "Names",
          "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
          "topic], "
          "parts: {l: {removed: loud, back: \"graceful\"}}}\n"
          "    path: {template: \"a/{x}\", into: \"{x}:{z}\", parts: {z: {added: \"loud\"}}}\n"
          "    shard: {removed: graceful}\n    host: {added: graceful}\n    n: {added: graceful}\n"
          "    m: {added: graceful}\n",
          ".M",
          "  path = template[{0}:{1}](template[a/{0} part 0](path), \"loud\" when path)\n"
          "  project = template[p/{0}/l/{1}/t/{2} part 0](name)\n"
          "  topic = template[p/{0}/l/{1}/t/{2} part 2](name)\n"
          "  refuse template[p/{0}/l/{1}/t/{2} part 1](name) unless \"graceful\"\n"
          "  drop shard\n",
          "  name = template[p/{0}/l/{1}/t/{2}](project, \"graceful\" when project, topic)\n"
          "  path = template[a/{0}](template[{0}:{1} part 0](path))\n"
          "  drop template[{0}:{1} part 1](path) unless \"loud\"\n"
          "  drop host\n  drop n\n  drop m\n");
}

static void a_text_that_would_be_split_is_no_part(void **state)
{
    refused(
        state, "Names",
        "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
        "topic], "
        "parts: {l: {removed: graceful, back: eu/t/1}}}\n"
        "    path: {template: \"a/{x}\", into: \"{y}::{z}::{x}::{w}\", parts: {y: {added: "
        "\":a\"}, z: {added: \"a:\"}, w: {added: \"a::b\"}}}\n"
        "    shard: {removed: graceful}\n    host: {added: graceful}\n    n: {added: graceful}\n"
        "    m: {added: graceful}\n",
        "list.yaml:5:83: M.name: \"eu/t/1\" would end {l} early: \"/t/\" follows it in the "
        "template\n"
        "list.yaml:6:85: M.path: \"a:\" would end {z} early: \"::\" follows it in the template\n");
}

static void a_template_that_says_a_part_twice_is_refused(void **state)
{
    refused(
        state, "Templates",
        "messages:\n  M:\n    name: {template: \"projects/{project_id}/topics/{topic_id}\", to: "
        "[project_id, "
        "topic_id]}\n    path: {template: \"a/{x}/b/{y}\", into: \"c/{y}/d/{x}/e/{x}\"}\n"
        "    key: {template: \"k/{project}/{topic}\", from: [project, topic]}\n",
        "list.yaml:6:37: M.path: {x} occurs twice in the template\n");
}

static void two_fields_to_one_by_another_name_are_refused(void **state)
{
    refused(
        state, "Rename", "messages:\n  M:\n    a: {to: same, by: text}\n",
        "list.yaml:4:3: M.same: v1 has this field, and nothing says what becomes of it: that of v2 "
        "is said "
        "in line 5 (write same: {removed: graceful} or loud)\n"
        "list.yaml:4:3: M.b: v2 has this field, and nothing says what is in it (write b: {added: "
        "graceful}, loud or a value)\n");
}

static void a_list_for_other_versions_is_refused(void **state)
{
    refused(state, "Same", "from: v0\n",
            "list.yaml:1:1: from: this list is used between v1 and v2 (write from: v1)\n"
            "list.yaml:1:1: to: the list does not say from or to; it is used between v1 and v2 "
            "(write to: v2)\n");
}

/* ---- What only shows in a chain -------------------------------------------------------------- */

/* From Old over New to Old again. */
static const MappingSet *compose(Loaded *loaded, const char *kind, const char *there,
                                 const char *back, Buffer *told)
{
    ChangeSide sides[3];
    Problems problems = problems_in(loaded->arena);
    both_sides(loaded, kind, &sides[0], &sides[1]);
    sides[2] = (ChangeSide){"v3", loaded->schema, sides[0].package};
    const char *yaml[2] = {arena_printf(loaded->arena, "from: v1\nto: v2\n%s", there),
                           arena_printf(loaded->arena, "from: v2\nto: v3\n%s", back)};
    const ChangeList *lists[2];
    const MappingSet *set = NULL;
    for (int i = 0; i < 2; i++)
        assert_ok(loaded->arena,
                  changes_load(loaded->arena, bytes_of(yaml[i]), i ? "v2-v3.yaml" : "v1-v2.yaml",
                               &sides[i], &sides[i + 1], &problems, &lists[i]));
    if (!problems.n)
        assert_ok(loaded->arena, changes_compose(loaded->arena, lists, 2, true, &problems, &set));
    *told = buffer_in(loaded->arena);
    problems_print(&problems, told);
    return set;
}

static void a_chain_reads_only_the_first_and_writes_only_the_last(void **state)
{
    Buffer told;
    const MappingSet *set =
        compose(*state, "Move",
                "messages:\n  M: {street: address.street, city: extra.city, extra.note: note}\n"
                "  Extra: {note: {removed: graceful}, city: {added: graceful}}",
                "messages:\n  M: {address.street: street, extra.city: city, note: extra.note}\n"
                "  Extra: {note: {added: graceful}, city: {removed: graceful}}",
                &told);
    assert_bytes(buffer_bytes(&told), "");
    assert_bytes(
        rules_of(*state, set, ".M"),
        "  street = street\n  city = city\n"
        "  extra = Move.Old.Extra{note: extra.note, tag: extra.tag} if Move.New.Extra{city: city, "
        "tag: extra.tag} if extra\n");
}

static void what_one_list_makes_up_and_the_next_refuses_is_told(void **state)
{
    Buffer told;
    const MappingSet *set = compose(
        *state, "Gone",
        "messages:\n  M:\n    comment: {removed: graceful}\n    level: {removed: graceful}\n"
        "    currency: {added: EUR}\n    region: {added: graceful}",
        "messages:\n  M:\n    comment: {added: graceful}\n    level: {added: graceful}\n"
        "    currency: {removed: loud}\n    region: {removed: graceful}",
        &told);
    assert_null(set);
    assert_bytes(
        buffer_bytes(&told),
        "v2-v3.yaml:7:1: Gone.Old.M: from v1 every message would be an error: the value is made "
        "up on the way and refused here\n");
}

static void the_empty_list_is_checked_too(void **state)
{
    Loaded *loaded = *state;
    ChangeSide from, to;
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list;
    both_sides(loaded, "Same", &from, &to);
    assert_ok(loaded->arena,
              changes_none(loaded->arena, loaded->arena, &from, &to, &problems, &list));
    assert_non_null(list);
    assert_string_equal(changes_from(list), "v1");
    assert_string_equal(changes_to(list), "v2");
    both_sides(loaded, "Rename", &from, &to);
    assert_ok(loaded->arena,
              changes_none(loaded->arena, loaded->arena, &from, &to, &problems, &list));
    assert_null(list);
    assert_int_equal(problems.n, 2);
}

static void a_namesake_that_goes_with_another_is_told_as_such(void **state)
{
    refused(
        state, "Move", "types: {Extra: M}\nmessages: {M: {street: {removed: loud}}}",
        "list.yaml:4:12: M has no counterpart in v2: M goes with Extra of v1 (types: {M: ...})\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namesake_that_goes_with_another_is_told_as_such),
        cmocka_unit_test(a_field_is_renamed),
        cmocka_unit_test(two_fields_change_their_names_with_each_other),
        cmocka_unit_test(fields_move_into_and_out_of_messages),
        cmocka_unit_test(a_message_moves_whole),
        cmocka_unit_test(fields_come_and_go),
        cmocka_unit_test(a_constant_is_written_and_checked),
        cmocka_unit_test(numbers_widen_and_narrow),
        cmocka_unit_test(values_become_texts),
        cmocka_unit_test(a_text_for_zero_that_the_list_gives_back_is_kept),
        cmocka_unit_test(times_become_numbers_texts_and_dates),
        cmocka_unit_test(amounts_become_money_and_other_units),
        cmocka_unit_test(scalars_are_wrapped_and_messages_serialized),
        cmocka_unit_test(a_wrapper_of_numbers_takes_numbers_and_nothing_else),
        cmocka_unit_test(sentinels_and_zeros_become_presence),
        cmocka_unit_test(enum_values_are_mapped_many_to_one),
        cmocka_unit_test(enum_values_fall_back),
        cmocka_unit_test(an_unset_enum_keeps_its_meaning),
        cmocka_unit_test(resource_names_are_split_and_composed),
        cmocka_unit_test(a_kind_and_a_value_become_one_of_several),
        cmocka_unit_test(a_zero_that_the_kind_does_not_name_is_dropped),
        cmocka_unit_test(zeros_that_say_nothing_give_way_to_what_is_more),
        cmocka_unit_test(that_a_message_was_there_is_lost_with_its_fields),
        cmocka_unit_test(what_is_said_of_a_message_beside_its_fields_is_only_that_it_is_there),
        cmocka_unit_test(a_value_means_a_sentinel_or_that_a_message_is_there),
        cmocka_unit_test(other_values_than_the_one_with_a_meaning_go_as_their_own_change_says),
        cmocka_unit_test(what_a_value_means_is_one_field_with_a_value),
        cmocka_unit_test(values_that_mean_the_same_are_refused),
        cmocka_unit_test(a_meaning_that_an_unset_field_has_is_refused),
        cmocka_unit_test(of_two_fields_that_mean_something_of_one_the_first_counts),
        cmocka_unit_test(two_fields_that_mean_members_of_one_oneof_are_an_error),
        cmocka_unit_test(a_kind_and_its_alternatives_agree),
        cmocka_unit_test(a_value_that_its_kind_does_not_name_is_refused),
        cmocka_unit_test(the_currency_of_two_amounts_is_not_one_field),
        cmocka_unit_test(a_currency_is_a_field_or_a_code),
        cmocka_unit_test(the_amounts_of_a_list_have_no_currency),
        cmocka_unit_test(a_scale_has_one_factor),
        cmocka_unit_test(a_converter_with_parameters_of_its_own_is_told_once),
        cmocka_unit_test(fields_that_join_a_oneof_exclude_each_other),
        cmocka_unit_test(what_is_made_up_in_a_oneof_gives_way_to_what_is_there),
        cmocka_unit_test(a_constant_beside_others_of_its_oneof_is_refused),
        cmocka_unit_test(a_message_has_another_name_wherever_it_is),
        cmocka_unit_test(messages_of_one_name_may_have_nothing_to_do_with_each_other),
        cmocka_unit_test(a_field_mask_follows_the_fields_it_names),
        cmocka_unit_test(a_type_that_contains_itself_is_mapped_once),
        cmocka_unit_test(what_is_the_same_all_the_way_down_is_copied),
        cmocka_unit_test(a_field_and_a_list_become_one_list),
        cmocka_unit_test(what_a_list_without_its_first_becomes_is_said),
        cmocka_unit_test(a_default_is_no_element_of_a_list),
        cmocka_unit_test(a_value_that_means_something_is_no_element),
        cmocka_unit_test(a_list_of_messages_becomes_a_map_by_a_key),
        cmocka_unit_test(the_key_is_taken_out_of_the_message_and_the_rest_is_the_value),
        cmocka_unit_test(a_map_by_a_key_that_does_not_fit_is_refused),
        cmocka_unit_test(an_unsaid_drop_is_refused),
        cmocka_unit_test(an_unknown_field_is_refused),
        cmocka_unit_test(a_path_is_no_deeper_than_messages_are),
        cmocka_unit_test(two_fields_to_one_are_refused),
        cmocka_unit_test(a_wrong_converter_is_refused),
        cmocka_unit_test(types_that_clash_are_refused),
        cmocka_unit_test(an_unmapped_enum_value_is_refused),
        cmocka_unit_test(a_list_without_an_inverse_is_refused),
        cmocka_unit_test(a_cycle_is_refused),
        cmocka_unit_test(words_that_are_no_words_are_refused),
        cmocka_unit_test(values_that_do_not_fit_are_refused),
        cmocka_unit_test(a_value_is_read_by_the_type_of_its_field),
        cmocka_unit_test(a_value_that_its_type_does_not_take_is_refused),
        cmocka_unit_test(a_value_that_is_like_a_word_is_put_in_quotes),
        cmocka_unit_test(the_values_of_an_enum_or_a_flag_are_those_that_there_are),
        cmocka_unit_test(a_table_of_texts_leads_each_to_one),
        cmocka_unit_test(a_message_that_is_made_up_says_nothing_when_it_comes_back),
        cmocka_unit_test(a_mask_of_nobody_knows_what_is_refused),
        cmocka_unit_test(a_money_without_a_currency_is_refused),
        cmocka_unit_test(an_unset_field_that_would_say_another_thing_is_refused),
        cmocka_unit_test(an_unset_field_says_the_same_to_both),
        cmocka_unit_test(a_field_that_has_to_be_there_is_said),
        cmocka_unit_test(words_that_do_not_go_together_are_refused),
        cmocka_unit_test(a_section_that_is_misspelt_is_told_alone),
        cmocka_unit_test(a_kind_that_would_not_come_back_is_refused),
        cmocka_unit_test(a_condition_that_nobody_knows_is_refused),
        cmocka_unit_test(a_template_that_lacks_a_part_is_refused),
        cmocka_unit_test(a_template_may_drop_a_part_and_have_numbers),
        cmocka_unit_test(a_part_has_the_name_of_its_field),
        cmocka_unit_test(a_part_without_a_way_back_is_refused),
        cmocka_unit_test(a_part_is_of_the_version_that_has_it),
        cmocka_unit_test(a_part_cannot_be_left_out),
        cmocka_unit_test(words_in_quotes_are_texts_of_parts),
        cmocka_unit_test(a_text_that_would_be_split_is_no_part),
        cmocka_unit_test(a_template_that_says_a_part_twice_is_refused),
        cmocka_unit_test(two_fields_to_one_by_another_name_are_refused),
        cmocka_unit_test(a_list_for_other_versions_is_refused),
        cmocka_unit_test(a_chain_reads_only_the_first_and_writes_only_the_last),
        cmocka_unit_test(what_one_list_makes_up_and_the_next_refuses_is_told),
        cmocka_unit_test(the_empty_list_is_checked_too),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
