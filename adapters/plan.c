#include "adapters/plan.h"

#include "adapters/compile.h"

enum { DEFAULT_DEPTH = 100, MOST_DEPTH = 1000, DEFAULT_ELEMENTS = 1000000 };

/* Only for the top: what is in it is compiled as ever. */
static Result compile_only_field(Compiler *compiler, const Mapping *mapping, const char *name,
                                 Program **program_out)
{
    const PlanOptions *options = &compiler->set->options;
    const FieldType *field = message_field(mapping->to, bytes_of(name));
    if (!field || options->to != CODEC_JSON)
        return FAIL(compiler->arena, FAULT_BAD_SCHEMA, "%s has no field \"%s\" to answer with",
                    mapping->to->full_name, name);
    Program *program = arena_make(compiler->arena, Program);
    *program = (Program){.style = PROGRAM_FIELDS, .from_codec = options->from,
                         .to_codec = CODEC_JSON, .mapping = mapping, .from = mapping->from,
                         .to = mapping->to, .index = UINT32_MAX};
    *program_out = program;
    return compile_fields(compiler, program, field);
}

Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                    const Plan **plan_out)
{
    Plan *plan = arena_make(arena, Plan);
    ProgramSet *set = arena_make(arena, ProgramSet);
    *plan_out = NULL;
    if (!plan || !set)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "compiling a plan");
    set->options = *options;
    Compiler compiler = {.arena = arena, .set = set};
    compiler.programs = compiler.identities = compiler.reaches_any = table_in(arena);

    Program *only = NULL;
    Result r = OK;
    if (options->only_field && *options->only_field) {
        r = compile_only_field(&compiler, mapping, options->only_field, &only);
        plan->program = only;
    } else {
        plan->program = compiler_program(&compiler, mapping, options->from, options->to);
    }
    if (!failed(r))
        r = compiler_finish(&compiler, 0);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_BAD_SCHEMA, "compiling the plan %s -> %s",
                         mapping->from->full_name, mapping->to->full_name);
    plan->set = set;
    plan->mapping = mapping;
    *plan_out = plan;
    return OK;
}

bool plan_is_copy(const Plan *plan)
{
    const PlanOptions *options = &plan->set->options;
    if (plan->program->style == PROGRAM_COPY)
        return true;
    return options->from == CODEC_JSON && options->to == CODEC_JSON && plan->mapping->identity &&
           !plan->program->bare && !options->enums_as_numbers && !options->emit_defaults &&
           !options->walk_all;
}

/* ---- Running ------------------------------------------------------------------------------------- */

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
    const char *field = runner->n_path && !path.full ? (const char *)path.data : NULL;
    return error_new(runner->arena, runner->fault, OK, field, __FILE__, __LINE__, "%s%s%s",
                     field ? field : "", field ? ": " : "", runner->text);
}

static Result source_value(const Plan *plan, const PlanInput *input, Arena *arena,
                           Value *source_out)
{
    JsonNode *root = NULL;
    if (plan->set->options.from == CODEC_PROTO) {
        *source_out = value_of_bytes(input->bytes);
        return OK;
    }
    Result r = input_tree(plan, input, arena, &root);
    *source_out = (Value){.node = root};
    return r;
}

/* One block that will mostly do, instead of many that double. Without it the output grows as it goes. */
static void reserve_output(const PlanOptions *options, size_t input_size, Buffer *out)
{
    size_t guess = options->to == CODEC_PROTO     ? input_size
                   : options->from == CODEC_PROTO ? input_size * 5 / 2
                                                  : input_size;
    if (out->capacity || input_size < 128)
        return;
    out->data = arena_alloc(out->arena, guess);
    out->capacity = out->data ? guess : 0;
}

Result plan_run(const Plan *plan, const PlanInput *input, Arena *arena, Buffer *out, PlanRun *run)
{
    const PlanOptions *options = &plan->set->options;
    uint32_t depth = options->max_depth ? options->max_depth : DEFAULT_DEPTH;
    PlanRun unreported = {0};
    Value source;
    Result r = source_value(plan, input, arena, &source);
    if (failed(r))
        return r;

    Runner runner; /* its path is written before it is read: clearing it would cost as much as a field */
    runner.arena = arena;
    runner.out = out;
    runner.report = run ? run : &unreported;
    runner.set = plan->set;
    runner.depth = 0;
    runner.max_depth = depth < MOST_DEPTH ? depth : MOST_DEPTH;
    runner.elements_left = options->max_elements ? options->max_elements : DEFAULT_ELEMENTS;
    memset(runner.frames, 0, sizeof(runner.frames));
    runner.fault = NULL;
    runner.n_path = 0;
    reserve_output(options, input->bytes.size, out);
    size_t start = out->size;
    bool ok = program_run(&runner, plan->program, source);
    if (ok && out->full)
        ok = run_out_of_memory(&runner);
    if (ok)
        return OK;
    out->size = out->size < start ? out->size : start;
    return run_result(&runner);
}
