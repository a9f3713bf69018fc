/* The differences of two decoded messages: slow and obvious. Each is a line "path shape". */
#ifndef TESTS_UNIT_ADAPTERS_SLOW_COMPARE_H
#define TESTS_UNIT_ADAPTERS_SLOW_COMPARE_H

#include "adapters/compare/compare.h"
#include "adapters/mapping/expr.h"
#include "adapters/prove/tree.h"

typedef struct SlowCompare {
    Arena *arena;
    const FieldType *const *ignored;
    const char **lines;
    uint32_t n, capacity;
} SlowCompare;

static void slow_trees(SlowCompare *slow, const char *path, const Tree *a, const Tree *b);

static void slow_tell(SlowCompare *slow, const char *path, const char *shape)
{
    if (slow->n == slow->capacity) {
        uint32_t more = slow->capacity * 2 + 8;
        slow->lines = arena_grow(slow->arena, slow->lines, slow->n * sizeof *slow->lines,
                                 more * sizeof *slow->lines);
        slow->capacity = more;
    }
    slow->lines[slow->n++] = arena_printf(slow->arena, "%s %s", path, shape);
}

static const char *slow_under(const SlowCompare *slow, const char *path, const char *name)
{
    return arena_printf(slow->arena, "%s%s%s", path, *path ? "." : "", name);
}

static void slow_value(SlowCompare *slow, const char *path, const FieldType *field,
                       const TreeValue *a, const TreeValue *b)
{
    bool equal = a->plain.u == b->plain.u;
    if (a->message) {
        slow_trees(slow, path, a->message, b->message);
        return;
    }
    if (field->kind == KIND_STRING || field->kind == KIND_BYTES)
        equal = bytes_equal(a->plain.bytes, b->plain.bytes);
    if (kind_is_float(field->kind)) {
        bool is_a = a->plain.d == a->plain.d, is_b = b->plain.d == b->plain.d; /* else a NaN */
        equal = is_a && is_b ? a->plain.d == b->plain.d : is_a == is_b;
    }
    if (!equal)
        slow_tell(slow, path, "value");
}

static bool slow_same(SlowCompare *slow, const FieldType *field, const TreeValue *a,
                      const TreeValue *b, const FieldType *const *ignored)
{
    SlowCompare *asked = arena_make(slow->arena, SlowCompare);
    asked->arena = slow->arena;
    asked->ignored = ignored;
    slow_value(asked, "", field, a, b);
    return asked->n == 0;
}

static bool slow_permuted(SlowCompare *slow, const FieldType *field, const TreeValue *a,
                          const TreeValue *b, uint32_t n)
{
    bool *used = arena_array(slow->arena, bool, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < n && (used[k] || !slow_same(slow, field, &a[i], &b[k], NULL)))
            k++;
        if (k == n)
            return false;
        used[k] = true;
    }
    return n > 1;
}

static void slow_lists(SlowCompare *slow, const char *path, const FieldType *field,
                       const TreeField *a, const TreeField *b)
{
    uint32_t begin = 0, a_end = a->n, b_end = b->n;
    const FieldType *const *ignored = slow->ignored;
    while (begin < a_end && begin < b_end &&
           slow_same(slow, field, &a->values[begin], &b->values[begin], ignored))
        begin++;
    while (a_end > begin && b_end > begin &&
           slow_same(slow, field, &a->values[a_end - 1], &b->values[b_end - 1], ignored)) {
        a_end--;
        b_end--;
    }
    if (a_end == b_end && a_end > begin &&
        slow_permuted(slow, field, a->values + begin, b->values + begin, a_end - begin)) {
        slow_tell(slow, path, "order");
        return;
    }
    for (uint32_t i = begin; i < a_end && i < b_end; i++)
        slow_value(slow, path, field, &a->values[i], &b->values[i]);
    for (uint32_t i = b_end; i < a_end; i++)
        slow_tell(slow, path, "missing");
    for (uint32_t i = a_end; i < b_end; i++)
        slow_tell(slow, path, "added");
}

/* The part of an entry: tree_fill_entry has seen to it that there is one. */
static TreeValue slow_part(SlowCompare *slow, const FieldType *map, const TreeValue *entry,
                           uint32_t number)
{
    const FieldType *field = message_field_by_number(map->message, number);
    const TreeField *part = tree_field(entry->message, field);
    TreeValue unset = {.message = NULL};
    if (part->n)
        return part->values[0];
    if (field->message)
        unset.message = tree_new(slow->arena, field->message);
    return unset;
}

/* The last entry with this key; NULL: none. */
static const TreeValue *slow_entry(SlowCompare *slow, const FieldType *map, const TreeField *all,
                                   const TreeValue *like)
{
    const FieldType *key = message_field_by_number(map->message, 1);
    TreeValue wanted = slow_part(slow, map, like, 1);
    for (uint32_t i = all->n; i-- > 0;) {
        TreeValue own = slow_part(slow, map, &all->values[i], 1);
        if (slow_same(slow, key, &own, &wanted, NULL))
            return &all->values[i];
    }
    return NULL;
}

static void slow_maps(SlowCompare *slow, const char *path, const FieldType *map, const TreeField *a,
                      const TreeField *b)
{
    const FieldType *field = message_field_by_number(map->message, 2);
    for (uint32_t i = 0; i < a->n; i++) {
        const TreeValue *entry = &a->values[i];
        const TreeValue *other = slow_entry(slow, map, b, entry);
        if (slow_entry(slow, map, a, entry) != entry)
            continue;
        if (!other) {
            slow_tell(slow, path, "missing");
            continue;
        }
        TreeValue own = slow_part(slow, map, entry, 2), its = slow_part(slow, map, other, 2);
        slow_value(slow, path, field, &own, &its);
    }
    for (uint32_t i = 0; i < b->n; i++)
        if (slow_entry(slow, map, b, &b->values[i]) == &b->values[i] &&
            !slow_entry(slow, map, a, &b->values[i]))
            slow_tell(slow, path, "added");
}

/* What cannot be told from nothing is nothing. */
static bool slow_has(const Tree *tree, const FieldType *field)
{
    const TreeField *values = tree_field(tree, field);
    bool is_zero = kind_is_float(field->kind) && values->n && values->values[0].plain.d == 0;
    return values->n && !(is_zero && field_is_implicit(field) && !field->repeated);
}

static bool slow_member(const Tree *tree, const OneofType *oneof)
{
    bool has = false;
    for (uint32_t i = 0; i < oneof->n_fields; i++)
        has |= slow_has(tree, oneof->fields[i]);
    return has;
}

/* Sorted by hand: there are few. */
static const TreeField *slow_sorted(SlowCompare *slow, const TreeField *field)
{
    TreeField *copy = arena_make(slow->arena, TreeField);
    copy->n = field->n;
    copy->values = arena_array(slow->arena, TreeValue, field->n + 1);
    for (uint32_t i = 0; i < field->n; i++) {
        uint32_t at = i;
        for (; at &&
               bytes_compare(copy->values[at - 1].plain.bytes, field->values[i].plain.bytes) > 0;
             at--)
            copy->values[at] = copy->values[at - 1];
        copy->values[at] = field->values[i];
    }
    return copy;
}

static void slow_field(SlowCompare *slow, const char *path, const FieldType *field, const Tree *a,
                       const Tree *b)
{
    const TreeField *x = tree_field(a, field), *y = tree_field(b, field);
    bool in_a = slow_has(a, field), in_b = slow_has(b, field);
    for (uint32_t i = 0; slow->ignored && slow->ignored[i]; i++)
        if (slow->ignored[i] == field)
            return;
    if (in_a != in_b && field->oneof && slow_member(a, field->oneof) &&
        slow_member(b, field->oneof)) {
        if (in_a)
            slow_tell(slow, slow_under(slow, path, field->oneof->name), "type");
        return;
    }
    path = slow_under(slow, path, field->name);
    if (field->map)
        slow_maps(slow, path, field, x, y);
    else if (field->repeated && a->type->well_known == WELL_KNOWN_FIELD_MASK)
        slow_lists(slow, path, field, slow_sorted(slow, x), slow_sorted(slow, y));
    else if (field->repeated)
        slow_lists(slow, path, field, x, y);
    else if (in_a && in_b)
        slow_value(slow, path, field, x->values, y->values);
    else if (in_a || in_b)
        slow_tell(slow, path, in_a ? "missing" : "added");
}

static Bytes slow_any_text(const Tree *any, uint32_t number)
{
    const TreeField *field = tree_field(any, message_field_by_number(any->type, number));
    return field->n ? field->values[0].plain.bytes : BYTES_NONE;
}

static Bytes slow_any_name(const Tree *any)
{
    Bytes name = slow_any_text(any, 1);
    for (size_t i = name.size; i-- > 0;)
        if (name.data[i] == '/')
            return bytes_slice(name, i + 1, name.size);
    return name;
}

/* Whether that settles it. */
static bool slow_anys(SlowCompare *slow, const char *path, const Tree *a, const Tree *b)
{
    Tree *contents[2];
    const MessageType *type = schema_message(a->type->schema, slow_any_name(a));
    if (!bytes_equal(slow_any_name(a), slow_any_name(b))) {
        slow_tell(slow, path, "type");
        return true;
    }
    if (!type || failed(tree_parse(slow->arena, type, slow_any_text(a, 2), &contents[0])) ||
        failed(tree_parse(slow->arena, type, slow_any_text(b, 2), &contents[1])))
        return false;
    slow_trees(slow, path, contents[0], contents[1]);
    return true;
}

static void slow_trees(SlowCompare *slow, const char *path, const Tree *a, const Tree *b)
{
    if (a->type->well_known == WELL_KNOWN_ANY && slow_anys(slow, path, a, b))
        return;
    for (uint32_t i = 0; i < a->type->n_fields; i++)
        slow_field(slow, path, &a->type->fields[i], a, b);
}

/* Whether the comparison has what the twin has: each path and shape, as often. */
static bool slow_agrees(const SlowCompare *slow, const Comparison *fast)
{
    uint32_t n = 0;
    for (const Difference *each = fast->first; each; each = each->next) {
        const char *line = arena_printf(slow->arena, "%.*s %s", BYTES_ARGS(each->path),
                                        difference_shape_name(each->shape));
        uint32_t found = 0;
        for (uint32_t i = 0; i < slow->n; i++)
            found += strcmp(slow->lines[i], line) == 0;
        n += found;
        if (found != each->n)
            return false;
    }
    return fast->more || n == slow->n;
}

#endif
