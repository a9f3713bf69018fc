#include "adapters/prove/tree_scatter.h"

#include "adapters/schema/wire.h"

/* Records whose relative order must be kept. */
typedef struct Records {
    Buffer ends; /* size_t: where each ends in bytes */
    Buffer bytes;
    size_t next; /* index of the next to take */
} Records;

static Records records_in(Arena *arena)
{
    return (Records){.ends = buffer_in(arena), .bytes = buffer_in(arena)};
}

static size_t n_records(const Records *records)
{
    return records->ends.size / sizeof(size_t);
}

static void end_record(Records *records)
{
    buffer_add(&records->ends, &records->bytes.size, sizeof(size_t));
}

static Bytes record_at(const Records *records, size_t index)
{
    const size_t *ends = (const size_t *)(const void *)records->ends.data;
    size_t start = index ? ends[index - 1] : 0;
    return bytes(records->bytes.data + start, ends[index] - start);
}

static bool one_in(Random *random, uint64_t n)
{
    return random_below(random, n) == 0;
}

static bool is_message(const FieldType *field)
{
    return field->kind == KIND_MESSAGE || field->kind == KIND_GROUP;
}

/* ---- One field ------------------------------------------------------------------------------- */

static void add_message(Records *to, const FieldType *field, Bytes content)
{
    wire_add_tag(&to->bytes, field->number, tree_wire_type(field->kind));
    if (field->kind == KIND_MESSAGE)
        wire_add_varint(&to->bytes, content.size);
    buffer_add_bytes(&to->bytes, content);
    if (field->kind == KIND_GROUP)
        wire_add_tag(&to->bytes, field->number, WIRE_GROUP_END);
    end_record(to);
}

static void add_plain(Records *to, const FieldType *field, const Literal *value)
{
    wire_add_tag(&to->bytes, field->number, tree_wire_type(field->kind));
    tree_write_plain(&to->bytes, field->kind, value);
    end_record(to);
}

/* Adds a record that a later one replaces. */
static void add_nothing(Records *to, const FieldType *field)
{
    static const Literal zero;
    if (is_message(field))
        add_message(to, field, BYTES_NONE);
    else
        add_plain(to, field, &zero);
}

static Records scatter(const Tree *tree, Random *random, Arena *arena);

/* Writes a message in two pieces, if the field is not repeated. */
static void add_pieces(Records *to, const FieldType *field, const Tree *message, Random *random)
{
    Records inner = scatter(message, random, to->bytes.arena);
    Bytes whole = buffer_bytes(&inner.bytes);
    size_t n = field->repeated ? 0 : random_below(random, n_records(&inner));
    size_t cut = n ? (size_t)(record_at(&inner, n).data - whole.data) : 0;
    if (cut)
        add_message(to, field, bytes_slice(whole, 0, cut));
    add_message(to, field, bytes_slice(whole, cut, whole.size));
}

static void add_single(Records *to, const FieldType *field, const TreeValue *value, Random *random)
{
    if (field->oneof && one_in(random, 3))
        add_nothing(to, field->oneof->fields[random_below(random, field->oneof->n_fields)]);
    if (is_message(field)) {
        add_pieces(to, field, value->message, random);
        return;
    }
    if (one_in(random, 4))
        add_nothing(to, field);
    add_plain(to, field, &value->plain);
}

static void add_packed(Records *to, const FieldType *field, const TreeValue *values, uint32_t n)
{
    Buffer content = buffer_in(to->bytes.arena);
    for (uint32_t i = 0; i < n; i++)
        tree_write_plain(&content, field->kind, &values[i].plain);
    wire_add_bytes(&to->bytes, field->number, buffer_bytes(&content));
    end_record(to);
}

static void add_list(Records *to, const FieldType *field, const TreeField *list, Random *random)
{
    bool may_be_packed =
        !is_message(field) && field->kind != KIND_STRING && field->kind != KIND_BYTES;
    for (uint32_t i = 0; i < list->n;) {
        uint32_t n = (uint32_t)random_below(random, list->n - i + 1);
        if (is_message(field)) {
            add_pieces(to, field, list->values[i++].message, random);
        } else if (may_be_packed && one_in(random, 2)) {
            add_packed(to, field, &list->values[i], n);
            i += n;
        } else {
            add_plain(to, field, &list->values[i++].plain);
        }
    }
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void add_field(Records *to, const FieldType *field, const TreeField *values, Random *random)
{
    if (field->repeated)
        add_list(to, field, values, random);
    else if (values->n)
        add_single(to, field, &values->values[0], random);
    else if (!field->presence && one_in(random, 8))
        add_nothing(to, field);
}

/* The next record of a random field that has one left. */
static Bytes take_any(Records *fields, uint32_t n, Random *random)
{
    for (uint32_t i = (uint32_t)random_below(random, n);; i = (i + 1) % n) {
        if (fields[i].next < n_records(&fields[i]))
            return record_at(&fields[i], fields[i].next++);
    }
}

static Records scatter(const Tree *tree, Random *random, Arena *arena)
{
    const MessageType *type = tree->type;
    Records all = records_in(arena), *fields = arena_array(arena, Records, type->n_fields);
    size_t n = 0;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        fields[i] = records_in(arena);
        add_field(&fields[i], &type->fields[i], &tree->fields[i], random);
        n += n_records(&fields[i]);
    }
    for (size_t i = 0; i < n; i++) {
        buffer_add_bytes(&all.bytes, take_any(fields, type->n_fields, random));
        end_record(&all);
    }
    return all;
}

void tree_scatter(const Tree *tree, Random *random, Buffer *out)
{
    Records records = scatter(tree, random, out->arena);
    buffer_add_bytes(out, buffer_bytes(&records.bytes));
}
