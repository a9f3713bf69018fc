#include "adapters/compile/plan_compile.h"

#include "adapters/compile/compile.h"

#include <pthread.h>

enum { DEFAULT_DEPTH = 100, MOST_DEPTH = 1000, DEFAULT_ELEMENTS = 1000000 };

/* The programs with the same options, apart from the codecs. */
typedef struct CacheEntry {
    ProgramSet set; /* first member: a pointer to it is cast to CacheEntry */
    Compiler compiler;
    Compiler proof; /* compiles every program once as a check; the result is discarded */
    ProgramSet proof_set;
    PlanCache *cache; /* or NULL: no lazy compilation, so no check is needed */
    struct CacheEntry *next;
} CacheEntry;

struct PlanCache {
    Arena *programs, *proof;
    CacheEntry *entries;
    pthread_mutex_t lock; /* for compile_needed */
};

PlanCache *plan_cache_new(Arena *programs, Arena *proof)
{
    PlanCache *cache = arena_make(programs, PlanCache);
    CHECK(cache && pthread_mutex_init(&cache->lock, NULL) == 0);
    cache->programs = programs;
    cache->proof = proof;
    return cache;
}

static bool same_options(const PlanOptions *a, const PlanOptions *b)
{
    bool both_keep = (a->unknown == UNKNOWN_KEEP) == (b->unknown == UNKNOWN_KEEP);
    return both_keep && a->enums_as_numbers == b->enums_as_numbers &&
           a->emit_defaults == b->emit_defaults && a->emit_nulls == b->emit_nulls &&
           a->proto_names == b->proto_names && a->types == b->types &&
           a->common_types == b->common_types && a->max_depth == b->max_depth &&
           a->max_elements == b->max_elements && a->walk_all == b->walk_all &&
           a->canonical == b->canonical;
}

/* Checked again under the lock: another thread may have compiled it. */
static void compile_needed(const ProgramSet *set, const Program *needed)
{
    CacheEntry *entry = (CacheEntry *)(uintptr_t)set;
    Program *program = (Program *)(uintptr_t)needed;
    CHECK(pthread_mutex_lock(&entry->cache->lock) == 0);
    if (!atomic_load_explicit(&program->compiled, memory_order_relaxed)) {
        Result r = compiler_compile(&entry->compiler, program);
        CHECK(!failed(r)); /* prove() has compiled the same program */
    }
    CHECK(pthread_mutex_unlock(&entry->cache->lock) == 0);
}

static void begin_compiler(Compiler *compiler, Arena *arena, ProgramSet *set,
                           const PlanOptions *options)
{
    set->options = *options;
    *compiler = (Compiler){.arena = arena, .room = arena, .set = set};
    compiler->programs = compiler->identities = compiler->any_reaches = compiler->costs =
        compiler->names = table_in(arena);
    compiler->text = buffer_in(arena);
}

static CacheEntry *new_entry(Arena *arena, const PlanOptions *options)
{
    CacheEntry *entry = arena_make(arena, CacheEntry);
    if (entry)
        begin_compiler(&entry->compiler, arena, &entry->set, options);
    return entry;
}

static CacheEntry *cached_entry(PlanCache *cache, const PlanOptions *options)
{
    for (CacheEntry *entry = cache->entries; entry; entry = entry->next) {
        if (same_options(&entry->set.options, options))
            return entry;
    }
    CacheEntry *entry = new_entry(cache->programs, options);
    begin_compiler(&entry->proof, cache->proof, &entry->proof_set, options);
    entry->set.compile = compile_needed;
    entry->cache = cache;
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

/* Of both sides, so that what a converter makes of a value is counted whichever is the dear one. */
static uint8_t cost_of(Compiler *compiler, const Mapping *mapping)
{
    uint8_t from = compiler_cost(compiler, mapping->from);
    uint8_t to = compiler_cost(compiler, mapping->to);
    return from > to ? from : to;
}

static const Program *program_of(Compiler *compiler, const Mapping *mapping,
                                 const PlanOptions *options, const FieldType *only)
{
    return only ? compiler_only(compiler, mapping, options->from, only)
                : compiler_program(compiler, mapping, options->from, options->to);
}

/* Checks that all programs of a plan can be compiled. */
static Result prove(CacheEntry *entry, const Mapping *mapping, const PlanOptions *options,
                    const FieldType *only)
{
    uint32_t first = entry->proof_set.n;
    entry->proof.room = arena_new(ARENA_UNLIMITED);
    program_of(&entry->proof, mapping, options, only);
    Result r = compiler_finish(&entry->proof, first);
    arena_free(entry->proof.room);
    return r;
}

static Result make_program(CacheEntry *entry, const Mapping *mapping, const PlanOptions *options,
                           const FieldType *only, const Program **program_out)
{
    uint32_t first = entry->set.n;
    Result r = entry->cache ? prove(entry, mapping, options, only) : OK;
    if (failed(r))
        return r;
    *program_out = program_of(&entry->compiler, mapping, options, only);
    return entry->cache ? OK : compiler_finish(&entry->compiler, first);
}

/* Finds the field `only_field`. *only_out is NULL for all fields. */
static Result find_only(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                        const FieldType **only_out)
{
    *only_out = NULL;
    if (!options->only_field || !*options->only_field)
        return OK;
    if (options->to == CODEC_JSON)
        *only_out = message_field(mapping->to, bytes_of(options->only_field));
    return *only_out ? OK
                     : FAIL(arena, FAULT_BAD_SCHEMA, "%s has no field \"%s\" to answer with",
                            mapping->to->full_name, options->only_field);
}

static uint32_t depth_of(const PlanOptions *options)
{
    uint32_t depth = options->max_depth ? options->max_depth : DEFAULT_DEPTH;
    return depth < MOST_DEPTH ? depth : MOST_DEPTH;
}

Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                    const Plan **plan_out)
{
    *plan_out = NULL;
    Plan *plan = arena_make(arena, Plan);
    CacheEntry *entry =
        options->cache ? cached_entry(options->cache, options) : new_entry(arena, options);
    if (!plan || !entry)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "compiling a plan");
    *plan =
        (Plan){.set = &entry->set,
               .mapping = mapping,
               .from = options->from,
               .to = options->to,
               .unknown = options->unknown,
               .max_depth = depth_of(options),
               .max_elements = options->max_elements ? options->max_elements : DEFAULT_ELEMENTS};
    const FieldType *only;
    Result r = find_only(arena, mapping, options, &only);
    if (!failed(r))
        r = make_program(entry, mapping, options, only, &plan->program);
    if (failed(r))
        return FAIL_OVER(arena, error_copy(arena, r), FAULT_BAD_SCHEMA,
                         "compiling the plan %s -> %s", mapping->from->full_name,
                         mapping->to->full_name);
    plan->cost = plan_is_copy(plan) ? 0 : cost_of(&entry->compiler, mapping);
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
