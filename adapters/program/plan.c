#include "adapters/program/plan.h"

#include "adapters/compile/compile.h"

enum {
    OUTPUT_SPARE = 64, /* mostly more than a small message grows by */
    DEFAULT_DEPTH = 100,
    MOST_DEPTH = 1000,
    DEFAULT_ELEMENTS = 1000000
};

/* What has been compiled with the same options, but for the codecs. */
typedef struct CacheEntry {
    Compiler compiler;
    ProgramSet set;
    struct CacheEntry *next;
} CacheEntry;

struct PlanCache {
    Arena *arena;
    CacheEntry *entries;
};

PlanCache *plan_cache_new(Arena *arena)
{
    PlanCache *cache = arena_make(arena, PlanCache);
    if (cache)
        cache->arena = arena;
    return cache;
}

static bool same_options(const PlanOptions *a, const PlanOptions *b)
{
    return a->unknown == b->unknown && a->enums_as_numbers == b->enums_as_numbers &&
           a->emit_defaults == b->emit_defaults && a->proto_names == b->proto_names &&
           a->types == b->types && a->common_types == b->common_types &&
           a->max_depth == b->max_depth && a->max_elements == b->max_elements &&
           a->walk_all == b->walk_all && a->canonical == b->canonical;
}

static CacheEntry *new_entry(Arena *arena, const PlanOptions *options)
{
    CacheEntry *entry = arena_make(arena, CacheEntry);
    if (!entry)
        return NULL;
    entry->set.options = *options;
    entry->compiler = (Compiler){.arena = arena, .set = &entry->set};
    entry->compiler.programs = entry->compiler.identities = entry->compiler.any_reaches =
        table_in(arena);
    return entry;
}

static CacheEntry *find_entry(Arena *arena, const PlanOptions *options)
{
    PlanCache *cache = options->cache;
    if (!cache)
        return new_entry(arena, options);
    CHECK(cache->arena == arena);
    for (CacheEntry *entry = cache->entries; entry; entry = entry->next) {
        if (same_options(&entry->set.options, options))
            return entry;
    }
    CacheEntry *entry = new_entry(arena, options);
    if (entry) {
        entry->next = cache->entries;
        cache->entries = entry;
    }
    return entry;
}

/* Only for the top: what is in it is compiled as ever. */
static Result compile_only_field(Compiler *compiler, const Mapping *mapping,
                                 const PlanOptions *options, Program **program_out)
{
    const FieldType *field = message_field(mapping->to, bytes_of(options->only_field));
    if (!field || options->to != CODEC_JSON)
        return FAIL(compiler->arena, FAULT_BAD_SCHEMA, "%s has no field \"%s\" to answer with",
                    mapping->to->full_name, options->only_field);
    Program *program = arena_make(compiler->arena, Program);
    *program = (Program){.style = PROGRAM_FIELDS,
                         .from_codec = options->from,
                         .to_codec = CODEC_JSON,
                         .mapping = mapping,
                         .from = mapping->from,
                         .to = mapping->to};
    *program_out = program;
    return compile_fields(compiler, program, field);
}

Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                    const Plan **plan_out)
{
    Plan *plan = arena_make(arena, Plan);
    CacheEntry *entry = find_entry(arena, options);
    *plan_out = NULL;
    if (!plan || !entry)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "compiling a plan");

    Compiler *compiler = &entry->compiler;
    uint32_t first = entry->set.n;
    Program *only = NULL;
    Result r = OK;
    *plan =
        (Plan){.set = &entry->set, .mapping = mapping, .from = options->from, .to = options->to};
    if (options->only_field && *options->only_field) {
        r = compile_only_field(compiler, mapping, options, &only);
        plan->program = only;
    } else {
        plan->program = compiler_program(compiler, mapping, options->from, options->to);
    }
    if (!failed(r))
        r = compiler_finish(compiler, first);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_SCHEMA, "compiling the plan %s -> %s",
                         mapping->from->full_name, mapping->to->full_name);
    *plan_out = plan;
    return OK;
}

Result plan_compile_any(Arena *arena, const PlanOptions *options, const Plan **plan_out)
{
    const MappingSet *sets[] = {options->types, options->common_types};
    const Mapping *any = NULL;
    for (size_t i = 0; i < 2 && !any; i++)
        any = sets[i] ? table_get(&sets[i]->by_type, bytes_of("google.protobuf.Any")) : NULL;
    CHECK(any);
    return plan_compile(arena, any, options, plan_out);
}

bool plan_is_copy(const Plan *plan)
{
    const PlanOptions *options = &plan->set->options;
    if (plan->program->style == PROGRAM_COPY)
        return true;
    return plan->from == CODEC_JSON && plan->to == CODEC_JSON && plan->mapping->identity &&
           !plan->program->bare && !options->enums_as_numbers && !options->emit_defaults &&
           !options->walk_all;
}

/* ---- Running
 * ------------------------------------------------------------------------------------- */

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

/* One block that will mostly do, instead of many that double. Without it the output grows as it
 * goes. */
static void reserve_output(const Plan *plan, size_t input_size, Buffer *out)
{
    bool grows = plan->from == CODEC_PROTO && plan->to == CODEC_JSON;
    size_t guess = (grows ? input_size * 5 / 2 : input_size) + OUTPUT_SPARE;
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

    Runner runner; /* its path is written before it is read: clearing it would cost as much as a
                      field */
    runner.arena = arena;
    runner.out = out;
    runner.report = report;
    runner.set = plan->set;
    runner.depth = 0;
    runner.max_depth = depth < MOST_DEPTH ? depth : MOST_DEPTH;
    runner.elements_left = options->max_elements ? options->max_elements : DEFAULT_ELEMENTS;
    memset(runner.frames, 0, sizeof(runner.frames));
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
