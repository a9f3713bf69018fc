#include "adapters/changes/changes.h"

#include "adapters/mapping/expr.h"
#include "adapters/prove/prove.h"
#include "tests/unit/check.h"

typedef struct Loaded {
    Arena *arena;
    ChangeSide from, to;
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    loaded.arena = arena_new(ARENA_UNLIMITED);
    loaded.from = (ChangeSide){"v1", NULL, "methods.v1"};
    loaded.to = (ChangeSide){"v2", NULL, "methods.v2"};
    assert_ok(loaded.arena,
              schema_load_file(loaded.arena, SCHEMAS "methods_old.binpb", &loaded.from.schema));
    assert_ok(loaded.arena,
              schema_load_file(loaded.arena, SCHEMAS "methods_new.binpb", &loaded.to.schema));
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

static const ChangeList *read_list(Loaded *loaded, const char *yaml, Buffer *problems_text)
{
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list;
    const char *text = arena_printf(loaded->arena, "from: v1\nto: v2\n%s", yaml);
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(text), "list.yaml", &loaded->from,
                                          &loaded->to, &problems, &list));
    *problems_text = buffer_in(loaded->arena);
    problems_print(&problems, problems_text);
    return list;
}

#define PARTED                                                                                     \
    "messages:\n"                                                                                  \
    "  Call to StopCall: {id: call_id, note: {removed: graceful}}\n"                               \
    "  Answer to StopAnswer: {left: {added: 7}}\n"

static const char *const good = "types: {Search: Query}\n" PARTED "methods:\n"
                                "  Orders.Get: Orders.Fetch\n"
                                "  Orders.Purge: {removed: \"use the console\"}\n"
                                "  Orders.Import: {added: loud}\n"
                                "  Bills: Invoices\n";

static MethodChange follow(Loaded *loaded, bool upwards, const char *service, uint32_t method)
{
    Buffer problems;
    const ChangeList *list = read_list(loaded, good, &problems);
    if (!list)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&problems)));
    const ChangeSide *side = upwards ? &loaded->from : &loaded->to;
    const ServiceType *found = schema_service(side->schema, bytes_of(service));
    assert_non_null(found);
    return changes_method(&list, 1, upwards, &found->methods[method], loaded->arena);
}

static void a_method_keeps_its_name_where_nothing_is_said(void **state)
{
    assert_string_equal(follow(*state, true, "methods.v1.Orders", 2).target->path,
                        "/methods.v2.Orders/Watch");
    assert_string_equal(follow(*state, false, "methods.v2.Orders", 1).target->path,
                        "/methods.v1.Orders/Watch");
}

static void a_renamed_method_is_followed_both_ways(void **state)
{
    assert_string_equal(follow(*state, true, "methods.v1.Orders", 0).target->path,
                        "/methods.v2.Orders/Fetch");
    assert_string_equal(follow(*state, false, "methods.v2.Orders", 0).target->path,
                        "/methods.v1.Orders/Get");
}

static void a_renamed_service_takes_its_methods_along(void **state)
{
    assert_string_equal(follow(*state, true, "methods.v1.Bills", 0).target->path,
                        "/methods.v2.Invoices/Pay");
}

static void a_removed_method_says_why(void **state)
{
    MethodChange change = follow(*state, true, "methods.v1.Orders", 1);
    assert_null(change.target);
    assert_string_equal(change.reason, "use the console");
}

static void an_added_method_is_only_in_its_version(void **state)
{
    MethodChange change = follow(*state, false, "methods.v2.Orders", 3);
    assert_null(change.target);
    assert_string_equal(change.reason, "Orders.Import is only in v2");
}

static const ChangeList *read_good(Loaded *loaded)
{
    Buffer problems;
    const ChangeList *list = read_list(loaded, good, &problems);
    if (!list)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&problems)));
    return list;
}

static const MethodType *method(const ChangeSide *side, const char *service, uint32_t at)
{
    return &schema_service(side->schema, bytes_of(service))->methods[at];
}

static void messages_that_two_methods_shared_part_by_method(void **state)
{
    Loaded *loaded = *state;
    const ChangeList *list = read_good(loaded);
    const MethodType *start = method(&loaded->from, "methods.v1.Shared", 0);
    const MethodType *stop = method(&loaded->from, "methods.v1.Shared", 1);
    const MethodType *stop_new = method(&loaded->to, "methods.v2.Shared", 1);
    Problems problems = problems_in(loaded->arena);
    const MappingSet *up, *down;
    assert_ok(loaded->arena, changes_compose(loaded->arena, &list, 1, true, &problems, &up));
    assert_ok(loaded->arena, changes_compose(loaded->arena, &list, 1, false, &problems, &down));
    assert_string_equal(mapping_set_input(up, start)->to->name, "Call");
    assert_string_equal(mapping_set_input(up, stop)->to->name, "StopCall");
    assert_string_equal(mapping_set_output(up, start)->to->name, "Answer");
    assert_string_equal(mapping_set_output(down, stop_new)->to->name, "Answer");
    Buffer text = buffer_in(loaded->arena);
    mapping_print(mapping_set_input(up, stop), &text);
    assert_bytes(buffer_bytes(&text), "methods.v1.Call -> methods.v2.StopCall\n"
                                      "  call_id = id\n  part = same Part(part)\n  drop note\n");
}

static void what_a_method_parted_is_proven(void **state)
{
    Loaded *loaded = *state;
    const ChangeList *list = read_good(loaded);
    ProveOptions options = {.n_messages = 500, .seed = 1, .json = true};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, &list, 1, &options, &outcome));
    if (outcome.disproved)
        fail_msg("%.*s", BYTES_ARGS(outcome.counter_example));
}

static void what_a_method_parted_is_checked_for_what_is_unsaid(void **state)
{
    Buffer problems;
    assert_null(read_list(*state,
                          "types: {Search: Query}\nmethods: {Orders.Get: Orders.Fetch, "
                          "Orders.Purge: {removed: loud}, Bills: Invoices}",
                          &problems));
    assert_non_null(strstr(arena_text(((Loaded *)*state)->arena, buffer_bytes(&problems)),
                           "Call to StopCall.note: v1 has this field"));
}

static void refused(void **state, const char *yaml, const char *expected)
{
    Buffer problems;
    const char *whole = arena_printf(((Loaded *)*state)->arena, "%s\n" PARTED, yaml);
    assert_null(read_list(*state, whole, &problems));
    assert_bytes(buffer_bytes(&problems), expected);
}

static void an_unsaid_removal_is_refused(void **state)
{
    refused(state, "types: {Search: Query}\nmethods: {Orders.Get: Orders.Fetch, Bills: Invoices}",
            "list.yaml:4:1: Orders.Purge: the method is only in v1, and nothing says what becomes "
            "of it (write Orders.Purge: {removed: \"why\"})\n");
}

static void methods_that_stream_otherwise_are_refused(void **state)
{
    refused(state,
            "types: {Search: Query}\nmethods:\n  Orders.Get: Orders.Watch\n  Orders.Watch: "
            "{removed: loud}\n"
            "  Orders.Purge: {removed: loud}\n  Bills: Invoices",
            "list.yaml:5:3: Orders.Get: the two methods do not stream in the same directions "
            "(write Orders.Get: "
            "{removed: \"why\"})\n");
}

static void requests_that_are_no_counterparts_are_refused(void **state)
{
    refused(
        state,
        "methods:\n  Orders.Get: Orders.Fetch\n  Orders.Purge: {removed: loud}\n  Bills: Invoices",
        "list.yaml:3:1: Orders.Find: the request types do not correspond: Search and Query (write "
        "types: {Search: Query})\n");
}

static void methods_that_there_are_not_are_refused(void **state)
{
    refused(state,
            "types: {Search: Query}\nmethods:\n  Orders.Gett: Orders.Fetch\n"
            "  Orders.Get: Orders.Fletch\n  Orders.Purge: gone\n  Bills: Invoices",
            "list.yaml:5:3: no method Orders.Gett in v1 (did you mean Orders.Get?)\n"
            "list.yaml:6:3: no method Orders.Fletch in v2 (did you mean Orders.Fetch?)\n"
            "list.yaml:7:3: no method gone in v2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_keeps_its_name_where_nothing_is_said),
        cmocka_unit_test(a_renamed_method_is_followed_both_ways),
        cmocka_unit_test(a_renamed_service_takes_its_methods_along),
        cmocka_unit_test(a_removed_method_says_why),
        cmocka_unit_test(an_added_method_is_only_in_its_version),
        cmocka_unit_test(messages_that_two_methods_shared_part_by_method),
        cmocka_unit_test(what_a_method_parted_is_proven),
        cmocka_unit_test(what_a_method_parted_is_checked_for_what_is_unsaid),
        cmocka_unit_test(an_unsaid_removal_is_refused),
        cmocka_unit_test(methods_that_stream_otherwise_are_refused),
        cmocka_unit_test(requests_that_are_no_counterparts_are_refused),
        cmocka_unit_test(methods_that_there_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
