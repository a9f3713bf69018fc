/*
 * Composing: combines two steps of a chain into one. Shared by compose.c and its three parts:
 * compose_paths.c follows fields through the version between, compose_fuse.c combines two
 * conversions, compose_losses.c expresses losses in the names of the two ends. Inside these files
 * only.
 *
 * "First" is the step from the first version to the version between, "second" the one from there
 * on. Expressions are immutable: a rewrite creates new ones, in the arena, which has no limit. NULL
 * is an expression that yields nothing.
 */
#ifndef ADAPTERS_COMPOSE_INTERNAL_H
#define ADAPTERS_COMPOSE_INTERNAL_H

#include "adapters/compose/compose.h"
#include "adapters/mapping/expr.h"

typedef struct Composing {
    Arena *arena;
    const MappingSet *first, *second;
    Problems *problems;
    MappingSet *set;     /* the result */
    Table by_pair;       /* first's and second's mapping -> Task */
    Table entries;       /* the mappings of maps' entries that are made on the way */
    Table stranded;      /* full name -> Stranded of the second list */
    struct Task **tasks; /* in this order; filling one may add more */
    uint32_t n_tasks, n_filled, tasks_capacity;
} Composing;

enum { MOST_TAKEN = 64 }; /* nested messages of which one field is taken */

/* One composed mapping, to be filled. */
typedef struct Task {
    const Mapping *first, *second; /* second NULL: it does not change the result of the first */
    Mapping *made;
    Guard *guards;
    uint32_t n_guards, guards_capacity;
    Table taken; /* messages of which a field was taken, each with the path to it */
    const Expr *way[MOST_TAKEN];
    uint32_t n_way;
    int line; /* of the second list */
} Task;

/* The rules for the fields of a message of the version between. */
typedef struct Scope {
    const Rule *rules;
    uint32_t n_rules;
} Scope;

/* The mapping of `first` followed by `second`; a new one is filled later. `second` NULL: `first`
   alone, with its losses counted in this set. */
const Mapping *compose_pair(Composing *c, const Mapping *first, const Mapping *second);

void compose_add_guard(Composing *c, Task *task, Guard guard);

/* Makes the guards from number `first` on depend on what their message depends on. */
void compose_guards_when(Composing *c, Task *task, uint32_t first, const Expr *subject,
                         const Literal *constant);
void compose_guards_unless(Composing *c, Task *task, uint32_t first, const Expr *const *others,
                           uint32_t n_others);

/* ---- compose_paths.c ------------------------------------------------------------------------- */

/* Rewrites an expression of the second over the version between as one over the source of the
   first. What is dropped becomes guards of the task. */
const Expr *compose_value(Composing *c, Task *task, Scope scope, const Expr *expr);

/* ---- compose_fuse.c -------------------------------------------------------------------------- */

/* A message of the version between (single, or each of a list) converted by the second's mapping.
 */
const Expr *compose_through(Composing *c, Task *task, const Mapping *second, const Expr *message);

/* The converter of `second`, which has one argument, on `arg` instead of that. */
const Expr *compose_convert(Composing *c, const Expr *second, const Expr *arg);

/* ---- compose_names.c ------------------------------------------------------------------------- */

/* What the set strands, by its full name. */
Table mapping_set_stranded(Arena *arena, const MappingSet *set);

/* Completes by_type and stranded of a composed set, whose mappings are made. */
void mapping_set_compose_names(Arena *arena, MappingSet *set, const MappingSet *first,
                               const MappingSet *second);

/* ---- compose_losses.c ------------------------------------------------------------------------ */

/* The rule with `value` in place of its own, and the task's guards: their losses become the
   set's. */
Rule compose_adopt_rule(Composing *c, const Task *task, const Rule *rule, const Expr *value);
void compose_adopt_guards(Composing *c, Task *task);

#endif
