#include "gateway/pair_losses.h"

#include "base/arena.h"

typedef struct Walk {
    Table seen; /* addresses of Mappings and Losses */
    Arena *arena;
    uint32_t n;
} Walk;

static void walk_mapping(Walk *walk, const Mapping *mapping);
static void walk_rules(Walk *walk, const Rule *rules, uint32_t n);

/* True the first time. */
static bool see(Walk *walk, const void *what)
{
    Bytes address = bytes_copy(walk->arena, bytes(&what, sizeof what));
    return !table_put(&walk->seen, address, walk);
}

static void count(Walk *walk, const Loss *loss)
{
    if (loss && !loss->loud && (loss->kind == LOSS_NARROWED || loss->kind == LOSS_DROPPED) && see(walk, loss))
        walk->n++;
}

static void walk_expr(Walk *walk, const Expr *expr)
{
    count(walk, expr->loss);
    for (uint32_t i = 0; i < expr->n_args; i++)
        walk_expr(walk, expr->args[i]);
    if (expr->mapping)
        walk_mapping(walk, expr->mapping);
    if (expr->kind == EXPR_BUILD)
        walk_rules(walk, expr->rules, expr->n_rules);
}

static void walk_rules(Walk *walk, const Rule *rules, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        walk_expr(walk, rules[i].value);
}

static void walk_mapping(Walk *walk, const Mapping *mapping)
{
    if (mapping->identity || !see(walk, mapping))
        return;
    walk_rules(walk, mapping->rules, mapping->n_rules);
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        if (!mapping->guards[i].loud)
            count(walk, mapping->guards[i].loss);
}

uint32_t pair_losses(Arena *arena, const Mapping *mapping)
{
    Walk walk = {.seen = table_in(arena), .arena = arena};
    walk_mapping(&walk, mapping);
    return walk.n;
}
