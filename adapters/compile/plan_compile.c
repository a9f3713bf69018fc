#include "adapters/compile/plan_compile.h"

#include "adapters/compile/compile.h"

#include <pthread.h>

enum { DEFAULT_DEPTH = 100, MOST_DEPTH = 1000, DEFAULT_ELEMENTS = 1000000 };

/* The programs with the same options, apart from the codecs. */
typedef struct CacheEntry {
    ProgramSet set;     /* first member: a pointer to it is cast to CacheEntry */
    Compiler *compiler; /* NULL: nobody needed a program yet */
    Compiler *proof;  /* compiles every program once as a check; the result is discarded. NULL: they
                         are all compiled at once, so no check is needed */
    PlanCache *cache; /* or NULL, likewise */
    struct CacheEntry *next;
} CacheEntry;

struct PlanCache {
    Arena *programs, *proof;
    CacheEntry *entries;
    pthread_mutex_t lock; /* for make_needed and compile_needed */
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

static Compiler *new_compiler(Arena *arena, ProgramSet *set)
{
    Compiler *compiler = arena_make(arena, Compiler);
    CHECK(compiler); /* a config generation's arena has no limit */
    *compiler = (Compiler){.arena = arena, .room = arena, .set = set};
    compiler->programs = compiler->identities = compiler->any_reaches = compiler->costs =
        compiler->names = table_in(arena);
    compiler->text = buffer_in(arena);
    return compiler;
}

static const Program *program_of(Compiler *compiler, const Plan *plan)
{
    return plan->only ? compiler_only(compiler, plan->mapping, plan->from, plan->only)
                      : compiler_program(compiler, plan->mapping, plan->from, plan->to);
}

static CacheEntry *lock_entry(const ProgramSet *set)
{
    CacheEntry *entry = (CacheEntry *)(uintptr_t)set;
    CHECK(pthread_mutex_lock(&entry->cache->lock) == 0);
    if (!entry->compiler)
        entry->compiler = new_compiler(entry->cache->programs, &entry->set);
    return entry;
}

/* Under the lock: another thread may have compiled it. */
static void compile_once(CacheEntry *entry, Program *program)
{
    if (atomic_load_explicit(&program->compiled, memory_order_relaxed))
        return;
    Result r = compiler_compile(entry->compiler, program);
    CHECK(!failed(r)); /* prove() has compiled the same program */
}

static void compile_needed(const ProgramSet *set, const Program *needed)
{
    CacheEntry *entry = lock_entry(set);
    compile_once(entry, (Program *)(uintptr_t)needed);
    CHECK(pthread_mutex_unlock(&entry->cache->lock) == 0);
}

static const Program *make_needed(const ProgramSet *set, const Plan *needed)
{
    CacheEntry *entry = lock_entry(set);
    Plan *plan = (Plan *)(uintptr_t)needed;
    const Program *program = atomic_load_explicit(&plan->program, memory_order_relaxed);
    if (!program) {
        program = program_of(entry->compiler, plan);
        compile_once(entry, (Program *)(uintptr_t)program);
        atomic_store_explicit(&plan->program, program, memory_order_release);
    }
    CHECK(pthread_mutex_unlock(&entry->cache->lock) == 0);
    return program;
}

static CacheEntry *new_entry(Arena *arena, const PlanOptions *options)
{
    CacheEntry *entry = arena_make(arena, CacheEntry);
    CHECK(entry); /* a config generation's arena has no limit */
    entry->set.options = *options;
    return entry;
}

static Compiler *new_proof(Arena *arena, const PlanOptions *options)
{
    ProgramSet *set = arena_make(arena, ProgramSet);
    CHECK(set); /* as above */
    set->options = *options;
    return new_compiler(arena, set);
}

static CacheEntry *cached_entry(PlanCache *cache, const PlanOptions *options)
{
    for (CacheEntry *entry = cache->entries; entry; entry = entry->next) {
        if (same_options(&entry->set.options, options))
            return entry;
    }
    CacheEntry *entry = new_entry(cache->programs, options);
    entry->set.make = make_needed;
    entry->set.compile = compile_needed;
    entry->proof = new_proof(cache->proof, options);
    entry->cache = cache;
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

static CacheEntry *entry_alone(Arena *arena, const PlanOptions *options)
{
    CacheEntry *entry = new_entry(arena, options);
    entry->compiler = new_compiler(arena, &entry->set);
    return entry;
}

/* Of both sides, so that what a converter makes of a value is counted whichever is the dear one. */
static uint8_t cost_of(Compiler *compiler, const Mapping *mapping)
{
    uint8_t from = compiler_cost(compiler, mapping->from);
    uint8_t to = compiler_cost(compiler, mapping->to);
    return from > to ? from : to;
}

/* Checks that all programs of a plan can be compiled. */
static Result prove(CacheEntry *entry, Plan *plan)
{
    Compiler *proof = entry->proof;
    uint32_t first = proof->set->n;
    proof->room = arena_new(ARENA_UNLIMITED);
    plan->copies = program_of(proof, plan)->style == PROGRAM_COPY;
    Result r = compiler_finish(proof, first);
    arena_free(proof->room);
    return r;
}

static Result compile_all(CacheEntry *entry, Plan *plan)
{
    uint32_t first = entry->set.n;
    const Program *program = program_of(entry->compiler, plan);
    plan->copies = program->style == PROGRAM_COPY;
    atomic_init(&plan->program, program);
    return compiler_finish(entry->compiler, first);
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

static PlanOptions completed(const PlanOptions *options)
{
    PlanOptions whole = *options;
    uint32_t depth = options->max_depth ? options->max_depth : DEFAULT_DEPTH;
    whole.max_depth = depth < MOST_DEPTH ? depth : MOST_DEPTH;
    whole.max_elements = options->max_elements ? options->max_elements : DEFAULT_ELEMENTS;
    return whole;
}

Result plan_compile(Arena *arena, const Mapping *mapping, const PlanOptions *options,
                    const Plan **plan_out)
{
    *plan_out = NULL;
    PlanOptions whole = completed(options);
    Plan *plan = arena_make(arena, Plan);
    CacheEntry *entry =
        options->cache ? cached_entry(options->cache, &whole) : entry_alone(arena, &whole);
    CHECK(plan); /* a config generation's arena has no limit */
    *plan = (Plan){.set = &entry->set,
                   .mapping = mapping,
                   .from = options->from,
                   .to = options->to,
                   .unknown = options->unknown};
    Result r = find_only(arena, mapping, options, &plan->only);
    if (!failed(r))
        r = entry->proof ? prove(entry, plan) : compile_all(entry, plan);
    if (failed(r))
        return FAIL_OVER(arena, error_copy(arena, r), FAULT_BAD_SCHEMA,
                         "compiling the plan %s -> %s", mapping->from->full_name,
                         mapping->to->full_name);
    plan->cost =
        plan_is_copy(plan) ? 0 : cost_of(entry->proof ? entry->proof : entry->compiler, mapping);
    *plan_out = plan;
    return OK;
}

Result plan_compile_any(Arena *arena, const PlanOptions *options, const Plan **plan_out)
{
    const MappingSet *sets[] = {options->types, options->common_types};
    const Mapping *any = NULL;
    for (size_t i = 0; i < 2 && !any; i++)
        any = sets[i] ? mapping_set_named(sets[i], bytes_of("google.protobuf.Any")) : NULL;
    CHECK(any);
    return plan_compile(arena, any, options, plan_out);
}
