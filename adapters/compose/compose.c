/*
 * Composes two steps of a chain to one: the expressions of the second step read fields of the
 * version between; each such FIELD is replaced by the first step's expression for that field.
 * Renames and moves disappear, so the mappings of a long chain are as small as those of a short
 * one.
 *
 * This file decides which mappings exist and what a mapping consists of. How expressions are
 * rewritten is in compose_paths.c, compose_fuse.c and compose_losses.c, each with an example.
 */
#include "adapters/compose/compose_internal.h"

/* ---- Tasks ----------------------------------------------------------------------------------- */

const Mapping *compose_pair(Composing *c, const Mapping *first, const Mapping *second)
{
    const void *key[2] = {first, second};
    Task *task = table_get(&c->by_pair, bytes(key, sizeof key));
    if (task)
        return task->made;
    task = arena_make(c->arena, Task);
    *task = (Task){.first = first, .second = second, .made = arena_make(c->arena, Mapping)};
    *task->made =
        (Mapping){.from = first->from, .to = second ? second->to : first->to, .index = c->n_tasks};
    if (c->n_tasks == c->tasks_capacity) {
        uint32_t capacity = c->tasks_capacity ? c->tasks_capacity * 2 : 64;
        c->tasks = arena_grow(c->arena, c->tasks, c->n_tasks * sizeof *c->tasks,
                              capacity * sizeof *c->tasks);
        c->tasks_capacity = capacity;
    }
    c->tasks[c->n_tasks++] = task;
    table_put(&c->by_pair, bytes_copy(c->arena, bytes(key, sizeof key)), task);
    return task->made;
}

void compose_add_guard(Composing *c, Task *task, Guard guard)
{
    if (task->n_guards == task->guards_capacity) {
        uint32_t capacity = task->guards_capacity ? task->guards_capacity * 2 : 8;
        task->guards = arena_grow(c->arena, task->guards, task->n_guards * sizeof *task->guards,
                                  capacity * sizeof *task->guards);
        task->guards_capacity = capacity;
    }
    task->guards[task->n_guards++] = guard;
}

void compose_guards_when(Composing *c, Task *task, uint32_t first, const Expr *subject,
                         const Literal *constant)
{
    for (uint32_t i = first; i < task->n_guards; i++)
        task->guards[i].source = expr_when(c->arena, task->guards[i].source, subject, constant);
}

void compose_guards_unless(Composing *c, Task *task, uint32_t first, const Expr *const *others,
                           uint32_t n_others)
{
    for (uint32_t i = first; i < task->n_guards; i++)
        task->guards[i].source = expr_unless(c->arena, task->guards[i].source, others, n_others);
}

/* ---- One mapping ----------------------------------------------------------------------------- */

/* Removes a sentinel of zero if the target has no presence, because there zero is unset anyway. */
static const Expr *without_zero_sentinel(const FieldType *target, const Expr *value)
{
    while (field_is_implicit(target) && value->kind == EXPR_CONVERT &&
           value->converter->code == CONVERT_SENTINEL &&
           literal_is_zero(&value->converter->sentinel, value->type))
        value = value->args[0];
    return value;
}

static void add_guards(Composing *c, Task *task, const Mapping *mapping)
{
    for (uint32_t i = 0; i < mapping->n_guards; i++)
        compose_add_guard(c, task, mapping->guards[i]);
}

/* For types that only the first step converts: its rules. */
static void fill_kept(Composing *c, Task *task)
{
    const Mapping *first = task->first;
    Rule *rules = arena_array(c->arena, Rule, first->n_rules + 1);
    for (uint32_t i = 0; i < first->n_rules; i++)
        rules[i] = compose_adopt_rule(c, task, &first->rules[i], first->rules[i].value);
    task->made->rules = rules;
    task->made->n_rules = first->n_rules;
}

/* The rules of the second step, rewritten over the source of the first. */
static void fill_through(Composing *c, Task *task)
{
    Scope scope = {task->first->rules, task->first->n_rules};
    const Mapping *second = task->second;
    Rule *rules = arena_array(c->arena, Rule, second->n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < second->n_rules; i++) {
        const Rule *rule = &second->rules[i];
        task->line = rule->line;
        const Expr *value = compose_value(c, task, scope, rule->value);
        if (value)
            rules[n++] =
                compose_adopt_rule(c, task, rule, without_zero_sentinel(rule->target, value));
    }
    for (uint32_t i = 0; i < second->n_guards; i++) {
        Guard guard = second->guards[i];
        task->line = guard.loss ? guard.loss->line : 0;
        guard.source = compose_value(c, task, scope, guard.source);
        if (guard.source)
            compose_add_guard(c, task, guard);
    }
    task->made->rules = rules;
    task->made->n_rules = n;
}

static void fill(Composing *c, Task *task)
{
    add_guards(c, task, task->first);
    if (task->second)
        fill_through(c, task);
    else
        fill_kept(c, task);
    compose_adopt_guards(c, task);
    task->made->guards = task->guards;
    task->made->n_guards = task->n_guards;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Mappings of the first version's types through both lists. */
static void compose_own(Composing *c)
{
    for (uint32_t i = 0; i < c->first->n_mappings; i++) {
        const Mapping *one = c->first->mappings[i];
        Bytes name = bytes_of(one->from->full_name);
        const Mapping *two = table_get(&c->second->by_type, bytes_of(one->to->full_name));
        if (two && table_get(&c->first->by_type, name) == one)
            table_put(&c->set->by_type, name, (void *)compose_pair(c, one, two));
    }
}

static const Mapping *compose_both(Composing *c, const Mapping *one, const Mapping *two)
{
    return one && two && one->to == two->from ? compose_pair(c, one, two) : NULL;
}

/* Mappings of methods, through the counterpart in the version between. */
static void compose_methods(Composing *c)
{
    size_t at = 0;
    c->set->by_method = table_in(c->arena);
    for (const TableEntry *entry; (entry = table_next(&c->first->by_method, &at));) {
        const MethodMapping *one = entry->value;
        const MethodMapping *two = table_get(&c->second->by_method, bytes_of(one->to->path));
        if (!two)
            continue;
        MethodMapping *made = arena_make(c->arena, MethodMapping);
        *made = (MethodMapping){two->to, compose_both(c, one->input, two->input),
                                compose_both(c, one->output, two->output)};
        table_put(&c->set->by_method, entry->key, made);
    }
}

/* Mappings that only an Any can need: of types of the versions between, and of types that the
   second list does not change. */
static void compose_others(Composing *c)
{
    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(&c->first->by_type, &at));) {
        const Mapping *one = entry->value;
        Bytes between = bytes_of(one->to->full_name);
        const Mapping *two = table_get(&c->second->by_type, between);
        const Stranded *said = table_get(&c->stranded, between);
        if ((two || !said || said->fate == TYPE_KEPT) && !table_get(&c->set->by_type, entry->key))
            table_put(&c->set->by_type, entry->key, (void *)compose_pair(c, one, two));
    }
}

/* Fills the requested mappings, and those that they request in turn. */
static void fill_all(Composing *c)
{
    for (; c->n_filled < c->n_tasks; c->n_filled++)
        fill(c, c->tasks[c->n_filled]);
}

const MappingSet *mapping_sets_compose(Arena *arena, const MappingSet *first,
                                       const MappingSet *second, bool same_package,
                                       Problems *problems)
{
    MappingSet *set = arena_make(arena, MappingSet);
    *set = (MappingSet){.from = first->from,
                        .to = second->to,
                        .from_version = first->from_version,
                        .to_version = second->to_version,
                        .by_type = table_in(arena)};
    Composing c = {.arena = arena,
                   .first = first,
                   .second = second,
                   .problems = problems,
                   .set = set,
                   .by_pair = table_in(arena),
                   .entries = table_in(arena),
                   .stranded = mapping_set_stranded(arena, second)};
    compose_own(&c);
    compose_methods(&c);
    fill_all(&c);
    set->n_mappings = c.n_tasks;
    compose_others(&c);
    fill_all(&c);

    Mapping **made = arena_array(arena, Mapping *, c.n_tasks + 1);
    for (uint32_t i = 0; i < c.n_tasks; i++)
        made[i] = c.tasks[i]->made;
    set->mappings = (const Mapping **)made;
    mappings_settle(made, c.n_tasks, same_package);
    mapping_set_compose_names(arena, set, first, second);
    return set;
}
