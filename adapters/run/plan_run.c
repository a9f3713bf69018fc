#include "adapters/run/plan_run.h"

#include "adapters/run/runner.h"

#include <assert.h>
#include <string.h>

enum {
    OUTPUT_SPARE = 64, /* a small message usually grows by less */
    LARGE_INPUT = 1 << 20,
};

static void write_step(Buffer *path, const PathStep *step)
{
    if (step->name) {
        if (path->size)
            buffer_add_byte(path, '.');
        buffer_add_text(path, step->name);
    } else if (step->key.data) {
        buffer_add_text(path, "[\"");
        buffer_add_bytes(path, bytes_cut_text(step->key, 80));
        buffer_add_text(path, "\"]");
    } else {
        buffer_printf(path, "[%u]", step->index);
    }
}

static const char *path_text(const Mistake *mistake, Arena *arena)
{
    Buffer path = buffer_in(arena);
    for (uint32_t i = mistake->n_path; i > 0; i--)
        write_step(&path, &mistake->path[i - 1]);
    buffer_add_byte(&path, '\0');
    return mistake->n_path && !path.full ? (const char *)path.data : "";
}

static Result mistake_result(const Mistake *mistake, Arena *arena)
{
    const char *field = path_text(mistake, arena);
    return error_new(arena, mistake->fault, OK, field, __FILE__, __LINE__, "%s%s%s", field,
                     *field ? ": " : "", mistake->text);
}

/* Reserves one block that is usually large enough, instead of growing by doubling. */
static void reserve_output(const Plan *plan, size_t input_size, Buffer *out)
{
    bool grows = plan->from == CODEC_PROTO && plan->to == CODEC_JSON;
    bool small = input_size < LARGE_INPUT; /* large buffers grow in place */
    size_t guess = (grows && small ? input_size * 5 / 2 : input_size) + OUTPUT_SPARE;
    out->data = arena_alloc(out->arena, guess);
    out->capacity = out->data ? guess : 0;
}

static void begin(Runner *runner, const Plan *plan, Arena *arena, Buffer *out, PlanRun *report)
{
    runner->arena = arena;
    runner->out = out;
    runner->report = report;
    runner->set = plan->set;
    runner->unknown = plan->unknown;
    runner->depth = 0;
    runner->max_depth = plan->set->options.max_depth;
    runner->elements_left = plan->set->options.max_elements;
    uint8_t *frames = (uint8_t *)runner->first_frames;
    runner->free = (FrameRoom){frames, frames + FIRST_FRAMES};
    runner->spare = (FrameRoom){NULL, NULL};
    runner->asked = NULL;
    runner->fault = NULL;
    runner->n_mistakes = 0;
    runner->open = 0;
}

/* ---- What is left without the mistakes ------------------------------------------------------- */

/* Of an object of this type (NULL: of a map): also a member with the other name of its field. */
static JsonNode *find_member(const MessageType *type, const JsonNode *object, const PathStep *step)
{
    Bytes name = step->key.data ? step->key : bytes_of(step->name);
    for (JsonNode *member = object->first; member; member = member->next) {
        const FieldType *field = type ? message_field(type, member->name) : NULL;
        if (bytes_equal(member->name, name) || (field && bytes_are(name, field->json_name)))
            return member;
    }
    return NULL;
}

static void unlink_member(JsonNode *object, const JsonNode *member)
{
    JsonNode **at = &object->first;
    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
    object->count--;
}

/* Of a list it takes the whole, so that the other elements keep their places. It may be out
   already, with another mistake in it. */
static void take_out(const MessageType *type, JsonNode *object, const Mistake *mistake)
{
    const FieldType *map = NULL;
    for (uint32_t i = mistake->n_path; i > 0 && object->kind == JSON_OBJECT; i--) {
        JsonNode *member = find_member(map ? NULL : type, object, &mistake->path[i - 1]);
        if (!member)
            return;
        if (i == 1 || member->kind != JSON_OBJECT) {
            unlink_member(object, member);
            return;
        }
        const FieldType *field = map    ? message_field_by_number(map->message, 2)
                                 : type ? message_field(type, member->name)
                                        : NULL;
        map = field && field->map ? field : NULL;
        type = field ? field->message : NULL;
        object = member;
    }
}

/* Once more, without what was invalid: unless something of it is still there. */
static void write_rest(PlanRun *asked, const Plan *plan, const Runner *found, JsonNode *root,
                       Arena *arena)
{
    Mistake mistake;
    PlanRun unreported = {0};
    Runner *runner = arena_make(arena, Runner);
    if (!runner || !root)
        return;
    for (uint32_t i = 0; i < found->n_mistakes; i++) {
        if (found->mistakes[i].n_path == PATH_LIMIT) /* the outermost steps are not known */
            return;
        take_out(plan->mapping->from, root, &found->mistakes[i]);
    }
    begin(runner, plan, arena, asked->rest, &unreported);
    runner->mistakes = &mistake;
    runner->most_mistakes = 1;
    asked->has_rest =
        program_run(runner, plan_program(plan), (Value){.node = root}) && !asked->rest->full;
}

static bool is_told(const Result *told, size_t n, Result r)
{
    for (size_t i = 0; i < n; i++) {
        if (told[i].error->field && strcmp(told[i].error->field, r.error->field) == 0)
            return true;
    }
    return false;
}

/* If it is asked for, reads the message once more, to its end. Returns all mistakes: `first` and
   those beside it, and those of other fields that are found. A value that was left out is missing
   later, which is no mistake of its own; of a parameter, the field may have another spelling then.
 */
static Result with_all_mistakes(PlanRun *asked, const Plan *plan, Value source, Arena *arena,
                                bool of_parameters, Result first)
{
    if (!asked->all_mistakes || !first.error->field)
        return first;
    Runner *runner = arena_make(arena, Runner);
    Mistake *mistakes = arena_array(arena, Mistake, MOST_MISTAKES);
    Buffer unused = buffer_in(arena);
    PlanRun unreported = {0};
    Result all[2 * MOST_MISTAKES];
    size_t n = 0;
    if (!runner || !mistakes)
        return first;
    begin(runner, plan, arena, &unused, &unreported);
    runner->mistakes = mistakes;
    runner->most_mistakes = MOST_MISTAKES;
    for (const Error *told = first.error; told && n < MOST_MISTAKES; told = told->also)
        all[n++] = (Result){told};
    program_run(runner, plan_program(plan), source); /* what it returns, the mistakes say */
    for (uint32_t i = 0; i < runner->n_mistakes; i++) {
        Result r = mistake_result(&mistakes[i], arena);
        bool is_left_out = of_parameters && r.error->fault == &FAULT_FIELD_REQUIRED;
        if (r.error->field && !is_left_out && !is_told(all, n, r))
            all[n++] = r;
    }
    if (asked->rest && plan->from == CODEC_JSON)
        write_rest(asked, plan, runner, (JsonNode *)(uintptr_t)source.node /* made for this run */,
                   arena);
    return error_with_others(arena, all, n < MOST_MISTAKES ? n : MOST_MISTAKES);
}

/* ---- Messages -------------------------------------------------------------------------------- */

typedef struct Series {
    const Plan *plan;
    const Program *program;
    Runner runner;
    Mistake mistake;
} Series;

static inline void begin_series(Series *s, const Plan *plan, Arena *arena, Buffer *out,
                                PlanRun *report)
{
    s->plan = plan;
    begin(&s->runner, plan, arena, out, report);
    s->runner.mistakes = &s->mistake;
    s->runner.most_mistakes = 1;
    s->program = plan_program(plan);
}

/* Most plans are run without another look at what they are. */
static inline bool run_program(Series *s, Value source)
{
    const Program *program = s->program;
    if (!program->wire)
        return program_run(&s->runner, program, source);
    s->runner.depth = 1;
    return run_wire(&s->runner, program, value_bytes(source));
}

/* After a run that has failed. `start`: the size of the output before it. */
static __attribute__((cold, noinline)) Result run_failed(Series *s, Value source, size_t start)
{
    Runner *runner = &s->runner;
    Buffer *out = runner->out;
    out->size = out->size < start ? out->size : start;
    return with_all_mistakes(runner->report, s->plan, source, runner->arena, false,
                             mistake_result(&s->mistake, runner->arena));
}

static inline __attribute__((always_inline)) Result run_on(Series *s, Value source, size_t size)
{
    Runner *runner = &s->runner;
    Buffer *out = runner->out;
    if (!out->capacity)
        reserve_output(s->plan, size, out);
    size_t start = out->size;
    if (__builtin_expect(run_program(s, source), 1) && (!out->full || run_out_of_memory(runner)))
        return OK;
    return run_failed(s, source, start);
}

static __attribute__((noinline)) Result run_on_json(Series *s, const PlanInput *input)
{
    Runner *runner = &s->runner;
    JsonNode *root = NULL;
    Result r = input_tree(s->plan, input, runner->arena, runner->report, &root);
    Value source = {.node = root};
    return failed(r) ? with_all_mistakes(runner->report, s->plan, source, runner->arena, true, r)
                     : run_on(s, source, input->bytes.size);
}

Result plan_run(const Plan *plan, const PlanInput *input, Arena *arena, Buffer *out, PlanRun *run)
{
    Series s;
    PlanRun unreported;
    if (!run)
        unreported = (PlanRun){0};
    begin_series(&s, plan, arena, out, run ? run : &unreported);
    if (plan->from == CODEC_JSON)
        return run_on_json(&s, input);
    return run_on(&s, value_of_bytes(input->bytes), input->bytes.size);
}

static_assert(sizeof(Series) <= sizeof(PlanSeries), "a series has room for what it is");

void plan_series_begin(PlanSeries *series, const Plan *plan, Arena *arena, Buffer *out,
                       PlanRun *run)
{
    begin_series((Series *)(void *)series, plan, arena, out, run);
}

static __attribute__((noinline)) Result next_json(Series *s, Bytes message)
{
    PlanInput input = {.bytes = message};
    return run_on_json(s, &input);
}

Result plan_series_next(PlanSeries *series, Bytes message)
{
    Series *s = (Series *)(void *)series;
    s->runner.elements_left = s->plan->set->options.max_elements;
    s->runner.spare = (FrameRoom){NULL, NULL}; /* it was in the arena */
    return s->plan->from == CODEC_JSON ? next_json(s, message)
                                       : run_on(s, value_of_bytes(message), message.size);
}
