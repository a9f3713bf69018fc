/*
 * Merging: a field and a list that are one list in the other version, where the field's value is
 * the first element.
 *
 *     v1   primary_email: "a", other_emails: ["b", "c"]        v2   emails: ["a", "b", "c"]
 *
 * If the field is unset, the way back would put the first element of the list into it. The same
 * happens if the field has no presence and is zero. `first` in the change list specifies whether
 * that is an error or a counted loss.
 */
#include "adapters/changes/change_list.h"

/* The end with the field and the list. */
static int parts_end(const FieldChange *change)
{
    return change->ends[OLD].n_paths > 1 ? OLD : NEW;
}

static bool is_list(const FieldType *field)
{
    return field->repeated && !field->map;
}

static bool has_shape(const FieldChange *change)
{
    const ChangeEnd *parts = &change->ends[parts_end(change)];
    const ChangeEnd *whole = &change->ends[!parts_end(change)];
    return parts->n_paths == 2 && whole->n_paths == 1 && !path_field(&parts->paths[0])->repeated &&
           is_list(path_field(&parts->paths[1])) && is_list(path_field(&whole->paths[0]));
}

bool change_is_merge(const FieldChange *change)
{
    bool several = change->ends[OLD].n_paths > 1 || change->ends[NEW].n_paths > 1;
    return several && (change->first || has_shape(change));
}

static bool same_message(const FieldPath *a, const FieldPath *b)
{
    FieldPath outer = {a->steps, a->n_steps - 1, NULL}, other = {b->steps, b->n_steps - 1, NULL};
    return path_equal(&outer, &other);
}

static void tell_shape(ChangeList *list, const FieldChange *change, const char *path)
{
    const ChangeEnd *parts = &change->ends[parts_end(change)];
    bool turned = parts->n_paths == 2 && is_list(path_field(&parts->paths[0])) &&
                  !path_field(&parts->paths[1])->repeated;
    const char *key = parts_end(change) == OLD ? "from" : "to";
    const char *hint = turned ? arena_printf(list->arena, "write %s: [%s, %s]", key,
                                             parts->paths[1].text, parts->paths[0].text)
                              : arena_printf(list->arena, "write %s: [FIELD, LIST]", key);
    change_problem(list, change->place, path, hint,
                   "a single field and a list, in this order, can be one list, and nothing else");
}

bool change_check_merge(ChangeList *list, FieldChange *change, const char *path)
{
    const ChangeEnd *parts = &change->ends[parts_end(change)];
    if (!has_shape(change)) {
        tell_shape(list, change, path);
        return false;
    }
    const FieldPath *single = &parts->paths[0], *others = &parts->paths[1];
    const FieldType *field = path_field(single);
    if (!same_message(single, others))
        change_problem(list, change->place, path, NULL,
                       "%s and %s are not in the same message, and only as one they are one list",
                       single->text, others->text);
    else if (!value_type_equal(value_type_of(field), value_type_element(path_field(others))))
        change_problem(list, change->place, path, NULL,
                       "%s and the elements of %s are not of the same type", single->text,
                       others->text);
    else if (field_default(field).data)
        change_problem(list, change->place, path, NULL,
                       "unset, %s is %.*s, which an empty list does not say", single->text,
                       BYTES_ARGS(field_default(field)));
    else if (!change->first)
        change_problem(list, change->place, path,
                       "add first: loud, or graceful to let the next one be the first",
                       "say what becomes of a list of which the first element is not there");
    else
        return change->merged = true;
    return false;
}

void change_check_merges(ChangeList *list, const MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        for (int end = 0; change->merged && end < 2; end++) {
            const FieldPath *path = &change->ends[end].paths[0];
            if (change_mark(pair, end, path))
                change_problem(
                    list, change->place,
                    arena_printf(list->arena, "%s.%s", pair_name(list, pair), path->text), NULL,
                    "a value of %s means something else, and is no element", path->text);
        }
    }
}

/* ---- Expressions ----------------------------------------------------------------------------- */

/* A copy of the change with only one of the two parts, for the names in a loss. */
static FieldChange part_of(const FieldChange *change, uint32_t which)
{
    FieldChange part = *change;
    ChangeEnd *end = &part.ends[parts_end(change)];
    end->paths = &end->paths[which];
    end->n_paths = 1;
    return part;
}

const Expr *making_merged(Making *m, const FieldChange *change, uint32_t which)
{
    const ChangeEnd *from = &change->ends[!m->to];
    if (from->n_paths == 1) {
        FieldChange part = part_of(change, which);
        const Expr *list = making_field(m, &from->paths[0]);
        return making_converted(m, &part,
                                which ? expr_rest(m->arena, list) : expr_head(m->arena, list),
                                path_field(&from->paths[0]));
    }
    const Expr *parts[2];
    for (uint32_t i = 0; i < 2; i++) {
        FieldChange part = part_of(change, i);
        parts[i] = making_converted(m, &part, making_field(m, &from->paths[i]),
                                    path_field(&from->paths[i]));
    }
    return expr_join(m->arena, expr_wrap(m->arena, parts[0]), parts[1]);
}

/* Guards the list's elements if the field is unset. */
static void guard_without_first(Making *m, const FieldChange *change)
{
    bool loud = change->first == DROP_LOUD;
    FieldChange others = part_of(change, 1);
    const Expr *first = making_field(m, &change->ends[!m->to].paths[0]);
    const Expr *alone =
        expr_unless(m->arena, making_field(m, &others.ends[!m->to].paths[0]), &first, 1);
    const char *how =
        arena_printf(m->arena, "where %s is not there", change->ends[!m->to].paths[0].text);
    making_guard(m, (Guard){.source = alone,
                            .loud = loud,
                            .loss = making_loss(m, &others, LOSS_DROPPED, loud, how)});
}

/* Guards a first element that is zero, if the field has no presence. */
static void guard_zero_first(Making *m, const FieldChange *change)
{
    bool loud = change->first == DROP_LOUD;
    FieldChange first = part_of(change, 0);
    const Expr *value = making_merged(m, change, 0);
    if (!field_is_implicit(path_field(&change->ends[m->to].paths[0])) || !expr_may_be_zero(value))
        return;
    making_guard(
        m, (Guard){.source = expr_when(m->arena, value, value, arena_make(m->arena, Literal)),
                   .loud = loud,
                   .loss = making_loss(m, &first, LOSS_DROPPED, loud, "a first element of zero")});
}

void making_merge_guards(Making *m, const FieldChange *change)
{
    if (!change->merged)
        return;
    if (change->ends[!m->to].n_paths > 1)
        guard_without_first(m, change);
    else
        guard_zero_first(m, change);
}
