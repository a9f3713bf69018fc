/* Conversion of enum values: a table of numbers for each direction. */
#include "adapters/changes/change_list.h"

#include <stdlib.h>

typedef enum Fate { FATE_UNSAID, FATE_VALUE, FATE_LOUD, FATE_FALLBACK } Fate;

/* What one value of an end becomes at the other end. */
typedef struct Turn {
    Fate fate;
    bool same_name;
    int32_t number;   /* VALUE */
    uint32_t n_from;  /* number of the other end's values that become this one */
    int32_t from;     /* of those, the one that this value is converted to */
    bool from_chosen; /* by the list, or by its name */
} Turn;

typedef struct Reading {
    ChangeList *list;
    EnumPair *pair;
    Turn *turns[2]; /* index: of the value in its enum */
    bool has_fallback[2], has_loud[2];
    int32_t fallback[2]; /* towards that end */
    bool good;
} Reading;

static const char *where(Reading *r, Bytes name)
{
    return arena_printf(r->list->arena, "%s.%.*s",
                        side_name(&r->list->sides[OLD], r->pair->ends[OLD]->full_name),
                        BYTES_ARGS(name));
}

static YamlPlace place(const Reading *r, const JsonNode *node)
{
    if (!node)
        node = r->pair->node ? r->pair->node : json_member(r->list->document.root, "enums");
    return node ? *yaml_place(&r->list->document, node) : (YamlPlace){1, 1, 1, 1, NULL};
}

const char *nearest_value(Arena *arena, const EnumType *type, Bytes name)
{
    const char **words = arena_array(arena, const char *, type->n_values + 1);
    for (uint32_t i = 0; i < type->n_values; i++)
        words[i] = type->values[i].name;
    return nearest_word(name, words, type->n_values);
}

static const EnumValue *find_value(Reading *r, const JsonNode *node, int end, Bytes name)
{
    const EnumValue *value = enum_value_by_name(r->pair->ends[end], name);
    if (value)
        return value;
    const char *near = nearest_value(r->list->arena, r->pair->ends[end], name);
    change_problem(r->list, place(r, node), where(r, node->name),
                   near ? arena_printf(r->list->arena, "did you mean %s?", near) : NULL,
                   "%s has no value %.*s in %s", r->pair->ends[end]->name, BYTES_ARGS(name),
                   r->list->sides[end].version);
    r->good = false;
    return NULL;
}

static Turn *turn_of(Reading *r, int end, const EnumValue *value)
{
    return &r->turns[end][value - r->pair->ends[end]->values];
}

static bool say(Reading *r, const JsonNode *node, Turn *turn, Fate fate, int32_t number)
{
    if (turn->fate != FATE_UNSAID) {
        change_problem(r->list, place(r, node), where(r, node->name), NULL,
                       "this value already has an entry");
        return r->good = false;
    }
    turn->fate = fate;
    turn->number = number;
    return true;
}

static void comes_from(Turn *turn, int32_t number, bool chosen)
{
    turn->n_from++;
    if (chosen || !turn->from_chosen)
        turn->from = number;
    turn->from_chosen |= chosen;
}

static void read_to(Reading *r, const JsonNode *node, Bytes to, bool back)
{
    const EnumValue *old = find_value(r, node, OLD, node->name);
    const EnumValue *new_one = find_value(r, node, NEW, to);
    if (!old || !new_one || !say(r, node, turn_of(r, OLD, old), FATE_VALUE, new_one->number))
        return;
    Turn *other = turn_of(r, NEW, new_one);
    if (back && other->from_chosen) {
        change_problem(r->list, place(r, node), where(r, node->name), NULL,
                       "another value already has back: true for %s", new_one->name);
        r->good = false;
    }
    comes_from(other, old->number, back);
}

/* A value that only one end has: loud, graceful (the fallback of the other end), or a value of the
   other end. */
static void read_gone(Reading *r, const JsonNode *node, int end, const JsonNode *fate)
{
    const EnumValue *value = find_value(r, node, end, node->name);
    if (!value)
        return;
    if (fate->kind == JSON_TEXT && bytes_are(fate->text, "loud")) {
        r->has_loud[!end] = true;
        say(r, node, turn_of(r, end, value), FATE_LOUD, 0);
    } else if (fate->kind == JSON_TEXT && bytes_are(fate->text, "graceful")) {
        r->has_fallback[!end] = true;
        say(r, node, turn_of(r, end, value), FATE_FALLBACK, 0);
    } else {
        const EnumValue *other = find_value(r, node, !end, fate->text);
        if (other)
            say(r, node, turn_of(r, end, value), FATE_VALUE, other->number);
    }
}

static void read_fallback(Reading *r, const JsonNode *node)
{
    for (int end = 0; end < 2; end++) {
        const JsonNode *said =
            node->kind == JSON_OBJECT ? json_member(node, end == OLD ? "old" : "new") : node;
        const EnumValue *value = said ? find_value(r, node, end, said->text) : NULL;
        if (value) {
            r->has_fallback[end] = true;
            r->fallback[end] = value->number;
        }
    }
}

static void read_entry(Reading *r, const JsonNode *node)
{
    if (bytes_are(node->name, "fallback") && !enum_value_by_name(r->pair->ends[OLD], node->name)) {
        read_fallback(r, node);
        return;
    }
    if (node->kind == JSON_TEXT || node->kind == JSON_STRING) {
        read_to(r, node, node->text, false);
        return;
    }
    const JsonNode *to = json_member(node, "to"), *removed = json_member(node, "removed"),
                   *added = json_member(node, "added"), *back = json_member(node, "back");
    if (to)
        read_to(r, node, to->text, back && bytes_are(back->text, "true"));
    else if (removed)
        read_gone(r, node, OLD, removed);
    else if (added)
        read_gone(r, node, NEW, added);
    else {
        bool old = enum_value_by_name(r->pair->ends[OLD], node->name);
        const char *hint = arena_printf(r->list->arena, "write %.*s: {%s: loud}, or the new name",
                                        BYTES_ARGS(node->name), old ? "removed" : "added");
        change_problem(r->list, place(r, node), where(r, node->name), hint,
                       "expected the new name, removed or added");
        r->good = false;
    }
}

static void same_names(Reading *r)
{
    const EnumType *old = r->pair->ends[OLD], *new_type = r->pair->ends[NEW];
    for (uint32_t i = 0; i < old->n_values; i++) {
        Turn *turn = &r->turns[OLD][i];
        const EnumValue *value = enum_value_by_name(new_type, bytes_of(old->values[i].name));
        if (turn->fate != FATE_UNSAID || !value)
            continue;
        turn->fate = FATE_VALUE;
        turn->number = value->number;
        turn->same_name = true;
        Turn *other = turn_of(r, NEW, value);
        /* A value is converted back to the one with its name, unless the list chooses another. */
        comes_from(other, old->values[i].number, !other->from_chosen);
    }
}

/* An alias is converted like the first name of its number. */
static const Turn *alias_said(Reading *r, int end, uint32_t i)
{
    const EnumType *type = r->pair->ends[end];
    for (uint32_t j = 0; j < type->n_values; j++) {
        if (j != i && type->values[j].number == type->values[i].number &&
            r->turns[end][j].fate != FATE_UNSAID)
            return &r->turns[end][j];
    }
    return NULL;
}

static void come_back(Reading *r)
{
    const EnumType *new_type = r->pair->ends[NEW];
    for (uint32_t i = 0; i < new_type->n_values; i++) {
        Turn *turn = &r->turns[NEW][i];
        if (turn->fate != FATE_UNSAID || !turn->n_from)
            continue;
        turn->fate = FATE_VALUE;
        turn->number = turn->from;
        if (turn->n_from == 1 || turn->from_chosen)
            continue;
        const EnumValue *from = enum_value_by_number(r->pair->ends[OLD], turn->from);
        change_problem(
            r->list, place(r, NULL), where(r, bytes_of(from->name)),
            arena_printf(r->list->arena, "write %s: {to: %s, back: true} for one of them",
                         from->name, new_type->values[i].name),
            "%u values become %s, and the list does not say to which of them it is converted back",
            turn->n_from, new_type->values[i].name);
        r->good = false;
    }
}

static void tell_unsaid(Reading *r, int end)
{
    const EnumType *type = r->pair->ends[end];
    for (uint32_t i = 0; i < type->n_values; i++) {
        Turn *turn = &r->turns[end][i];
        if (turn->fate != FATE_UNSAID)
            continue;
        const Turn *alias = alias_said(r, end, i);
        if (alias) {
            *turn = *alias;
            continue;
        }
        const char *name = type->values[i].name;
        if (!r->good && r->pair->node && json_member(r->pair->node, name))
            continue; /* the list has an entry for it, which was reported as wrong */
        change_problem(r->list, place(r, NULL), where(r, bytes_of(name)),
                       arena_printf(r->list->arena, "write %s: {%s: loud}, or a value of %s", name,
                                    end == OLD ? "removed" : "added", r->list->sides[!end].version),
                       "the value %s is only in %s, and nothing says what becomes of it", name,
                       r->list->sides[end].version);
        r->good = false;
    }
}

static int by_from(const void *a, const void *b)
{
    int32_t p = ((const EnumEntry *)a)->from, q = ((const EnumEntry *)b)->from;
    return (p > q) - (p < q);
}

static Converter *make_table(Reading *r, int towards)
{
    const EnumType *from = r->pair->ends[!towards], *to = r->pair->ends[towards];
    EnumEntry *entries = arena_array(r->list->arena, EnumEntry, from->n_values + 1);
    bool *known = arena_array(r->list->working, bool, from->n_values + 1); /* aliases have one */
    uint32_t n = 0;
    for (uint32_t i = 0; i < from->n_values; i++) {
        const Turn *turn = &r->turns[!towards][i];
        int32_t number = from->values[i].number;
        bool *said = &known[enum_value_by_number(from, number) - from->values];
        if (turn->fate == FATE_VALUE && !*said) {
            entries[n++] = (EnumEntry){.from = number, .to = turn->number};
            *said = true;
        }
    }
    qsort(entries, n, sizeof *entries, by_from);
    Converter *converter = arena_make(r->list->arena, Converter);
    *converter = (Converter){
        .code = CONVERT_ENUM,
        .from = {KIND_ENUM, false, NULL, from},
        .to = {KIND_ENUM, false, NULL, to},
        .name = "enum",
        .entries = entries,
        .n_entries = n,
        .has_fallback = r->has_fallback[towards],
        .fallback = {.to = r->fallback[towards]},
        .keep_unknown = !from->closed && !to->closed,
    };
    return converter;
}

/* Marks the values that become one from which another value comes back. */
static void mark_merged(const Converter *there, const Converter *back)
{
    for (uint32_t i = 0; i < there->n_entries; i++) {
        EnumEntry *entry = (EnumEntry *)&there->entries[i];
        const EnumEntry *other = bsearch(&(EnumEntry){.from = entry->to}, back->entries,
                                         back->n_entries, sizeof *entry, by_from);
        entry->merges |= other && other->to != entry->from;
    }
}

static bool nothing_changes(const EnumPair *pair)
{
    const EnumType *old = pair->ends[OLD], *new_type = pair->ends[NEW];
    if (pair->node || old->n_values != new_type->n_values || old->closed != new_type->closed)
        return false;
    for (uint32_t i = 0; i < old->n_values; i++) {
        const EnumValue *other = enum_value_by_name(new_type, bytes_of(old->values[i].name));
        if (!other || other->number != old->values[i].number)
            return false;
    }
    return true;
}

void enum_pair_build(ChangeList *list, EnumPair *pair)
{
    if (pair->built)
        return;
    pair->built = true;
    if (nothing_changes(pair))
        return;

    Reading r = {.list = list, .pair = pair, .good = true};
    for (int end = 0; end < 2; end++) {
        r.turns[end] = arena_array(list->arena, Turn, pair->ends[end]->n_values + 1);
        r.fallback[end] = pair->ends[end]->n_values ? pair->ends[end]->values[0].number : 0;
    }
    for (const JsonNode *node = pair->node ? pair->node->first : NULL; node; node = node->next)
        read_entry(&r, node);
    same_names(&r);
    come_back(&r);
    tell_unsaid(&r, OLD);
    tell_unsaid(&r, NEW);
    pair->bad = !r.good;
    for (int end = 0; end < 2; end++) {
        if (r.has_fallback[end] && r.has_loud[end])
            change_problem(list, place(&r, NULL), where(&r, bytes_of("fallback")), NULL,
                           "towards %s, some values are loud and others use the fallback: write "
                           "for each of the others which value it becomes",
                           list->sides[end].version);
        pair->convert[end] = make_table(&r, end);
    }
    mark_merged(pair->convert[OLD], pair->convert[NEW]);
    mark_merged(pair->convert[NEW], pair->convert[OLD]);
}

/* ---- Enum and bool ------------------------------------------------------------ */

static uint32_t bool_entries(ChangeList *list, const EnumType *type, const JsonNode *values,
                             bool from_bool, const char *path, EnumEntry *entries)
{
    ValueType value_type = {.kind = KIND_ENUM, .enumeration = type};
    uint32_t n = 0;
    for (int32_t truth = 0; truth < 2; truth++) {
        const JsonNode *said = json_member(values, truth ? "true" : "false");
        Literal value;
        if (!said || !change_literal(list, said, path, value_type, &value))
            return 0;
        entries[n++] = from_bool ? (EnumEntry){.from = truth, .to = (int32_t)value.i}
                                 : (EnumEntry){.from = (int32_t)value.i, .to = truth};
    }
    return entries[0].from == entries[1].from ? 0 : n;
}

/* Determines which value of the enum is false and which is true. */
static bool fill_flag(ChangeList *list, const FieldChange *change, Converter *converter,
                      const JsonNode *values, const char *path)
{
    bool from_bool = converter->from.kind == KIND_BOOL;
    const EnumType *type = from_bool ? converter->to.enumeration : converter->from.enumeration;
    EnumEntry *entries = arena_array(list->arena, EnumEntry, 2);
    size_t told = list->problems->n;
    uint32_t n = 0;
    if (values && change_check_truths(list, values, path))
        n = bool_entries(list, type, values, from_bool, path, entries);
    if (!n && list->problems->n == told)
        change_problem(list, change->place, path,
                       arena_printf(list->arena,
                                    "write values: {false: %s, true: %s}, or what else they are",
                                    type->values[0].name, type->values[type->n_values > 1].name),
                       "say which value of %s is false and which is true", type->name);
    qsort(entries, n, sizeof *entries, by_from);
    converter->entries = entries;
    converter->n_entries = n;
    return n > 0;
}

bool change_flag_values(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                        const char *path)
{
    const JsonNode *values = change->node ? json_member(change->node, "values") : NULL;
    const JsonNode *others = change->node ? json_member(change->node, "others") : NULL;
    Converter *both[2] = {to_old, to_new};
    for (int end = 0; end < 2; end++) {
        if (!fill_flag(list, change, both[end], values, path))
            return false;
    }
    return change_read_others(list, others, to_old->from.kind == KIND_ENUM ? to_old : to_new, path);
}
