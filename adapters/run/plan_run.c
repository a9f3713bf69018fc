#include "adapters/run/plan_run.h"

#include "adapters/run/runner.h"

enum {
    OUTPUT_SPARE = 64, /* a small message usually grows by less */
    LARGE_INPUT = 1 << 20,
    DEFAULT_DEPTH = 100,
    MOST_DEPTH = 1000,
    DEFAULT_ELEMENTS = 1000000
};

static void write_step(Buffer *path, const PathStep *step)
{
    if (step->name) {
        if (path->size)
            buffer_add_byte(path, '.');
        buffer_add_text(path, step->name);
    } else if (step->key.data) {
        buffer_add_text(path, "[\"");
        buffer_add_bytes(path, bytes_slice(step->key, 0, 80));
        buffer_add_text(path, "\"]");
    } else {
        buffer_printf(path, "[%u]", step->index);
    }
}

static Result run_result(Runner *runner)
{
    Buffer path = buffer_in(runner->arena);
    for (uint32_t i = runner->n_path; i > 0; i--)
        write_step(&path, &runner->path[i - 1]);
    buffer_add_byte(&path, '\0');
    const char *field = runner->n_path && !path.full ? (const char *)path.data : "";
    return error_new(runner->arena, runner->fault, OK, field, __FILE__, __LINE__, "%s%s%s", field,
                     *field ? ": " : "", runner->text);
}

static Result source_value(const Plan *plan, const PlanInput *input, Arena *arena, PlanRun *run,
                           Value *source_out)
{
    JsonNode *root = NULL;
    if (plan->from == CODEC_PROTO) {
        *source_out = value_of_bytes(input->bytes);
        return OK;
    }
    Result r = input_tree(plan, input, arena, run, &root);
    *source_out = (Value){.node = root};
    return r;
}

/* Reserves one block that is usually large enough, instead of growing by doubling. */
static void reserve_output(const Plan *plan, size_t input_size, Buffer *out)
{
    bool grows = plan->from == CODEC_PROTO && plan->to == CODEC_JSON;
    bool small = input_size < LARGE_INPUT; /* large buffers grow in place */
    size_t guess = (grows && small ? input_size * 5 / 2 : input_size) + OUTPUT_SPARE;
    if (out->capacity)
        return;
    out->data = arena_alloc(out->arena, guess);
    out->capacity = out->data ? guess : 0;
}

Result plan_run(const Plan *plan, const PlanInput *input, Arena *arena, Buffer *out, PlanRun *run)
{
    const PlanOptions *options = &plan->set->options;
    uint32_t depth = options->max_depth ? options->max_depth : DEFAULT_DEPTH;
    PlanRun unreported = {0};
    PlanRun *report = run ? run : &unreported;
    Value source;
    Result r = source_value(plan, input, arena, report, &source);
    if (failed(r))
        return r;

    Runner runner;
    runner.arena = arena;
    runner.out = out;
    runner.report = report;
    runner.set = plan->set;
    runner.unknown = plan->unknown;
    runner.depth = 0;
    runner.max_depth = depth < MOST_DEPTH ? depth : MOST_DEPTH;
    runner.elements_left = options->max_elements ? options->max_elements : DEFAULT_ELEMENTS;
    uint8_t *frames = (uint8_t *)runner.first_frames;
    runner.free = (FrameRoom){frames, frames + FIRST_FRAMES};
    runner.spare = (FrameRoom){NULL, NULL};
    runner.fault = NULL;
    runner.n_path = 0;
    reserve_output(plan, input->bytes.size, out);
    size_t start = out->size;
    bool ok = program_run(&runner, plan->program, source);
    if (ok && out->full)
        ok = run_out_of_memory(&runner);
    if (ok)
        return OK;
    out->size = out->size < start ? out->size : start;
    return run_result(&runner);
}
