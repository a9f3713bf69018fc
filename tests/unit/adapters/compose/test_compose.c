/* The examples in the comments of compose_paths.c, compose_fuse.c and compose_losses.c, as they are
   made. */
#include "adapters/mapping/expr.h"
#include "adapters/mapping/loss.h"
#include "adapters/prove/prove.h"
#include "tests/unit/adapters/changes_schema.h"

static const char *const first = "from: v1\n"
                                 "to: v2\n"
                                 "messages:\n"
                                 "  Order:\n"
                                 "    street: address.street\n"
                                 "    city: town.city\n"
                                 "    count: {by: number}\n"
                                 "    note: comment\n"
                                 "  Person: {name: full_name}\n"
                                 "enums:\n"
                                 "  Status: {PENDING: QUEUED}\n";
static const char *const second = "from: v2\n"
                                  "to: v3\n"
                                  "types:\n"
                                  "  Person: {removed: graceful}\n"
                                  "  Town: {removed: graceful}\n"
                                  "messages:\n"
                                  "  Address: {street: road}\n"
                                  "  Order:\n"
                                  "    comment: {removed: graceful}\n"
                                  "    town.city: place\n"
                                  "    person.full_name: name\n"
                                  "    count: {by: number}\n"
                                  "enums:\n"
                                  "  Status: {QUEUED: WAITING, SENT: {added: loud}}\n";

typedef struct Chain {
    const MappingSet *step[2], *both;
} Chain;

static Chain chain_of(const Loaded *loaded)
{
    const char *yaml[2] = {first, second};
    const char *files[2] = {"v1-v2.yaml", "v2-v3.yaml"};
    ChangeSide sides[3] = {{"v1", loaded->schema, "changes.Chain.V1"},
                           {"v2", loaded->schema, "changes.Chain.V2"},
                           {"v3", loaded->schema, "changes.Chain.V3"}};
    Problems problems = problems_in(loaded->arena);
    const ChangeList *lists[2];
    Chain chain;
    for (int i = 0; i < 2; i++) {
        assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(yaml[i]), files[i], &sides[i],
                                              &sides[i + 1], &problems, &lists[i]));
        assert_int_equal(problems.n, 0);
        assert_ok(loaded->arena,
                  changes_compose(loaded->arena, &lists[i], 1, true, &problems, &chain.step[i]));
    }
    assert_ok(loaded->arena,
              changes_compose(loaded->arena, lists, 2, true, &problems, &chain.both));
    assert_int_equal(problems.n, 0);
    return chain;
}

/* The rule of this field of Order, or its guard ("drop"), as it is printed; "" when there is
   none. */
static Bytes line_of(const Loaded *loaded, const MappingSet *set, const char *begin)
{
    Buffer text = buffer_in(loaded->arena);
    for (uint32_t i = 0; i < set->n_mappings; i++) {
        if (bytes_end_with(bytes_of(set->mappings[i]->from->full_name), ".Order"))
            mapping_print(set->mappings[i], &text);
    }
    Bytes rest = buffer_bytes(&text), line;
    while (bytes_split(&rest, '\n', &line)) {
        if (bytes_start_with(line, begin))
            return line;
    }
    return BYTES_NONE;
}

static void a_field_is_replaced_by_what_feeds_it(void **state)
{
    Chain chain = chain_of(*state);
    assert_bytes(line_of(*state, chain.step[0], "  town"), "  town = Chain.V2.Town{city: city}");
    assert_bytes(line_of(*state, chain.step[1], "  place"), "  place = town.city");
    assert_bytes(line_of(*state, chain.both, "  place"), "  place = city");
    assert_bytes(line_of(*state, chain.step[0], "  person"), "  person = Chain.V2.Person(person)");
    assert_bytes(line_of(*state, chain.step[1], "  name"), "  name = person.full_name");
    assert_bytes(line_of(*state, chain.both, "  name"), "  name = person.name");
}

static void two_conversions_become_one(void **state)
{
    Chain chain = chain_of(*state);
    assert_bytes(line_of(*state, chain.step[0], "  address"),
                 "  address = Chain.V2.Address{street: street}");
    assert_bytes(line_of(*state, chain.step[1], "  address"),
                 "  address = Chain.V3.Address(address)");
    assert_bytes(line_of(*state, chain.both, "  address"),
                 "  address = Chain.V3.Address{road: street}");
    assert_bytes(line_of(*state, chain.both, "  status"), "  status = enum[0=0 1=3](status)");
    assert_bytes(line_of(*state, chain.both, "  count"),
                 "  count = number[int32 to double](count)");
}

static void what_is_lost_is_told_in_the_names_of_the_ends(void **state)
{
    Chain chain = chain_of(*state);
    const Loss *loss = NULL;
    assert_bytes(line_of(*state, chain.step[1], "  drop"), "  drop comment");
    assert_bytes(line_of(*state, chain.both, "  drop"), "  drop note");
    for (uint32_t i = 0; i < chain.both->n_losses; i++) {
        if (strcmp(chain.both->losses[i]->path, "Chain.V1.Order.note") == 0)
            loss = chain.both->losses[i];
    }
    assert_non_null(loss);
    assert_string_equal(loss->file, "v2-v3.yaml");
    assert_int_equal(loss->line, 9);
}

static void what_an_any_may_bring_is_named_as_the_first_version_does(void **state)
{
    Chain chain = chain_of(*state);
    Loaded *loaded = *state;
    Buffer told = buffer_in(loaded->arena), untold = told;
    for (uint32_t i = 0; i < chain.both->n_stranded; i++) {
        const Stranded *stranded = &chain.both->stranded[i];
        buffer_printf(stranded->at_end ? &told : &untold, "%s;", stranded->loss->path);
    }
    assert_bytes(buffer_bytes(&told), "Chain.V1.Person;");
    assert_bytes(buffer_bytes(&untold), "Person;Town;");
}

/* ---- Old to New, and New to itself ----------------------------------------------------------- */

/* Composes both directions, after the proof that they do what the lists say. */
static void compose(Loaded *loaded, const char *kind, const char *there, const char *on,
                    const MappingSet *sets[2])
{
    ChangeSide sides[3];
    Problems problems = problems_in(loaded->arena);
    const ChangeList *lists[2];
    const char *yaml[2] = {arena_printf(loaded->arena, "from: v1\nto: v2\n%s", there),
                           arena_printf(loaded->arena, "from: v2\nto: v3\n%s", on)};
    both_sides(loaded, kind, &sides[0], &sides[1]);
    sides[2] = (ChangeSide){"v3", loaded->schema, sides[1].package};
    for (int i = 0; i < 2; i++)
        assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(yaml[i]), "list.yaml",
                                              &sides[i], &sides[i + 1], &problems, &lists[i]));
    for (int upwards = 0; upwards < 2; upwards++)
        assert_ok(loaded->arena,
                  changes_compose(loaded->arena, lists, 2, upwards, &problems, &sets[upwards]));
    Buffer told = buffer_in(loaded->arena);
    problems_print(&problems, &told);
    assert_bytes(buffer_bytes(&told), "");
    ProveOptions options = {.n_messages = 400, .seed = 1, .json = true};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, lists, 2, &options, &outcome));
    assert_bytes(outcome.counter_example, "");
}

static void what_is_lost_of_a_list_by_its_key_is_told_in_the_names_of_the_ends(void **state)
{
    Loaded *loaded = *state;
    const MappingSet *sets[2];
    compose(loaded, "Keyed",
            "messages:\n  M:\n    labels: {key: name, duplicates: graceful}\n"
            "    prices: {key: id, duplicates: graceful}\n"
            "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
            "    nodes: {key: id, duplicates: graceful}\n"
            "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
            "  Label to LabelValue: {note: text, extra: {added: graceful}}\n"
            "  Price to Priced: {cents: {by: text}}\n"
            "  Node: {nodes: {key: id, duplicates: graceful}, id: {removed: graceful}}\n",
            "messages:\n  LabelValue: {text: [{removed: graceful}, {added: graceful}], extra: "
            "[{removed: graceful}, {added: none}]}\n",
            sets);
    bool counted = false;
    for (uint32_t i = 0; i < sets[true]->n_losses; i++) {
        const Loss *loss = sets[true]->losses[i];
        counted |= strcmp(loss->path, "Keyed.Old.Label.note") == 0 && loss->line == 4;
        assert_null(strstr(loss->path, "LabelValue"));
    }
    assert_true(counted);
}

static void what_a_default_loses_is_lost_where_it_is_given(void **state)
{
    const MappingSet *sets[2];
    compose(*state, "Parts",
            "messages:\n  M:\n    items: {to: item, more: graceful}\n"
            "    cents: {to: total, by: cents_to_money, currency: currency}\n"
            "    gift: {required: {sku: rose, count: 3}}\n    extra: {added: graceful}\n",
            "messages:\n  Item: {count: [{removed: loud}, {added: graceful}]}\n", sets);
}

static void an_error_of_what_a_message_is_only_there_for_is_told(void **state)
{
    Loaded *loaded = *state;
    const MappingSet *sets[2];
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    compose(loaded, "MaskMoved",
            "messages:\n  M: {mask: {to: box.mask, of: Thing}, tag: box.tag}\n"
            "  Thing: {all: {from: [a, b], first: graceful}}\n",
            "messages:\n  Box: {mask: [{removed: graceful}, {added: graceful}]}\n", sets);
    const MessageType *m = schema_message(loaded->schema, bytes_of("changes.MaskMoved.Old.M"));
    loss_report(loaded->arena, sets[true], mapping_set_find(sets[true], m), &report);
    loss_report_text(&report, false, &text);
    assert_non_null(strstr(arena_text(loaded->arena, buffer_bytes(&text)),
                           "dropped   MaskMoved.Old.M.mask: it has no counterpart (loud)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_replaced_by_what_feeds_it),
        cmocka_unit_test(two_conversions_become_one),
        cmocka_unit_test(what_an_any_may_bring_is_named_as_the_first_version_does),
        cmocka_unit_test(what_is_lost_is_told_in_the_names_of_the_ends),
        cmocka_unit_test(what_is_lost_of_a_list_by_its_key_is_told_in_the_names_of_the_ends),
        cmocka_unit_test(what_a_default_loses_is_lost_where_it_is_given),
        cmocka_unit_test(an_error_of_what_a_message_is_only_there_for_is_told),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
