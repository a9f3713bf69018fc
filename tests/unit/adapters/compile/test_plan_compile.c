#include "adapters/program/program.h"
#include "tests/unit/adapters/plans.h"

#include <pthread.h>

enum { THREADS = 4 };

static const char json[] =
    "{\"anInt32\":1,\"inner\":{\"name\":\"a\"},\"children\":[{\"inner\":{\"size\":\"LARGE\"}}]}";

static const Plan *cached(Codec from, Codec to)
{
    PlanOptions options = {.from = from,
                           .to = to,
                           .types = bench.kinds_set,
                           .cache = plan_cache_new(bench.arena, bench.arena)};
    return compiled(identity_of("test.kinds.Kinds"), options);
}

static bool is_compiled(const Program *program)
{
    return atomic_load(&program->compiled);
}

/* Which of a program's operations leads to the program of this type. */
static const Program *program_within(const Program *program, const char *type)
{
    for (const PlanOp *op = program->ops; op->code != PLAN_END; op++) {
        if (op->program && strcmp(op->program->from->full_name, type) == 0)
            return op->program;
    }
    return NULL;
}

static void a_program_is_compiled_when_a_message_needs_it(void **state)
{
    const Plan *plan = cached(CODEC_JSON, CODEC_PROTO);
    assert_null(atomic_load(&plan->program));
    assert_bytes(run_ok(plan, bytes_of("{}")), "");
    const Program *program = atomic_load(&plan->program);
    assert_true(is_compiled(program));
    const Program *inner = program_within(program, "test.kinds.Kinds.Inner");
    assert_non_null(inner);
    assert_false(is_compiled(inner));
    run_ok(plan, bytes_of(json));
    assert_true(is_compiled(inner));
}

static void without_a_cache_all_is_compiled_at_once(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    const Plan *plan = compiled(identity_of("test.kinds.Kinds"), options);
    assert_true(is_compiled(program_within(plan_program(plan), "test.kinds.Kinds.Inner")));
}

typedef struct Runs {
    const Plan *plan;
    Bytes made;
    Arena *arena;
} Runs;

static void *run_in_thread(void *argument)
{
    Runs *runs = argument;
    Buffer out = buffer_in(runs->arena);
    PlanInput input = {.bytes = bytes_of(json)};
    Result r = plan_run(runs->plan, &input, runs->arena, &out, NULL);
    runs->made = failed(r) ? BYTES_NONE : buffer_bytes(&out);
    return NULL;
}

static void threads_that_need_the_same_program_all_get_it(void **state)
{
    PlanOptions options = {.from = CODEC_JSON, .to = CODEC_PROTO, .types = bench.kinds_set};
    Bytes right = run_ok(compiled(identity_of("test.kinds.Kinds"), options), bytes_of(json));
    const Plan *plan = cached(CODEC_JSON, CODEC_PROTO);
    pthread_t threads[THREADS];
    Runs runs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        runs[i] = (Runs){.plan = plan, .arena = arena_new(1 << 20)};
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &runs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(runs[i].made.size > 0 && bytes_equal(runs[i].made, right));
        arena_free(runs[i].arena);
    }
}

/* Nothing is left for the first message to find out; and the error outlives the proof. */
static void what_cannot_be_compiled_is_told_with_its_plan(void **state)
{
    const Mapping *same = identity_of("test.kinds.Kinds");
    const Converter converter = {.code = CONVERT_NUMBER};
    const Expr nothing = {
        .kind = EXPR_CONVERT, .type = {.kind = KIND_INT32}, .converter = &converter};
    const Rule rule = {.target = &same->to->fields[0], .value = &nothing};
    const Mapping mapping = {.from = same->from, .to = same->to, .rules = &rule, .n_rules = 1};
    for (int with_cache = 0; with_cache < 2; with_cache++) {
        Arena *programs = arena_new(ARENA_UNLIMITED), *proof = arena_new(ARENA_UNLIMITED);
        PlanOptions options = {.from = CODEC_PROTO,
                               .to = CODEC_JSON,
                               .cache = with_cache ? plan_cache_new(programs, proof) : NULL};
        const Plan *plan;
        Result r = plan_compile(bench.arena, &mapping, &options, &plan);
        arena_free(proof);
        arena_free(programs);
        assert_fault(r, FAULT_BAD_SCHEMA);
        assert_null(plan);
        assert_non_null(strstr(error_origin(r)->doing, "a converter with no arguments"));
        options.cache = NULL;
        options.only_field = "nobody";
        assert_fault(plan_compile(bench.arena, same, &options, &plan), FAULT_BAD_SCHEMA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_compiled_when_a_message_needs_it),
        cmocka_unit_test(without_a_cache_all_is_compiled_at_once),
        cmocka_unit_test(threads_that_need_the_same_program_all_get_it),
        cmocka_unit_test(what_cannot_be_compiled_is_told_with_its_plan),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
