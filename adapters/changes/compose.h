/*
 * Composing: two steps of a chain become one. What compose.c and its three parts share:
 * compose_paths.c follows fields through the version between, compose_fuse.c makes one conversion
 * of two, compose_losses.c names what is lost by the ends. Inside these files only.
 *
 * "First" is the step from the first version to the version between, "second" the one from there
 * on. Expressions are never changed: a rewrite makes new ones, in the arena, which has no limit.
 * NULL is an expression that yields nothing.
 */
#ifndef ADAPTERS_COMPOSE_H
#define ADAPTERS_COMPOSE_H

#include "adapters/changes/change_list.h"

typedef struct Composing {
    Arena *arena;
    const MappingSet *first, *second;
    Problems *problems;
    MappingSet *set;     /* what is made */
    Table by_pair;       /* first's and second's mapping -> Task */
    Table stranded;      /* full name -> Stranded of the second list */
    struct Task **tasks; /* filled in this order; filling adds more */
    uint32_t n_tasks, n_filled, tasks_capacity;
} Composing;

enum { MOST_TAKEN = 64 }; /* messages within each other of which one field is taken */

/* One composed mapping, to be filled. */
typedef struct Task {
    const Mapping *first, *second; /* second NULL: it leaves alone what the first gives */
    Mapping *made;
    Guard *guards;
    uint32_t n_guards, guards_capacity;
    Table taken; /* messages of which a field was taken, each with the way to it */
    const Expr *way[MOST_TAKEN];
    uint32_t n_way;
    int line; /* of the second list, which is at work */
} Task;

/* What the fields of a message of the version between are made of. */
typedef struct Scope {
    const Rule *rules;
    uint32_t n_rules;
} Scope;

/* The mapping of `first` and then `second`, filled later when it is new. `second` NULL: `first`
   alone, with its losses counted in this set. */
const Mapping *compose_pair(Composing *c, const Mapping *first, const Mapping *second);

void compose_add_guard(Composing *c, Task *task, Guard guard);

/* ---- compose_paths.c ------------------------------------------------------------------------- */

/* An expression of the second over the version between, as one over the source of the first. What
   is dropped on the way becomes guards of the task. */
const Expr *compose_value(Composing *c, Task *task, Scope scope, const Expr *expr);

/* ---- compose_fuse.c -------------------------------------------------------------------------- */

/* A message of the version between (single, or each of a list) given through the second's
   mapping. */
const Expr *compose_through(Composing *c, Task *task, const Mapping *second, const Expr *message);

/* The converter of `second`, which has one argument, on `arg` instead of that. */
const Expr *compose_convert(Composing *c, const Expr *second, const Expr *arg);

/* ---- compose_losses.c ------------------------------------------------------------------------ */

/* The rule with `value` in place of its own, and the task's guards: their losses become the
   set's. */
Rule compose_adopt_rule(Composing *c, const Task *task, const Rule *rule, const Expr *value);
void compose_adopt_guards(Composing *c, Task *task);

#endif
