#include "adapters/compare/meaning.h"

#include "adapters/schema/kinds.h"
#include "base/arena.h"

#include <stdlib.h>

enum { DEPTH_MOST = 100, KEY_NUMBER = 1, VALUE_NUMBER = 2 /* of map entries, and of Any */ };

typedef struct Reading {
    Arena *arena;
    uint32_t depth;
} Reading;

static Result read_into(Reading *reading, Meaning *meaning, Bytes wire);

static Result malformed(const Reading *reading, const MessageType *type)
{
    return FAIL(reading->arena, FAULT_BAD_MESSAGE, "%s is not well-formed", type->full_name);
}

static Result no_memory(const Reading *reading, const MessageType *type)
{
    return FAIL(reading->arena, FAULT_OUT_OF_MEMORY, "reading %s", type->full_name);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static uint64_t bits_of(double number)
{
    uint64_t bits;
    number = number == 0 ? 0 : number;
    if (number != number)
        return UINT64_C(0x7ff8000000000000);
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double of_float(uint64_t raw)
{
    float number;
    uint32_t bits = (uint32_t)raw;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static double of_double(uint64_t raw)
{
    double number;
    memcpy(&number, &raw, sizeof number);
    return number;
}

static uint64_t number_of(FieldKind kind, uint64_t raw)
{
    switch (kind) {
    case KIND_BOOL: return raw != 0;
    case KIND_INT32:
    case KIND_ENUM:
    case KIND_SFIXED32: return (uint64_t)(int64_t)(int32_t)raw;
    case KIND_UINT32:
    case KIND_FIXED32: return (uint32_t)raw;
    case KIND_SINT32: return (uint64_t)(int64_t)(int32_t)wire_unzigzag((uint32_t)raw);
    case KIND_SINT64: return (uint64_t)wire_unzigzag(raw);
    case KIND_FLOAT: return bits_of(of_float(raw));
    case KIND_DOUBLE: return bits_of(of_double(raw));
    default: return raw;
    }
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static void hash_value(MeaningValue *value)
{
    value->hash = value->message      ? value->message->hash
                  : value->bytes.size ? bytes_hash(value->bytes)
                                      : mix(1, value->number);
}

/* Unset and this value cannot be told apart. In the entry of a map nothing can be unset. */
static bool is_unset(const FieldType *field, const MeaningValue *value)
{
    bool implicit = !field->presence || field->parent->map_entry;
    return !field->repeated && implicit && !value->message && !value->bytes.size && !value->number;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static MeaningField *find(const Meaning *meaning, const FieldType *type)
{
    for (uint32_t i = meaning->n; i-- > 0;) /* the latest one, mostly */
        if (meaning->fields[i].type == type)
            return &meaning->fields[i];
    return NULL;
}

const MeaningField *meaning_field(const Meaning *meaning, const FieldType *type)
{
    return find(meaning, type);
}

/* Room for one more of *n items; NULL: the arena is full. */
static void *room_for(Arena *arena, void *items, uint32_t n, uint32_t *capacity, size_t size)
{
    if (n < *capacity)
        return items;
    uint32_t more = *capacity ? *capacity * 2 : 2;
    items = arena_grow(arena, items, n * size, more * size);
    *capacity = items ? more : *capacity;
    return items;
}

static MeaningField *field_of(const Reading *reading, Meaning *meaning, const FieldType *type)
{
    MeaningField *field = find(meaning, type);
    if (field)
        return field;
    MeaningField *fields =
        room_for(reading->arena, meaning->fields, meaning->n, &meaning->capacity, sizeof *fields);
    if (!fields)
        return NULL;
    meaning->fields = fields;
    fields[meaning->n] = (MeaningField){.type = type};
    return &fields[meaning->n++];
}

static void forget(Meaning *meaning, const FieldType *type)
{
    MeaningField *field = find(meaning, type);
    if (field)
        *field = meaning->fields[--meaning->n];
}

/* The other members of its oneof are unset by it. */
static void forget_others(Meaning *meaning, const FieldType *type)
{
    for (uint32_t i = 0; type->oneof && i < type->oneof->n_fields; i++)
        if (type->oneof->fields[i] != type)
            forget(meaning, type->oneof->fields[i]);
}

/* The value to be filled in: of a single field the one that is there. NULL: the arena is full. */
static MeaningValue *value_of(const Reading *reading, Meaning *meaning, const FieldType *type)
{
    forget_others(meaning, type);
    MeaningField *field = field_of(reading, meaning, type);
    if (!field)
        return NULL;
    if (!type->repeated && field->n)
        return field->values;
    MeaningValue *values =
        room_for(reading->arena, field->values, field->n, &field->capacity, sizeof *values);
    if (!values)
        return NULL;
    field->values = values;
    values[field->n] = (MeaningValue){.number = 0};
    return &values[field->n++];
}

static Result add_number(const Reading *reading, Meaning *meaning, const FieldType *type,
                         uint64_t raw)
{
    uint64_t number = number_of(type->kind, raw);
    if (type->kind == KIND_ENUM && type->enumeration->closed &&
        !enum_value_by_number(type->enumeration, (int32_t)number))
        return OK; /* as an unknown field */
    MeaningValue *value = value_of(reading, meaning, type);
    if (!value)
        return no_memory(reading, meaning->type);
    value->number = number;
    return OK;
}

static Result add_message(Reading *reading, Meaning *meaning, const FieldType *type, Bytes wire)
{
    MeaningValue *value = value_of(reading, meaning, type);
    if (value && !value->message) {
        value->message = arena_make(reading->arena, Meaning);
        if (value->message)
            value->message->type = type->message;
    }
    return value && value->message ? read_into(reading, value->message, wire)
                                   : no_memory(reading, meaning->type);
}

static Result add_packed(const Reading *reading, Meaning *meaning, const FieldType *type,
                         Bytes packed)
{
    WireType wire = kind_wire_type(type->kind);
    const uint8_t *at = packed.data, *end = at + packed.size;
    while (at < end) {
        uint64_t raw = 0;
        size_t size = wire == WIRE_FIXED64 ? 8 : 4;
        if (wire == WIRE_VARINT) {
            at = wire_varint(at, end, &raw);
        } else if ((size_t)(end - at) < size) {
            at = NULL;
        } else {
            for (size_t i = 0; i < size; i++)
                raw |= (uint64_t)at[i] << (8 * i);
            at += size;
        }
        if (!at)
            return malformed(reading, meaning->type);
        Result r = add_number(reading, meaning, type, raw);
        if (failed(r))
            return r;
    }
    return OK;
}

static Result add_bytes(const Reading *reading, Meaning *meaning, const FieldType *type,
                        Bytes payload)
{
    MeaningValue *value = value_of(reading, meaning, type);
    if (!value)
        return no_memory(reading, meaning->type);
    value->bytes = payload;
    return OK;
}

static Result add(Reading *reading, Meaning *meaning, const FieldType *type, const WireField *wire)
{
    if (wire->type == WIRE_LENGTH && type->repeated && kind_may_be_packed(type->kind))
        return add_packed(reading, meaning, type, wire->bytes);
    if (wire->type != kind_wire_type(type->kind))
        return OK; /* as an unknown field */
    if (kind_is_message(type->kind))
        return add_message(reading, meaning, type, wire->bytes);
    return kind_is_bytes(type->kind) ? add_bytes(reading, meaning, type, wire->bytes)
                                     : add_number(reading, meaning, type, wire->value);
}

static Result read_into(Reading *reading, Meaning *meaning, Bytes wire)
{
    WireReader reader = wire_reader(wire);
    WireField field;
    Result r = OK;
    if (reading->depth == DEPTH_MOST)
        return FAIL(reading->arena, FAULT_TOO_DEEP, "reading %s", meaning->type->full_name);
    reading->depth++;
    while (!failed(r) && wire_next(&reader, &field)) {
        const FieldType *type = message_field_by_number(meaning->type, field.number);
        if (type)
            r = add(reading, meaning, type, &field);
    }
    reading->depth--;
    return !failed(r) && reader.bad ? malformed(reading, meaning->type) : r;
}

/* ---- One form of what means the same -------------------------------------------------------- */

static Result settle(Reading *reading, Meaning *meaning);

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const MeaningField *)a)->type->number,
             y = ((const MeaningField *)b)->type->number;
    return x < y ? -1 : x > y;
}

static int by_text(const void *a, const void *b)
{
    return bytes_compare(((const MeaningValue *)a)->bytes, ((const MeaningValue *)b)->bytes);
}

static const MeaningValue *key_of(const MeaningValue *entry)
{
    static const MeaningValue unset;
    const FieldType *type = message_field_by_number(entry->message->type, KEY_NUMBER);
    const MeaningField *field = meaning_field(entry->message, type);
    return field ? field->values : &unset;
}

static int compare_keys(const MeaningValue *a, const MeaningValue *b)
{
    const MeaningValue *x = key_of(a), *y = key_of(b);
    int texts = bytes_compare(x->bytes, y->bytes);
    return texts ? texts : x->number < y->number ? -1 : x->number > y->number;
}

/* Equal keys keep their order, which is that in memory of what the entries were read into. */
static int by_key(const void *a, const void *b)
{
    const MeaningValue *x = a, *y = b;
    int keys = compare_keys(x, y);
    return keys ? keys : x->number < y->number ? -1 : x->number > y->number;
}

/* Of entries with the same key the last one counts. */
static void sort_map(MeaningField *field)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < field->n; i++)
        field->values[i].number = i;
    qsort(field->values, field->n, sizeof *field->values, by_key);
    for (uint32_t i = 0; i < field->n; i++) {
        if (i + 1 < field->n && compare_keys(&field->values[i], &field->values[i + 1]) == 0)
            continue;
        field->values[kept] = field->values[i];
        field->values[kept++].number = 0;
    }
    field->n = kept;
}

/* The entry of a map has a value, said or not. */
static Result complete_entry(const Reading *reading, Meaning *entry)
{
    const FieldType *type = message_field_by_number(entry->type, VALUE_NUMBER);
    if (!type || !kind_is_message(type->kind) || find(entry, type))
        return OK;
    MeaningValue *value = value_of(reading, entry, type);
    if (value)
        value->message = arena_make(reading->arena, Meaning);
    if (!value || !value->message)
        return no_memory(reading, entry->type);
    value->message->type = type->message;
    return OK;
}

Bytes meaning_content_name(const Meaning *any)
{
    const FieldType *type = message_field_by_number(any->type, KEY_NUMBER);
    const MeaningField *url = type ? meaning_field(any, type) : NULL;
    Bytes name = url ? url->values->bytes : BYTES_NONE;
    for (size_t slash = bytes_find(name, '/'); slash < name.size; slash = bytes_find(name, '/'))
        name = bytes_slice(name, slash + 1, name.size);
    return name;
}

/* What cannot be read stays bytes. */
static Result read_content(Reading *reading, Meaning *any)
{
    const MessageType *type = schema_message(any->type->schema, meaning_content_name(any));
    const FieldType *bytes_type = message_field_by_number(any->type, VALUE_NUMBER);
    const MeaningField *value = bytes_type ? meaning_field(any, bytes_type) : NULL;
    if (!type)
        return OK;
    Meaning *content = arena_make(reading->arena, Meaning);
    if (!content)
        return no_memory(reading, any->type);
    content->type = type;
    Result r = read_into(reading, content, value ? value->values->bytes : BYTES_NONE);
    if (!failed(r))
        r = settle(reading, content);
    if (failed(r) && r.error->fault == &FAULT_BAD_MESSAGE) {
        error_ignore(r, "the content of an Any that is no message is compared as bytes");
        return OK;
    }
    any->content = content;
    return r;
}

static Result settle_field(Reading *reading, MeaningField *field)
{
    Result r = OK;
    for (uint32_t i = 0; !failed(r) && i < field->n; i++)
        if (field->values[i].message)
            r = settle(reading, field->values[i].message);
    if (failed(r))
        return r;
    if (field->type->map)
        sort_map(field);
    for (uint32_t i = 0; i < field->n; i++)
        hash_value(&field->values[i]);
    if (field->type->parent->well_known == WELL_KNOWN_FIELD_MASK && field->type->repeated)
        qsort(field->values, field->n, sizeof *field->values, by_text);
    return OK;
}

static void drop_unset(Meaning *meaning)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < meaning->n; i++) {
        const MeaningField *field = &meaning->fields[i];
        if (field->n && !is_unset(field->type, field->values))
            meaning->fields[kept++] = *field;
    }
    meaning->n = kept;
}

static void hash_all(Meaning *meaning)
{
    meaning->hash = mix(2, meaning->n);
    for (uint32_t i = 0; i < meaning->n; i++) {
        meaning->hash = mix(meaning->hash, meaning->fields[i].type->number);
        for (uint32_t k = 0; k < meaning->fields[i].n; k++)
            meaning->hash = mix(meaning->hash, meaning->fields[i].values[k].hash);
    }
    if (meaning->content) {
        meaning->hash = mix(bytes_hash(meaning_content_name(meaning)), meaning->content->hash);
    }
}

static Result settle(Reading *reading, Meaning *meaning)
{
    Result r = OK;
    if (reading->depth == DEPTH_MOST)
        return FAIL(reading->arena, FAULT_TOO_DEEP, "reading %s", meaning->type->full_name);
    reading->depth++;
    if (meaning->type->map_entry)
        r = complete_entry(reading, meaning);
    for (uint32_t i = 0; !failed(r) && i < meaning->n; i++)
        r = settle_field(reading, &meaning->fields[i]);
    drop_unset(meaning);
    if (meaning->n)
        qsort(meaning->fields, meaning->n, sizeof *meaning->fields, by_number);
    if (!failed(r) && meaning->type->well_known == WELL_KNOWN_ANY)
        r = read_content(reading, meaning);
    hash_all(meaning);
    reading->depth--;
    return r;
}

Result meaning_read(const MessageType *type, Bytes wire, Arena *arena, Meaning **meaning_out)
{
    Reading reading = {.arena = arena};
    Meaning *meaning = arena_make(arena, Meaning);
    if (!meaning)
        return no_memory(&reading, type);
    meaning->type = type;
    Result r = read_into(&reading, meaning, wire);
    if (!failed(r))
        r = settle(&reading, meaning);
    *meaning_out = meaning;
    return r;
}
