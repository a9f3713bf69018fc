#include "adapters/compare/compare.h"

#include "base/arena.h"

#include <stdlib.h>

/* `out` NULL: it is only asked whether there is a difference. */
typedef struct Comparing {
    const CompareRules *rules;
    Arena *arena;
    Buffer path;
    Comparison *out;
    bool differs;
} Comparing;

static void compare(Comparing *c, const Meaning *first, const Meaning *second);

const char *difference_shape_name(DifferenceShape shape)
{
    static const char *const names[] = {
        [DIFFERENCE_ADDED] = "added", [DIFFERENCE_MISSING] = "missing",
        [DIFFERENCE_VALUE] = "value", [DIFFERENCE_TYPE] = "type",
        [DIFFERENCE_ORDER] = "order", [DIFFERENCE_SHAPES] = "",
    };
    return names[shape];
}

/* ---- Telling --------------------------------------------------------------------------------- */

static Difference *find(const Comparing *c, DifferenceShape shape)
{
    Difference *each = c->out->first;
    while (each && (each->shape != shape || !bytes_equal(each->path, buffer_bytes(&c->path))))
        each = each->next;
    return each;
}

static Bytes shown(const Comparing *c, const FieldType *field, const MeaningValue *value)
{
    Buffer out = buffer_in(c->arena);
    if (!field || !value || !c->rules->show.most)
        return BYTES_NONE;
    meaning_show(field, value, buffer_bytes(&c->path), &c->rules->show, &out);
    return buffer_bytes(&out);
}

static void tell(Comparing *c, DifferenceShape shape, const FieldType *field,
                 const MeaningValue *first, const MeaningValue *second)
{
    c->differs = true;
    if (!c->out)
        return;
    Difference *known = find(c, shape);
    if (known) {
        known->n++;
        return;
    }
    Difference *difference = c->out->n < COMPARE_MOST ? arena_make(c->arena, Difference) : NULL;
    if (!difference) {
        c->out->more = true;
        return;
    }
    *difference = (Difference){.path = bytes_copy(c->arena, buffer_bytes(&c->path)),
                               .shape = shape,
                               .n = 1,
                               .first = shown(c, field, first),
                               .second = shown(c, field, second)};
    *c->out->end = difference;
    c->out->end = &difference->next;
    c->out->n++;
}

static bool is_ignored(const Comparing *c, const FieldType *field)
{
    for (const FieldType *const *each = c->rules->ignored; each && *each; each++)
        if (*each == field)
            return true;
    return false;
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* By what is compared: fields that are ignored do not count. */
static bool is_equal(const Comparing *c, const MeaningValue *first, const MeaningValue *second)
{
    if (!first->message)
        return first->number == second->number && bytes_equal(first->bytes, second->bytes);
    if (first->message->hash != second->message->hash && !c->rules->ignored)
        return false;
    Comparing asked = {.rules = c->rules, .arena = c->arena, .path = buffer_in(c->arena)};
    compare(&asked, first->message, second->message);
    return !asked.differs;
}

static void compare_values(Comparing *c, const FieldType *field, const MeaningValue *first,
                           const MeaningValue *second)
{
    if (first->message)
        compare(c, first->message, second->message);
    else if (!is_equal(c, first, second))
        tell(c, DIFFERENCE_VALUE, field, first, second);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* The part of two lists in which they differ. */
typedef struct Lists {
    const FieldType *type;
    const MeaningValue *first, *second;
    uint32_t n_first, n_second;
} Lists;

static void trim(const Comparing *c, Lists *lists)
{
    while (lists->n_first && lists->n_second && is_equal(c, lists->first, lists->second)) {
        lists->first++;
        lists->second++;
        lists->n_first--;
        lists->n_second--;
    }
    while (lists->n_first && lists->n_second &&
           is_equal(c, &lists->first[lists->n_first - 1], &lists->second[lists->n_second - 1])) {
        lists->n_first--;
        lists->n_second--;
    }
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const MeaningValue *)a)->hash, y = ((const MeaningValue *)b)->hash;
    return x < y ? -1 : x > y;
}

static MeaningValue *sorted(Arena *arena, const MeaningValue *values, uint32_t n)
{
    Bytes copy = bytes_copy(arena, bytes(values, n * sizeof *values));
    MeaningValue *items = (MeaningValue *)(uintptr_t)copy.data;
    if (items)
        qsort(items, n, sizeof *items, by_hash);
    return items;
}

/* Whether both have the same elements. What is ignored counts here: elements that only seem to be
   others are then compared one by one. */
static bool is_reordered(const Comparing *c, const Lists *lists)
{
    uint32_t n = lists->n_first;
    if (n < 2 || n != lists->n_second)
        return false;
    const MeaningValue *first = sorted(c->arena, lists->first, n),
                       *second = sorted(c->arena, lists->second, n);
    for (uint32_t i = 0; i < n; i++)
        if (!first || !second || first[i].hash != second[i].hash ||
            !is_equal(c, &first[i], &second[i]))
            return false;
    return true;
}

static bool are_equal(const Comparing *c, const Lists *lists)
{
    bool equal = lists->n_first == lists->n_second;
    for (uint32_t i = 0; equal && i < lists->n_first; i++)
        equal = is_equal(c, &lists->first[i], &lists->second[i]);
    return equal;
}

static void compare_lists(Comparing *c, const MeaningField *first, const MeaningField *second)
{
    Lists lists = {first->type, first->values, second->values, first->n, second->n};
    if (!c->out) { /* each element is looked at once, however deep it is */
        c->differs |= !are_equal(c, &lists);
        return;
    }
    trim(c, &lists);
    if (is_reordered(c, &lists)) {
        tell(c, DIFFERENCE_ORDER, lists.type, lists.first, lists.second);
        return;
    }
    for (uint32_t i = 0; i < lists.n_first || i < lists.n_second; i++) {
        if (i >= lists.n_first)
            tell(c, DIFFERENCE_ADDED, lists.type, NULL, &lists.second[i]);
        else if (i >= lists.n_second)
            tell(c, DIFFERENCE_MISSING, lists.type, &lists.first[i], NULL);
        else
            compare_values(c, lists.type, &lists.first[i], &lists.second[i]);
    }
}

/* ---- Maps ------------------------------------------------------------------------------------ */

static const MeaningValue *part_of(const MeaningValue *entry, const FieldType *type)
{
    static const MeaningValue unset;
    const MeaningField *field = meaning_field(entry->message, type);
    return field ? field->values : &unset;
}

/* As the entries are sorted. */
static int compare_keys(const FieldType *key, const MeaningValue *a, const MeaningValue *b)
{
    const MeaningValue *x = part_of(a, key), *y = part_of(b, key);
    int texts = bytes_compare(x->bytes, y->bytes);
    return texts ? texts : x->number < y->number ? -1 : x->number > y->number;
}

static void compare_maps(Comparing *c, const MeaningField *first, const MeaningField *second)
{
    const FieldType *key = message_field_by_number(first->type->message, 1),
                    *type = message_field_by_number(first->type->message, 2);
    uint32_t i = 0, k = 0;
    while (i < first->n || k < second->n) {
        const MeaningValue *a = i < first->n ? &first->values[i] : NULL;
        const MeaningValue *b = k < second->n ? &second->values[k] : NULL;
        int order = !a ? 1 : !b ? -1 : compare_keys(key, a, b);
        if (order < 0)
            tell(c, DIFFERENCE_MISSING, type, part_of(a, type), NULL);
        else if (order > 0)
            tell(c, DIFFERENCE_ADDED, type, NULL, part_of(b, type));
        else
            compare_values(c, type, part_of(a, type), part_of(b, type));
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* The member that is set; NULL: none. */
static const MeaningField *member_of(const Meaning *meaning, const OneofType *oneof)
{
    const MeaningField *member = NULL;
    for (uint32_t i = 0; !member && i < oneof->n_fields; i++)
        member = meaning_field(meaning, oneof->fields[i]);
    return member;
}

/* Whether another member of its oneof is there instead, in both messages one of them. */
static bool is_other_member(const Meaning *first, const Meaning *second, const FieldType *field)
{
    const OneofType *oneof = field->oneof;
    return oneof && member_of(first, oneof) && member_of(second, oneof);
}

/* Told once, where the first message has its member. */
static void tell_other_member(Comparing *c, const OneofType *oneof)
{
    size_t path = meaning_enter(&c->path, oneof->name);
    tell(c, DIFFERENCE_TYPE, NULL, NULL, NULL);
    c->path.size = path;
}

static void tell_all(Comparing *c, DifferenceShape shape, const MeaningField *field)
{
    const FieldType *type = field->type;
    for (uint32_t i = 0; i < field->n; i++) {
        const FieldType *shown_as = type->map ? message_field_by_number(type->message, 2) : type;
        const MeaningValue *value =
            type->map ? part_of(&field->values[i], shown_as) : &field->values[i];
        bool added = shape == DIFFERENCE_ADDED;
        tell(c, shape, shown_as, added ? NULL : value, added ? value : NULL);
    }
}

static void compare_fields(Comparing *c, const MeaningField *first, const MeaningField *second)
{
    if (first->type->map)
        compare_maps(c, first, second);
    else if (first->type->repeated)
        compare_lists(c, first, second);
    else
        compare_values(c, first->type, first->values, second->values);
}

/* One of the two may be NULL: its message does not have the field. */
static void compare_field(Comparing *c, const Meaning *of_first, const Meaning *of_second,
                          const MeaningField *first, const MeaningField *second)
{
    const FieldType *type = first ? first->type : second->type;
    if (is_ignored(c, type))
        return;
    if (!(first && second) && is_other_member(of_first, of_second, type)) {
        if (first)
            tell_other_member(c, type->oneof);
        return;
    }
    size_t path = meaning_enter(&c->path, type->name);
    if (first && second)
        compare_fields(c, first, second);
    else
        tell_all(c, first ? DIFFERENCE_MISSING : DIFFERENCE_ADDED, first ? first : second);
    c->path.size = path;
}

static void compare_all_fields(Comparing *c, const Meaning *first, const Meaning *second)
{
    uint32_t i = 0, k = 0;
    while ((i < first->n || k < second->n) && (c->out || !c->differs)) {
        const MeaningField *a = i < first->n ? &first->fields[i] : NULL;
        const MeaningField *b = k < second->n ? &second->fields[k] : NULL;
        uint32_t x = a ? a->type->number : UINT32_MAX, y = b ? b->type->number : UINT32_MAX;
        compare_field(c, first, second, x <= y ? a : NULL, y <= x ? b : NULL);
        i += x <= y;
        k += y <= x;
    }
}

static void compare(Comparing *c, const Meaning *first, const Meaning *second)
{
    if (first->content && second->content && first->content->type == second->content->type)
        compare_all_fields(c, first->content, second->content);
    else if (first->type->well_known == WELL_KNOWN_ANY &&
             !bytes_equal(meaning_content_name(first), meaning_content_name(second)))
        tell(c, DIFFERENCE_TYPE, NULL, NULL, NULL);
    else
        compare_all_fields(c, first, second);
}

Result compare_messages(const MessageType *type, Bytes first, Bytes second,
                        const CompareRules *rules, Arena *arena, Comparison *out)
{
    Meaning *a, *b;
    *out = (Comparison){.n = 0};
    out->end = &out->first;
    Result r = meaning_read(type, first, arena, &a);
    if (failed(r))
        return FAIL_OVER(arena, r, *r.error->fault, "the first message");
    r = meaning_read(type, second, arena, &b);
    if (failed(r))
        return FAIL_OVER(arena, r, *r.error->fault, "the second message");
    Comparing comparing = {.rules = rules, .arena = arena, .path = buffer_in(arena), .out = out};
    compare(&comparing, a, b);
    return comparing.path.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "comparing %s", type->full_name)
                               : OK;
}
