/* Makes the two mappings of a pair from its changes. */
#include "adapters/changes/change_list.h"

const char *making_source_name(const Making *m, const FieldPath *path)
{
    return arena_printf(m->arena, "%s.%s",
                        side_name(&m->list->sides[!m->to], m->pair->ends[!m->to]->full_name),
                        path->text);
}

static const char *target_name(const Making *m, const FieldPath *path)
{
    return arena_printf(m->arena, "%s.%s",
                        side_name(&m->list->sides[m->to], m->pair->ends[m->to]->full_name),
                        path->text);
}

const Loss *making_loss(Making *m, const FieldChange *change, LossKind kind, bool loud,
                        const char *how)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    const char *into = to->n_paths ? target_name(m, &to->paths[0]) : "";
    bool from_target = kind == LOSS_DEFAULTED || !from->n_paths;
    return change_loss(m->list, m->to, kind, loud, change->place.name_line,
                       from_target ? into : making_source_name(m, &from->paths[0]), into, how);
}

const Expr *making_field(const Making *m, const FieldPath *path)
{
    return path->n_steps ? expr_field(m->arena, path->steps, path->n_steps) : NULL;
}

void making_guard(Making *m, Guard guard)
{
    if (!guard.source)
        return;
    if (m->n_guards == m->guards_capacity) {
        uint32_t capacity = m->guards_capacity ? m->guards_capacity * 2 : 8;
        m->guards = arena_grow(m->arena, m->guards, m->n_guards * sizeof *m->guards,
                               capacity * sizeof *m->guards);
        m->guards_capacity = capacity;
    }
    m->guards[m->n_guards++] = guard;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static const Expr *zero_of(Making *m, const FieldType *field)
{
    ValueType type = value_type_of(field);
    type.repeated = false;
    return expr_const(m->arena, type, (Literal){0}, NULL);
}

static const EnumEntry *entry_of(const Converter *converter, int32_t number)
{
    for (uint32_t i = 0; i < converter->n_entries; i++) {
        if (converter->entries[i].from == number)
            return &converter->entries[i];
    }
    return NULL;
}

/* An unset enum or flag without presence has its zero value. If that is converted to another
   number, the number must be written. */
static const Expr *keep_zero(Making *m, const Converter *converter, const FieldType *source,
                             const Expr *value)
{
    const EnumEntry *zero;
    bool table = converter->code == CONVERT_ENUM || converter->code == CONVERT_BOOL_ENUM;
    if (!table || !field_is_implicit(source) || !(zero = entry_of(converter, 0)) || zero->to == 0)
        return value;
    Literal number = {.i = zero->to};
    return expr_default(m->arena, value, expr_const(m->arena, converter->to, number, NULL), NULL);
}

/* Whether it may have to round, because the target is less precise. */
static bool cuts(const Converter *converter)
{
    switch (converter->code) {
    case CONVERT_SCALE:
        return !kind_is_float(converter->to.kind) ||
               (!kind_is_float(converter->from.kind) &&
                number_narrows(converter->from.kind, converter->to.kind));
    case CONVERT_TIME_DATE: return true;
    case CONVERT_TIME_UNITS: return converter->unit > 1 || kind_is_float(converter->to.kind);
    case CONVERT_UNITS_TIME: return kind_is_float(converter->from.kind);
    case CONVERT_MONEY_AMOUNT: return converter->unit < 1000000000;
    default: return false;
    }
}

static const Loss *converter_loss(Making *m, const FieldChange *change, const Converter *converter)
{
    const char *refuses = converter_refuses(converter);
    if (converter->has_fallback)
        return making_loss(m, change, LOSS_NARROWED, false,
                           "values without a counterpart fall back");
    if (converter->round && cuts(converter))
        return making_loss(m, change, LOSS_NARROWED, false, "rounded");
    if (converter->widen)
        return making_loss(m, change, LOSS_NARROWED, false, "a path of a part names the whole");
    const char *drops = converter_drops(converter);
    if (drops)
        return making_loss(m, change, LOSS_NARROWED, false, drops);
    if (converter_respells(converter))
        return making_loss(m, change, LOSS_RESPELLED, false, RESPELLED_HOW);
    return refuses ? making_loss(m, change, LOSS_NARROWED, true, refuses) : NULL;
}

static const Expr *currency_expr(Making *m, const FieldChange *change)
{
    const FieldPath *field = &change->ends[!m->to].currency;
    if (field->n_steps)
        return making_field(m, field);
    if (!change->currency)
        return NULL;
    ValueType text = {KIND_STRING, false, NULL, NULL};
    return expr_const(m->arena, text, (Literal){.bytes = bytes_of(change->currency)}, NULL);
}

/* If the currency is set and the amount is unset and has no presence, the amount is zero. */
static const Expr *amount_expr(Making *m, const FieldChange *change, const Expr *value,
                               const FieldType *source)
{
    const Expr *currency = making_field(m, &change->ends[!m->to].currency);
    if (!currency || !field_is_implicit(source))
        return value;
    return expr_default(m->arena, value, expr_when(m->arena, zero_of(m, source), currency, NULL),
                        NULL);
}

const Expr *making_converted(Making *m, const FieldChange *change, const Expr *value,
                             const FieldType *source)
{
    const Converter *converter = change->convert[m->to];
    if (change->pair)
        return expr_message(m->arena, change->pair->mappings[m->to], value);
    if (!converter)
        return value;
    if (converter->code == CONVERT_AMOUNT_MONEY) {
        const Expr *args[2] = {amount_expr(m, change, value, source), currency_expr(m, change)};
        return expr_convert_many(m->arena, converter, args, args[1] ? 2 : 1);
    }
    return expr_convert(m->arena, converter, value, converter_loss(m, change, converter));
}

static const Expr *sentinel_in(Making *m, const ChangeEnd *from, const Expr *value,
                               const FieldType *source)
{
    ValueType type = value_type_of(source);
    bool zero_counts =
        from->zero_is_set || (from->has_sentinel && !literal_is_zero(&from->sentinel, type));
    if (zero_counts && field_is_implicit(source))
        value = expr_default(m->arena, value, zero_of(m, source), NULL);
    return from->has_sentinel ? expr_sentinel(m->arena, value, &from->sentinel) : value;
}

static const Expr *sentinel_out(Making *m, const ChangeEnd *to, const Expr *value)
{
    if (!to->has_sentinel)
        return value;
    ValueType type = value_type_element(path_field(&to->paths[0]));
    return expr_default(m->arena, value, expr_const(m->arena, type, to->sentinel, NULL), NULL);
}

const Expr *making_kind(Making *m, const FieldPath *path)
{
    return expr_default(m->arena, making_field(m, path), zero_of(m, path_field(path)), NULL);
}

const Expr *making_equal(Making *m, const FieldPath *path, const Literal *value)
{
    ValueType type = value_type_of(path_field(path));
    const Expr *field = literal_is_zero(value, type) && field_is_implicit(path_field(path))
                            ? making_kind(m, path)
                            : making_field(m, path);
    return expr_when(m->arena, field, field, value);
}

const Expr *making_alternative(Making *m, const Selection *select, uint32_t which)
{
    const FieldPath *path = &select->paths[which];
    return select->equals && !path_field(path)->message
               ? making_equal(m, path, &select->equals[which])
               : making_field(m, path);
}

/* What the flag's value stands for; absent if the flag has another value. */
static const Expr *marked_value(Making *m, const FieldChange *change)
{
    const ChangeEnd *to = &change->ends[m->to];
    if (!to->n_paths)
        return NULL;
    const Mark *mark = change->mark;
    ValueType type = value_type_of(path_field(&to->paths[0])), truth = {.kind = KIND_BOOL};
    const Expr *always = expr_const(m->arena, truth, (Literal){.u = 1}, NULL);
    const Expr *value = type.message ? expr_build(m->arena, type.message, NULL, 0, always)
                                     : expr_const(m->arena, type, mark->value, NULL);
    bool zero = literal_is_zero(&mark->flag_value, value_type_of(path_field(&mark->flag)));
    const Expr *flag = zero ? making_kind(m, &mark->flag) : making_field(m, &mark->flag);
    return expr_when(m->arena, value, flag, &mark->flag_value);
}

const Expr *making_unmarked(Making *m, const FieldPath *path, const Expr *value)
{
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const FieldChange *other = &m->pair->changes[i];
        const ChangeEnd *from = &other->ends[!m->to];
        if (other->mark && from->n_paths && path_equal(&from->paths[0], path))
            value = expr_sentinel(m->arena, value, &other->mark->value);
    }
    return value;
}

static const Expr *plain_value(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    const FieldType *source = path_field(&from->paths[0]), *target = path_field(&to->paths[0]);
    const Expr *value = sentinel_in(m, from, making_field(m, &from->paths[0]), source);
    FieldPath box;
    if (change_box(m->pair, change, !m->to, &box))
        value = expr_default(m->arena, value,
                             expr_when(m->arena, zero_of(m, source), making_field(m, &box), NULL),
                             NULL);
    if (!value->type.message)
        value = making_unmarked(m, &from->paths[0], value);
    if (source->repeated && !target->repeated) {
        bool loud = change->more == DROP_LOUD;
        value = expr_first(m->arena, value, loud,
                           making_loss(m, change, LOSS_DROPPED, loud, "more than one"));
    }
    value = making_converted(m, change, value, source);
    if (change->convert[m->to])
        value = keep_zero(m, change->convert[m->to], source, value);
    if (target->repeated && !source->repeated)
        value = expr_wrap(m->arena, value);
    if (target->map && value->kind != EXPR_FIELD) {
        Expr *entries = expr_copy(m->arena, value);
        entries->type = value_type_of(target);
        value = entries;
    }
    value = sentinel_out(m, to, value);
    if (from->when.n_steps) {
        Literal *constant = arena_make(m->arena, Literal);
        *constant = from->when_value;
        value = expr_when(m->arena, value, making_kind(m, &from->when), constant);
    }
    return value;
}

/* The kind of the first alternative that is set; with UNUSED_ZERO, of the first that is not zero,
   if there is one. */
static const Expr *selected_value(Making *m, const FieldChange *change)
{
    const Selection *select = change->select;
    const Expr **args = arena_array(m->arena, const Expr *, 2 * select->n);
    Literal *values = arena_array(m->arena, Literal, 2 * select->n), zero = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; select->unused == UNUSED_ZERO && i < select->n; i++) {
        const FieldType *field = path_field(&select->paths[i]);
        const Expr *value = making_field(m, &select->paths[i]);
        bool plain = !field->message && !field->repeated;
        values[n] = select->values[i];
        args[n++] = plain ? expr_sentinel(m->arena, value, &zero) : value;
    }
    for (uint32_t i = 0; i < select->n; i++) {
        values[n] = select->values[i];
        args[n++] = making_alternative(m, select, i);
    }
    ValueType type = value_type_of(path_field(&change->ends[m->to].paths[0]));
    return expr_select(m->arena, type, args, values, n);
}

/* With UNUSED_ZERO, an alternative is only converted if the kind selects it. */
static const Expr *only_if_chosen(Making *m, const FieldChange *change, const Expr *value)
{
    uint32_t which;
    const FieldChange *kind =
        change_alternative(m->pair, !m->to, &change->ends[!m->to].paths[0], &which);
    if (!kind || kind->select->unused != UNUSED_ZERO)
        return value;
    return expr_when(m->arena, value, selected_value(m, kind), &kind->select->values[which]);
}

/* A default inside an expanded sub-message is only given if the sub-message is set. */
static const Expr *only_under(Making *m, const FieldChange *change, const Expr *value)
{
    const FieldPath *under = &change->ends[!m->to].under;
    if (!value || !under->n_steps || !expr_makes_up(value))
        return value;
    return expr_when(m->arena, value, making_field(m, under), NULL);
}

static const char *literal_text(Making *m, const Expr *value)
{
    Buffer text = buffer_in(m->arena);
    expr_print(value, &text);
    buffer_add_byte(&text, 0);
    return (const char *)text.data;
}

const Expr *making_given(Making *m, const FieldChange *change, uint32_t which)
{
    if (change->mark)
        return marked_value(m, change);
    if (change->select)
        return change->ends[m->to].n_paths ? selected_value(m, change) : NULL;
    if (change->ends[OLD].template || change->ends[NEW].template)
        return making_template(m, change, which);
    if (change->merged)
        return making_merged(m, change, which);
    if (change->keyed)
        return making_keyed(m, change);
    return change->ends[!m->to].n_paths ? only_if_chosen(m, change, plain_value(m, change)) : NULL;
}

/* Whether a value from `other` replaces the default of `change`: it is another member of the oneof,
   or a mark of the same field or oneof. */
static bool goes_before(const FieldChange *other, const FieldChange *change, int to)
{
    if (!other->ends[to].n_paths || !change->ends[to].n_paths)
        return false;
    const FieldPath *path = &change->ends[to].paths[0], *another = &other->ends[to].paths[0];
    if (paths_exclude_each_other(path, another))
        return other->mark || other->ends[!to].n_paths;
    return other->mark && !change->constant && path_equal(path, another);
}

static const Expr *unless_another(Making *m, const FieldChange *change, const Expr *value)
{
    uint32_t n = 0;
    if (!value || !expr_makes_up(value) || change->ends[!m->to].when.n_steps || change->mark)
        return value;
    const Expr **others = arena_array(m->arena, const Expr *, m->pair->n_changes);
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const FieldChange *other = &m->pair->changes[i];
        if (other == change || !goes_before(other, change, m->to))
            continue;
        const Expr *given = making_given(m, other, 0);
        while (given && given->kind == EXPR_MESSAGE)
            given = given->args[0];
        others[n++] = given;
    }
    return expr_unless(m->arena, value, others, n);
}

static const Expr *change_expr(Making *m, const FieldChange *change, uint32_t which)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    const Expr *value = making_given(m, change, which);
    Missing missing = change->merged && which ? MISSING_LEAVE : to->missing;
    if (missing == MISSING_VALUE) {
        const Loss *loss = change->constant ? NULL
                                            : making_loss(m, change, LOSS_DEFAULTED, false,
                                                          literal_text(m, to->value));
        value = expr_default(m->arena, value, to->value, loss);
    } else if (missing == MISSING_LOUD) {
        const FieldPath *known = from->n_paths ? &from->paths[0] : &to->paths[which];
        value = expr_require(m->arena, value, value_type_of(path_field(&to->paths[which])),
                             known->text);
    }
    return only_under(m, change, unless_another(m, change, value));
}

/* ---- The tree of targets --------------------------------------------------------------------- */

/* One path of the target and the expression that feeds it. */
typedef struct Feed {
    const FieldPath *path;
    const Expr *value;
    int line;             /* of its change */
    const Expr *presence; /* the message that it is alone in is there if this is; or NULL */
} Feed;

static const Expr *expanded_presence(Making *m, const FieldType *const *steps, uint32_t n_steps)
{
    FieldPath path = {steps, n_steps, NULL};
    for (uint32_t i = 0; i < m->pair->n_expanded; i++) {
        if (path_equal(&m->pair->expanded[i][m->to], &path))
            return making_field(m, &m->pair->expanded[i][!m->to]);
    }
    return NULL;
}

static const Rule *build_rules(Making *m, const Feed *feeds, uint32_t n_feeds, uint32_t depth,
                               uint32_t *n_out);

static bool seen_before(const Feed *feeds, uint32_t at, uint32_t depth)
{
    for (uint32_t i = 0; i < at; i++) {
        if (feeds[i].path->steps[depth] == feeds[at].path->steps[depth])
            return true;
    }
    return false;
}

/* All feeds of one field: its alternatives, or the message that they build. */
static const Expr *build_field(Making *m, const Feed *feeds, uint32_t n_feeds, uint32_t at,
                               uint32_t depth)
{
    const FieldType *field = feeds[at].path->steps[depth];
    Feed *inner = arena_array(m->list->working, Feed, n_feeds);
    uint32_t n_inner = 0;
    const Expr *value = NULL;
    for (uint32_t i = at; i < n_feeds; i++) {
        if (feeds[i].path->steps[depth] != field)
            continue;
        if (feeds[i].path->n_steps > depth + 1)
            inner[n_inner++] = feeds[i];
        else
            value = value ? expr_default(m->arena, value, feeds[i].value, NULL) : feeds[i].value;
    }
    if (!n_inner)
        return value;
    uint32_t n_rules;
    const Rule *rules = build_rules(m, inner, n_inner, depth + 1, &n_rules);
    const Expr *presence = expanded_presence(m, feeds[at].path->steps, depth + 1);
    if (n_inner == 1 && inner[0].path->n_steps == depth + 2 && !presence)
        presence = inner[0].presence;
    return expr_build(m->arena, field->message, rules, n_rules, presence ? presence : value);
}

static const Rule *build_rules(Making *m, const Feed *feeds, uint32_t n_feeds, uint32_t depth,
                               uint32_t *n_out)
{
    Rule *rules = arena_array(m->arena, Rule, n_feeds + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_feeds; i++) {
        if (seen_before(feeds, i, depth))
            continue;
        const Expr *value = build_field(m, feeds, n_feeds, i, depth);
        if (value)
            rules[n++] = (Rule){feeds[i].path->steps[depth], value, feeds[i].line};
    }
    rules_sort(rules, n);
    *n_out = n;
    return rules;
}

/* An expanded message of which no field is fed keeps its presence. */
static void add_expanded(Making *m, Feed *feeds, uint32_t *n)
{
    for (uint32_t i = 0; i < m->pair->n_expanded; i++) {
        const FieldPath *path = &m->pair->expanded[i][m->to];
        bool fed = false;
        for (uint32_t k = 0; k < *n; k++)
            fed |= path_inside(feeds[k].path, path);
        const MessageType *message = path_field(path)->message;
        const Expr *presence = expanded_presence(m, path->steps, path->n_steps);
        if (!fed)
            feeds[(*n)++] = (Feed){path, expr_build(m->arena, message, NULL, 0, presence), 0, NULL};
    }
}

static Feed *collect_feeds(Making *m, uint32_t *n_out)
{
    uint32_t room = m->pair->n_expanded;
    for (uint32_t i = 0; i < m->pair->n_changes; i++)
        room += m->pair->changes[i].ends[m->to].n_paths + 1;
    Feed *feeds = arena_array(m->list->working, Feed, room + 1);
    uint32_t n = 0;
    for (uint32_t at = 0; at < 2 * m->pair->n_changes; at++) {
        const FieldChange *change = &m->pair->changes[at % m->pair->n_changes];
        const ChangeEnd *to = &change->ends[m->to], *from = &change->ends[!m->to];
        if ((at < m->pair->n_changes) != (change->mark != NULL))
            continue; /* marks take precedence over the other values of the same field */
        for (uint32_t k = 0; k < to->n_paths; k++) {
            const Expr *value = change_expr(m, change, k);
            FieldPath box;
            bool alone = value && change_box(m->pair, change, m->to, &box);
            if (value)
                feeds[n++] = (Feed){&to->paths[k], value, change->place.name_line,
                                    alone ? making_field(m, &from->paths[0]) : NULL};
        }
        /* A currency in a field beside the amount is a feed of its own on the way back. */
        if (to->currency.n_steps && change->convert[m->to]) {
            const FieldType **step = arena_array(m->arena, const FieldType *, 1);
            step[0] = change->convert[m->to]->currency;
            FieldPath inner = {step, 1, step[0]->name};
            FieldPath path = path_join(m->arena, &from->paths[0], &inner);
            feeds[n++] =
                (Feed){&to->currency, making_field(m, &path), change->place.name_line, NULL};
        }
    }
    add_expanded(m, feeds, &n);
    *n_out = n;
    return feeds;
}

/* ---- Both ways ------------------------------------------------------------------------------- */

void pair_map(ChangeList *list, MessagePair *pair)
{
    for (int to = 0; to < 2; to++) {
        Making m = {.list = list, .pair = pair, .arena = list->arena, .to = to};
        uint32_t n_feeds;
        Feed *feeds = collect_feeds(&m, &n_feeds);
        Mapping *mapping = pair->mappings[to];
        mapping->rules = build_rules(&m, feeds, n_feeds, 0, &mapping->n_rules);
        making_guards(&m);
        mapping->guards = m.guards;
        mapping->n_guards = m.n_guards;
    }
}
