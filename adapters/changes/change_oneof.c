/* Checks for oneofs and kinds: a default must not be set beside another member of its oneof, and a
   kind must be recoverable on the way back. */
#include "adapters/changes/change_list.h"

bool paths_exclude_each_other(const FieldPath *a, const FieldPath *b)
{
    uint32_t k = 0;
    while (k < a->n_steps && k < b->n_steps && a->steps[k] == b->steps[k])
        k++;
    return k < a->n_steps && k < b->n_steps && a->steps[k]->oneof &&
           a->steps[k]->oneof == b->steps[k]->oneof;
}

static const char *where(ChangeList *list, const MessagePair *pair, const FieldPath *path)
{
    return arena_printf(list->arena, "%s.%s", pair_name(list, pair), path->text);
}

static bool is_made_up(const FieldChange *change, int end)
{
    return change->ends[end].n_paths && change->ends[end].missing == MISSING_VALUE;
}

static bool is_fed(const FieldChange *change, int end)
{
    return change->ends[end].n_paths &&
           (change->ends[!end].n_paths || change->ends[end].missing == MISSING_VALUE);
}

/* False, and a problem is reported, if the two changes conflict. */
static bool check_two(ChangeList *list, const MessagePair *pair, int end, const FieldChange *made,
                      const FieldChange *other)
{
    const FieldPath *path = &made->ends[end].paths[0];
    if (!paths_exclude_each_other(path, &other->ends[end].paths[0]))
        return true;
    const char *other_name = other->ends[end].paths[0].text;
    if (made->constant)
        change_problem(
            list, made->place, where(list, pair, path),
            arena_printf(list->arena, "write %s: {%s: ...} for when no other is there", path->text,
                         end == NEW ? "added" : "removed: loud, back"),
            "the constant would always be set, so %s of %s, in the same oneof, never could",
            other_name, list->sides[end].version);
    else if (is_made_up(other, end) && other < made)
        change_problem(
            list, made->place, where(list, pair, path), NULL,
            "it and %s of %s are in the same oneof, and only one of them can have a default value",
            other_name, list->sides[end].version);
    else
        return true;
    return false;
}

void change_check_oneofs(ChangeList *list, const MessagePair *pair)
{
    for (int end = 0; end < 2; end++) {
        for (uint32_t i = 0; i < pair->n_changes; i++) {
            const FieldChange *made = &pair->changes[i];
            bool good = is_made_up(made, end);
            for (uint32_t k = 0; good && k < pair->n_changes; k++) {
                if (k != i && is_fed(&pair->changes[k], end))
                    good = check_two(list, pair, end, made, &pair->changes[k]);
            }
        }
    }
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

const FieldChange *change_selection(const MessagePair *pair, int end, const FieldPath *kind)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if (change->select && change->ends[end].n_paths &&
            path_equal(&change->ends[end].paths[0], kind))
            return change;
    }
    return NULL;
}

static const char *literal_text(ChangeList *list, const Literal *literal, ValueType type)
{
    Buffer text = buffer_in(list->arena);
    literal_print(&text, literal, type);
    return arena_text(list->arena, buffer_bytes(&text));
}

static bool selects(const Selection *select, const FieldPath *path, uint32_t *which_out)
{
    uint32_t i = 0;
    while (i < select->n && !path_equal(&select->paths[i], path))
        i++;
    *which_out = i;
    return i < select->n;
}

const FieldChange *change_alternative(const MessagePair *pair, int end, const FieldPath *path,
                                      uint32_t *which_out)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if (change->select && !change->ends[end].n_paths &&
            selects(change->select, path, which_out))
            return change;
    }
    return NULL;
}

const FieldChange *change_of_kind(const MessagePair *pair, int end, const FieldPath *kind)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if (change->ends[end].n_paths == 1 && change->ends[!end].n_paths == 1 &&
            path_equal(&change->ends[end].paths[0], kind))
            return change;
    }
    return NULL;
}

/* A kind that only one version has, and that is said of alternatives, is given back by `select`. */
static void check_given_back(ChangeList *list, const MessagePair *pair, const FieldChange *change,
                             int end)
{
    const ChangeEnd *from = &change->ends[end], *to = &change->ends[!end];
    if (pair->misread || !from->when.n_steps || !to->n_paths ||
        change_selection(pair, end, &from->when) || change_of_kind(pair, end, &from->when))
        return;
    Buffer all = buffer_in(list->arena);
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        const ChangeEnd *e = &other->ends[end];
        if (!e->when.n_steps || !path_equal(&e->when, &from->when) || !other->ends[!end].n_paths)
            continue;
        if (other != change && !all.size)
            return; /* it is told at the first alternative */
        buffer_printf(&all, "%s%s: %s", all.size ? ", " : "", other->ends[!end].paths[0].text,
                      literal_text(list, &e->when_value, value_type_of(path_field(&from->when))));
    }
    change_problem(list, change->place, where(list, pair, &from->when),
                   arena_printf(list->arena, "write %s: {select: {%.*s}}", from->when.text,
                                BYTES_ARGS(buffer_bytes(&all))),
                   "%s has this field alone, and nothing says which value the alternatives give it",
                   list->sides[end].version);
}

/* If a kind selects a value, the way back must be able to give the kind from that value, and the
   same one. */
static void check_selected(ChangeList *list, const MessagePair *pair, const FieldChange *change,
                           int end)
{
    const ChangeEnd *from = &change->ends[end], *to = &change->ends[!end];
    const FieldChange *kind = from->when.n_steps ? change_selection(pair, end, &from->when) : NULL;
    uint32_t which;
    if (!kind || !to->n_paths)
        return;
    ValueType type = value_type_of(path_field(&from->when));
    bool said = selects(kind->select, &to->paths[0], &which);
    if (said && literal_equal(&kind->select->values[which], &from->when_value, type))
        return;
    const char *value = literal_text(list, &from->when_value, type), *field = to->paths[0].text;
    const char *path = where(list, pair, &kind->ends[end].paths[0]);
    const char *hint = arena_printf(list->arena, "write select: {..., %s: %s}", field, value);
    if (said)
        change_problem(list, kind->place, path, hint,
                       "%s is there when %s is %s, and says that it is %s", field, from->when.text,
                       value, literal_text(list, &kind->select->values[which], type));
    else
        change_problem(list, kind->place, path, hint,
                       "the list does not say which value of %s belongs to %s", from->when.text,
                       field);
}

const FieldChange *change_mark(const MessagePair *pair, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if (change->mark && change->ends[end].n_paths &&
            path_equal(&change->ends[end].paths[0], path))
            return change;
    }
    return NULL;
}

void change_check_kinds(ChangeList *list, const MessagePair *pair)
{
    for (int end = 0; end < 2; end++) {
        for (uint32_t i = 0; i < pair->n_changes; i++) {
            check_given_back(list, pair, &pair->changes[i], end);
            check_selected(list, pair, &pair->changes[i], end);
        }
    }
}

/* ---- Values that mean something -------------------------------------------------------------- */

/* Two meanings that are the same value of one field. That of a message is said twice, which is
   refused anyway. */
static void check_same_meaning(ChangeList *list, const MessagePair *pair, int end,
                               const FieldChange *a, const FieldChange *b)
{
    const FieldPath *path = &a->ends[end].paths[0], *flag = &b->mark->flag;
    ValueType type = value_type_of(path_field(path));
    if (!path_equal(path, &b->ends[end].paths[0]) || type.message ||
        !literal_equal(&a->mark->value, &b->mark->value, type))
        return;
    change_problem(
        list, a->place, where(list, pair, &a->mark->flag), "give each value a meaning of its own",
        "%s means the same as %s of %s, so what comes back would be a guess: %s is %s",
        literal_text(list, &a->mark->flag_value, value_type_of(path_field(&a->mark->flag))),
        literal_text(list, &b->mark->flag_value, value_type_of(path_field(flag))), flag->text,
        path->text, literal_text(list, &a->mark->value, type));
}

/* A meaning that is zero of a field without presence: it is there whenever that field is unset. So
   each other value of the flag must set the same field, and the flag's zero, which an unset flag
   has, must be one of them. */
static void check_zero_meaning(ChangeList *list, const MessagePair *pair, int end,
                               const FieldChange *zero)
{
    const FieldPath *path = &zero->ends[end].paths[0];
    ValueType type = value_type_of(path_field(path)),
              flag = value_type_of(path_field(&zero->mark->flag));
    if (!field_is_implicit(path_field(path)) || type.message ||
        !literal_is_zero(&zero->mark->value, type))
        return;
    bool unset_is_said = literal_is_zero(&zero->mark->flag_value, flag), elsewhere = false;
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        if (!other->mark || !other->ends[end].n_paths ||
            !path_equal(&other->mark->flag, &zero->mark->flag))
            continue;
        unset_is_said |= literal_is_zero(&other->mark->flag_value, flag);
        elsewhere |= !path_equal(&other->ends[end].paths[0], path);
    }
    if (unset_is_said && !elsewhere)
        return;
    const char *value = literal_text(list, &zero->mark->flag_value, flag);
    const char *hint =
        elsewhere ? arena_printf(list->arena, "give %s another meaning", value)
                  : arena_printf(list->arena, "add %s: {%s: VALUE}, or give %s another meaning",
                                 literal_text(list, &(Literal){0}, flag), path->text, value);
    change_problem(list, zero->place, where(list, pair, &zero->mark->flag), hint,
                   "%s is %s when it is unset, which would come back as %s", path->text,
                   literal_text(list, &zero->mark->value, type), value);
}

void change_check_meanings(ChangeList *list, const MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        int end = change->ends[OLD].n_paths ? OLD : NEW;
        if (!change->mark)
            continue;
        for (uint32_t k = 0; k < i; k++) {
            if (pair->changes[k].mark && pair->changes[k].ends[end].n_paths)
                check_same_meaning(list, pair, end, change, &pair->changes[k]);
        }
        check_zero_meaning(list, pair, end, change);
    }
}

/* ---- What is alone in a message -------------------------------------------------------------- */

/* Whether the value goes as it is, or zero as zero. */
static bool keeps_zero(const Converter *converter)
{
    if (!converter)
        return true;
    if (converter->code == CONVERT_ENUM) {
        uint32_t i = 0;
        while (i < converter->n_entries && converter->entries[i].from != 0)
            i++;
        return i < converter->n_entries && converter->entries[i].to == 0;
    }
    return converter->code == CONVERT_NUMBER || converter->code == CONVERT_BYTES_TEXT ||
           converter->code == CONVERT_TEXT_BYTES;
}

/* One field becomes one field, and nothing else decides about either. */
static bool is_plain(const FieldChange *change)
{
    if (change->mark || change->select || change->merged || change->keyed || change->constant)
        return false;
    for (int end = 0; end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        if (e->n_paths != 1 || e->template || e->has_sentinel || e->zero_is_set ||
            e->when.n_steps || e->currency.n_steps || e->missing > MISSING_LEAVE ||
            path_field(&e->paths[0])->repeated || path_field(&e->paths[0])->message)
            return false;
    }
    return keeps_zero(change->convert[OLD]) && keeps_zero(change->convert[NEW]);
}

/* Whether the path is the message, or leads into it. */
static bool is_about(const FieldPath *path, const FieldPath *message)
{
    return path->n_steps && (path_equal(path, message) || path_inside(path, message));
}

static bool is_alone(const MessagePair *pair, const FieldChange *change, int end,
                     const FieldPath *message)
{
    for (uint32_t i = 0; i < pair->n_expanded; i++) {
        if (path_equal(&pair->expanded[i][end], message))
            return false;
    }
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *other = &pair->changes[i];
        const ChangeEnd *e = &other->ends[end];
        for (uint32_t k = 0; other != change && k < e->n_paths; k++) {
            if (is_about(&e->paths[k], message))
                return false;
        }
        for (uint32_t k = 0; other->select && !e->n_paths && k < other->select->n; k++) {
            if (is_about(&other->select->paths[k], message))
                return false;
        }
        if (is_about(&e->currency, message))
            return false;
    }
    return true;
}

bool change_box(const MessagePair *pair, const FieldChange *change, int end, FieldPath *box_out)
{
    if (!is_plain(change) || change->ends[end].paths[0].n_steps < 2)
        return false;
    const FieldPath *path = &change->ends[end].paths[0];
    *box_out = (FieldPath){path->steps, path->n_steps - 1, NULL};
    return field_is_implicit(path_field(path)) &&
           path_field(&change->ends[!end].paths[0])->presence &&
           !path_field(box_out)->parent->map_entry && is_alone(pair, change, end, box_out);
}

bool change_loses_choice(const MessagePair *pair, const FieldChange *change, int to)
{
    const ChangeEnd *source = &change->ends[!to], *target = &change->ends[to];
    FieldPath box;
    uint32_t which;
    if (change->mark || change->select || change->merged || change->keyed || source->n_paths != 1 ||
        target->n_paths != 1 || source->template || target->template || source->has_sentinel ||
        target->has_sentinel || target->when.n_steps)
        return false;
    const FieldType *member = path_field(&source->paths[0]);
    return member->oneof && member->oneof->n_fields > 1 &&
           field_is_implicit(path_field(&target->paths[0])) &&
           !path_field(&target->paths[0])->message &&
           !change_alternative(pair, !to, &source->paths[0], &which) &&
           !change_box(pair, change, to, &box);
}
