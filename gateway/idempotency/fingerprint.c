#include "gateway/idempotency/fingerprint.h"

#include "adapters/schema/kinds.h"
#include "base/arena.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* One field as it was read, and its place, so that sorting keeps the order of equal numbers. */
typedef struct Record {
    WireField field;
    uint32_t place;
} Record;

typedef struct Records {
    Record *records;
    uint32_t n;
} Records;

typedef struct Speller {
    Arena *arena;
    uint32_t depth; /* left */
    bool bad, full;
} Speller;

static void spell(Speller *s, const MessageType *type, Bytes message, Buffer *out);

/* ---- Reading --------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const Record *p = a, *q = b;
    if (p->field.number != q->field.number)
        return p->field.number < q->field.number ? -1 : 1;
    return p->place < q->place ? -1 : p->place > q->place;
}

static uint32_t count_fields(Speller *s, Bytes message)
{
    WireReader reader = wire_reader(message);
    WireField field;
    uint32_t n = 0;
    while (wire_next(&reader, &field))
        n++;
    s->bad |= reader.bad;
    return n;
}

static Records read_records(Speller *s, Bytes message)
{
    Records all = {NULL, count_fields(s, message)};
    all.records = arena_array(s->arena, Record, all.n);
    s->full |= !all.records;
    if (s->bad || s->full)
        return (Records){NULL, 0};
    WireReader reader = wire_reader(message);
    for (uint32_t i = 0; i < all.n && wire_next(&reader, &all.records[i].field); i++)
        all.records[i].place = i;
    return all;
}

/* The items of a message set are its fields, each under the number of its extension. */
static void unpack_items(const MessageType *type, Records *all)
{
    for (uint32_t i = 0; type->message_set && i < all->n; i++) {
        WireField *one = &all->records[i].field;
        if (one->number != 1 || one->type != WIRE_GROUP)
            continue;
        WireSetItem item = wire_set_item(one->bytes);
        const FieldType *field = message_field_by_number(type, item.number);
        if (field && item.message.data && !field->repeated && kind_is_message(field->kind))
            *one = (WireField){.number = item.number,
                               .type = WIRE_LENGTH,
                               .bytes = item.message,
                               .record = one->record};
    }
}

/* The member of a oneof that counts, as it is found from the end. */
typedef struct Winner {
    const FieldType *field; /* NULL: none yet */
    bool begun;             /* another member is before it: what it had earlier is lost */
} Winner;

static bool loses(Winner *winner, const FieldType *field)
{
    if (!winner->field)
        winner->field = field;
    winner->begun |= field != winner->field;
    return winner->begun;
}

/* Of the members of a oneof the last one counts, with what came since the one before it. */
static void drop_losers(Speller *s, const MessageType *type, Records *all)
{
    uint32_t n = 0;
    Winner *winners = arena_array(s->arena, Winner, type->n_oneofs + 1);
    s->full |= !winners;
    for (uint32_t i = all->n; winners && i-- > 0;) {
        WireField *one = &all->records[i].field;
        const FieldType *field = message_field_by_number(type, one->number);
        if (field && field->oneof && loses(&winners[field->oneof->index], field))
            one->number = 0;
    }
    for (uint32_t i = 0; i < all->n; i++)
        if (all->records[i].field.number)
            all->records[n++] = all->records[i];
    all->n = n;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* As protobuf cuts a varint that is too long for its kind. */
static uint64_t cut(FieldKind kind, uint64_t value)
{
    switch (kind) {
    case KIND_BOOL: return value != 0;
    case KIND_INT32:
    case KIND_ENUM: return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    case KIND_UINT32:
    case KIND_SINT32: return (uint32_t)value;
    default: return value;
    }
}

/* Eight bytes, whatever its type: they are only compared. */
static void add_number(Buffer *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        buffer_add_byte(out, (uint8_t)(value >> 8 * i));
}

static uint64_t fixed(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static void add_packed(Speller *s, FieldKind kind, Bytes packed, Buffer *out)
{
    WireType type = kind_wire_type(kind);
    size_t size = type == WIRE_FIXED64 ? 8 : 4;
    const uint8_t *at = packed.data, *end = at + packed.size;
    while (at && at < end) {
        uint64_t value = 0;
        if (type == WIRE_VARINT)
            at = wire_varint(at, end, &value);
        else
            at = (size_t)(end - at) < size ? NULL : (value = fixed(at, size), at + size);
        add_number(out, cut(kind, value));
    }
    s->bad |= !at && packed.size;
}

/* ---- One field ------------------------------------------------------------------------------- */

/* A value with its length before it, so that no two sequences have the same bytes. */
static void add_value(Buffer *out, uint32_t number, Bytes value)
{
    wire_add_varint(out, number);
    wire_add_varint(out, value.size);
    buffer_add_bytes(out, value);
}

static Bytes spelled(Speller *s, const MessageType *type, Bytes message)
{
    Buffer out = buffer_in(s->arena);
    spell(s, type, message, &out);
    s->full |= out.full;
    return buffer_bytes(&out);
}

/* Whether a message that has the field's zero value differs from one without it. In the entry of a
   map it does not: an absent key or value is the zero one, also in proto2 and of messages. */
static bool zero_counts(const FieldType *field)
{
    return field->presence && !field->parent->map_entry;
}

/* Several occurrences of a message that is no list are one, joined. */
static void add_message(Speller *s, const FieldType *field, const Records *of, Buffer *out)
{
    Buffer whole = buffer_in(s->arena);
    for (uint32_t i = 0; i < of->n; i++)
        buffer_add_bytes(&whole, of->records[i].field.bytes);
    s->full |= whole.full;
    Bytes value = spelled(s, field->message, buffer_bytes(&whole));
    if (value.size || zero_counts(field))
        add_value(out, field->number, value);
}

static void add_numbers(Speller *s, const FieldType *field, const Records *of, Buffer *out)
{
    Buffer numbers = buffer_in(s->arena);
    for (uint32_t i = 0; i < of->n; i++) {
        const WireField *one = &of->records[i].field;
        if (one->type == WIRE_LENGTH)
            add_packed(s, field->kind, one->bytes, &numbers);
        else
            add_number(&numbers, cut(field->kind, one->value));
    }
    s->full |= numbers.full;
    if (numbers.size)
        add_value(out, field->number, buffer_bytes(&numbers));
}

/* A list of texts, bytes or messages. */
static void add_list(Speller *s, const FieldType *field, const Records *of, Buffer *out)
{
    for (uint32_t i = 0; i < of->n; i++) {
        Bytes value = of->records[i].field.bytes;
        add_value(out, field->number, field->message ? spelled(s, field->message, value) : value);
    }
}

static void add_scalar(const FieldType *field, const WireField *last, Buffer *out)
{
    if (kind_may_be_packed(field->kind)) {
        uint64_t value = cut(field->kind, last->value);
        if (!value && !zero_counts(field))
            return;
        wire_add_varint(out, field->number);
        wire_add_varint(out, 8);
        add_number(out, value);
    } else if (last->bytes.size || zero_counts(field)) {
        add_value(out, field->number, last->bytes);
    }
}

/* ---- Maps ------------------------------------------------------------------------------------ */

typedef struct Entry {
    Bytes key, whole; /* spelled */
    uint32_t place;
} Entry;

static int by_key(const void *a, const void *b)
{
    const Entry *p = a, *q = b;
    size_t least = p->key.size < q->key.size ? p->key.size : q->key.size;
    int order = least ? memcmp(p->key.data, q->key.data, least) : 0;
    if (order == 0 && p->key.size != q->key.size)
        order = p->key.size < q->key.size ? -1 : 1;
    return order ? order : p->place < q->place ? -1 : p->place > q->place;
}

static Entry read_entry(Speller *s, const MessageType *type, Bytes message, uint32_t place)
{
    Entry entry = {.place = place};
    Records all = read_records(s, message), keys = {arena_array(s->arena, Record, all.n), 0};
    if (s->bad || (all.n && !keys.records)) {
        s->bad = true;
        return entry;
    }
    for (uint32_t i = 0; i < all.n; i++)
        if (all.records[i].field.number == 1)
            keys.records[keys.n++] = all.records[i];
    const FieldType *key = message_field_by_number(type, 1);
    Buffer out = buffer_in(s->arena);
    if (key && keys.n)
        add_scalar(key, &keys.records[keys.n - 1].field, &out);
    s->full |= out.full;
    entry.key = buffer_bytes(&out);
    entry.whole = spelled(s, type, message);
    return entry;
}

static void add_map(Speller *s, const FieldType *field, const Records *of, Buffer *out)
{
    Entry *entries = arena_array(s->arena, Entry, of->n);
    s->full |= !entries;
    if (s->full)
        return;
    for (uint32_t i = 0; i < of->n; i++)
        entries[i] = read_entry(s, field->message, of->records[i].field.bytes, i);
    qsort(entries, of->n, sizeof *entries, by_key);
    for (uint32_t i = 0; i < of->n; i++)
        if (i + 1 == of->n || !bytes_equal(entries[i].key, entries[i + 1].key))
            add_value(out, field->number, entries[i].whole);
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* Whether the schema can read it so; else it is as good as unknown. */
static bool fits(const FieldType *field, WireType type)
{
    return type == kind_wire_type(field->kind) ||
           (field->repeated && type == WIRE_LENGTH && kind_may_be_packed(field->kind));
}

static void add_field(Speller *s, const FieldType *field, const Records *of, Buffer *out)
{
    if (field->map)
        add_map(s, field, of, out);
    else if (field->repeated && kind_may_be_packed(field->kind))
        add_numbers(s, field, of, out);
    else if (field->repeated)
        add_list(s, field, of, out);
    else if (field->message)
        add_message(s, field, of, out);
    else
        add_scalar(field, &of->records[of->n - 1].field, out);
}

/* What is unknown goes behind, in its order, under a number that no field has. */
static void add_unknown(const Records *of, Buffer *out)
{
    for (uint32_t i = 0; i < of->n; i++)
        add_value(out, 0, of->records[i].field.record);
}

static void add_same_number(Speller *s, const MessageType *type, Records of, Buffer *out)
{
    const FieldType *field = message_field_by_number(type, of.records[0].field.number);
    bool known = field != NULL;
    for (uint32_t i = 0; i < of.n && known; i++)
        known = fits(field, of.records[i].field.type);
    if (known)
        add_field(s, field, &of, out);
    else
        add_unknown(&of, out);
}

/* The message of an Any. What is no message is taken as it is: nobody else reads it either. */
static Bytes spelled_inside(Speller *s, const MessageType *type, Bytes message)
{
    Bytes inside = spelled(s, type, message);
    if (!s->bad)
        return inside;
    s->bad = false;
    return message;
}

/* google.protobuf.Any: its message too, where the schema knows the type. */
static bool spell_any(Speller *s, const MessageType *type, Bytes message, Buffer *out)
{
    Bytes url = wire_find_bytes(message, 1), name = url;
    for (size_t i = url.size; i-- > 0 && name.size == url.size;)
        if (url.data[i] == '/')
            name = bytes_slice(url, i + 1, url.size);
    const MessageType *inside = name.size ? schema_message(type->schema, name) : NULL;
    if (!inside)
        return false;
    add_value(out, 1, url);
    add_value(out, 2, spelled_inside(s, inside, wire_find_bytes(message, 2)));
    return true;
}

static void spell(Speller *s, const MessageType *type, Bytes message, Buffer *out)
{
    if (!s->depth) {
        buffer_add_bytes(out, message);
        return;
    }
    s->depth--;
    Records all = read_records(s, message);
    if (!s->bad && !(type->well_known == WELL_KNOWN_ANY && spell_any(s, type, message, out))) {
        unpack_items(type, &all);
        drop_losers(s, type, &all);
        if (all.n)
            qsort(all.records, all.n, sizeof *all.records, by_number);
        for (uint32_t i = 0, n; i < all.n; i += n) {
            for (n = 1; i + n < all.n; n++)
                if (all.records[i + n].field.number != all.records[i].field.number)
                    break;
            add_same_number(s, type, (Records){all.records + i, n}, out);
        }
    }
    s->depth++;
}

Result fingerprint_spell(const MessageType *type, Bytes message, uint32_t depth, Arena *arena,
                         Buffer *out)
{
    Speller s = {.arena = arena, .depth = depth};
    spell(&s, type, message, out);
    if (s.bad)
        return FAIL(arena, FAULT_BAD_MESSAGE, "the request is no message %s", type->full_name);
    return s.full || out->full ? FAIL(arena, FAULT_OUT_OF_MEMORY,
                                      "taking the fingerprint of %zu bytes", message.size)
                               : OK;
}

Result fingerprint_of(const MethodType *method, Bytes message, uint32_t depth, Arena *arena,
                      Fingerprint *out)
{
    Buffer text = buffer_in(arena);
    *out = (Fingerprint){{0}};
    add_value(&text, 0, bytes_of(method->path));
    Result r = fingerprint_spell(method->input, message, depth, arena, &text);
    if (failed(r))
        return r;
    CHECK(EVP_Digest(text.data, text.size, out->bytes, NULL, EVP_sha256(), NULL) == 1);
    return OK;
}
