/*
 * Lists by a key: messages that are a list in one version are a map in the other, by one of their
 * fields.
 *
 *     v1   labels: [{name: "a", text: "x"}]        v2   labels: {"a": {text: "x"}}
 *
 * A map is a list of entries, which are messages {key, value}. So the list's messages and the
 * entries are a pair of messages like any other: `name` is converted to `key`, and the other fields
 * to those of `value`.
 */
#include "adapters/changes/change_list.h"

/* One keyed change while it is checked. */
typedef struct Keying {
    ChangeList *list;
    FieldChange *change;
    const char *where;
    int map; /* the end that has the map */
    const MessageType *element, *entry;
    FieldPath key, value; /* in the element; value: empty if not specified */
} Keying;

static const JsonNode *said(const Keying *k, const char *name)
{
    return json_member(k->change->node, name);
}

static YamlPlace place_of(const Keying *k, const char *name)
{
    const JsonNode *node = said(k, name);
    return node ? *yaml_place(&k->list->document, node) : k->change->place;
}

/* "key", "value" of the entry. */
static FieldPath entry_path(const Keying *k, uint32_t number)
{
    const FieldType **steps = arena_array(k->list->arena, const FieldType *, 1);
    steps[0] = message_field_by_number(k->entry, number);
    return (FieldPath){steps, 1, steps[0]->name};
}

static bool find_ends(Keying *k)
{
    const FieldType *old = path_field(&k->change->ends[OLD].paths[0]);
    const FieldType *new_field = path_field(&k->change->ends[NEW].paths[0]);
    const FieldType *map = old->map ? old : new_field, *other = old->map ? new_field : old;
    k->map = old->map ? OLD : NEW;
    k->element = other->message;
    k->entry = map->message;
    if (map->map && other->repeated && !other->map && other->message)
        return true;
    change_problem(k->list, k->change->place, k->where, NULL,
                   "only a list of messages becomes a map by a key, or a map such a list");
    return false;
}

static bool is_key(const FieldType *field, const FieldType *key)
{
    return !field->repeated && (field->kind == key->kind ||
                                (kind_is_integer(field->kind) && kind_is_integer(key->kind)));
}

static bool find_key(Keying *k)
{
    const JsonNode *node = said(k, "key");
    if (!change_read_path(k->list, place_of(k, "key"), k->where, k->element, node->text, &k->key))
        return false;
    const FieldType *field = path_field(&k->key), *key = message_field_by_number(k->entry, 1);
    if (is_key(field, key))
        return true;
    change_problem(k->list, place_of(k, "key"), k->where, NULL,
                   "%s is %s%s, and the keys of the map are %s", k->key.text,
                   field->repeated ? "a list of " : "", field_kind_name(field->kind),
                   field_kind_name(key->kind));
    return false;
}

/* Whether the map's values are messages with fields of their own, to which the element's other
   fields are converted. */
static bool has_fields(const Keying *k)
{
    const FieldType *value = message_field_by_number(k->entry, 2);
    return value->message && value->message->well_known == WELL_KNOWN_NONE && !said(k, "value");
}

/* The only field other than the key; NULL if there are several or none. */
static const FieldType *other_field(const Keying *k)
{
    const FieldType *found = NULL;
    for (uint32_t i = 0; i < k->element->n_fields; i++) {
        const FieldType *field = &k->element->fields[i];
        if (field == k->key.steps[0])
            continue;
        if (found)
            return NULL;
        found = field;
    }
    return found;
}

/* Reports parameters of converters where the values are messages: they would have no effect. */
static bool check_plain(const Keying *k)
{
    static const char *const words[] = {"by",     "round",  "times",      "divided_by",
                                        "values", "others", "ignore_case"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!said(k, words[i]))
            continue;
        const ChangeSide *side = &k->list->sides[OLD];
        const MessageType *value = message_field_by_number(k->entry, 2)->message;
        const MessageType *old = k->map == OLD ? value : k->element;
        const MessageType *is = k->map == OLD ? k->element : value;
        change_problem(k->list, place_of(k, words[i]), k->where,
                       arena_printf(k->list->arena, "list them under %s to %s",
                                    side_name(side, old->full_name),
                                    side_name(side + 1, is->full_name)),
                       "%s is for plain values, and what is in %s goes by its own changes",
                       words[i], side_name(&k->list->sides[k->map], value->full_name));
        return false;
    }
    return true;
}

static bool find_value(Keying *k)
{
    const JsonNode *node = said(k, "value");
    if (has_fields(k))
        return check_plain(k);
    if (node)
        return change_read_path(k->list, place_of(k, "value"), k->where, k->element, node->text,
                                &k->value);
    const FieldType *only = other_field(k);
    if (only)
        return change_read_path(k->list, k->change->place, k->where, k->element,
                                bytes_of(only->name), &k->value);
    change_problem(k->list, k->change->place, k->where, "add value: with the field",
                   "nothing says which field of %s is the value in the map", k->element->name);
    return false;
}

static bool check_duplicates(const Keying *k)
{
    if (k->change->duplicates)
        return true;
    change_problem(k->list, k->change->place, k->where,
                   "add duplicates: loud, or graceful to keep the last one",
                   "say what becomes of a key that is there twice");
    return false;
}

/* ---- The entries' pair ----------------------------------------------------------------------- */

static FieldChange *add(const Keying *k, MessagePair *pair, const FieldPath *element,
                        const FieldPath *entry)
{
    FieldPath *paths = arena_array(k->list->arena, FieldPath, 2);
    FieldChange *change = pair_add(k->list, pair);
    paths[0] = *element;
    paths[1] = *entry;
    change->place = k->change->place;
    change->ends[!k->map].paths = &paths[0];
    change->ends[k->map].paths = &paths[1];
    change->ends[OLD].n_paths = change->ends[NEW].n_paths = 1;
    return change;
}

static bool takes_key(const Keying *k, const FieldChange *change)
{
    const ChangeEnd *end = &change->ends[!k->map];
    for (uint32_t i = 0; i < end->n_paths; i++) {
        if (path_equal(&end->paths[i], &k->key))
            return true;
    }
    return false;
}

static bool is_said(const MessagePair *pair, int end, const FieldPath *path, uint32_t n_said)
{
    for (uint32_t i = 0; i < n_said; i++) {
        const ChangeEnd *e = &pair->own[i].ends[end];
        for (uint32_t p = 0; p < e->n_paths; p++) {
            if (path_equal(&e->paths[p], path))
                return true;
        }
    }
    return false;
}

/* Adds the changes between the element and the message in `value`, from the pair of those two. */
static void add_rest(const Keying *k, MessagePair *pair)
{
    const MessageType *ends[2];
    ends[!k->map] = k->element;
    ends[k->map] = message_field_by_number(k->entry, 2)->message;
    MessagePair *rest = message_pair(k->list, ends[OLD], ends[NEW]);
    FieldPath value = entry_path(k, 2);
    pair->rest = rest;
    rest->in_entries = true;
    change_check_keyed(k->list, rest);
    pair_own(k->list, rest);
    for (uint32_t i = 0; i < rest->n_own; i++) {
        FieldChange inner = rest->own[i];
        if (takes_key(k, &inner))
            continue;
        change_put_inside(k->list, &inner, k->map, &value);
        *pair_add(k->list, pair) = inner;
    }
    pair->misread |= rest->misread;
}

/* Whether an element has something of the message in `value`, beside its key. */
static bool has_rest(const Keying *k, const MessagePair *pair, const FieldPath *value)
{
    for (uint32_t i = 0; i < pair->n_own; i++) {
        const ChangeEnd *e = &pair->own[i].ends[k->map];
        for (uint32_t p = 0; p < e->n_paths; p++) {
            if (path_inside(&e->paths[p], value))
                return true;
        }
    }
    return false;
}

/* An empty message, in which nothing is and nothing gets lost. */
static void add_empty(const Keying *k, MessagePair *pair, const FieldPath *value)
{
    FieldPath *path = arena_make(k->list->arena, FieldPath);
    FieldChange *change = pair_add(k->list, pair);
    *path = *value;
    change->place = k->change->place;
    change->ends[k->map] = (ChangeEnd){.paths = path,
                                       .n_paths = 1,
                                       .drop = DROP_COUNTED,
                                       .missing = MISSING_LEAVE,
                                       .has_ignored = true};
}

static void fill(const Keying *k, MessagePair *pair)
{
    FieldPath key = entry_path(k, 1), value = entry_path(k, 2);
    uint32_t n_said = pair->n_own;
    pair->has_own = true;
    if (!is_said(pair, k->map, &key, n_said))
        add(k, pair, &k->key, &key);
    if (k->value.n_steps && !is_said(pair, k->map, &value, n_said)) {
        FieldChange *change = add(k, pair, &k->value, &value);
        change->node = k->change->node;
        change->by = k->change->by;
    }
    pair->said = true;
    if (!pair->node)
        pair->place = k->change->place;
    for (uint32_t i = 0; i < pair->n_own; i++)
        change_check_ends(k->list, pair, &pair->own[i]);
    if (!k->value.n_steps)
        add_rest(k, pair);
    if (!k->value.n_steps && !has_rest(k, pair, &value))
        add_empty(k, pair, &value);
}

/* Works on a copy of the change: pair->own may move when more are added. */
static void check_one(ChangeList *list, MessagePair *pair, uint32_t at)
{
    FieldChange change = pair->own[at];
    const char *where =
        arena_printf(list->arena, "%s.%s", pair_name(list, pair), change.ends[OLD].paths[0].text);
    Keying k = {.list = list, .change = &change, .where = where};
    if (!find_ends(&k) || !find_key(&k) || !find_value(&k) || !check_duplicates(&k))
        return;
    const MessageType *ends[2];
    ends[k.map] = k.entry;
    ends[!k.map] = k.element;
    MessagePair *entries = message_pair(list, ends[OLD], ends[NEW]);
    pair->own[at].entries = entries; /* before fill(): a message may contain its own type */
    if (!entries->has_own)
        fill(&k, entries);
}

void change_check_keyed(ChangeList *list, MessagePair *pair)
{
    for (uint32_t i = 0; i < pair->n_own; i++) {
        const FieldChange *change = &pair->own[i];
        if (change->keyed && !change->entries && change->ends[OLD].n_paths &&
            change->ends[NEW].n_paths)
            check_one(list, pair, i);
    }
}

/* ---- Expressions ----------------------------------------------------------------------------- */

static const Loss *order_loss(Making *m, const FieldChange *change)
{
    Loss *loss = (Loss *)(uintptr_t)making_loss(m, change, LOSS_NARROWED, false, ORDER_HOW);
    loss->traits = LOSS_REORDERS;
    return loss;
}

const Expr *making_keyed(Making *m, const FieldChange *change)
{
    const FieldPath *from = &change->ends[!m->to].paths[0];
    const Mapping *mapping = change->entries->mappings[m->to];
    const Expr *field = making_field(m, from);
    bool loud = change->duplicates == DROP_LOUD;
    if (path_field(from)->map)
        return expr_listed(m->arena, mapping, field);
    Expr like = {.loud = loud,
                 .loss = making_loss(m, change, LOSS_DROPPED, loud, "a key that comes twice"),
                 .order = order_loss(m, change)};
    return expr_keyed(m->arena, mapping, field, &like);
}
