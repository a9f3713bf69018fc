/* Completes the changes of each pair: adds fields with the same name, expands the sub-messages that
   paths lead into, and reports fields for which the list specifies nothing. */
#include "adapters/changes/change_list.h"

enum { MAX_EXPANSIONS = 64 };

static const char *where(ChangeList *list, const MessagePair *pair, const char *path)
{
    return arena_printf(list->working, "%s.%s", pair_name(list, pair), path);
}

static const char *where_change(ChangeList *list, const MessagePair *pair,
                                const FieldChange *change)
{
    const ChangeEnd *end = change->ends[OLD].n_paths ? &change->ends[OLD] : &change->ends[NEW];
    return where(list, pair, end->paths[0].text);
}

static YamlPlace pair_place(ChangeList *list, const MessagePair *pair)
{
    if (pair->said)
        return pair->place;
    const JsonNode *messages = list->document.root->kind == JSON_OBJECT
                                   ? json_member(list->document.root, "messages")
                                   : NULL;
    return messages ? *yaml_place(&list->document, messages) : (YamlPlace){1, 1, 1, 1, NULL};
}

/* ---- What is the same by name ---------------------------------------------------------------- */

static bool field_is_taken(const MessagePair *pair, int end, const FieldType *field)
{
    FieldPath whole = {&(const FieldType *){field}, 1, field->name};
    for (uint32_t i = 0; i < pair->n_own; i++) {
        const ChangeEnd *e = &pair->own[i].ends[end];
        if (pair->own[i].mark && !field->message)
            continue; /* another change may convert its other values */
        for (uint32_t k = 0; k < e->n_paths; k++) {
            if (path_equal(&e->paths[k], &whole))
                return true;
        }
        if (path_equal(&e->currency, &whole))
            return true;
    }
    return false;
}

/* The list has an entry for it, which was reported as wrong: one report is enough. */
/* The field, or a field inside of it. */
static bool is_about(Bytes said, const char *path)
{
    Bytes field = bytes_of(path);
    return bytes_start_with(said, path) &&
           (said.size == field.size || said.data[field.size] == '.');
}

static bool mentions(const JsonNode *node, const char *path)
{
    if (is_about(node->text, path))
        return true;
    for (const JsonNode *child = node->first; child; child = child->next)
        if (mentions(child, path))
            return true;
    return false;
}

/* Whether a change that could not be read may be the one of this field. */
static bool is_tried(const MessagePair *pair, const char *path)
{
    for (const JsonNode *node = pair->node ? pair->node->first : NULL; node; node = node->next)
        if (is_about(node->name, path) || mentions(node, path))
            return true;
    return false;
}

static FieldPath *path_to(Arena *arena, Arena *working, const FieldType *field)
{
    const FieldType **steps = arena_array(arena, const FieldType *, 1);
    FieldPath *path = arena_make(working, FieldPath);
    steps[0] = field;
    *path = (FieldPath){steps, 1, field->name};
    return path;
}

static void add_same_names(ChangeList *list, MessagePair *pair)
{
    const MessageType *old = pair->ends[OLD];
    uint32_t n_said = pair->n_own;
    pair_reserve(list, pair, old->n_fields);
    for (uint32_t i = 0; i < old->n_fields; i++) {
        const FieldType *field = &old->fields[i];
        const FieldType *same = message_field(pair->ends[NEW], bytes_of(field->name));
        if (!same || strcmp(same->name, field->name) != 0)
            continue;
        uint32_t n_own = pair->n_own;
        pair->n_own = n_said; /* only a change in the list makes a field taken */
        bool taken = field_is_taken(pair, OLD, field) || field_is_taken(pair, NEW, same);
        pair->n_own = n_own;
        if (taken || (pair->misread && is_tried(pair, field->name)))
            continue;
        FieldChange *change = pair_add(list, pair);
        change->automatic = true;
        change->place = pair_place(list, pair);
        change->ends[OLD].paths = path_to(list->arena, list->working, field);
        change->ends[NEW].paths = path_to(list->arena, list->working, same);
        change->ends[OLD].n_paths = change->ends[NEW].n_paths = 1;
    }
}

void change_check_ends(ChangeList *list, const MessagePair *pair, FieldChange *change)
{
    const char *path = where_change(list, pair, change);
    if (!change->ends[OLD].n_paths || !change->ends[NEW].n_paths)
        return;
    if (change->ends[OLD].template || change->ends[NEW].template) {
        change_check_template(list, change, path);
        return;
    }
    if (change->keyed)
        return; /* its pair exists already, or the problem was reported */
    if (change_is_merge(change)) {
        if (change_check_merge(list, change, path))
            change_choose_for_elements(list, change, path);
        return;
    }
    if (change->ends[OLD].n_paths > 1 || change->ends[NEW].n_paths > 1) {
        const ChangeEnd *parts = &change->ends[change->ends[OLD].n_paths > 1 ? OLD : NEW];
        Buffer template = buffer_in(list->arena);
        for (uint32_t i = 0; i < parts->n_paths; i++)
            buffer_printf(&template, "%s{%s}", i ? "/" : "", path_field(&parts->paths[i])->name);
        change_problem(list, change->place, path,
                       arena_printf(list->arena, "write template: \"%.*s\", with a name for each",
                                    BYTES_ARGS(buffer_bytes(&template))),
                       "several fields can only be the parts of a template, or a field and a list");
        return;
    }
    change_choose_converter(list, change, path);
}

/* The changes in the list, and those that follow from equal names, with their converters. */
void pair_own(ChangeList *list, MessagePair *pair)
{
    if (pair->has_own)
        return;
    pair->has_own = true;
    add_same_names(list, pair);
    for (uint32_t i = 0; i < pair->n_own; i++)
        change_check_ends(list, pair, &pair->own[i]);
}

/* ---- Sub-messages that paths go into --------------------------------------------------------- */

static FieldChange *add_change(ChangeList *list, MessagePair *pair)
{
    if (pair->n_changes == pair->changes_capacity) {
        uint32_t capacity = pair->changes_capacity ? pair->changes_capacity * 2 : 16;
        pair->changes =
            arena_grow(list->working, pair->changes, pair->n_changes * sizeof *pair->changes,
                       capacity * sizeof *pair->changes);
        pair->changes_capacity = capacity;
    }
    return &pair->changes[pair->n_changes++];
}

/* Whether some change already has exactly this path. */
static bool path_is_taken(const MessagePair *pair, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[end];
        for (uint32_t k = 0; k < e->n_paths; k++) {
            if (path_equal(&e->paths[k], path))
                return true;
        }
        if (e->currency.n_steps && path_equal(&e->currency, path))
            return true;
    }
    return false;
}

static bool path_is_entered(const MessagePair *pair, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[end];
        for (uint32_t k = 0; k < e->n_paths; k++) {
            if (path_inside(&e->paths[k], path))
                return true;
        }
        if (e->currency.n_steps && path_inside(&e->currency, path))
            return true;
    }
    return false;
}

/* Only one end has the field. For a message that other changes lead into, such a change is about
   its presence. */
static bool is_of_one_end(const FieldChange *change)
{
    return !change->ends[OLD].n_paths || !change->ends[NEW].n_paths;
}

static bool is_entered(const MessagePair *pair, const FieldChange *change)
{
    if (is_of_one_end(change))
        return false;
    for (int end = 0; end < 2; end++) {
        for (uint32_t k = 0; k < change->ends[end].n_paths; k++) {
            if (path_is_entered(pair, end, &change->ends[end].paths[k]))
                return true;
        }
    }
    return false;
}

static void join_selection(ChangeList *list, FieldChange *change, const FieldPath *outer)
{
    if (!change->select)
        return;
    FieldPath *paths = arena_array(list->arena, FieldPath, change->select->n);
    for (uint32_t i = 0; i < change->select->n; i++)
        paths[i] = path_join(list->arena, outer, &change->select->paths[i]);
    Selection *joined = arena_make(list->arena, Selection);
    *joined = *change->select;
    joined->paths = paths;
    change->select = joined;
}

static void join_mark(ChangeList *list, FieldChange *change, const FieldPath *outer)
{
    if (!change->mark)
        return;
    Mark *joined = arena_make(list->arena, Mark);
    *joined = *change->mark;
    joined->flag = path_join(list->arena, outer, &joined->flag);
    change->mark = joined;
}

void change_put_inside(ChangeList *list, FieldChange *change, int end, const FieldPath *outer)
{
    ChangeEnd *e = &change->ends[end];
    FieldPath *paths = arena_array(list->arena, FieldPath, e->n_paths + 1);
    int select_at = change->ends[OLD].n_paths ? NEW : OLD;
    for (uint32_t k = 0; k < e->n_paths; k++)
        paths[k] = path_join(list->arena, outer, &e->paths[k]);
    e->paths = paths;
    e->when = path_join(list->arena, outer, &e->when);
    e->currency = path_join(list->arena, outer, &e->currency);
    e->under = path_join(list->arena, outer, &e->under);
    if (end == select_at) {
        join_selection(list, change, outer);
        join_mark(list, change, outer);
    }
}

/* Adds a change of the sub-message's pair, with the outer paths as prefix. If the outer pair itself
   has a change for one of its fields, that one takes precedence; the field at the other end then
   has none, which is reported. */
static void add_inner(ChangeList *list, MessagePair *pair, const FieldChange *outer,
                      const FieldChange *inner)
{
    FieldChange change = *inner;
    bool taken = false;
    for (int end = 0; end < 2; end++) {
        ChangeEnd *e = &change.ends[end];
        change_put_inside(list, &change, end, &outer->ends[end].paths[0]);
        if (!e->under.n_steps)
            e->under = outer->ends[end].paths[0];
        for (uint32_t k = 0; k < e->n_paths; k++)
            taken |= path_is_taken(pair, end, &e->paths[k]);
    }
    if (!taken)
        *add_change(list, pair) = change;
}

static void expand(ChangeList *list, MessagePair *pair, uint32_t at)
{
    FieldChange outer = pair->changes[at];
    pair->changes[at] = pair->changes[--pair->n_changes];
    pair_own(list, outer.pair);
    for (uint32_t i = 0; i < outer.pair->n_own; i++)
        add_inner(list, pair, &outer, &outer.pair->own[i]);

    pair->expanded =
        arena_grow(list->arena, pair->expanded, pair->n_expanded * sizeof *pair->expanded,
                   (pair->n_expanded + 1) * sizeof *pair->expanded);
    pair->expanded[pair->n_expanded][OLD] = outer.ends[OLD].paths[0];
    pair->expanded[pair->n_expanded++][NEW] = outer.ends[NEW].paths[0];
}

static bool can_expand(const FieldChange *change)
{
    return change->pair && !path_field(&change->ends[OLD].paths[0])->repeated &&
           !path_field(&change->ends[NEW].paths[0])->repeated;
}

static void expand_all(ChangeList *list, MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_changes;) {
        FieldChange *change = &pair->changes[i];
        if (!is_entered(pair, change)) {
            i++;
        } else if (!can_expand(change)) {
            if (change->ends[OLD].n_paths && change->ends[NEW].n_paths && !change->convert[NEW] &&
                !change->convert[OLD] && change->automatic)
                return; /* its types clash: reported already */
            change_problem(
                list, change->place, where_change(list, pair, change), NULL,
                "this field is converted as a whole, so other changes cannot use fields inside it");
            i++;
        } else if (pair->n_expanded == MAX_EXPANSIONS) {
            change_problem(list, pair->place,
                           where(list, pair, change->ends[OLD].paths[0].steps[0]->name), NULL,
                           "the changes form a cycle: %s contains itself, and a path leads into it",
                           pair->ends[OLD]->name);
            pair->cyclic = true;
            return;
        } else {
            expand(list, pair, i);
            i = 0;
        }
    }
}

/* ---- What is unsaid, or said twice ----------------------------------------------------------- */

/* Whether one of the two is a mark of a plain field: it may coexist with a change for the other
   values of the field, and with other marks. */
static bool is_mark_beside(const FieldChange *a, const FieldChange *b)
{
    const FieldChange *mark = a->mark ? a : b;
    const ChangeEnd *e = mark->ends[OLD].n_paths ? &mark->ends[OLD] : &mark->ends[NEW];
    return mark->mark && !path_field(&e->paths[0])->message;
}

/* Whether the two are alternatives for one value, of which a kind at this end selects one. */
static bool are_alternatives(const FieldChange *a, const FieldChange *b, int end)
{
    const ChangeEnd *p = &a->ends[end], *q = &b->ends[end];
    return p->when.n_steps && q->when.n_steps &&
           (!path_equal(&p->when, &q->when) ||
            !literal_equal(&p->when_value, &q->when_value, value_type_of(path_field(&p->when))));
}

static void check_twice(ChangeList *list, MessagePair *pair, int end)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *a = &pair->changes[i];
        for (uint32_t j = 0; j < i; j++) {
            const FieldChange *b = &pair->changes[j];
            for (uint32_t k = 0; k < a->ends[end].n_paths; k++) {
                for (uint32_t m = 0; m < b->ends[end].n_paths; m++) {
                    if (!path_equal(&a->ends[end].paths[k], &b->ends[end].paths[m]) ||
                        are_alternatives(a, b, end) || is_mark_beside(a, b))
                        continue;
                    const FieldChange *later = a->place.name_line >= b->place.name_line ? a : b;
                    const FieldChange *first = later == a ? b : a;
                    change_problem(list, later->place, where_change(list, pair, later),
                                   "write {to: ..., when: {FIELD: VALUE}} for each, or remove one",
                                   "two changes write %s of %s; the other is in line %d",
                                   a->ends[end].paths[k].text, list->sides[end].version,
                                   first->place.name_line);
                }
            }
        }
    }
}

/* Whether at most one of the two amounts is there, so that they can share the field of their
   currency: it is one value with several alternatives, or the two are in a oneof at both ends. */
static bool never_meet(const FieldChange *a, const FieldChange *b)
{
    bool apart = true;
    for (int end = 0; end < 2; end++) {
        if (!a->ends[end].n_paths || !b->ends[end].n_paths)
            return false;
        const FieldPath *p = &a->ends[end].paths[0], *q = &b->ends[end].paths[0];
        if (path_equal(p, q) && are_alternatives(a, b, end))
            return true;
        apart &= paths_exclude_each_other(p, q);
    }
    return apart;
}

static bool has_path(const FieldChange *change, int end, const FieldPath *path)
{
    for (uint32_t k = 0; k < change->ends[end].n_paths; k++) {
        if (path_equal(&change->ends[end].paths[k], path))
            return true;
    }
    return false;
}

/* A field with the currency of an amount holds nothing else: the way back fills it from the money
   of that amount. */
static void check_currencies(ChangeList *list, MessagePair *pair, int end)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *a = &pair->changes[i];
        const FieldPath *path = &a->ends[end].currency;
        for (uint32_t j = 0; path->n_steps && j < pair->n_changes; j++) {
            const FieldChange *b = &pair->changes[j];
            bool shared = j < i && path_equal(path, &b->ends[end].currency) && !never_meet(a, b);
            if (i == j || (!shared && !has_path(b, end, path)))
                continue;
            const FieldChange *later = a->place.name_line >= b->place.name_line ? a : b;
            change_problem(list, later->place, where_change(list, pair, later),
                           shared ? "write currency: EUR, or another field, for one of them"
                                  : "leave out one of them",
                           "two changes write %s of %s; the other is in line %d", path->text,
                           list->sides[end].version, (later == a ? b : a)->place.name_line);
        }
    }
}

static const char *nearest_unsaid(ChangeList *list, const MessagePair *pair, int end,
                                  const char *path)
{
    const MessageType *message = pair->ends[end];
    const char **words = arena_array(list->arena, const char *, message->n_fields + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < message->n_fields; i++) {
        FieldPath whole = {&(const FieldType *){&message->fields[i]}, 1, message->fields[i].name};
        if (!path_is_taken(pair, end, &whole) && !path_is_entered(pair, end, &whole))
            words[n++] = message->fields[i].name;
    }
    return nearest_word(bytes_of(path), words, n);
}

/* The change in the list that uses the field of this name at this end; or NULL. */
static const FieldChange *namesake_taker(const MessagePair *pair, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[end];
        for (uint32_t k = 0; !pair->changes[i].automatic && k < e->n_paths; k++) {
            if (strcmp(e->paths[k].text, path->text) == 0)
                return &pair->changes[i];
        }
    }
    return NULL;
}

static void tell_unsaid(ChangeList *list, MessagePair *pair, int end, const FieldPath *path)
{
    const char *hint, *text = path->text;
    const MessagePair *named = pair;
    if (list->misread || (pair->misread && is_tried(pair, path->text)))
        return;
    if (pair->rest) { /* for the content of a map's entry, the list names the pair of the two
                         messages */
        named = pair->rest;
        text += path->steps[0]->parent->map_entry ? strlen("value.") : 0;
    }
    if (end == OLD) {
        const char *near = pair->rest ? NULL : nearest_unsaid(list, pair, NEW, path->text);
        hint = near ? arena_printf(list->arena, "write %s: %s, or %s: {removed: graceful} or loud",
                                   text, near, text)
                    : arena_printf(list->arena, "write %s: {removed: graceful} or loud", text);
    } else {
        hint = arena_printf(list->arena, "write %s: {added: graceful}, loud or a value", text);
    }
    const FieldChange *taker = namesake_taker(pair, !end, path);
    const char *taken = taker ? arena_printf(list->arena, ": that of %s is said in line %d",
                                             list->sides[!end].version, taker->place.name_line)
                              : "";
    change_problem(list, pair_place(list, pair), where(list, named, text), hint,
                   end == OLD ? "%s has this field, and nothing says what becomes of it%s"
                              : "%s has this field, and nothing says what is in it%s",
                   list->sides[end].version, taken);
}

static bool only_presence_is_said(const MessagePair *pair, int end, const FieldPath *path)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const ChangeEnd *e = &pair->changes[i].ends[end];
        if (is_of_one_end(&pair->changes[i]) && e->n_paths && path_equal(&e->paths[0], path))
            return true;
    }
    return false;
}

static void check_said(ChangeList *list, MessagePair *pair, int end, const MessageType *message,
                       const FieldPath *outer)
{
    for (uint32_t i = 0; i < message->n_fields; i++) {
        FieldPath step = *path_to(list->working, list->working, &message->fields[i]);
        FieldPath path = path_join(list->arena, outer, &step);
        bool entered = path_is_entered(pair, end, &path);
        if (path_is_taken(pair, end, &path) &&
            !(entered && only_presence_is_said(pair, end, &path)))
            continue;
        if (entered)
            check_said(list, pair, end, message->fields[i].message, &path);
        else
            tell_unsaid(list, pair, end, &path);
    }
}

static bool step_is_required(const FieldType *field)
{
    return field->required || field->side_required;
}

static bool all_required(const FieldPath *path, uint32_t from)
{
    for (uint32_t i = from; i < path->n_steps; i++) {
        if (!step_is_required(path->steps[i]) && !path->steps[i]->parent->map_entry)
            return false; /* a map's entry always has its key and its value */
    }
    return true;
}

/* Whether this is the only change that fills a field of the message which contains the path's
   field. */
static bool feeds_alone(const MessagePair *pair, int end, const FieldPath *path)
{
    FieldPath parent = {path->steps, path->n_steps - 1, NULL};
    uint32_t n = 0;
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        for (uint32_t k = 0; k < change->ends[end].n_paths; k++)
            n += path_inside(&change->ends[end].paths[k], &parent) &&
                 (change->ends[!end].n_paths || change->ends[end].missing == MISSING_VALUE);
    }
    return n == 1;
}

static void check_required(ChangeList *list, MessagePair *pair, const FieldChange *change, int end)
{
    const ChangeEnd *to = &change->ends[end], *from = &change->ends[!end];
    if (!to->n_paths || to->missing != MISSING_UNSAID || change->select || change->mark ||
        to->has_sentinel || to->template || from->template)
        return;
    const FieldPath *path = &to->paths[0];
    uint32_t n_under = to->under.n_steps;
    if (!step_is_required(path_field(path)))
        return;
    if (from->n_paths && all_required(&from->paths[0], from->under.n_steps))
        return;
    if (!all_required(path, n_under) && feeds_alone(pair, end, path))
        return;
    bool same = from->n_paths && strcmp(path->text, from->paths[0].text) == 0;
    const char *said = end == NEW ? "required" : from->n_paths ? "optional" : "back";
    const char *key = change->ends[OLD].n_paths ? change->ends[OLD].paths[0].text : path->text;
    const char *hint =
        change->merged ? arena_printf(list->arena, "add %s: loud, graceful or a value", said)
        : !from->n_paths
            ? arena_printf(list->arena, "write %s: {removed: ..., back: graceful}, loud or a value",
                           key)
        : same ? arena_printf(list->arena, "write %s: {%s: loud}, graceful or a value", key, said)
               : arena_printf(list->arena, "write %s: {to: %s, %s: loud}, graceful or a value", key,
                              change->ends[NEW].paths[0].text, said);
    change_problem(list, change->place, where_change(list, pair, change), hint,
                   "the field is required in %s, and nothing says what to do without it",
                   list->sides[end].version);
}

/* If a value stands for the presence of a message, no other change may fill its fields. */
static void check_marked_message(ChangeList *list, const MessagePair *pair,
                                 const FieldChange *change)
{
    for (int end = 0; change->mark && end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        if (e->n_paths && path_is_entered(pair, end, &e->paths[0]))
            change_problem(list, change->place, where_change(list, pair, change), NULL,
                           "other changes use fields inside %s, but a value of another field "
                           "stands for all of it",
                           e->paths[0].text);
    }
}

/* If other changes fill the fields of a message, a change of the message itself can only give {},
   that is, its presence. */
static void check_presence_value(ChangeList *list, const MessagePair *pair,
                                 const FieldChange *change)
{
    for (int end = 0; end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        if (!is_of_one_end(change) || !e->n_paths || e->missing != MISSING_VALUE ||
            !path_is_entered(pair, end, &e->paths[0]) ||
            (e->value->kind == EXPR_BUILD && !e->value->n_rules))
            continue;
        change_problem(
            list, change->place, where_change(list, pair, change),
            arena_printf(list->arena, "write %s: {%s: {}}", e->paths[0].text,
                         end == NEW ? "added" : "back"),
            "other changes fill the fields inside it, so only its presence can be given");
    }
}

static bool goes_inside(const FieldChange *change)
{
    for (int end = 0; end < 2; end++) {
        const ChangeEnd *e = &change->ends[end];
        if (e->currency.n_steps > 1)
            return true;
        for (uint32_t k = 0; k < e->n_paths; k++) {
            if (e->paths[k].n_steps > 1)
                return true;
        }
    }
    return false;
}

/* Usually no path leads inside a message; then nothing is expanded, and `changes` is `own`. */
static void take_own(ChangeList *list, MessagePair *pair)
{
    bool inside = false;
    for (uint32_t i = 0; i < pair->n_own && !inside; i++)
        inside = goes_inside(&pair->own[i]);
    if (!inside) {
        pair->changes = pair->own;
        pair->n_changes = pair->n_own;
        return;
    }
    for (uint32_t i = 0; i < pair->n_own; i++)
        *add_change(list, pair) = pair->own[i];
}

static void pair_check(ChangeList *list, MessagePair *pair)
{
    pair->checked = true;
    size_t n_problems = list->problems->n;
    pair_own(list, pair);
    take_own(list, pair);
    expand_all(list, pair);
    for (int end = 0; end < 2; end++) {
        FieldPath whole = {0};
        check_twice(list, pair, end);
        check_currencies(list, pair, end);
        if (!pair->cyclic)
            check_said(list, pair, end, pair->ends[end], &whole);
        for (uint32_t i = 0; i < pair->n_changes; i++)
            check_required(list, pair, &pair->changes[i], end);
    }
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        check_presence_value(list, pair, &pair->changes[i]);
        check_marked_message(list, pair, &pair->changes[i]);
    }
    change_check_merges(list, pair);
    change_check_oneofs(list, pair);
    change_check_kinds(list, pair);
    change_check_meanings(list, pair);
    for (uint32_t i = 0; i < pair->n_changes; i++)
        change_check_default(list, &pair->changes[i], where_change(list, pair, &pair->changes[i]));
    pair->bad = list->problems->n > n_problems;
}

/* ---- All pairs ------------------------------------------------------------------------------- */

static void want_inner(ChangeList *list, const MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if (change->pair)
            change->pair->wanted = true;
        if (change->entries)
            change->entries->wanted = true;
        const Converter *converter = change->convert[NEW];
        if (converter && converter->code == CONVERT_FIELD_MASK)
            message_pair(list, converter->mapping->from, converter->mapping->to)->wanted = true;
    }
}

/* Checking one pair may make others wanted: repeats until there are no more. */
static void check_wanted(ChangeList *list)
{
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < list->n_pairs; i++) {
            MessagePair *pair = list->pairs[i];
            if (!pair->wanted || pair->checked)
                continue;
            pair_check(list, pair);
            want_inner(list, pair);
            more = true;
        }
    }
}

static bool uses_bad(const MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_changes; i++) {
        const FieldChange *change = &pair->changes[i];
        if ((change->pair && change->pair->bad) || (change->entries && change->entries->bad))
            return true;
    }
    return false;
}

static void spread_bad(ChangeList *list)
{
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < list->n_pairs; i++) {
            MessagePair *pair = list->pairs[i];
            if (pair->checked && !pair->bad && uses_bad(pair))
                more = pair->bad = true;
        }
    }
}

static void want_methods(ChangeList *list)
{
    for (uint32_t i = 0; i < list->n_methods; i++) {
        const MethodEntry *entry = &list->methods[i];
        if (!entry->ends[OLD] || !entry->ends[NEW])
            continue;
        message_pair(list, entry->ends[OLD]->input, entry->ends[NEW]->input)->wanted = true;
        message_pair(list, entry->ends[OLD]->output, entry->ends[NEW]->output)->wanted = true;
    }
}

/* Which messages of the package are used by a field or method. Others can only be inside an Any, an
   operation or an error's details. */
static bool *find_referenced(ChangeList *list)
{
    const Schema *schema = list->sides[OLD].schema;
    bool *referenced = arena_array(list->arena, bool, schema->n_messages + 1);
    for (uint32_t i = 0; i < schema->n_messages; i++) {
        for (uint32_t k = 0; k < schema->messages[i].n_fields; k++) {
            const MessageType *message = schema->messages[i].fields[k].message;
            if (message && message->schema == schema)
                referenced[message->index] = true;
        }
    }
    for (uint32_t i = 0; i < schema->n_services; i++) {
        for (uint32_t k = 0; k < schema->services[i].n_methods; k++) {
            referenced[schema->services[i].methods[k].input->index] = true;
            referenced[schema->services[i].methods[k].output->index] = true;
        }
    }
    return referenced;
}

static void want_package(ChangeList *list, bool referenced_too)
{
    const ChangeSide *side = &list->sides[OLD];
    bool *referenced = find_referenced(list);
    for (uint32_t i = 0; i < side->schema->n_messages; i++) {
        const MessageType *message = &side->schema->messages[i];
        bool named = side_name(side, message->full_name) != message->full_name ||
                     table_get(&list->types[OLD], bytes_of(message->full_name));
        if (message->map_entry || !named || (referenced[i] && !referenced_too))
            continue;
        const MessageType *other = message_counterpart(list, OLD, message);
        if (other)
            message_pair(list, message, other)->wanted = true;
    }
}

void pairs_check(ChangeList *list)
{
    for (uint32_t i = 0; i < list->n_pairs; i++)
        change_check_keyed(list, list->pairs[i]);
    for (uint32_t i = 0; i < list->n_pairs; i++) {
        const MessagePair *pair = list->pairs[i];
        list->pairs[i]->wanted = pair->said && (pair->canonical || !pair->in_entries);
    }
    want_methods(list);
    want_package(list, false);
    check_wanted(list);

    /* The other types can only occur inside an Any. If they do not fit, it is not a problem of the
       list: converting such an Any is an error. */
    Problems *told = list->problems, untold = problems_in(list->arena);
    list->problems = &untold;
    want_package(list, true);
    change_want_operations(list);
    check_wanted(list);
    spread_bad(list);
    list->problems = told;
}
