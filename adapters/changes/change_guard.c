/* Guards of a pair's mappings: which source values are lost (counted), and which are refused. */
#include "adapters/changes/change_list.h"

/* ---- What has no place ----------------------------------------------------------------------- */

/* Whether a field inside this message has a default on the way back; then the message is set,
   too. */
static bool comes_back_anyhow(const Making *m, const FieldPath *message)
{
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const ChangeEnd *from = &m->pair->changes[i].ends[!m->to];
        for (uint32_t k = 0; k < from->n_paths; k++) {
            bool within = path_inside(&from->paths[k], message) ||
                          (path_equal(&from->paths[k], message) && !m->pair->changes[i].select);
            if (within && from->missing == MISSING_VALUE)
                return true;
        }
    }
    return false;
}

/* An expression that is set if the target field will be set: for values that cannot become unset on
   the way, the source value itself. */
static const Expr *presence_there(Making *m, const FieldType *target, const Expr *given)
{
    Literal zero = {0};
    bool implicit = field_is_implicit(target);
    if (given && given->kind == EXPR_WHEN)
        return expr_when(m->arena, presence_there(m, target, given->args[0]), given->args[1],
                         given->constants);
    while (given && given->n_args == 1 && (!implicit || !expr_may_be_zero(given)) &&
           (given->kind == EXPR_MESSAGE ||
            (given->kind == EXPR_CONVERT && given->converter->code != CONVERT_SENTINEL)))
        given = given->args[0];
    return given && implicit && expr_may_be_zero(given) ? expr_sentinel(m->arena, given, &zero)
                                                        : given;
}

/* Adds the values that a change of a field inside the message gives to the target. */
static void add_given(Making *m, const FieldChange *change, const Expr **given, uint32_t *n)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    if (from->template || to->template) { /* all parts are set, or it is an error */
        given[(*n)++] = making_field(m, &from->paths[0]);
        return;
    }
    for (uint32_t k = 0; k < to->n_paths; k++)
        given[(*n)++] = presence_there(m, path_field(&to->paths[k]), making_given(m, change, k));
}

static const FieldChange *find_given(Making *m, const FieldPath *message, const Expr **given,
                                     uint32_t *n)
{
    const FieldChange *first = NULL;
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const FieldChange *change = &m->pair->changes[i];
        const ChangeEnd *from = &change->ends[!m->to];
        if (!from->n_paths || !path_inside(&from->paths[0], message))
            continue;
        if (!first || change->place.name_line < first->place.name_line)
            first = change;
        if (change->ends[m->to].n_paths)
            add_given(m, change, given, n);
    }
    return first;
}

/* The message, if none of its fields is set at the target, so that its presence is lost. NULL if
   its presence is never lost. */
static const Expr *lost_presence(Making *m, const FieldPath *message, const FieldChange **first_out)
{
    uint32_t n = 0;
    const Expr **given = arena_array(m->arena, const Expr *, 2 * m->pair->n_changes + 1);
    *first_out = find_given(m, message, given, &n);
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        FieldPath box;
        if (change_box(m->pair, &m->pair->changes[i], !m->to, &box) && path_equal(&box, message))
            return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (given[i] && expr_makes_up(given[i]))
            return NULL;
    }
    return comes_back_anyhow(m, message)
               ? NULL
               : expr_unless(m->arena, making_field(m, message), given, n);
}

static bool is_entered(const Making *m, const FieldPath *message)
{
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const ChangeEnd *from = &m->pair->changes[i].ends[!m->to];
        for (uint32_t k = 0; k < from->n_paths; k++) {
            if (path_inside(&from->paths[k], message))
                return true;
        }
    }
    return false;
}

static const char *marked_how(bool has_ignored)
{
    return has_ignored ? "unless it means something there, or is the value that comes back"
                       : "unless it means something there";
}

static void guard_dropped(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    const FieldChange *first;
    if (!from->n_paths || change->ends[m->to].n_paths || change->select || change->mark)
        return;
    bool loud = from->drop == DROP_LOUD, message = path_field(&from->paths[0])->message != NULL;
    bool entered = message && is_entered(m, &from->paths[0]);
    const Expr *value =
        entered ? lost_presence(m, &from->paths[0], &first) : making_field(m, &from->paths[0]);
    if (from->has_ignored && message && !entered)
        value = expr_sentinel(m->arena, value, &from->ignored);
    if (!value)
        return;
    bool marked = !message && change_mark(m->pair, !m->to, &from->paths[0]);
    if (marked)
        value = making_unmarked(m, &from->paths[0], value);
    const char *how = entered             ? "that it is there, when nothing inside it goes on"
                      : marked            ? marked_how(from->has_ignored)
                      : from->has_ignored ? "unless it is the value that comes back"
                                          : "it has no counterpart";
    making_guard(m, (Guard){.source = value,
                            .loud = loud,
                            .has_ignored = from->has_ignored && !message,
                            .ignored = from->ignored,
                            .loss = making_loss(m, change, LOSS_DROPPED, loud, how)});
}

/* ---- Messages whose fields are moved out ----------------------------------------------------- */

static bool is_spoken_of(const Making *m, const FieldPath *message)
{
    for (uint32_t i = 0; i < m->pair->n_expanded; i++) {
        if (path_equal(&m->pair->expanded[i][!m->to], message))
            return true;
    }
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const ChangeEnd *from = &m->pair->changes[i].ends[!m->to];
        for (uint32_t k = 0; k < from->n_paths; k++) {
            if (path_equal(&from->paths[k], message))
                return true;
        }
    }
    return false;
}

/* Whether an earlier change has a path through the same message. */
static bool was_met(const Making *m, uint32_t at, const FieldPath *message)
{
    for (uint32_t i = 0; i < at; i++) {
        const ChangeEnd *from = &m->pair->changes[i].ends[!m->to];
        if (from->n_paths && path_inside(&from->paths[0], message))
            return true;
    }
    return false;
}

static void guard_left(Making *m, uint32_t at)
{
    const ChangeEnd *from = &m->pair->changes[at].ends[!m->to];
    if (!from->n_paths)
        return;
    for (uint32_t n = 1; n < from->paths[0].n_steps; n++) {
        FieldPath message = {from->paths[0].steps, n,
                             steps_text(m->arena, from->paths[0].steps, n)};
        const FieldChange *first;
        bool in_map = path_field(&message)->parent->map_entry; /* an entry is always set */
        if (in_map || was_met(m, at, &message) || is_spoken_of(m, &message))
            continue;
        const Expr *lost = lost_presence(m, &message, &first);
        if (!lost)
            continue;
        const Loss *loss = change_loss(m->list, m->to, LOSS_DROPPED, false, first->place.name_line,
                                       making_source_name(m, &message), "",
                                       "that it is there, when nothing inside it goes on");
        making_guard(m, (Guard){.source = lost, .loss = loss});
    }
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

static bool can_be_zero(const FieldPath *path)
{
    const FieldType *field = path_field(path);
    return !field->message && !field->repeated && field->presence;
}

/* The field; absent if zero. */
static const Expr *unless_zero(Making *m, const FieldPath *path)
{
    Literal zero = {0};
    const Expr *value = making_field(m, path);
    return can_be_zero(path) ? expr_sentinel(m->arena, value, &zero) : value;
}

static Unused unused_by(const Making *m, const FieldPath *kind)
{
    const FieldChange *change = change_selection(m->pair, !m->to, kind);
    return change ? change->select->unused : UNUSED_COUNTED;
}

/* A value that is only converted if a kind field selects it: with another kind it would be lost. */
static void guard_when(Making *m, uint32_t at)
{
    const FieldChange *change = &m->pair->changes[at];
    const ChangeEnd *from = &change->ends[!m->to];
    if (!from->when.n_steps)
        return;
    const Expr *other = making_kind(m, &from->when);
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const ChangeEnd *e = &m->pair->changes[i].ends[!m->to];
        if (!e->when.n_steps || !path_equal(&e->paths[0], &from->paths[0]))
            continue;
        if (i < at)
            return; /* one guard for all of its alternatives */
        other = expr_sentinel(m->arena, other, &e->when_value);
    }
    Unused unused = can_be_zero(&from->paths[0]) ? unused_by(m, &from->when) : UNUSED_LOUD;
    const Expr *value =
        unused == UNUSED_LOUD ? making_field(m, &from->paths[0]) : unless_zero(m, &from->paths[0]);
    making_guard(
        m, (Guard){.source = expr_when(m->arena, value, other, NULL),
                   .loud = true,
                   .loss = making_loss(m, change, LOSS_DROPPED, true, "no alternative takes it")});
    if (unused == UNUSED_COUNTED)
        making_guard(
            m, (Guard){.source = expr_when(m->arena, making_field(m, &from->paths[0]), other, NULL),
                       .loss = making_loss(m, change, LOSS_DROPPED, false,
                                           "zero, when no alternative takes it")});
}

/* A value of which the kind there, that has a change of its own, names another alternative. */
static void guard_wrong_kind(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    const FieldChange *kind =
        to->when.n_steps && from->n_paths ? change_of_kind(m->pair, m->to, &to->when) : NULL;
    if (!kind)
        return;
    ValueType type = value_type_of(path_field(&to->when));
    const Expr *given = making_given(m, kind, 0);
    const Expr *zero = expr_const(m->arena, type, (Literal){0}, NULL);
    const Expr *other =
        expr_sentinel(m->arena, expr_default(m->arena, given, zero, NULL), &to->when_value);
    const char *how = arena_printf(m->arena, "when %s names another", to->when.text);
    making_guard(
        m, (Guard){.source = expr_when(m->arena, making_field(m, &from->paths[0]), other, NULL),
                   .loud = true,
                   .loss = making_loss(m, change, LOSS_DROPPED, true, how)});
}

/* Two alternatives are set, but the kind field can only name one. */
static void guard_selected(Making *m, const FieldChange *change)
{
    const Selection *select = change->select;
    if (!select || !change->ends[m->to].n_paths)
        return;
    bool zero = select->unused == UNUSED_ZERO;
    for (uint32_t i = 1; i < select->n; i++) {
        const Expr **others = arena_array(m->arena, const Expr *, i);
        Literal *yes = arena_array(m->arena, Literal, i);
        uint32_t n = 0;
        for (uint32_t k = 0; k < i; k++) {
            yes[n].u = 1;
            if (!paths_exclude_each_other(&select->paths[i], &select->paths[k]) &&
                !path_equal(&select->paths[i], &select->paths[k]))
                others[n++] =
                    zero ? unless_zero(m, &select->paths[k]) : making_alternative(m, select, k);
        }
        const Expr *value =
            zero ? unless_zero(m, &select->paths[i]) : making_alternative(m, select, i);
        const Expr *other =
            n == 1 ? others[0]
                   : expr_select(m->arena, (ValueType){.kind = KIND_BOOL}, others, yes, n);
        const char *how = arena_printf(m->arena, "two for one %s are an error",
                                       change->ends[m->to].paths[0].text);
        if (n)
            making_guard(m, (Guard){.source = expr_when(m->arena, value, other, NULL),
                                    .loud = true,
                                    .loss = change_loss(
                                        m->list, m->to, LOSS_DROPPED, true, change->place.name_line,
                                        making_source_name(m, &select->paths[i]), "", how)});
    }
}

/* An expression that is set if this alternative is set at the target. */
static const Expr *alternative_given(Making *m, const FieldPath *path)
{
    const Expr **given = arena_array(m->arena, const Expr *, m->pair->n_changes + 1);
    Literal *yes = arena_array(m->arena, Literal, m->pair->n_changes + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const FieldChange *change = &m->pair->changes[i];
        const ChangeEnd *to = &change->ends[m->to];
        yes[n].u = 1;
        for (uint32_t k = 0; k < to->n_paths; k++) {
            const FieldPath *target = &to->paths[k];
            if (!path_equal(target, path) && !path_inside(target, path) &&
                !path_inside(path, target))
                continue;
            const Expr *value = making_given(m, change, k);
            given[n] = value ? presence_there(m, path_field(target), value) : NULL;
            n += given[n] != NULL;
            break;
        }
    }
    return n < 2 ? given[0] : expr_select(m->arena, (ValueType){.kind = KIND_BOOL}, given, yes, n);
}

/* An expression that is set if the field has the meaning of value number `which`. A message has it
   also if other changes fill its fields. */
static const Expr *meaning_given(Making *m, const FieldChange *change, uint32_t which)
{
    const FieldPath *path = &change->select->paths[which];
    if (path_field(path)->message)
        return alternative_given(m, path);
    return making_equal(m, &change->ends[!m->to].paths[0], &change->select->values[which]);
}

/* The kind, absent if the way back gives the same one: that of the first alternative that is
   set. */
static const Expr *other_kind(Making *m, const FieldChange *change)
{
    const Selection *select = change->select;
    const Expr *kind = making_field(m, &change->ends[!m->to].paths[0]);
    const Expr *other = expr_sentinel(m->arena, kind, &(Literal){0});
    for (uint32_t i = select->n; i-- > 0;) {
        const Expr *given =
            select->equals ? meaning_given(m, change, i) : alternative_given(m, &select->paths[i]);
        if (!given)
            continue;
        const Expr *wrong = expr_sentinel(m->arena, kind, &select->values[i]);
        other = expr_default(m->arena, expr_when(m->arena, wrong, given, NULL),
                             expr_unless(m->arena, other, &given, 1), NULL);
    }
    return other;
}

static void guard_kind(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    if (!change->select || !from->n_paths)
        return;
    bool loud = from->drop == DROP_LOUD;
    const Loss *loss =
        change_loss(m->list, m->to, LOSS_DROPPED, loud, change->place.name_line,
                    making_source_name(m, &from->paths[0]), "", "unless it is what comes back");
    making_guard(m, (Guard){.source = other_kind(m, change), .loud = loud, .loss = loss});
}

/* ---- Values that mean something else there --------------------------------------------------- */

static void guard_value(Making *m, const FieldChange *change, const Expr *value, Literal lost,
                        const char *how)
{
    if (!value || value->type.repeated || value->type.message)
        return;
    Literal *constant = arena_make(m->arena, Literal);
    *constant = lost;
    making_guard(m, (Guard){.source = expr_when(m->arena, value, value, constant),
                            .loss = making_loss(m, change, LOSS_DROPPED, false, how)});
}

/* A source value equal to the target's sentinel is converted back to unset, so it is lost. So is
   zero, if the target has no presence and unset is converted to a nonzero sentinel at the
   source. */
static void guard_sentinel(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    if ((!to->has_sentinel && !from->has_sentinel) || !from->n_paths)
        return;
    const FieldType *source = path_field(&from->paths[0]), *target = path_field(&to->paths[0]);
    const Expr *given = making_given(m, change, 0);
    bool zero_is_lost = from->has_sentinel && field_is_implicit(target) &&
                        !literal_is_zero(&from->sentinel, value_type_of(source));
    bool is_unset =
        field_is_implicit(source) && literal_is_zero(&to->sentinel, value_type_of(target));
    if (to->has_sentinel && !is_unset)
        guard_value(m, change, given && given->kind == EXPR_DEFAULT ? given->args[0] : given,
                    to->sentinel, "the value that means unset there");
    if (zero_is_lost)
        guard_value(m, change, given, (Literal){0}, "zero means unset there");
}

/* The change for the values of the field that have no mark; or NULL. */
static const FieldChange *unmarked_change(const Making *m, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        const FieldChange *change = &m->pair->changes[i];
        if (!change->mark && change->ends[end].n_paths &&
            path_equal(&change->ends[end].paths[0], path))
            return change;
    }
    return NULL;
}

/* A field with marks and no change for its other values: those are refused. Of a message, its
   content is dropped and counted. */
static void guard_marked(Making *m, uint32_t at)
{
    const FieldChange *change = &m->pair->changes[at];
    const FieldPath *path = &change->ends[!m->to].paths[0];
    bool message = path_field(path)->message;
    if (change_mark(m->pair, !m->to, path) != change || unmarked_change(m, !m->to, path))
        return;
    const Expr *rest = making_unmarked(m, path, making_field(m, path));
    making_guard(m, (Guard){.source = rest,
                            .loud = !message,
                            .loss = making_loss(m, change, LOSS_DROPPED, !message,
                                                message ? "what is in it"
                                                        : "a value that nothing stands for")});
}

/* A field and a flag that stands for one of its values: its value is lost if the flag is set; and
   if it is that value, it is converted back to the flag. */
static void guard_beside(Making *m, const FieldChange *change)
{
    const FieldPath *target = &change->ends[m->to].paths[0];
    const FieldChange *other = unmarked_change(m, m->to, target);
    if (!other || !other->ends[!m->to].n_paths || path_field(target)->message)
        return;
    const Mark *mark = change->mark;
    const Expr *value = making_field(m, &other->ends[!m->to].paths[0]);
    const Expr *flag = making_equal(m, &mark->flag, &mark->flag_value);
    const char *how = arena_printf(m->arena, "when %s says what it is", mark->flag.text);
    making_guard(m, (Guard){.source = expr_when(m->arena, value, flag, NULL),
                            .loss = making_loss(m, other, LOSS_DROPPED, false, how)});
    guard_value(m, other, making_given(m, other, 0), mark->value,
                arena_printf(m->arena, "the value that means %s there", mark->flag.text));
}

/* The flag, absent unless it has the value that stands for something. */
static const Expr *flagged(Making *m, const Mark *mark)
{
    bool zero = literal_is_zero(&mark->flag_value, value_type_of(path_field(&mark->flag)));
    const Expr *flag = zero ? making_kind(m, &mark->flag) : making_field(m, &mark->flag);
    return expr_when(m->arena, flag, flag, &mark->flag_value);
}

/* Two fields of which a value stands for a value of the same field: the first one counts, and the
   other comes back as zero. Of two members of one oneof, both at once are an error. */
static void guard_other_flag(Making *m, uint32_t at)
{
    const FieldChange *change = &m->pair->changes[at];
    const FieldPath *flag = &change->mark->flag, *target = &change->ends[m->to].paths[0];
    const FieldChange *kind = change_selection(m->pair, !m->to, flag);
    bool comes_back = literal_is_zero(&change->mark->flag_value, value_type_of(path_field(flag)));
    for (uint32_t i = 0; i < at; i++) {
        const FieldChange *first = &m->pair->changes[i];
        if (!first->mark || !first->ends[m->to].n_paths || path_equal(&first->mark->flag, flag))
            continue;
        const FieldPath *other = &first->ends[m->to].paths[0];
        bool apart = paths_exclude_each_other(other, target);
        bool loud = apart || (kind && kind->ends[!m->to].drop == DROP_LOUD);
        if (!apart && (!path_equal(other, target) || comes_back))
            continue;
        const char *how =
            arena_printf(m->arena, "when %s says what %s is", first->mark->flag.text, other->text);
        making_guard(m, (Guard){.source = expr_when(m->arena, flagged(m, change->mark),
                                                    flagged(m, first->mark), NULL),
                                .loud = loud,
                                .loss = change_loss(m->list, m->to, LOSS_DROPPED, loud,
                                                    change->place.name_line,
                                                    making_source_name(m, flag), "", how)});
    }
}

static void guard_mark(Making *m, uint32_t at)
{
    const FieldChange *change = &m->pair->changes[at];
    if (change->mark && change->ends[!m->to].n_paths) {
        guard_marked(m, at);
    } else if (change->mark) {
        guard_beside(m, change);
        guard_other_flag(m, at);
    }
}

/* A field of the change's source, which is a message. */
static const Expr *member(Making *m, const FieldChange *change, const FieldType *field)
{
    const FieldType **step = arena_array(m->arena, const FieldType *, 1);
    step[0] = field;
    FieldPath inner = {step, 1, field->name};
    FieldPath path = path_join(m->arena, &change->ends[!m->to].paths[0], &inner);
    return making_field(m, &path);
}

/* A bare amount has the one currency that the list specifies: any other is refused, and so is an
   amount without one. */
static void guard_other_currency(Making *m, const FieldChange *change)
{
    const Converter *converter = change->convert[m->to];
    if (!change->currency || !converter || converter->code != CONVERT_MONEY_AMOUNT)
        return;
    Literal code = {.bytes = bytes_of(change->currency)}, zero = {0}, yes[2] = {{.u = 1}, {.u = 1}};
    const Expr *currency = member(m, change, converter->currency);
    making_guard(m,
                 (Guard){.source = currency,
                         .loud = true,
                         .has_ignored = true,
                         .ignored = code,
                         .loss = making_loss(m, change, LOSS_DROPPED, true, "another currency")});
    if (!code.bytes.size)
        return;
    const Expr *amount[2] = {expr_sentinel(m->arena, member(m, change, converter->units), &zero),
                             expr_sentinel(m->arena, member(m, change, converter->nanos), &zero)};
    const Expr *given = expr_select(m->arena, (ValueType){.kind = KIND_BOOL}, amount, yes, 2);
    making_guard(m, (Guard){.source = expr_unless(m->arena, given, &currency, 1),
                            .loud = true,
                            .loss = making_loss(m, change, LOSS_DROPPED, true,
                                                "an amount without a currency")});
}

/* A currency is only converted together with its amount. */
static void guard_currency(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    const Converter *converter = change->convert[m->to];
    if (!converter || converter->code != CONVERT_AMOUNT_MONEY || !from->currency.n_steps ||
        field_is_implicit(path_field(&from->paths[0])))
        return;
    const Expr *amount = making_field(m, &from->paths[0]);
    const Expr *alone = expr_unless(m->arena, making_field(m, &from->currency), &amount, 1);
    const Loss *loss =
        change_loss(m->list, m->to, LOSS_DROPPED, false, change->place.name_line,
                    making_source_name(m, &from->currency), "", "a currency without an amount");
    making_guard(m, (Guard){.source = alone, .loss = loss});
}

/* ---- Oneofs ---------------------------------------------------------------------------------- */

/* What is there if the change's field is. */
static const Expr *presence_here(Making *m, const FieldChange *change)
{
    FieldPath box;
    return making_field(
        m, change_box(m->pair, change, !m->to, &box) ? &box : &change->ends[!m->to].paths[0]);
}

/* Fields that are independent at the source, and in (or inside members of) one oneof at the target:
   two at once are an error. */
static void guard_oneof(Making *m, uint32_t at)
{
    const FieldChange *change = &m->pair->changes[at];
    const ChangeEnd *to = &change->ends[m->to], *from = &change->ends[!m->to];
    if (!to->n_paths || !from->n_paths || from->when.n_steps)
        return;
    for (uint32_t i = 0; i < at; i++) {
        const ChangeEnd *other_to = &m->pair->changes[i].ends[m->to];
        const ChangeEnd *other_from = &m->pair->changes[i].ends[!m->to];
        if (!other_to->n_paths || !other_from->n_paths ||
            !paths_exclude_each_other(&to->paths[0], &other_to->paths[0]) ||
            paths_exclude_each_other(&from->paths[0], &other_from->paths[0]))
            continue;
        const char *how = arena_printf(m->arena, "if %s is there too", other_from->paths[0].text);
        making_guard(m, (Guard){.source = expr_when(m->arena, presence_here(m, change),
                                                    presence_here(m, &m->pair->changes[i]), NULL),
                                .loud = true,
                                .loss = making_loss(m, change, LOSS_DROPPED, true, how)});
    }
}

/* A member of a oneof that becomes zero, where zero is unset. */
static void guard_choice(Making *m, const FieldChange *change)
{
    if (!change_loses_choice(m->pair, change, m->to))
        return;
    const Expr *given = making_given(m, change, 0);
    if (given && expr_may_be_zero(given))
        guard_value(m, change, given, (Literal){0}, "zero: which one of the oneof it is");
}

/* ---- Zeros that come back as unset ----------------------------------------------------------- */

/* One value becomes one other, and nothing else decides about either. */
static bool is_single(const Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to], *to = &change->ends[m->to];
    return !change->mark && !change->select && !change->merged && !change->keyed &&
           from->n_paths == 1 && to->n_paths == 1 && !from->template && !to->template &&
           !from->has_sentinel && !to->has_sentinel && !from->when.n_steps &&
           field_is_implicit(path_field(&to->paths[0])) && !change->pair;
}

/* The value through the converter. What the conversion loses is counted where the target gets it.
 */
static const Expr *converted(Making *m, const FieldChange *change, const Expr *value)
{
    const Converter *converter = change->convert[m->to];
    return converter ? expr_convert(m->arena, converter, value, NULL) : value;
}

/* A list of one zero, as a field without presence: it comes back as an empty list. */
static void guard_single_zero(Making *m, const FieldChange *change)
{
    if (!is_single(m, change))
        return;
    const FieldPath *from = &change->ends[!m->to].paths[0];
    if (!path_field(from)->repeated)
        return;
    const Expr *first = converted(m, change, expr_head(m->arena, making_field(m, from)));
    guard_value(m, change, first, (Literal){0}, "a first element of zero");
}

/* Whether a text other than the empty one may become zero. */
static bool reads_zero(const Converter *converter)
{
    if (converter->code != CONVERT_TEXT_TABLE)
        return converter->code == CONVERT_TEXT_NUMBER || converter->code == CONVERT_TEXT_ENUM;
    bool empties = converter->has_fallback && !converter->fallback.into.size;
    for (uint32_t i = 0; i < converter->n_entries; i++)
        empties |= !converter->entries[i].into.size;
    return empties;
}

/* A text that says zero, "0" or "false", as a field without presence: it comes back as no text, or
   as the one that the list gives. */
static void guard_zero_text(Making *m, const FieldChange *change)
{
    const ChangeEnd *from = &change->ends[!m->to];
    const Converter *converter = change->convert[m->to];
    if (!is_single(m, change) || path_field(&from->paths[0])->repeated || !converter ||
        !reads_zero(converter))
        return;
    bool given = from->missing == MISSING_VALUE && from->value->kind == EXPR_CONST;
    Literal none = {0}, back = given ? *from->value->constants : none;
    const Expr *text = making_field(m, &from->paths[0]);
    making_guard(m, (Guard){.source = expr_when(m->arena, text, converted(m, change, text),
                                                arena_make(m->arena, Literal)),
                            .has_ignored = given,
                            .ignored = back,
                            .loss = making_loss(m, change, LOSS_DROPPED, false,
                                                "a text for zero, which is unset there")});
}

void making_guards(Making *m)
{
    for (uint32_t i = 0; i < m->pair->n_changes; i++) {
        guard_dropped(m, &m->pair->changes[i]);
        guard_left(m, i);
        guard_sentinel(m, &m->pair->changes[i]);
        making_template_guards(m, &m->pair->changes[i]);
        making_merge_guards(m, &m->pair->changes[i]);
        guard_other_currency(m, &m->pair->changes[i]);
        guard_currency(m, &m->pair->changes[i]);
        guard_mark(m, i);
        guard_when(m, i);
        guard_wrong_kind(m, &m->pair->changes[i]);
        guard_selected(m, &m->pair->changes[i]);
        guard_kind(m, &m->pair->changes[i]);
        guard_oneof(m, i);
        guard_choice(m, &m->pair->changes[i]);
        guard_single_zero(m, &m->pair->changes[i]);
        guard_zero_text(m, &m->pair->changes[i]);
    }
}
