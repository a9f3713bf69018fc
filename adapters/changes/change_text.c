/* Tables of texts: between the values of an enum and texts, and between the texts of the two
   versions. */
#include "adapters/changes/change_list.h"

#include <stdlib.h>

static bool has_text(const JsonNode *node)
{
    return node->kind == JSON_TEXT || node->kind == JSON_STRING;
}

static const JsonNode *parameter(const FieldChange *change, const char *name)
{
    return change->node && change->node->kind == JSON_OBJECT ? json_member(change->node, name)
                                                             : NULL;
}

static int by_text(const void *a, const void *b)
{
    return bytes_compare(((const EnumEntry *)a)->text, ((const EnumEntry *)b)->text);
}

static int by_from(const void *a, const void *b)
{
    int32_t p = ((const EnumEntry *)a)->from, q = ((const EnumEntry *)b)->from;
    return (p > q) - (p < q);
}

/* ---- What the list says ---------------------------------------------------------------------- */

/* One text, or a list of them. */
static bool are_texts(const JsonNode *node)
{
    if (node->kind != JSON_ARRAY)
        return has_text(node);
    for (const JsonNode *item = node->first; item; item = item->next) {
        if (!has_text(item))
            return false;
    }
    return node->count;
}

static const JsonNode *first_of(const JsonNode *node)
{
    return node->kind == JSON_ARRAY ? node->first : node;
}

static const JsonNode *next_of(const JsonNode *texts, const JsonNode *item)
{
    return texts->kind == JSON_ARRAY ? item->next : NULL;
}

static bool check_value(ChangeList *list, const JsonNode *item, bool known, const char *near,
                        const char *path)
{
    if (known && are_texts(item))
        return true;
    const char *hint = !known && near ? arena_printf(list->arena, "did you mean %s?", near) : NULL;
    change_problem(list, *yaml_place(&list->document, item), path, hint,
                   known ? "%.*s: expected a text, or a list of texts" : "there is no value %.*s",
                   BYTES_ARGS(item->name));
    return false;
}

bool change_check_truths(ChangeList *list, const JsonNode *values, const char *path)
{
    bool good = true;
    for (const JsonNode *item = values->first; item; item = item->next) {
        bool known = bytes_are(item->name, "true") || bytes_are(item->name, "false");
        if (known && has_text(item))
            continue;
        change_problem(list, *yaml_place(&list->document, item), path, NULL,
                       known ? "%.*s: expected a value of the enum"
                             : "%.*s is neither true nor false",
                       BYTES_ARGS(item->name));
        good = false;
    }
    return good;
}

static bool check_names(ChangeList *list, const JsonNode *values, const EnumType *type,
                        const char *path)
{
    bool good = true;
    for (const JsonNode *item = values ? values->first : NULL; item; item = item->next) {
        bool known = enum_value_by_name(type, item->name) != NULL;
        const char *near = known ? NULL : nearest_value(list->arena, type, item->name);
        good &= check_value(list, item, known, near, path);
    }
    return good;
}

bool change_read_others(ChangeList *list, const JsonNode *node, Converter *converter,
                        const char *path)
{
    Literal literal;
    ValueType type = converter->to;
    if (!node || (node->kind == JSON_TEXT && bytes_are(node->text, "loud")))
        return true;
    const char *near = type.kind == KIND_STRING ? change_near_word(list, node) : NULL;
    if (near) {
        change_problem(list, *yaml_place(&list->document, node), path, near,
                       "a value like this is put in quotes");
        return false;
    }
    if (!change_literal(list, node, path, type, &literal))
        return false;
    bool table = converter->code == CONVERT_TEXT_TABLE;
    converter->has_fallback = true;
    converter->fallback = table                      ? (EnumEntry){.into = literal.bytes}
                          : type.kind == KIND_STRING ? (EnumEntry){.text = literal.bytes}
                                                     : (EnumEntry){.to = (int32_t)literal.i};
    return true;
}

static bool read_case(ChangeList *list, const FieldChange *change, Converter *converter,
                      const char *path)
{
    const JsonNode *node = parameter(change, "ignore_case");
    Literal ignore = {0};
    bool good = !node || change_literal(list, node, path, (ValueType){.kind = KIND_BOOL}, &ignore);
    converter->ignore_case = ignore.u;
    return good;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static Bytes folded(ChangeList *list, const Converter *converter, Bytes text)
{
    return converter->ignore_case ? bytes_lower(list->arena, text) : text;
}

/* Sorts the entries by text; a text may occur only once. */
static bool set_by_text(ChangeList *list, const FieldChange *change, Converter *converter,
                        EnumEntry *entries, uint32_t n, const char *path)
{
    qsort(entries, n, sizeof *entries, by_text);
    converter->entries = entries;
    converter->n_entries = n;
    for (uint32_t i = 1; i < n; i++) {
        if (!bytes_equal(entries[i].text, entries[i - 1].text))
            continue;
        change_problem(list, change->place, path, NULL,
                       "two values have the text %.*s, so it cannot be converted back",
                       BYTES_ARGS(entries[i].text));
        return false;
    }
    return true;
}

static uint32_t count_texts(const JsonNode *values)
{
    uint32_t n = 0;
    for (const JsonNode *item = values ? values->first : NULL; item; item = item->next)
        n += item->kind == JSON_ARRAY ? item->count : 1;
    return n;
}

/* ---- An enum and its texts ------------------------------------------------------------------- */

/* Each value's text: the first one in the list, or its name. */
static void set_texts(ChangeList *list, Converter *to_text, const JsonNode *values)
{
    const EnumType *type = to_text->from.enumeration;
    EnumEntry *entries = arena_array(list->arena, EnumEntry, type->n_values + 1);
    Table said = table_in(list->working);
    uint32_t n = 0;
    for (const JsonNode *item = values ? values->first : NULL; item; item = item->next)
        table_put(&said, item->name, (void *)item);
    for (uint32_t i = 0; i < type->n_values; i++) {
        const EnumValue *value = &type->values[i];
        const JsonNode *item = table_get(&said, bytes_of(value->name));
        Bytes text = item ? first_of(item)->text : bytes_of(value->name);
        if (enum_value_by_number(type, value->number) == value) /* and no second name of it */
            entries[n++] = (EnumEntry){.from = value->number, .to = value->number, .text = text};
    }
    qsort(entries, n, sizeof *entries, by_from);
    to_text->entries = entries;
    to_text->n_entries = n;
}

/* Each text's value. */
static bool set_numbers(ChangeList *list, const FieldChange *change, Converter *to_enum,
                        const Converter *to_text, const JsonNode *values, const char *path)
{
    uint32_t n = 0;
    EnumEntry *entries =
        arena_array(list->arena, EnumEntry, to_text->n_entries + count_texts(values) + 1);
    for (uint32_t i = 0; i < to_text->n_entries; i++) {
        EnumEntry entry = to_text->entries[i];
        entry.back = entry.text;
        entry.text = folded(list, to_enum, entry.text);
        entries[n++] = entry;
    }
    for (const JsonNode *said = values ? values->first : NULL; said; said = said->next) {
        const EnumValue *value = enum_value_by_name(to_enum->to.enumeration, said->name);
        const JsonNode *item = first_of(said);
        while ((item = next_of(said, item)))
            entries[n++] = (EnumEntry){.from = value->number,
                                       .to = value->number,
                                       .text = folded(list, to_enum, item->text),
                                       .back = first_of(said)->text};
    }
    return set_by_text(list, change, to_enum, entries, n, path);
}

bool change_enum_texts(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path)
{
    const JsonNode *values = parameter(change, "values");
    Converter *to_enum = to_old->to.kind == KIND_ENUM ? to_old : to_new;
    Converter *to_text = to_enum == to_old ? to_new : to_old;
    if (!check_names(list, values, to_enum->to.enumeration, path) ||
        !read_case(list, change, to_enum, path))
        return false;
    set_texts(list, to_text, values);
    return set_numbers(list, change, to_enum, to_text, values, path) &&
           change_read_others(list, parameter(change, "others"), to_enum, path);
}

/* ---- Texts and texts ------------------------------------------------------------------------- */

static bool check_table(ChangeList *list, const FieldChange *change, const JsonNode *values,
                        const char *path)
{
    bool good = values && values->kind == JSON_OBJECT && values->count;
    if (!good)
        change_problem(list, change->place, path, "write values: {OLD: NEW}",
                       "say which texts become which");
    for (const JsonNode *item = good ? values->first : NULL; item; item = item->next)
        good &= check_value(list, item, true, NULL, path);
    return good;
}

/* Each old text becomes the first of its new texts. */
static bool set_upwards(ChangeList *list, const FieldChange *change, Converter *to_new,
                        const JsonNode *values, const char *path)
{
    EnumEntry *entries = arena_array(list->arena, EnumEntry, values->count + 1);
    uint32_t n = 0;
    for (const JsonNode *item = values->first; item; item = item->next)
        entries[n++] =
            (EnumEntry){.text = folded(list, to_new, item->name), .into = first_of(item)->text};
    return set_by_text(list, change, to_new, entries, n, path);
}

/* Each new text becomes the first old text that has it. */
static bool set_downwards(ChangeList *list, const FieldChange *change, Converter *to_old,
                          const JsonNode *values, const char *path)
{
    EnumEntry *entries = arena_array(list->arena, EnumEntry, count_texts(values) + 1);
    Table known = table_in(list->working);
    uint32_t n = 0;
    for (const JsonNode *said = values->first; said; said = said->next) {
        for (const JsonNode *item = first_of(said); item; item = next_of(said, item)) {
            Bytes text = folded(list, to_old, item->text);
            if (table_get(&known, text))
                continue;
            table_put(&known, text, (void *)item);
            entries[n++] = (EnumEntry){.text = text, .into = said->name};
        }
    }
    return set_by_text(list, change, to_old, entries, n, path);
}

/* loud, kept, a text, or {old: a text, new: another text}. */
static bool read_other_texts(ChangeList *list, const FieldChange *change, Converter *converter,
                             const char *end, const char *path)
{
    const JsonNode *node = parameter(change, "others");
    if (node && node->kind == JSON_OBJECT)
        node = json_member(node, end);
    converter->keep_unknown = node && node->kind == JSON_TEXT && bytes_are(node->text, "kept");
    return converter->keep_unknown || change_read_others(list, node, converter, path);
}

static bool same_text(const Converter *table, Bytes a, Bytes b)
{
    return table->ignore_case ? bytes_equal_nocase(a, b) : bytes_equal(a, b);
}

/* Sets the text that comes back for each, and marks those for which it is another one. */
static void mark_merged(ChangeList *list, const Converter *there, const Converter *back)
{
    for (uint32_t i = 0; i < there->n_entries; i++) {
        EnumEntry *entry = (EnumEntry *)&there->entries[i];
        const EnumEntry key = {.text = folded(list, back, entry->into)};
        const EnumEntry *other = bsearch(&key, back->entries, back->n_entries, sizeof key, by_text);
        entry->back = other ? other->into : entry->text;
        entry->merges = !same_text(there, entry->back, entry->text);
    }
}

bool change_text_table(ChangeList *list, FieldChange *change, Converter *to_old, Converter *to_new,
                       const char *path)
{
    const JsonNode *values = parameter(change, "values");
    bool good = check_table(list, change, values, path) && read_case(list, change, to_old, path) &&
                read_case(list, change, to_new, path) &&
                set_upwards(list, change, to_new, values, path) &&
                set_downwards(list, change, to_old, values, path) &&
                read_other_texts(list, change, to_old, "old", path) &&
                read_other_texts(list, change, to_new, "new", path);
    if (good) {
        mark_merged(list, to_new, to_old);
        mark_merged(list, to_old, to_new);
    }
    return good;
}
