#include "adapters/prove/tree.h"

#include "adapters/mapping/expr.h"
#include "adapters/schema/wire.h"

enum { MAX_DEPTH = 100 };

static bool is_message(const FieldType *field)
{
    return field->kind == KIND_MESSAGE || field->kind == KIND_GROUP;
}

Tree *tree_new(Arena *arena, const MessageType *type)
{
    Tree *tree = arena_make(arena, Tree);
    tree->type = type;
    tree->fields = arena_array(arena, TreeField, type->n_fields + 1);
    return tree;
}

TreeField *tree_field(const Tree *tree, const FieldType *field)
{
    return &tree->fields[field->index];
}

static void append(Arena *arena, TreeField *field, TreeValue value)
{
    if (field->n == field->capacity) {
        uint32_t capacity = field->capacity ? field->capacity * 2 : 2;
        field->values = arena_grow(arena, field->values, field->n * sizeof *field->values,
                                   capacity * sizeof *field->values);
        field->capacity = capacity;
    }
    field->values[field->n++] = value;
}

void tree_put(Arena *arena, Tree *tree, const FieldType *field, TreeValue value)
{
    TreeField *to = tree_field(tree, field);
    tree->raw = BYTES_NONE;
    if (!field->repeated)
        to->n = 0;
    for (uint32_t i = 0; field->oneof && i < field->oneof->n_fields; i++)
        tree_field(tree, field->oneof->fields[i])->n = 0;
    if (field_is_implicit(field) && literal_is_zero(&value.plain, value_type_of(field)))
        return;
    append(arena, to, value);
}

/* ---- From the wire --------------------------------------------------------------------------- */

static uint64_t little(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

WireType tree_wire_type(FieldKind kind)
{
    switch (kind) {
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64: return WIRE_FIXED64;
    case KIND_FLOAT:
    case KIND_FIXED32:
    case KIND_SFIXED32: return WIRE_FIXED32;
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_MESSAGE: return WIRE_LENGTH;
    case KIND_GROUP: return WIRE_GROUP;
    default: return WIRE_VARINT;
    }
}

static Result bad(Arena *arena, const MessageType *type)
{
    return FAIL(arena, FAULT_BAD_MESSAGE, "%s is not well-formed", type->full_name);
}

static Result parse_into(Arena *arena, Tree *tree, Bytes wire, int depth);

void tree_fill_entry(Arena *arena, Tree *entry)
{
    for (uint32_t i = 0; i < entry->type->n_fields; i++) {
        const FieldType *field = &entry->type->fields[i];
        TreeValue zero = {.message = is_message(field) ? tree_new(arena, field->message) : NULL};
        if (!entry->fields[i].n)
            tree_put(arena, entry, field, zero);
    }
}

static Result parse_message(Arena *arena, Tree *tree, const FieldType *field, Bytes wire, int depth)
{
    TreeField *before = tree_field(tree, field);
    if (!field->repeated && before->n) {
        before->values[0].message->raw = BYTES_NONE;
        return parse_into(arena, before->values[0].message, wire, depth + 1);
    }
    Tree *inner = tree_new(arena, field->message);
    tree_put(arena, tree, field, (TreeValue){.message = inner});
    Result r = parse_into(arena, inner, wire, depth + 1);
    inner->raw = wire;
    if (field->map && !failed(r))
        tree_fill_entry(arena, inner);
    return r;
}

static Result parse_packed(Arena *arena, Tree *tree, const FieldType *field, Bytes wire)
{
    const uint8_t *at = wire.data, *end = wire.data + wire.size;
    WireType type = tree_wire_type(field->kind);
    size_t size = type == WIRE_FIXED32 ? 4 : 8;
    while (at < end) {
        uint64_t raw = 0;
        if (type == WIRE_VARINT) {
            at = wire_varint(at, end, &raw);
            if (!at)
                return bad(arena, tree->type);
        } else {
            if ((size_t)(end - at) < size)
                return bad(arena, tree->type);
            raw = little(at, size);
            at += size;
        }
        tree_put(arena, tree, field,
                 (TreeValue){.plain = literal_of_wire(field->kind, &(WireField){.value = raw})});
    }
    return OK;
}

static Result parse_field(Arena *arena, Tree *tree, const FieldType *field, const WireField *f,
                          int depth)
{
    if (is_message(field)) /* of another wire type it is an unknown field */
        return f->type == tree_wire_type(field->kind)
                   ? parse_message(arena, tree, field, f->bytes, depth)
                   : OK;
    if (f->type == WIRE_LENGTH && (field->kind == KIND_STRING || field->kind == KIND_BYTES))
        tree_put(arena, tree, field, (TreeValue){.plain = {.bytes = f->bytes}});
    else if (f->type == WIRE_LENGTH && field->repeated)
        return parse_packed(arena, tree, field, f->bytes);
    else if (f->type == tree_wire_type(field->kind))
        tree_put(arena, tree, field, (TreeValue){.plain = literal_of_wire(field->kind, f)});
    return OK;
}

static Result parse_into(Arena *arena, Tree *tree, Bytes wire, int depth)
{
    if (depth > MAX_DEPTH)
        return FAIL(arena, FAULT_TOO_DEEP, "%s is nested too deeply", tree->type->full_name);
    WireReader reader = wire_reader(wire);
    for (WireField f; wire_next(&reader, &f);) {
        const FieldType *field = message_field_by_number(tree->type, f.number);
        if (!field)
            continue;
        Result r = parse_field(arena, tree, field, &f, depth);
        if (failed(r))
            return r;
    }
    return reader.bad ? bad(arena, tree->type) : OK;
}

Result tree_parse(Arena *arena, const MessageType *type, Bytes wire, Tree **tree_out)
{
    *tree_out = tree_new(arena, type);
    Result r = parse_into(arena, *tree_out, wire, 0);
    (*tree_out)->raw = wire;
    return r;
}

void tree_forget_raw(Tree *tree)
{
    tree->raw = BYTES_NONE;
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        for (uint32_t k = 0; is_message(&tree->type->fields[i]) && k < tree->fields[i].n; k++)
            tree_forget_raw(tree->fields[i].values[k].message);
    }
}

/* ---- To the wire ----------------------------------------------------------------------------- */

static void add_little(Buffer *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_add_byte(out, (uint8_t)(value >> (8 * i)));
}

void tree_write_plain(Buffer *out, FieldKind kind, const Literal *value)
{
    float number = (float)value->d;
    uint32_t bits;
    switch (kind) {
    case KIND_FLOAT:
        memcpy(&bits, &number, sizeof bits);
        add_little(out, bits, 4);
        break;
    case KIND_FIXED32:
    case KIND_SFIXED32: add_little(out, value->u, 4); break;
    case KIND_DOUBLE:
    case KIND_FIXED64:
    case KIND_SFIXED64: add_little(out, value->u, 8); break;
    case KIND_SINT32:
    case KIND_SINT64: wire_add_varint(out, wire_zigzag(value->i)); break;
    case KIND_STRING:
    case KIND_BYTES:
        wire_add_varint(out, value->bytes.size);
        buffer_add_bytes(out, value->bytes);
        break;
    default: wire_add_varint(out, value->u);
    }
}

static void write_value(Buffer *out, const FieldType *field, const TreeValue *value)
{
    wire_add_tag(out, field->number, tree_wire_type(field->kind));
    if (field->kind == KIND_GROUP) {
        tree_write(value->message, out);
        wire_add_tag(out, field->number, WIRE_GROUP_END);
    } else if (field->kind == KIND_MESSAGE) {
        Buffer inner = buffer_in(out->arena);
        tree_write(value->message, &inner);
        wire_add_varint(out, inner.size);
        buffer_add_bytes(out, buffer_bytes(&inner));
    } else {
        tree_write_plain(out, field->kind, &value->plain);
    }
}

static void write_packed(Buffer *out, const FieldType *field, const TreeField *values)
{
    Buffer inner = buffer_in(out->arena);
    for (uint32_t i = 0; i < values->n; i++)
        tree_write_plain(&inner, field->kind, &values->values[i].plain);
    wire_add_bytes(out, field->number, buffer_bytes(&inner));
}

void tree_write(const Tree *tree, Buffer *out)
{
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        const FieldType *field = &tree->type->fields[i];
        const TreeField *values = &tree->fields[i];
        if (field->packed && values->n) {
            write_packed(out, field, values);
            continue;
        }
        for (uint32_t k = 0; k < values->n; k++)
            write_value(out, field, &values->values[k]);
    }
}

const MessageType *tree_find_type(const TreeTypes *types, const Schema *holder, Bytes name)
{
    const MessageType *found = schema_message(holder, name);
    for (uint32_t i = 0; i < types->n && !found; i++)
        found = schema_message(types->schemas[i], name);
    return found;
}

/* ---- The same? ------------------------------------------------------------------------------- */

static bool value_equal(const TreeTypes *types, const FieldType *field, const TreeValue *a,
                        const TreeValue *b)
{
    if (is_message(field))
        return tree_equal(types, a->message, b->message);
    if (field->kind == KIND_STRING || field->kind == KIND_BYTES)
        return bytes_equal(a->plain.bytes, b->plain.bytes);
    /* All NaNs are equal. */
    if (kind_is_float(field->kind) && a->plain.d != a->plain.d)
        return b->plain.d != b->plain.d;
    return a->plain.u == b->plain.u;
}

/* Of a map: whether a later entry has the same key. */
static bool is_replaced(const TreeTypes *types, const FieldType *field, const TreeField *values,
                        uint32_t i)
{
    if (!field->map)
        return false;
    const FieldType *key = message_field_by_number(field->message, 1);
    const TreeField *own = tree_field(values->values[i].message, key);
    for (uint32_t k = i + 1; k < values->n; k++) {
        const TreeField *other = tree_field(values->values[k].message, key);
        if (own->n == other->n && (!own->n || value_equal(types, key, own->values, other->values)))
            return true;
    }
    return false;
}

static uint32_t count_values(const TreeTypes *types, const FieldType *field,
                             const TreeField *values)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < values->n; i++)
        n += !is_replaced(types, field, values, i);
    return n;
}

static bool in_any_order(const TreeTypes *types, const FieldType *field, const TreeField *a,
                         const TreeField *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (is_replaced(types, field, a, i))
            continue;
        uint32_t k = 0;
        while (k < b->n && (is_replaced(types, field, b, k) ||
                            !value_equal(types, field, &a->values[i], &b->values[k])))
            k++;
        if (k == b->n)
            return false;
    }
    return count_values(types, field, a) == count_values(types, field, b);
}

enum { MOST_RECORDS = 256 };

static bool wire_equal(Bytes a, Bytes b);

static bool record_equal(const WireField *a, const WireField *b)
{
    if (a->type != b->type)
        return false;
    return a->type == WIRE_LENGTH ? wire_equal(a->bytes, b->bytes)
                                  : bytes_equal(a->record, b->record);
}

static bool read_records(Bytes wire, WireField *records, uint32_t *n)
{
    WireReader reader = wire_reader(wire);
    *n = 0;
    while (*n < MOST_RECORDS && wire_next(&reader, &records[*n]))
        ++*n;
    return *n && *n < MOST_RECORDS && !reader.bad;
}

/* Compares messages of an unknown type: fields may be in a different order, but records of one
   field number must not. */
static bool wire_equal(Bytes a, Bytes b)
{
    WireField records[2][MOST_RECORDS];
    uint32_t n[2];
    if (bytes_equal(a, b))
        return true;
    if (a.size != b.size || !read_records(a, records[0], &n[0]) ||
        !read_records(b, records[1], &n[1]) || n[0] != n[1])
        return false;
    for (uint32_t i = 0; i < n[0]; i++) {
        uint32_t k = 0;
        while (k < n[1] && records[1][k].number != records[0][i].number)
            k++;
        if (k == n[1] || !record_equal(&records[0][i], &records[1][k]))
            return false;
        records[1][k].number = 0; /* marks it as used: 0 is not a valid field number */
    }
    return true;
}

/* Compares Anys by content, which may be encoded differently. */
static bool any_equal(const TreeTypes *types, const Tree *a, const Tree *b)
{
    const FieldType *url = message_field_by_number(a->type, 1),
                    *value = message_field_by_number(a->type, 2);
    const TreeField *urls[2] = {tree_field(a, url), tree_field(b, url)};
    const TreeField *values[2] = {tree_field(a, value), tree_field(b, value)};
    if (urls[0]->n != 1 || urls[1]->n != 1 ||
        !bytes_equal(urls[0]->values[0].plain.bytes, urls[1]->values[0].plain.bytes))
        return false;
    Bytes name = urls[0]->values[0].plain.bytes;
    size_t slash = bytes_find(name, '/');
    const MessageType *type =
        tree_find_type(types, a->type->schema, bytes_slice(name, slash + 1, name.size));
    Bytes contents[2];
    for (int i = 0; i < 2; i++)
        contents[i] = values[i]->n ? values[i]->values[0].plain.bytes : BYTES_NONE;
    if (!type)
        return wire_equal(contents[0], contents[1]);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Tree *trees[2];
    bool equal = !failed(tree_parse(arena, type, contents[0], &trees[0])) &&
                 !failed(tree_parse(arena, type, contents[1], &trees[1])) &&
                 tree_equal(types, trees[0], trees[1]);
    arena_free(arena);
    return equal;
}

bool tree_equal(const TreeTypes *types, const Tree *a, const Tree *b)
{
    bool equal = a->type == b->type;
    for (uint32_t i = 0; equal && i < a->type->n_fields; i++) {
        const FieldType *field = &a->type->fields[i];
        const TreeField *x = &a->fields[i], *y = &b->fields[i];
        bool unordered = field->map || a->type->well_known == WELL_KNOWN_FIELD_MASK;
        equal = unordered ? in_any_order(types, field, x, y) : x->n == y->n;
        for (uint32_t k = 0; equal && !unordered && k < x->n; k++)
            equal = value_equal(types, field, &x->values[k], &y->values[k]);
    }
    return equal ||
           (a->type == b->type && a->type->well_known == WELL_KNOWN_ANY && any_equal(types, a, b));
}

void tree_print(const Tree *tree, Buffer *out)
{
    bool first = true;
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        const FieldType *field = &tree->type->fields[i];
        ValueType type = value_type_of(field);
        for (uint32_t k = 0; k < tree->fields[i].n; k++) {
            buffer_printf(out, "%s%s: ", first ? "" : " ", field->name);
            first = false;
            if (is_message(field))
                tree_print(tree->fields[i].values[k].message, out);
            else
                literal_print(out, &tree->fields[i].values[k].plain, type);
        }
    }
    buffer_add_byte(out, '}');
}
