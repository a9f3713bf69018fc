/* What is in long-running operations, by the method that began them. */
#include "adapters/changes/changes.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/prove/prove.h"
#include "adapters/run/plan_run.h"
#include "tests/unit/check.h"

typedef struct Loaded {
    Arena *arena;
    ChangeSide sides[2];
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    static const char *const files[2] = {SCHEMAS "operations_old.binpb",
                                         SCHEMAS "operations_new.binpb"};
    loaded.arena = arena_new(ARENA_UNLIMITED);
    loaded.sides[0] = (ChangeSide){"v1", NULL, "begun.v1"};
    loaded.sides[1] = (ChangeSide){"v2", NULL, "begun.v2"};
    for (int i = 0; i < 2; i++)
        assert_ok(loaded.arena, schema_load_file(loaded.arena, files[i], &loaded.sides[i].schema));
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

#define MESSAGES                                                                                   \
    "messages:\n"                                                                                  \
    "  Progress: {percent: {by: number}}\n"                                                        \
    "  Result to CreateResult: {text: content}\n"                                                  \
    "  Result to PurgeResult: {count: {by: text}}\n"                                               \
    "  Progress to CreateProgress: {percent: done}\n"

static const char *const good = MESSAGES "methods:\n"
                                         "  Orders.Purge: {response: {Result: PurgeResult}}\n";

static const ChangeList *read_list(Loaded *loaded, const char *yaml, Buffer *told)
{
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list;
    const char *text = arena_printf(loaded->arena, "from: v1\nto: v2\n%s", yaml);
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(text), "list.yaml",
                                          &loaded->sides[0], &loaded->sides[1], &problems, &list));
    *told = buffer_in(loaded->arena);
    problems_print(&problems, told);
    return list;
}

static const ChangeList *good_list(Loaded *loaded, const char *yaml)
{
    Buffer told;
    const ChangeList *list = read_list(loaded, yaml, &told);
    if (!list)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&told)));
    return list;
}

static const MethodType *method_of(const ChangeSide *side, const char *name)
{
    const ServiceType *service = &side->schema->services[0];
    for (uint32_t i = 0; i < side->schema->n_services; i++) {
        if (strcmp(side->schema->services[i].package, side->package) == 0)
            service = &side->schema->services[i];
    }
    uint32_t i = 0;
    while (strcmp(service->methods[i].name, name) != 0)
        i++;
    return &service->methods[i];
}

/* The operation's JSON in the other version, by way of protobuf too; or the fault's name. */
static const char *answer(Loaded *loaded, const char *yaml, bool upwards, const char *method,
                          const char *json)
{
    const ChangeList *list = good_list(loaded, yaml);
    Problems problems = problems_in(loaded->arena);
    const MappingSet *set;
    assert_ok(loaded->arena, changes_compose(loaded->arena, &list, 1, upwards, &problems, &set));
    const Mapping *mapping =
        mapping_set_output(set, method_of(&loaded->sides[upwards ? 0 : 1], method));
    assert_non_null(mapping);
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_JSON, .types = set};
    const Plan *plan;
    Buffer out = buffer_in(loaded->arena);
    PlanInput input = {.bytes = bytes_of(json)};
    assert_ok(loaded->arena, plan_compile(loaded->arena, mapping, &options, &plan));
    Result r = plan_run(plan, &input, loaded->arena, &out, NULL);
    return failed(r) ? r.error->fault->name : arena_text(loaded->arena, buffer_bytes(&out));
}

#define RESULT "{\"response\":{\"@type\":\"t/begun.v1.Result\",\"text\":\"a\",\"count\":7}}"

static void the_schema_says_what_is_in_an_operation(void **state)
{
    const Loaded *loaded = *state;
    const MethodType *create = method_of(&loaded->sides[0], "Create");
    assert_string_equal(create->operation_response->full_name, "begun.v1.Result");
    assert_string_equal(create->operation_metadata->full_name, "begun.v1.Progress");
    const MethodType *cancel = method_of(&loaded->sides[0], "Cancel");
    assert_string_equal(cancel->operation_response->full_name, "begun.v1.Result");
    assert_string_equal(cancel->operation_metadata->full_name, "begun.v1.Progress");
    assert_null(method_of(&loaded->sides[0], "Purge")->operation_response);
    assert_null(method_of(&loaded->sides[1], "Cancel")->operation_metadata);
}

static void the_method_that_began_it_says_what_an_operation_holds(void **state)
{
    assert_string_equal(
        answer(*state, good, true, "Create", RESULT),
        "{\"response\":{\"@type\":\"t/begun.v2.CreateResult\",\"content\":\"a\",\"count\":7}}");
    assert_string_equal(
        answer(*state, good, true, "Cancel", RESULT),
        "{\"response\":{\"@type\":\"t/begun.v2.Result\",\"text\":\"a\",\"count\":7}}");
    assert_string_equal(
        answer(*state, good, true, "Purge", RESULT),
        "{\"response\":{\"@type\":\"t/begun.v2.PurgeResult\",\"text\":\"a\",\"count\":\"7\"}}");
    assert_string_equal(
        answer(*state, good, false, "Create",
               "{\"response\":{\"@type\":\"t/begun.v2.CreateResult\",\"content\":\"a\"}}"),
        "{\"response\":{\"@type\":\"t/begun.v1.Result\",\"text\":\"a\"}}");
    assert_string_equal(answer(*state, good, true, "Create",
                               "{\"metadata\":{\"@type\":\"t/begun.v1.Progress\",\"percent\":50}}"),
                        "{\"metadata\":{\"@type\":\"t/begun.v2.CreateProgress\",\"done\":50}}");
    assert_string_equal(answer(*state, good, true, "Cancel",
                               "{\"metadata\":{\"@type\":\"t/begun.v1.Progress\",\"percent\":50}}"),
                        "{\"metadata\":{\"@type\":\"t/begun.v2.Progress\",\"percent\":50}}");
}

/* Of another method's type there is nothing in this one's operations. */
static void what_another_method_holds_is_as_in_any_any(void **state)
{
    assert_string_equal(answer(*state, good, false, "Cancel",
                               "{\"response\":{\"@type\":\"t/begun.v2.CreateResult\"}}"),
                        "CANNOT_CONVERT");
    assert_string_equal(answer(*state, good, true, "Create",
                               "{\"metadata\":{\"@type\":\"t/begun.v1.Result\",\"text\":\"a\"}}"),
                        "{\"metadata\":{\"@type\":\"t/begun.v2.Result\",\"text\":\"a\"}}");
}

static void an_operation_that_others_began_holds_what_theirs_do(void **state)
{
    static const char *const one = MESSAGES "methods:\n"
                                            "  Orders.Purge: {response: {Result: PurgeResult}}\n"
                                            "  Orders.Get: {operations_of: [Orders.Create]}\n";
    assert_string_equal(answer(*state, good, false, "Get",
                               "{\"response\":{\"@type\":\"t/begun.v2.CreateResult\","
                               "\"content\":\"a\"}}"),
                        "{\"response\":{\"@type\":\"t/begun.v1.Result\",\"text\":\"a\"}}");
    assert_string_equal(answer(*state, good, true, "Get", RESULT), /* of several */
                        "{\"response\":{\"@type\":\"t/begun.v2.Result\",\"text\":\"a\","
                        "\"count\":7}}");
    assert_string_equal(
        answer(*state, one, true, "Get", RESULT),
        "{\"response\":{\"@type\":\"t/begun.v2.CreateResult\",\"content\":\"a\",\"count\":7}}");
    assert_string_equal(
        answer(*state, one, false, "Get", "{\"response\":{\"@type\":\"t/begun.v2.PurgeResult\"}}"),
        "CANNOT_CONVERT");
}

static void what_is_wrong_about_an_operation_is_told(void **state)
{
    static const struct {
        const char *entry, *problem;
    } rows[] = {
        {"Orders.Find: {response: Result}",
         "list.yaml:9:17: the method does not return a google.longrunning.Operation\n"},
        {"Orders.Purge: {response: Resul}",
         "list.yaml:9:18: no message Resul in v1 (did you mean Result?)\n"
         "list.yaml:9:18: no message Resul in v2 (did you mean Result?)\n"},
        {"Orders.Purge: {response: [Result]}",
         "list.yaml:9:18: expected the type in an operation's response (write response: TYPE, or "
         "response: {OLD: NEW})\n"},
        {"Orders.Get: {operations_of: Orders.Creat}",
         "list.yaml:9:16: no method Orders.Creat of v1 begins an operation (did you mean "
         "Orders.Create?)\n"},
        {"Orders.Get: {operations_of: {a: b}}",
         "list.yaml:9:16: expected the methods that begin the operations (write operations_of: "
         "[METHOD])\n"},
        {"Orders.Get: {operation_of: Orders.Create}",
         "list.yaml:9:16: a change of a method has no operation_of (did you mean "
         "operations_of?)\n"},
    };
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Buffer told;
        assert_null(read_list(
            loaded, arena_printf(loaded->arena, MESSAGES "methods:\n  %s\n", rows[i].entry),
            &told));
        assert_bytes(buffer_bytes(&told), rows[i].problem);
    }
}

static void prove(Loaded *loaded, const char *yaml)
{
    const ChangeList *list = good_list(loaded, yaml);
    ProveOptions options = {.n_messages = 4000, .seed = 3, .json = true};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, &list, 1, &options, &outcome));
    if (outcome.disproved)
        fail_msg("%.*s", BYTES_ARGS(outcome.counter_example));
    assert_true(outcome.n_converted > 1000);
}

static void plans_of_operations_do_what_the_list_says(void **state)
{
    prove(*state, good);
    prove(*state, MESSAGES "methods:\n"
                           "  Orders.Purge: {response: {Result: PurgeResult}, metadata: Progress}\n"
                           "  Orders.Get: {operations_of: [Orders.Create, Orders.Purge]}\n");
}

/* v1 to v2 and back to v1. */
static void a_chain_follows_the_method_through_each_list(void **state)
{
    Loaded *loaded = *state;
    static const char *const back = "from: v2\nto: v3\n"
                                    "types: {CreateProgress: {removed: graceful}}\n"
                                    "messages:\n"
                                    "  Progress: {percent: {by: number}}\n"
                                    "  CreateResult to Result: {content: text}\n"
                                    "  PurgeResult to Result: {count: {by: text}}\n"
                                    "  CreateProgress to Progress: {done: percent}\n"
                                    "methods:\n"
                                    "  Orders.Purge: {response: {PurgeResult: Result}}\n";
    const ChangeList *lists[2] = {good_list(loaded, good)};
    Problems problems = problems_in(loaded->arena);
    ChangeSide third = {"v3", loaded->sides[0].schema, "begun.v1"};
    Buffer told = buffer_in(loaded->arena);
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(back), "back.yaml",
                                          &loaded->sides[1], &third, &problems, &lists[1]));
    problems_print(&problems, &told);
    if (!lists[1])
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&told)));
    ProveOptions options = {.n_messages = 4000, .seed = 5, .json = true};
    ProveOutcome outcome;
    assert_ok(loaded->arena, prove_chain(loaded->arena, lists, 2, &options, &outcome));
    if (outcome.disproved)
        fail_msg("%.*s", BYTES_ARGS(outcome.counter_example));
    assert_true(outcome.n_converted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_says_what_is_in_an_operation),
        cmocka_unit_test(the_method_that_began_it_says_what_an_operation_holds),
        cmocka_unit_test(what_another_method_holds_is_as_in_any_any),
        cmocka_unit_test(an_operation_that_others_began_holds_what_theirs_do),
        cmocka_unit_test(what_is_wrong_about_an_operation_is_told),
        cmocka_unit_test(plans_of_operations_do_what_the_list_says),
        cmocka_unit_test(a_chain_follows_the_method_through_each_list),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
