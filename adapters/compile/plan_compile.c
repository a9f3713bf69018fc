#include "adapters/compile/plan_compile.h"

#include "adapters/compile/compile.h"

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
    bool both_keep = (a->unknown == UNKNOWN_KEEP) == (b->unknown == UNKNOWN_KEEP);
    return both_keep && a->enums_as_numbers == b->enums_as_numbers &&
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
        entry->compiler.names = table_in(arena);
    entry->compiler.text = buffer_in(arena);
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
    *plan = (Plan){.set = &entry->set,
                   .mapping = mapping,
                   .from = options->from,
                   .to = options->to,
                   .unknown = options->unknown};
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
