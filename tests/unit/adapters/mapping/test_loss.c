#include "adapters/mapping/loss.h"

#include "adapters/text/json.h"
#include "tests/unit/adapters/changes_schema.h"

static void check(void **state, const char *kind, const char *yaml, bool upwards,
                  const char *expected)
{
    Loaded *loaded = *state;
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    loss_report_all(loaded->arena, read_set(loaded, kind, yaml, upwards), &report);
    loss_report_text(&report, true, &text);
    assert_bytes(buffer_bytes(&text), expected);
}

static const char *const gone = "messages:\n  M:\n    comment: {removed: graceful}\n    level: "
                                "{removed: loud, ignored: 1, back: 3}\n"
                                "    currency: {added: EUR}\n    region: {added: loud, back: loud}";

static void what_comes_and_goes_is_told(void **state)
{
    check(state, "Gone", gone, true,
          "  kept      Gone.Old.M.id -> Gone.New.M.id\n"
          "  defaulted Gone.New.M.currency: always \"EUR\"  [list.yaml:7]\n"
          "  defaulted Gone.New.M.region: an error: it cannot be had (loud)\n"
          "  dropped   Gone.Old.M.comment: it has no counterpart  [list.yaml:5]\n"
          "  dropped   Gone.Old.M.level: unless it is the value that comes back: 1 (loud)  "
          "[list.yaml:6]\n"
          "  1 kept, 0 converted, 0 respelled, 1 defaulted, 0 narrowed, 1 dropped, 2 loud\n");
}

static void the_way_back_is_told_too(void **state)
{
    check(state, "Gone", gone, false,
          "  kept      Gone.New.M.id -> Gone.Old.M.id\n"
          "  defaulted Gone.Old.M.comment: stays unset\n"
          "  defaulted Gone.Old.M.level: always 3  [list.yaml:6]\n"
          "  dropped   Gone.New.M.currency: unless it is the value that comes back: \"EUR\"  "
          "[list.yaml:7]\n"
          "  dropped   Gone.New.M.region: it has no counterpart (loud)  [list.yaml:8]\n"
          "  1 kept, 0 converted, 0 respelled, 2 defaulted, 0 narrowed, 1 dropped, 1 loud\n");
}

static void what_narrows_says_that_it_is_loud(void **state)
{
    check(state, "Numbers", "messages: {M: {d: {by: number}}}", true,
          "  converted Numbers.Old.M.a -> Numbers.New.M.a: number\n"
          "  narrowed  Numbers.Old.M.b -> Numbers.New.M.b: number, out of range is an error (loud) "
          " [list.yaml:3]\n"
          "  converted Numbers.Old.M.c -> Numbers.New.M.c: number\n"
          "  narrowed  Numbers.Old.M.d -> Numbers.New.M.d: number, out of range is an error (loud) "
          " [list.yaml:3]\n"
          "  converted Numbers.Old.M.e -> Numbers.New.M.e: number\n"
          "  converted Numbers.Old.M.f -> Numbers.New.M.f: number\n"
          "  0 kept, 4 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 2 loud\n");
}

/* Not where something else stands for unset or zero, nor of a oneof, which has other lines. */
static void a_zero_that_becomes_unset_is_told(void **state)
{
    static const char yaml[] =
        "messages: {M: {note: text, size: {by: wrapper}, least: {sentinel: {new: -1}}}}\n"
        "enums: {Color: {UNKNOWN: {added: RED}}}";
    check(state, "Present", yaml, true,
          "  narrowed  Present.Old.M.count -> Present.New.M.count: number, zero becomes unset\n"
          "  narrowed  Present.Old.M.note -> Present.New.M.text: zero becomes unset\n"
          "  narrowed  Present.Old.M.size -> Present.New.M.size: wrapper, zero becomes unset\n"
          "  kept      Present.Old.M.plain -> Present.New.M.plain\n"
          "  kept      Present.Old.M.least -> Present.New.M.least: -1 when it is absent\n"
          "  narrowed  Present.Old.M.color -> Present.New.M.color: enum, a number that only the "
          "other version has a name for is an error (loud)  [list.yaml:3]\n"
          "  kept      Present.Old.M.a -> Present.New.M.a\n"
          "  kept      Present.Old.M.b -> Present.New.M.b\n"
          "  dropped   Present.Old.M.least: the value that means unset there  [list.yaml:3]\n"
          "  dropped   Present.Old.M.a: zero: which one of the oneof it is  [list.yaml:3]\n"
          "  dropped   Present.Old.M.b: zero: which one of the oneof it is  [list.yaml:3]\n"
          "  4 kept, 0 converted, 0 respelled, 0 defaulted, 3 narrowed, 3 dropped, 1 loud\n");
    check(
        state, "Present", yaml, false,
        "  narrowed  Present.New.M.count -> Present.Old.M.count: number, out of range is an error "
        "(loud)  [list.yaml:3]\n"
        "  kept      Present.New.M.text -> Present.Old.M.note\n"
        "  converted Present.New.M.size -> Present.Old.M.size: wrapper\n"
        "  narrowed  Present.New.M.plain -> Present.Old.M.plain: zero becomes unset\n"
        "  converted Present.New.M.least -> Present.Old.M.least: sentinel, 0 when it is absent\n"
        "  narrowed  Present.New.M.color -> Present.Old.M.color: enum, UNKNOWN and RED become "
        "RED, RED when it is absent  [list.yaml:3]\n"
        "  kept      Present.New.M.a -> Present.Old.M.a\n"
        "  kept      Present.New.M.b -> Present.Old.M.b\n"
        "  dropped   Present.New.M.b: if a is there too (loud)  [list.yaml:3]\n"
        "  3 kept, 2 converted, 0 respelled, 0 defaulted, 2 narrowed, 0 dropped, 2 loud\n");
}

static void moves_keep(void **state)
{
    check(state, "Move",
          "messages:\n  M: {street: address.street, city: extra.city, extra.note: note}\n"
          "  Extra: {note: {removed: loud}, city: {added: graceful}}",
          true,
          "  kept      Move.Old.M.street -> Move.New.M.address.street\n"
          "  kept      Move.Old.M.city -> Move.New.M.extra.city\n"
          "  kept      Move.Old.M.extra.tag -> Move.New.M.extra.tag\n"
          "  kept      Move.Old.M.extra.note -> Move.New.M.note\n"
          "  defaulted Move.New.Extra.city: stays unset\n"
          "  kept      Move.Old.Extra.tag -> Move.New.Extra.tag\n"
          "  dropped   Move.Old.Extra.note: it has no counterpart (loud)  [list.yaml:5]\n"
          "  5 kept, 0 converted, 0 respelled, 1 defaulted, 0 narrowed, 0 dropped, 1 loud\n");
}

static void lists_and_kinds_are_told(void **state)
{
    check(state, "Lists",
          "messages: {M: {a: {more: loud}, b: {more: graceful}, c: {more: loud}}, Inner: {x: y}}",
          false,
          "  narrowed  Lists.New.M.a -> Lists.Old.M.a: more than one is an error (loud)  "
          "[list.yaml:3]\n"
          "  converted Lists.New.M.b -> Lists.Old.M.b: a list of one\n"
          "  narrowed  Lists.New.M.c -> Lists.Old.M.c: more than one is an error (loud)  "
          "[list.yaml:3]\n"
          "  dropped   Lists.New.M.a: a first element of zero  [list.yaml:3]\n"
          "  kept      Lists.New.Inner.y -> Lists.Old.Inner.x\n"
          "  1 kept, 1 converted, 0 respelled, 0 defaulted, 0 narrowed, 1 dropped, 2 loud\n");
}

static void what_falls_back_is_told_with_what_it_becomes(void **state)
{
    check(state, "Enums",
          "enums:\n  Status:\n    PENDING: {to: QUEUED, back: true}\n    WAITING: QUEUED\n"
          "    LOST: {removed: graceful}\n    HELD: {added: WAITING}\n"
          "    fallback: {new: HELD, old: LOST}",
          true,
          "  narrowed  Enums.Old.M.status -> Enums.New.M.status: enum, PENDING and WAITING become "
          "QUEUED, LOST and a number that only the other version has a name for become HELD  "
          "[list.yaml:1]\n"
          "  0 kept, 0 converted, 0 respelled, 0 defaulted, 1 narrowed, 0 dropped, 0 loud\n");
}

static void values_that_share_a_counterpart_or_have_none_are_told(void **state)
{
    check(state, "Enums",
          "enums:\n  Status:\n    PENDING: {to: QUEUED, back: true}\n    WAITING: QUEUED\n"
          "    LOST: {removed: loud}\n    HELD: {added: WAITING}",
          true,
          "  narrowed  Enums.Old.M.status -> Enums.New.M.status: enum, LOST is an error, PENDING "
          "and WAITING become QUEUED, a number that only the other version has a name for is an "
          "error (loud)  [list.yaml:1]\n"
          "  0 kept, 0 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 1 loud\n");
}

static void what_may_be_cut_is_told_where_it_may(void **state)
{
    const char *yaml =
        "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, fee: {by: "
        "units_to_money, currency: EUR, round: graceful}, meters: {to: kilometers, by: scale, "
        "divided_by: 1000}}}";
    check(
        state, "Amounts", yaml, true,
        "  converted Amounts.Old.M.cents, Amounts.Old.M.currency -> Amounts.New.M.total: "
        "cents_to_money, 0 when it is absent\n"
        "  converted Amounts.Old.M.fee -> Amounts.New.M.fee: units_to_money, \"EUR\"\n"
        "  narrowed  Amounts.Old.M.meters -> Amounts.New.M.kilometers: scale, more digits than it "
        "can hold are an error (loud)  [list.yaml:3]\n"
        "  0 kept, 2 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 1 loud\n");
    check(state, "Amounts", yaml, false,
          "  narrowed  Amounts.New.M.total -> Amounts.Old.M.cents: cents_to_money, what does not "
          "fit is an error "
          "(loud)  [list.yaml:3]\n"
          "  kept      Amounts.New.M.total.currency_code -> Amounts.Old.M.currency\n"
          "  narrowed  Amounts.New.M.fee -> Amounts.Old.M.fee: units_to_money, what does not fit "
          "is an error, rounded (loud)  [list.yaml:3]\n"
          "  narrowed  Amounts.New.M.kilometers -> Amounts.Old.M.meters: scale, what does not fit "
          "is an error, -0 becomes 0 "
          "(loud)  [list.yaml:3]\n"
          "  dropped   Amounts.New.M.fee.currency_code: another currency: \"EUR\" (loud)  "
          "[list.yaml:3]\n"
          "  dropped   Amounts.New.M.fee.units, Amounts.New.M.fee.nanos: an amount without a "
          "currency (loud)  [list.yaml:3]\n"
          "  1 kept, 0 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 5 loud\n");
}

/* The lines of one direction that may be an error: "a, b, ". */
static Bytes loud_of(void **state, const char *kind, const char *yaml, bool upwards)
{
    Loaded *loaded = *state;
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    loss_report_all(loaded->arena, read_set(loaded, kind, yaml, upwards), &report);
    for (uint32_t i = 0; i < report.n_lines; i++) {
        const char *path = report.lines[i].path[0] ? report.lines[i].path : report.lines[i].into;
        if (report.lines[i].loud)
            buffer_printf(&text, "%s ", strrchr(path, '.') + 1);
    }
    return buffer_bytes(&text);
}

static void whatever_can_be_an_error_is_loud(void **state)
{
    const char *texts = "messages: {M: {a: {by: text}, b: {by: text}, c: {by: base64}, d: {by: "
                        "utf8}, e: {by: enum_name}, f: {by: flag, values: {false: OFF, true: ON}, "
                        "others: loud}}}";
    assert_bytes(loud_of(state, "Texts", texts, true), "d e ");
    assert_bytes(loud_of(state, "Texts", texts, false), "a b c e f ");
    const char *times = "messages: {M: {a: {by: seconds, round: graceful}, b: {by: milliseconds}, "
                        "c: {by: time_text}, d: {by: date}, e: {by: date_text}}}";
    assert_bytes(loud_of(state, "Times", times, true), "a b c d e ");
    assert_bytes(loud_of(state, "Times", times, false), "a b c d e ");
    const char *wrappers =
        "messages: {M: {a: {by: wrapper}, b: {by: serialized}, c: {by: wrapper}, "
        "d: {by: wrapper}, e: {by: wrapper}, f: {by: wrapper}}}";
    assert_bytes(loud_of(state, "Wrappers", wrappers, true), "f ");
    assert_bytes(loud_of(state, "Wrappers", wrappers, false), "b d ");
    const char *masks = "messages: {Thing: {name: title}, Get: {read_mask: {of: Thing}}}";
    assert_bytes(loud_of(state, "Masks", masks, true), "read_mask update_mask ");
}

static void what_must_be_there_is_loud(void **state)
{
    const char *yaml = "messages: {M: {a: {required: loud}, b: {optional: loud}, c: d}}";
    assert_bytes(loud_of(state, "Needed", yaml, true), "a ");
    assert_bytes(loud_of(state, "Needed", yaml, false), "b ");
}

static void a_count_is_that_of_the_report(void **state)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, "Gone", gone, true);
    LossReport report;
    LossCounter *counter = loss_counter_new(loaded->arena);
    loss_count(counter, set->mappings[0]);
    LossCounts counts = loss_count(counter, set->mappings[0]); /* the same again */
    loss_report(loaded->arena, set, set->mappings[0], &report);
    assert_int_equal(counts.n_loud, report.n_loud);
    assert_int_equal(counts.n_lossy, report.counts[LOSS_DROPPED] + report.counts[LOSS_NARROWED]);
    assert_false(counts.any);
}

/* Whichever is asked for first. */
static void messages_that_lead_to_each_other_count_the_same(void **state)
{
    static const char yaml[] =
        "messages:\n  Above: {a: {removed: graceful}}\n  Left: {b: {removed: loud}}\n"
        "  Right: {c: {removed: graceful}, d: {removed: loud}}\n  Far: {e: {removed: graceful}}\n"
        "  Alone: {f: {removed: loud}}\n  Below: {g: {removed: graceful}, h: {removed: loud}}\n";
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, "Loops", yaml, true);
    assert_int_equal(set->n_mappings, 6);
    for (uint32_t first = 0; first < set->n_mappings; first++) {
        LossCounter *counter = loss_counter_new(loaded->arena);
        for (uint32_t i = 0; i < set->n_mappings; i++) {
            const Mapping *mapping = set->mappings[(first + i) % set->n_mappings];
            LossReport report;
            LossCounts counts = loss_count(counter, mapping);
            loss_report(loaded->arena, set, mapping, &report);
            assert_true(report.n_loud > 0 && report.counts[LOSS_DROPPED] > 0);
            assert_int_equal(counts.n_loud, report.n_loud);
            assert_int_equal(counts.n_lossy, report.counts[LOSS_DROPPED]);
        }
    }
}

/* What does not match the template is an error that another part's line tells, if there is one. */
static void a_part_is_lost_as_its_list_says(void **state)
{
    static const char *const yaml =
        "messages:\n  M:\n    name: {template: \"p/{project}/l/{l}/t/{topic}\", to: [project, "
        "topic], "
        "parts: {l: {removed: %s, back: global}}}\n"
        "    path: {template: \"a/{x}\", into: \"b/{y}\", parts: {x: {removed: graceful, back: "
        "here}, y: {added: there}}}\n"
        "    shard: {removed: graceful}\n    host: {added: graceful}\n    n: {added: graceful}\n"
        "    m: {added: graceful}\n";
    static const char *const drops
        [] = {"graceful", "loud"},
   *const lines[] = {
       "  dropped   Names.Old.M.name: {l}, unless it is the value that comes back: \"global\"  [",
       "  dropped   Names.Old.M.name: {l}, unless it is the value that comes back: \"global\" "
       "(loud)  [",
   };
    static const char unsplit[] =
        "  dropped   Names.Old.M.path: {x}, unless it is the value that comes back: \"here\", what "
        "does not match it is an error (loud)  [";
    Loaded *loaded = *state;
    for (int i = 0; i < 2; i++) {
        const MappingSet *set =
            read_set(loaded, "Names", arena_printf(loaded->arena, yaml, drops[i]), true);
        LossReport report;
        Buffer text = buffer_in(loaded->arena);
        loss_report(loaded->arena, set, set->mappings[0], &report);
        loss_report_text(&report, true, &text);
        const char *told = arena_text(loaded->arena, buffer_bytes(&text));
        if (!strstr(told, lines[i]) || !strstr(told, unsplit))
            fail_msg("not %s and %s in %s", lines[i], unsplit, told);
        LossCounts counts = loss_count(loss_counter_new(loaded->arena), set->mappings[0]);
        assert_int_equal(counts.n_loud, report.n_loud);
        assert_int_equal(counts.n_lossy,
                         report.counts[LOSS_DROPPED] + report.counts[LOSS_NARROWED]);
    }
}

static void a_report_is_json_too(void **state)
{
    Loaded *loaded = *state;
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    JsonNode *root;
    loss_report_all(loaded->arena, read_set(loaded, "Gone", gone, true), &report);
    loss_report_json(&report, &text);
    assert_ok(loaded->arena, json_parse(loaded->arena, buffer_bytes(&text), NULL, &root));
    assert_bytes(json_member(root, "dropped")->text, "1");
    JsonNode *first = json_member(root, "fields")->first;
    assert_bytes(json_member(first, "what")->text, "kept");
    assert_bytes(json_member(first, "to")->text, "Gone.New.M.id");
    assert_int_equal(json_member(root, "fields")->count, report.n_lines);
}

static void what_keeps_everything_is_clean(void **state)
{
    Loaded *loaded = *state;
    LossReport report;
    loss_report_all(loaded->arena, read_set(loaded, "Same", "", true), &report);
    assert_true(loss_report_is_clean(&report));
    loss_report_all(loaded->arena, read_set(loaded, "Gone", gone, true), &report);
    assert_false(loss_report_is_clean(&report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_and_goes_is_told),
        cmocka_unit_test(the_way_back_is_told_too),
        cmocka_unit_test(what_narrows_says_that_it_is_loud),
        cmocka_unit_test(a_zero_that_becomes_unset_is_told),
        cmocka_unit_test(moves_keep),
        cmocka_unit_test(lists_and_kinds_are_told),
        cmocka_unit_test(values_that_share_a_counterpart_or_have_none_are_told),
        cmocka_unit_test(what_falls_back_is_told_with_what_it_becomes),
        cmocka_unit_test(what_may_be_cut_is_told_where_it_may),
        cmocka_unit_test(whatever_can_be_an_error_is_loud),
        cmocka_unit_test(what_must_be_there_is_loud),
        cmocka_unit_test(a_count_is_that_of_the_report),
        cmocka_unit_test(messages_that_lead_to_each_other_count_the_same),
        cmocka_unit_test(a_part_is_lost_as_its_list_says),
        cmocka_unit_test(a_report_is_json_too),
        cmocka_unit_test(what_keeps_everything_is_clean),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
