/*
 * Composing, paths: each field of the version between is replaced by the expression that feeds it.
 *
 *     v1 to v2:   town = v2.Town{city: city}
 *                 person = v2.Person(person), of which full_name = name
 *
 *     v2 to v3:   place = town.city
 *                 name = person.full_name
 *
 *     v1 to v3:   place = city
 *                 name = person.name
 *
 * town.city is looked up step by step: the rule of `town` builds a message, and the rule of `city`
 * in it is the answer (resolve, descend). The rule of `person` converts a message by a mapping of
 * its own: full_name is `name` there, as seen from the person, and so `person.name` as seen from
 * the order (descend_mapped, lift). What that mapping drops is dropped also when only one field of
 * the message is taken: its guards come along.
 */
#include "adapters/compose/compose_internal.h"

/* ---- Expressions over another message -------------------------------------------------------- */

/* A path into `message`: if that is a field of the source, a longer path; otherwise a member of the
   computed message. */
static const Expr *inside(Composing *c, const Expr *message, const FieldType *const *steps,
                          uint32_t n_steps)
{
    if (message->kind == EXPR_FIELD) {
        uint32_t n = message->n_steps + n_steps;
        const FieldType **path = arena_array(c->arena, const FieldType *, n);
        memcpy(path, message->steps, message->n_steps * sizeof *path);
        memcpy(path + message->n_steps, steps, n_steps * sizeof *path);
        return expr_field(c->arena, path, n);
    }
    for (uint32_t i = 0; i < n_steps; i++) {
        Converter *member = arena_make(c->arena, Converter);
        *member = (Converter){.code = CONVERT_MEMBER,
                              .from = message->type,
                              .to = value_type_of(steps[i]),
                              .name = "member",
                              .value = steps[i]};
        Expr *value = expr_copy(c->arena, expr_convert(c->arena, member, message, NULL));
        value->type = member->to;
        message = value;
    }
    return message;
}

/* The same expression over the result of `message`. */
static const Expr *over(Composing *c, const Expr *expr, const Expr *message)
{
    if (expr->kind == EXPR_FIELD)
        return inside(c, message, expr->steps, expr->n_steps);
    Expr *copy = expr_copy(c->arena, expr);
    const Expr *source = expr_source(message);
    if (expr->kind == EXPR_REQUIRE && source)
        copy->field = arena_printf(
            c->arena, "%s.%s", steps_text(c->arena, source->steps, source->n_steps), expr->field);
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = over(c, expr->args[i], message);
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    for (uint32_t i = 0; i < expr->n_rules; i++)
        rules[i] = (Rule){expr->rules[i].target, over(c, expr->rules[i].value, message)};
    copy->args = args;
    if (expr->n_rules)
        copy->rules = rules;
    return copy;
}

/* ---- Fields of the version between ----------------------------------------------------------- */

static void refuse(Composing *c, const Task *task, const FieldType *field, const char *why)
{
    problem_add(
        c->problems, c->second->file, task->line, task->line ? 1 : 0,
        arena_printf(c->arena, "%s.%s", task->second->from->name, field->name),
        arena_printf(c->arena, "give the whole message that it is in, or say {removed: ...}"),
        "%s of %s %s", field->name, c->second->from_version, why);
}

static const Expr *resolve(Composing *c, Task *task, Scope scope, const FieldType *const *steps,
                           uint32_t n_steps);
static const Expr *descend(Composing *c, Task *task, const Expr *message,
                           const FieldType *const *steps, uint32_t n_steps);

/* In the version between, zero in a field without presence is unset. */
static const Expr *as_stored(Composing *c, const FieldType *field, const Expr *value)
{
    Literal zero = {0};
    if (!value || !field_is_implicit(field) || !expr_may_be_zero(value))
        return value;
    return expr_sentinel(c->arena, value, &zero);
}

/* Whether the fields of this message are read for the first time in this task. */
static bool is_new_here(Composing *c, Task *task, const Expr *message)
{
    const Expr *way[MOST_TAKEN + 1];
    memcpy(way, task->way, task->n_way * sizeof *way);
    way[task->n_way] = message;
    Bytes key = bytes(way, (task->n_way + 1) * sizeof *way);
    if (!task->taken.arena)
        task->taken = table_in(c->arena);
    if (table_get(&task->taken, key))
        return false;
    table_put(&task->taken, bytes_copy(c->arena, key), task);
    return true;
}

/* The first element of a list is selected once for all of its fields, so that dropped elements are
   counted, or refused, once. */
static const Expr *chosen_once(Composing *c, Task *task, const Expr *message)
{
    if (message->kind != EXPR_FIRST)
        return message;
    if (is_new_here(c, task, message))
        compose_add_guard(c, task, (Guard){.source = message});
    Expr *copy = expr_copy(c->arena, message);
    copy->loss = NULL;
    return copy;
}

/* Rewrites `inner`, which is over the result of `message`. */
static const Expr *lift(Composing *c, Task *task, const Expr *inner, const Expr *message)
{
    const Expr *chosen = chosen_once(c, task, message);
    if (!inner)
        return NULL;
    const Expr *value = over(c, inner, chosen);
    return expr_makes_up(value) ? expr_when(c->arena, value, chosen, NULL) : value;
}

/* Rewrites the guards from number `first` on, which are over the result of `message`. */
static void lift_guards(Composing *c, Task *task, uint32_t first, const Expr *message)
{
    for (uint32_t i = first; i < task->n_guards; i++) {
        const Expr *source = over(c, task->guards[i].source, message);
        task->guards[i].source =
            expr_makes_up(source) ? expr_when(c->arena, source, message, NULL) : source;
    }
}

/* A field of a message that the first list converts. The guards for the other fields of that
   message are kept. */
static const Expr *descend_mapped(Composing *c, Task *task, const Expr *message,
                                  const FieldType *const *steps, uint32_t n_steps)
{
    const Mapping *mapping = message->mapping;
    uint32_t first = task->n_guards;
    bool is_new = is_new_here(c, task, message);
    if (task->n_way == MOST_TAKEN) {
        refuse(c, task, steps[0], "is too deep inside messages that change");
        return NULL;
    }
    task->way[task->n_way++] = message;
    const Expr *inner = resolve(c, task, (Scope){mapping->rules, mapping->n_rules}, steps, n_steps);
    for (uint32_t i = 0; is_new && i < mapping->n_guards; i++)
        compose_add_guard(c, task, mapping->guards[i]);
    lift_guards(c, task, first, message->args[0]);
    task->n_way--;
    return lift(c, task, inner, message->args[0]);
}

/* The same if the message depends on a kind. */
static const Expr *descend_when(Composing *c, Task *task, const Expr *message,
                                const FieldType *const *steps, uint32_t n_steps)
{
    uint32_t first = task->n_guards;
    const Expr *inner = descend(c, task, message->args[0], steps, n_steps);
    compose_guards_when(c, task, first, message->args[1], message->constants);
    return expr_when(c->arena, inner, message->args[1], message->constants);
}

static const Expr *descend_unless(Composing *c, Task *task, const Expr *message,
                                  const FieldType *const *steps, uint32_t n_steps)
{
    const Expr *const *others = message->args + 1;
    uint32_t first = task->n_guards, n = message->n_args - 1;
    const Expr *inner = descend(c, task, message->args[0], steps, n_steps);
    compose_guards_unless(c, task, first, others, n);
    return expr_unless(c->arena, inner, others, n);
}

static const Expr *descend(Composing *c, Task *task, const Expr *message,
                           const FieldType *const *steps, uint32_t n_steps)
{
    switch (message->kind) {
    case EXPR_BUILD:
        return resolve(c, task, (Scope){message->rules, message->n_rules}, steps, n_steps);
    case EXPR_MESSAGE: return descend_mapped(c, task, message, steps, n_steps);
    case EXPR_WHEN: return descend_when(c, task, message, steps, n_steps);
    case EXPR_UNLESS: return descend_unless(c, task, message, steps, n_steps);
    case EXPR_REQUIRE:
        if (!message->n_args)
            return expr_require(c->arena, NULL, value_type_of(steps[n_steps - 1]), message->field);
        return expr_when(c->arena, descend(c, task, message->args[0], steps, n_steps), message,
                         NULL);
    case EXPR_CONVERT:
        if (message->converter->code == CONVERT_WRAP)
            return expr_number(c->arena, message->args[0], message->converter->from.kind,
                               steps[0]->kind);
        if (steps[0] == message->converter->currency && message->n_args > 1)
            return expr_when(c->arena, message->args[1], message->args[0], NULL);
        if (steps[0] == message->converter->currency)
            return NULL;
        break;
    default: break;
    }
    return lift(c, task, expr_field(c->arena, steps, n_steps), message);
}

/* Fields are found by number: a type that a list does not change is that of an older version, but
   the expression reads that of a later one. */
static const Expr *resolve(Composing *c, Task *task, Scope scope, const FieldType *const *steps,
                           uint32_t n_steps)
{
    for (uint32_t i = 0; i < scope.n_rules; i++) {
        if (scope.rules[i].target->number != steps[0]->number)
            continue;
        if (n_steps == 1)
            return as_stored(c, steps[0], scope.rules[i].value);
        return descend(c, task, scope.rules[i].value, steps + 1, n_steps - 1);
    }
    return NULL;
}

/* ---- The second's expressions over the first's source ---------------------------------------- */

/* A simpler expression with the same presence. */
static const Expr *presence_of(const Expr *expr)
{
    while (expr && expr->kind == EXPR_MESSAGE && !expr->type.repeated)
        expr = expr->args[0];
    return expr;
}

static const Expr *subst_build(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    Rule *rules = arena_array(c->arena, Rule, expr->n_rules + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < expr->n_rules; i++) {
        const Expr *value = compose_value(c, task, scope, expr->rules[i].value);
        if (value)
            rules[n++] = (Rule){expr->rules[i].target, value};
    }
    const Expr *presence =
        expr->n_args ? presence_of(compose_value(c, task, scope, expr->args[0])) : NULL;
    return expr_build(c->arena, expr->type.message, rules, n, presence);
}

/* If one part of a template is never set, the others must not be set either: guards refuse them. */
static void refuse_part(Composing *c, Task *task, const Expr *const *args, uint32_t n_args)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_args; i++)
        n += args[i] != NULL;
    for (uint32_t i = 0; n < n_args && i < n_args; i++) {
        Loss *loss = arena_make(c->arena, Loss);
        *loss = (Loss){.kind = LOSS_DROPPED,
                       .loud = true,
                       .path = "",
                       .into = "",
                       .how = "only a part of its template is there",
                       .file = c->second->file,
                       .line = task->line};
        if (args[i])
            compose_add_guard(c, task, (Guard){.source = args[i], .loud = true, .loss = loss});
    }
}

/* A field of a map's entry. */
static const Expr *entry_field(Composing *c, const MessageType *entry, uint32_t number)
{
    const FieldType **step = arena_array(c->arena, const FieldType *, 1);
    step[0] = message_field_by_number(entry, number);
    return expr_field(c->arena, step, 1);
}

/* The conversion of `map` for each value, applied to the value of one entry; a missing value is
   zero. */
static const Expr *entry_value(Composing *c, const Expr *map, const MessageType *from,
                               const MessageType *to)
{
    const Expr **arg = arena_array(c->arena, const Expr *, 1);
    Expr *each = expr_copy(c->arena, map);
    arg[0] = entry_field(c, from, 2);
    if (!arg[0]->type.message)
        arg[0] = expr_default(c->arena, arg[0],
                              expr_const(c->arena, arg[0]->type, (Literal){0}, NULL), NULL);
    each->args = arg;
    each->type = value_type_of(message_field_by_number(to, 2));
    return each;
}

static const Mapping *make_entry_mapping(Composing *c, const Expr *map, const MessageType *from,
                                         const MessageType *to)
{
    Rule *rules = arena_array(c->arena, Rule, 2);
    rules[0] = (Rule){message_field_by_number(to, 1), entry_field(c, from, 1), 0};
    rules[1] = (Rule){message_field_by_number(to, 2),
                      map ? entry_value(c, map, from, to) : entry_field(c, from, 2), 0};
    Mapping *made = arena_make(c->arena, Mapping);
    *made = (Mapping){.from = from, .to = to, .rules = rules, .n_rules = 2};
    return made;
}

/* The mapping between the entries of two maps, made once: messages in the map may hold such a map
   again. `map` NULL: the values are not converted. */
static const Mapping *entry_mapping(Composing *c, const Expr *map, const MessageType *from,
                                    const MessageType *to)
{
    const void *by = !map                        ? NULL
                     : map->kind == EXPR_MESSAGE ? (const void *)map->mapping
                                                 : map->converter;
    const void *key[] = {by, from, to};
    Bytes found_by = bytes(key, sizeof key);
    const Mapping *made = table_get(&c->entries, found_by);
    if (!made) {
        made = make_entry_mapping(c, map, from, to);
        table_put(&c->entries, bytes_copy(c->arena, found_by), (void *)(uintptr_t)made);
    }
    return made;
}

/* The same mapping to a map's entry, of which the value is always there. */
static const Mapping *make_with_value(Composing *c, const Mapping *mapping, const FieldType *value)
{
    const Expr *always =
        expr_const(c->arena, (ValueType){KIND_BOOL, false, NULL, NULL}, (Literal){.u = 1}, NULL);
    Rule *rules = arena_array(c->arena, Rule, mapping->n_rules + 1);
    const Expr *given = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < mapping->n_rules; i++) {
        if (mapping->rules[i].target == value)
            given = mapping->rules[i].value;
        else
            rules[n++] = mapping->rules[i];
    }
    bool built = given && given->kind == EXPR_BUILD;
    rules[n++] =
        (Rule){value,
               built || !given ? expr_build(c->arena, value->message, built ? given->rules : NULL,
                                            built ? given->n_rules : 0, always)
                               : given,
               0};
    Mapping *made = arena_make(c->arena, Mapping);
    *made = *mapping;
    made->rules = rules;
    made->n_rules = n;
    return made;
}

/* A map's entry without a value has an empty message, which the second list converts. */
static const Mapping *with_value(Composing *c, const Mapping *mapping)
{
    const FieldType *value = message_field_by_number(mapping->to, 2);
    Bytes key = bytes(&mapping, sizeof mapping);
    const Mapping *made = value->message ? table_get(&c->entries, key) : mapping;
    if (!made) {
        made = make_with_value(c, mapping, value);
        table_put(&c->entries, bytes_copy(c->arena, key), (void *)(uintptr_t)made);
    }
    return made;
}

/* The values of a map that the first list makes of a list: each is converted when its entry is
   made. */
static const Expr *subst_keyed_values(Composing *c, const Expr *keyed, const Expr *expr)
{
    const Mapping *values = entry_mapping(c, expr, keyed->type.message, expr->type.message);
    return expr_keyed(c->arena, compose_pair(c, with_value(c, keyed->mapping), values),
                      keyed->args[0], keyed);
}

static const Expr *subst_convert(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr *value;
    if (expr->n_args == 1) {
        value = compose_value(c, task, scope, expr->args[0]);
        if (value && value->kind == EXPR_KEYED)
            return subst_keyed_values(c, value, expr);
        value = compose_convert(c, expr, value);
    } else {
        const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
        uint32_t n = expr->n_args;
        for (uint32_t i = 0; i < n; i++)
            args[i] = compose_value(c, task, scope, expr->args[i]);
        if (expr->converter->code == CONVERT_TEMPLATE)
            refuse_part(c, task, args, n);
        if (expr->converter->code == CONVERT_AMOUNT_MONEY && !args[1])
            n = 1; /* an amount may have no currency */
        value = expr_convert_many(c->arena, expr->converter, args, n);
    }
    if (!value || value->type.message == expr->type.message)
        return value;
    Expr *typed = expr_copy(c->arena, value); /* a map: the type of the entry */
    typed->type = expr->type;
    return typed;
}

static const Expr *subst_select(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr **args = arena_array(c->arena, const Expr *, expr->n_args + 1);
    for (uint32_t i = 0; i < expr->n_args; i++)
        args[i] = presence_of(compose_value(c, task, scope, expr->args[i]));
    return expr_select(c->arena, expr->type, args, expr->constants, expr->n_args);
}

static bool same_field(const Expr *a, const Expr *b)
{
    return a && b && a->kind == EXPR_FIELD && b->kind == EXPR_FIELD && a->n_steps == b->n_steps &&
           memcmp(a->steps, b->steps, a->n_steps * sizeof *a->steps) == 0;
}

/* Whether the message can be set without the others: not if it is built from those alone. */
static bool is_there_without(const Expr *message, const Expr *const *others, uint32_t n_others)
{
    if (!message || message->kind != EXPR_BUILD || message->n_args)
        return true;
    for (uint32_t i = 0; i < message->n_rules; i++) {
        const Expr *value = presence_of(message->rules[i].value);
        uint32_t k = 0;
        while (k < n_others && !same_field(value, others[k]))
            k++;
        if (k == n_others)
            return true;
    }
    return false;
}

static const Expr *subst_unless(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr **others = arena_array(c->arena, const Expr *, expr->n_args);
    for (uint32_t i = 1; i < expr->n_args; i++)
        others[i - 1] = presence_of(compose_value(c, task, scope, expr->args[i]));
    const Expr *value = compose_value(c, task, scope, expr->args[0]);
    return is_there_without(value, others, expr->n_args - 1)
               ? expr_unless(c->arena, value, others, expr->n_args - 1)
               : NULL;
}

static const Expr *subst_message(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    const Expr *given = compose_value(c, task, scope, expr->args[0]);
    if (given && given->kind == EXPR_KEYED)
        return subst_keyed_values(c, given, expr);
    const Expr *value = compose_through(c, task, expr->mapping, given);
    if (!value || !expr->args[0]->type.repeated || value->type.message == expr->type.message)
        return value;
    Expr *typed = expr_copy(c->arena, value);
    typed->type = expr->type;
    return typed;
}

static const Expr *subst_first(Composing *c, const Expr *list, const Expr *expr)
{
    return expr->rest_kept ? expr_head(c->arena, list)
                           : expr_first(c->arena, list, expr->loud, expr->loss);
}

/* Messages that the first list converts are converted directly to entries. */
static const Expr *subst_keyed(Composing *c, const Expr *list, const Expr *expr)
{
    bool both = list && list->kind == EXPR_MESSAGE;
    return expr_keyed(c->arena,
                      both ? compose_pair(c, list->mapping, expr->mapping) : expr->mapping,
                      both ? list->args[0] : list, expr);
}

static bool is_map(const Expr *expr)
{
    return expr->type.repeated && expr->type.message && expr->type.message->map_entry;
}

/* The first list's conversion of the map's values is applied when an entry of the first version
   becomes a message. */
static const Expr *subst_listed(Composing *c, const Expr *map, const Expr *expr)
{
    const Mapping *mapping = expr->mapping;
    while (map && (map->kind == EXPR_CONVERT || map->kind == EXPR_MESSAGE) &&
           is_map(map->args[0])) {
        const MessageType *from = map->args[0]->type.message;
        mapping = compose_pair(c, entry_mapping(c, map, from, mapping->from), mapping);
        map = map->args[0];
    }
    if (map && is_map(map) && map->type.message != mapping->from)
        mapping =
            compose_pair(c, entry_mapping(c, NULL, map->type.message, mapping->from), mapping);
    return expr_listed(c->arena, mapping, map);
}

const Expr *compose_value(Composing *c, Task *task, Scope scope, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_FIELD: return resolve(c, task, scope, expr->steps, expr->n_steps);
    case EXPR_CONST: return expr;
    case EXPR_CONVERT: return subst_convert(c, task, scope, expr);
    case EXPR_MESSAGE: return subst_message(c, task, scope, expr);
    case EXPR_BUILD: return subst_build(c, task, scope, expr);
    case EXPR_DEFAULT:
        return expr_default(c->arena, compose_value(c, task, scope, expr->args[0]),
                            compose_value(c, task, scope, expr->args[1]), expr->loss);
    case EXPR_REQUIRE:
        return expr_require(c->arena,
                            expr->n_args ? compose_value(c, task, scope, expr->args[0]) : NULL,
                            expr->type, expr->field);
    case EXPR_FIRST: return subst_first(c, compose_value(c, task, scope, expr->args[0]), expr);
    case EXPR_WRAP: return expr_wrap(c->arena, compose_value(c, task, scope, expr->args[0]));
    case EXPR_WHEN: {
        const Expr *subject = compose_value(c, task, scope, expr->args[1]);
        return expr_when(c->arena, compose_value(c, task, scope, expr->args[0]),
                         expr->constants ? subject : presence_of(subject), expr->constants);
    }
    case EXPR_UNLESS: return subst_unless(c, task, scope, expr);
    case EXPR_SELECT: return subst_select(c, task, scope, expr);
    case EXPR_REST: return expr_rest(c->arena, compose_value(c, task, scope, expr->args[0]));
    case EXPR_JOIN:
        return expr_join(c->arena, compose_value(c, task, scope, expr->args[0]),
                         compose_value(c, task, scope, expr->args[1]));
    case EXPR_KEYED: return subst_keyed(c, compose_value(c, task, scope, expr->args[0]), expr);
    case EXPR_LISTED: return subst_listed(c, compose_value(c, task, scope, expr->args[0]), expr);
    }
    return NULL;
}
