/*
 * Composing, losses: a loss is reported with the field names of the chain's ends, because a reader
 * does not know those of the versions between.
 *
 *     v1 to v2:   comment = note
 *
 *     v2 to v3:   drop comment      a loss of Order.comment, by v2-v3.yaml, line 9
 *
 *     v1 to v3:   drop note         a loss of Order.note, by v2-v3.yaml, line 9
 *
 * Its place remains that in the list with the change.
 */
#include "adapters/compose/compose_internal.h"

static void add_source(Composing *c, const Task *task, const Expr *field, Buffer *paths)
{
    const char *path = arena_printf(c->arena, "%s.%s", task->made->from->name,
                                    steps_text(c->arena, field->steps, field->n_steps));
    Bytes seen = buffer_bytes(paths), one;
    while (seen.size && bytes_split(&seen, ',', &one)) {
        if (bytes_are(bytes_slice(one, one.data[0] == ' ', one.size), path))
            return;
    }
    buffer_printf(paths, paths->size ? ", %s" : "%s", path);
}

/* Adds the paths of all source fields of the expression: "Order.project, Order.topic". */
static void add_sources(Composing *c, const Task *task, const Expr *expr, Buffer *paths)
{
    bool all = expr->kind == EXPR_CONVERT || expr->kind == EXPR_JOIN ||
               expr->kind == EXPR_DEFAULT || expr->kind == EXPR_UNLESS;
    if (expr->kind == EXPR_FIELD)
        add_source(c, task, expr, paths);
    size_t before = paths->size;
    for (uint32_t i = 0; i < (all ? expr->n_args : expr->n_args > 0); i++)
        add_sources(c, task, expr->args[i], paths);
    if (expr->kind == EXPR_WHEN && paths->size == before)
        add_sources(c, task, expr->args[1], paths); /* what a constant stands for */
    for (uint32_t i = 0; i < expr->n_rules; i++)
        add_sources(c, task, expr->rules[i].value, paths);
}

static const char *source_paths(Composing *c, const Task *task, const Expr *expr)
{
    const Expr *source = expr_source(expr);
    Buffer paths = buffer_in(c->arena);
    add_sources(c, task, expr, &paths);
    if (!paths.size && source)
        add_source(c, task, source, &paths);
    return paths.size ? arena_text(c->arena, buffer_bytes(&paths)) : NULL;
}

static const Loss *adopt_loss(Composing *c, const Task *task, const Loss *loss, const Expr *expr,
                              const char *into)
{
    if (!loss)
        return NULL;
    const char *paths = source_paths(c, task, expr);
    Loss *copy = arena_make(c->arena, Loss);
    *copy = *loss;
    if (paths)
        copy->path = paths;
    if (into[0])
        copy->into = into;
    if (loss->kind == LOSS_DEFAULTED && into[0])
        copy->path = into;
    return mapping_set_add_loss(c->arena, c->set, copy);
}

/* A copy of the expression whose losses are registered in this set and name this source. */
static const Expr *adopt(Composing *c, const Task *task, const Expr *expr, const char *into)
{
    Expr *copy = expr_copy(c->arena, expr);
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = adopt(c, task, expr->args[i], into);
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        const char *inner = arena_printf(c->arena, "%s.%s", into, expr->rules[i].target->name);
        rules[i] = (Rule){expr->rules[i].target, adopt(c, task, expr->rules[i].value, inner)};
    }
    copy->args = args;
    if (expr->n_rules)
        copy->rules = rules;
    copy->loss = adopt_loss(c, task, expr->loss, expr, into);
    copy->order = adopt_loss(c, task, expr->order, expr, into);
    if (expr_has_mapping(expr) && !task->second)
        copy->mapping = compose_pair(c, expr->mapping, NULL);
    const Expr *source = expr_source(expr);
    if (expr->kind == EXPR_REQUIRE && source)
        copy->field = steps_text(c->arena, source->steps, source->n_steps);
    return copy;
}

Rule compose_adopt_rule(Composing *c, const Task *task, const Rule *rule, const Expr *value)
{
    const char *into = arena_printf(c->arena, "%s.%s", task->made->to->name, rule->target->name);
    return (Rule){rule->target, adopt(c, task, value, into), rule->line};
}

/* A loud guard on a constant would refuse every message. */
static void check_guard(Composing *c, const Task *task, const Guard *guard)
{
    if (!guard->loud || guard->source->kind != EXPR_CONST || !guard->loss)
        return;
    if (guard->has_ignored &&
        literal_equal(&guard->ignored, guard->source->constants, guard->source->type))
        return;
    problem_add(
        c->problems, guard->loss->file, guard->loss->line, 1, task->made->from->name, NULL,
        "from %s every message would be an error: the value is made up on the way and refused here",
        c->first->from_version);
}

void compose_adopt_guards(Composing *c, Task *task)
{
    for (uint32_t i = 0; i < task->n_guards; i++) {
        Guard *guard = &task->guards[i];
        guard->loss = adopt_loss(c, task, guard->loss, guard->source, "");
        guard->source = adopt(c, task, guard->source, "");
        check_guard(c, task, guard);
    }
}
