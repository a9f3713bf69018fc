#include "protocols/http2/hpack_encoder.h"

#include "base/result.h"
#include "protocols/http2/huffman.h"

#include <stdlib.h>

enum { NOT_ASKED = 1 /* HpackEntry.flaws of a field that did not go through `may` */ };

void hpack_encoder_init(HpackEncoder *encoder)
{
    *encoder = (HpackEncoder){.lowest = HPACK_TABLE_DEFAULT};
    hpack_table_init(&encoder->table, HPACK_TABLE_DEFAULT);
}

void hpack_encoder_deinit(HpackEncoder *encoder)
{
    hpack_table_deinit(&encoder->table);
    free(encoder->buckets);
}

void hpack_encoder_limit(HpackEncoder *encoder, uint32_t limit)
{
    if (limit > HPACK_TABLE_DEFAULT)
        limit = HPACK_TABLE_DEFAULT;
    if (limit == encoder->table.limit)
        return;
    if (limit < encoder->lowest || !encoder->resized)
        encoder->lowest = limit;
    encoder->resized = true;
    hpack_table_limit(&encoder->table, limit);
}

HpackMark hpack_encoder_mark(const HpackEncoder *encoder)
{
    const HpackTable *table = &encoder->table;
    return (HpackMark){
        .added = table->added,
        .n = table->n,
        .size = table->size,
        .end = table->end,
        .resized = encoder->resized,
    };
}

bool hpack_encoder_rewind(HpackEncoder *encoder, const HpackMark *mark)
{
    HpackTable *table = &encoder->table;
    bool evicted = table->added - mark->added != table->n - mark->n;
    if (evicted || (mark->resized && !encoder->resized))
        return false;
    table->added = mark->added;
    table->n = mark->n;
    table->size = mark->size;
    table->end = mark->end;
    return true;
}

/* ---- Numbers and strings --------------------------------------------------------------------- */

static inline uint8_t *put_number(uint8_t *at, uint8_t first, unsigned prefix, size_t number)
{
    size_t mask = (1u << prefix) - 1;
    if (number < mask) {
        *at = (uint8_t)(first | number);
        return at + 1;
    }
    *at++ = (uint8_t)(first | mask);
    for (number -= mask; number > 0x7f; number >>= 7)
        *at++ = (uint8_t)(0x80 | (number & 0x7f));
    *at++ = (uint8_t)number;
    return at;
}

static inline uint8_t *put_plain(uint8_t *at, Bytes text)
{
    return bytes_put(put_number(at, 0, 7, text.size), text);
}

static uint8_t *put_shortest(uint8_t *at, Bytes text)
{
    size_t size = huffman_size(text);
    if (size >= text.size)
        return put_plain(at, text);
    return huffman_encode(put_number(at, 0x80, 7, size), text);
}

/* ---- The table ------------------------------------------------------------------------------- */

/* A hash of the size and both ends only; find_field compares the whole text. */
static inline uint64_t ends_of(Bytes text)
{
    const uint8_t *at = text.data;
    size_t size = text.size;
    if (size >= 8)
        return bytes_word(at) * 0x9e3779b97f4a7c15u ^ (bytes_word(at + size - 8) + size);
    if (size >= 4)
        return (uint64_t)bytes_half(at) << 32 ^ bytes_half(at + size - 4) ^ size << 28;
    return size ? (uint64_t)at[0] << 16 | (uint64_t)at[size / 2] << 8 | at[size - 1] : 0;
}

static inline uint32_t hash_of(uint64_t a, uint64_t b)
{
    uint64_t mixed = (a ^ b * 0xd6e8feb86659fd93u) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32);
}

static uint16_t *bucket_of(HpackEncoder *encoder, uint32_t hash)
{
    return &encoder->buckets[hash % HPACK_BUCKETS];
}

/* Whether an entry number, of which 16 bits are stored, is of an entry that is still in the table;
   `number_out`: the whole number. */
static inline bool is_alive(const HpackTable *table, uint16_t number, uint32_t *number_out)
{
    uint32_t age = (uint16_t)(table->added - 1 - number);
    *number_out = table->added - 1 - age;
    return age < table->n;
}

static inline uint32_t index_of(const HpackTable *table, uint32_t number)
{
    return HPACK_STATIC + (table->added - number);
}

/* Behind the name there is the value. */
static inline bool is_of(const HpackTable *table, const HpackEntry *entry, Bytes name, Bytes value)
{
    if (entry->name_size != name.size || entry->value_size != value.size)
        return false;
    const uint8_t *text = hpack_table_text(table, entry->at);
    return bytes_are_at(text, name) && bytes_are_at(text + name.size, value);
}

/* The index of this field in the dynamic table, or 0; and its flaws there. */
static inline uint32_t find_field(HpackEncoder *encoder, uint32_t hash, Bytes name, Bytes value,
                                  uint8_t *flaws_out)
{
    const HpackTable *table = &encoder->table;
    uint32_t number;
    if (table->n == 0)
        return 0;
    for (uint16_t at = *bucket_of(encoder, hash); is_alive(table, at, &number);) {
        const HpackEntry *entry = hpack_table_entry(table, number);
        if (entry->hash == hash && is_of(table, entry, name, value)) {
            *flaws_out = entry->flaws;
            return index_of(table, number);
        }
        uint16_t step = (uint16_t)(at - entry->older);
        if (step == 0 || step >= table->n)
            return 0;
        at = entry->older;
    }
    return 0;
}

static uint32_t find_name(const HpackTable *table, uint32_t name_hash, Bytes name)
{
    for (uint32_t i = 1; i <= table->n; i++) {
        const HpackEntry *entry = hpack_table_entry(table, table->added - i);
        if (entry->name_hash == name_hash && bytes_equal(hpack_entry_name(table, entry), name))
            return HPACK_STATIC + i;
    }
    return 0;
}

static void add(HpackEncoder *encoder, uint32_t hash, uint32_t name_hash, Bytes name, Bytes value,
                uint8_t flaws)
{
    HpackTable *table = &encoder->table;
    if (!encoder->buckets) {
        encoder->buckets = calloc(HPACK_BUCKETS, sizeof *encoder->buckets);
        CHECK(encoder->buckets);
    }
    bytes_put(bytes_put(hpack_table_room(table, name.size + value.size), name), value);
    HpackEntry *entry = hpack_table_add(table, name.size, value.size);
    hpack_table_settle(table);
    if (!entry)
        return;
    uint16_t *bucket = bucket_of(encoder, hash);
    entry->hash = hash;
    entry->name_hash = name_hash;
    entry->flaws = flaws;
    entry->older = *bucket;
    *bucket = (uint16_t)(table->added - 1);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

/* Encoded as "never indexed", here and by every intermediary, so that the value cannot be guessed
   by probing the table (section 7.1.3). That is easiest for short cookies. A Set-Cookie seldom
   repeats. */
static bool is_secret(Bytes name, Bytes value)
{
    switch (name.size) {
    case 6: return value.size < 20 && bytes_are(name, "cookie");
    case 10: return bytes_are(name, "set-cookie");
    case 13: return bytes_are(name, "authorization");
    case 19: return bytes_are(name, "proxy-authorization");
    default: return false;
    }
}

/* Fields whose value seldom repeats, or not for long. */
static bool seldom_repeats(Bytes name)
{
    switch (name.size) {
    case 3: return bytes_are(name, "age");
    case 4: return bytes_are(name, "etag") || bytes_are(name, "date");
    case 5: return bytes_are(name, ":path");
    case 8: return bytes_are(name, "location");
    case 10: return bytes_are(name, "tracestate");
    case 11: return bytes_are(name, "traceparent");
    case 12:
        return bytes_are(name, "x-request-id") || bytes_are(name, "grpc-timeout") ||
               bytes_are(name, "grpc-message");
    case 13: return bytes_are(name, "if-none-match");
    case 14: return bytes_are(name, "content-length");
    case 17: return bytes_are(name, "if-modified-since");
    case 18: return bytes_are(name, "connect-timeout-ms");
    case 23: return bytes_are(name, "grpc-status-details-bin");
    default: return false;
    }
}

/* True if the same field was written recently; remembers this one. */
static bool was_seen(HpackEncoder *encoder, uint32_t hash)
{
    uint32_t *seen = &encoder->seen[hash % HPACK_SEEN];
    bool same = *seen == hash;
    *seen = hash;
    return same;
}

static bool is_small_enough(const HpackTable *table, Bytes name, Bytes value)
{
    return name.size + value.size + HPACK_ENTRY_EXTRA <= table->limit / 4 * 3;
}

static uint8_t *put_literal(HpackEncoder *encoder, uint8_t *at, uint32_t known, uint32_t hash,
                            Bytes name, Bytes value, uint8_t flaws)
{
    uint32_t name_hash = hash_of(ends_of(name), name.size);
    bool secret = is_secret(name, value);
    if (!known)
        known = hpack_static_find(name);
    if (!known)
        known = find_name(&encoder->table, name_hash, name);
    bool index = !secret && is_small_enough(&encoder->table, name, value) &&
                 (!known || !seldom_repeats(name) || was_seen(encoder, hash));
    if (index)
        at = put_number(at, 0x40, 6, known);
    else
        at = put_number(at, secret ? 0x10 : 0, 4, known);
    if (!known)
        at = put_shortest(at, name);
    at = index ? put_shortest(at, value) : put_plain(at, value);
    if (index)
        add(encoder, hash, name_hash, name, value, flaws);
    return at;
}

uint8_t *hpack_encode_known(HpackEncoder *encoder, uint8_t *at, uint32_t known, Bytes value)
{
    Bytes name = bytes(hpack_static[known].name, hpack_static[known].name_size);
    uint32_t hash = hash_of(ends_of(name), ends_of(value));
    uint8_t flaws;
    uint32_t index = find_field(encoder, hash, name, value, &flaws);
    return index ? put_number(at, 0x80, 7, index)
                 : put_literal(encoder, at, known, hash, name, value, NOT_ASKED);
}

uint8_t *hpack_encode(HpackEncoder *encoder, uint8_t *at, const Field *field, HpackMay *may)
{
    Bytes name = field->name, value = field->value;
    uint32_t hash = hash_of(ends_of(name), ends_of(value));
    uint8_t flaws = NOT_ASKED;
    uint32_t index = find_field(encoder, hash, name, value, &flaws);
    if (flaws && may && !may(field))
        return at;
    return index ? put_number(at, 0x80, 7, index)
                 : put_literal(encoder, at, 0, hash, name, value, 0);
}

uint8_t *hpack_encode_alone(uint8_t *at, Bytes name, Bytes value)
{
    uint32_t known = hpack_static_find(name);
    at = put_number(at, is_secret(name, value) ? 0x10 : 0, 4, known);
    if (!known)
        at = put_plain(at, name);
    return put_plain(at, value);
}

uint8_t *hpack_encode_begin(HpackEncoder *encoder, uint8_t *at)
{
    if (!encoder->resized)
        return at;
    if (encoder->lowest < encoder->table.limit)
        at = put_number(at, 0x20, 5, encoder->lowest);
    encoder->resized = false;
    encoder->lowest = encoder->table.limit;
    return put_number(at, 0x20, 5, encoder->table.limit);
}
