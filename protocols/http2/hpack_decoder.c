#include "protocols/http2/hpack_decoder.h"

#include "protocols/http2/huffman.h"

enum { ROOM = 1024 };

void hpack_decoder_init(HpackDecoder *decoder)
{
    hpack_table_init(&decoder->table, HPACK_TABLE_DEFAULT);
}

void hpack_decoder_deinit(HpackDecoder *decoder)
{
    hpack_table_deinit(&decoder->table);
}

/* ---- Numbers and strings --------------------------------------------------------------------- */

/* An integer (section 5.1). HPACK_FIELD: it was read. */
static inline HpackOutcome read_number(Bytes *rest, unsigned prefix, uint32_t *number_out)
{
    const uint8_t *at = rest->data, *end = at + rest->size;
    uint32_t mask = (1u << prefix) - 1;
    if (at == end)
        return HPACK_PARTIAL;
    uint64_t number = *at++ & mask;
    if (number == mask) {
        unsigned shift = 0;
        uint8_t byte;
        do {
            if (at == end)
                return HPACK_PARTIAL;
            byte = *at++;
            number += (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
            if (number > UINT32_MAX || shift > 35)
                return HPACK_BROKEN;
        } while (byte & 0x80);
    }
    *rest = bytes(at, (size_t)(end - at));
    *number_out = (uint32_t)number;
    return HPACK_FIELD;
}

/* A string as it is encoded in the block. */
typedef struct Encoded {
    Bytes text;
    bool huffman;
} Encoded;

static inline HpackOutcome read_string(Bytes *rest, Encoded *string_out)
{
    uint32_t size;
    if (rest->size == 0)
        return HPACK_PARTIAL;
    string_out->huffman = rest->data[0] & 0x80;
    HpackOutcome outcome = read_number(rest, 7, &size);
    if (outcome != HPACK_FIELD)
        return outcome;
    if (size > HPACK_STRING_MOST)
        return HPACK_BROKEN;
    if (size > rest->size)
        return HPACK_PARTIAL;
    string_out->text = bytes(rest->data, size);
    *rest = bytes(rest->data + size, rest->size - size);
    return HPACK_FIELD;
}

static size_t most_of(const Encoded *string)
{
    return string->huffman ? huffman_decoded_most(string->text.size) : string->text.size;
}

/* Writes a string to memory that has room for it. False: it is malformed. */
static bool write_string(const Encoded *string, uint8_t *at, Bytes *string_out)
{
    size_t size = string->text.size;
    if (string->huffman && !huffman_decode(string->text, at, &size))
        return false;
    if (!string->huffman)
        bytes_put(at, string->text);
    *string_out = bytes(at, size);
    return true;
}

static uint8_t *room_for(HpackBlock *block, size_t size)
{
    if (!block->room || block->room_size < size) {
        block->room_size = size > ROOM ? size : ROOM;
        block->room = arena_alloc(block->arena, block->room_size);
        CHECK(block->room);
    }
    return block->room;
}

/* A string of a field that is not added to the table. */
static bool take_string(HpackBlock *block, const Encoded *string, Bytes *string_out)
{
    if (block->whole && !string->huffman) {
        *string_out = string->text;
        return true;
    }
    if (!string->huffman) { /* of a block in parts: its size is known, so that none is wasted */
        uint8_t *copy = arena_alloc(block->arena, string->text.size);
        CHECK(copy);
        return write_string(string, copy, string_out);
    }
    if (!write_string(string, room_for(block, most_of(string)), string_out))
        return false;
    block->room += string_out->size;
    block->room_size -= string_out->size;
    return true;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

/* Section 2.3.3. False: there is no such entry. */
static bool look_up(const HpackTable *table, uint32_t index, HpackField *field_out)
{
    if (index - 1 < HPACK_STATIC) {
        const HpackStatic *entry = &hpack_static[index];
        *field_out = (HpackField){.name = bytes(entry->name, entry->name_size),
                                  .value = bytes(entry->value, entry->value_size),
                                  .token = entry->token};
        return true;
    }
    uint32_t age = index - HPACK_STATIC - 1;
    if (index == 0 || age >= table->n)
        return false;
    const HpackEntry *entry = hpack_table_entry(table, table->added - 1 - age);
    const uint8_t *text = hpack_table_text(table, entry->at);
    *field_out = (HpackField){.name = bytes(text, entry->name_size),
                              .value = bytes(text + entry->name_size, entry->value_size),
                              .token = entry->token,
                              .flaws = entry->flaws};
    return true;
}

static bool resize_table(HpackDecoder *decoder, const HpackBlock *block, uint32_t size)
{
    if (block->begun || size > HPACK_TABLE_DEFAULT)
        return false;
    hpack_table_limit(&decoder->table, size);
    return true;
}

/* Name and value are written to the table and point there: a later field may evict the entry, but
   its text stays valid while the head is read. */
static bool add_to_table(HpackTable *table, const Encoded *name, const Encoded *value,
                         HpackField *field)
{
    size_t most = (name ? most_of(name) : field->name.size) + most_of(value);
    uint8_t *at = hpack_table_room(table, most);
    if (!name) {
        bytes_put(at, field->name);
        field->name.data = at;
    } else if (!write_string(name, at, &field->name)) {
        return false;
    }
    return write_string(value, at + field->name.size, &field->value);
}

static bool take_strings(HpackBlock *block, const Encoded *name, const Encoded *value,
                         HpackField *field)
{
    return (!name || take_string(block, name, &field->name)) &&
           take_string(block, value, &field->value);
}

/* Whether it may be larger than the table. Then it is not written there, whose text would grow with
   it and stay so; what turns out to fit is copied. */
static bool may_be_large(const HpackTable *table, const Encoded *name, const Encoded *value,
                         const HpackField *field)
{
    size_t most = (name ? most_of(name) : field->name.size) + most_of(value);
    return most + HPACK_ENTRY_EXTRA > table->limit;
}

static bool add_large(HpackDecoder *decoder, HpackBlock *block, const Encoded *name,
                      const Encoded *value, HpackField *field)
{
    HpackTable *table = &decoder->table;
    if (!take_strings(block, name, value, field))
        return false;
    size_t size = field->name.size + field->value.size;
    if (size + HPACK_ENTRY_EXTRA <= table->limit)
        bytes_put(bytes_put(hpack_table_room(table, size), field->name), field->value);
    return true;
}

static HpackEntry *add_entry(HpackTable *table, const HpackField *field)
{
    size_t size = field->name.size + field->value.size;
    if (size + HPACK_ENTRY_EXTRA <= table->limit)
        return hpack_table_add(table, field->name.size, field->value.size);
    hpack_table_clear(table);
    return NULL;
}

static HpackOutcome read_literal(HpackDecoder *decoder, HpackBlock *block, bool index,
                                 HpackField *field)
{
    Bytes rest = block->rest;
    Encoded name, value;
    uint32_t known;
    HpackOutcome outcome = read_number(&rest, index ? 6 : 4, &known);
    if (outcome == HPACK_FIELD && known == 0)
        outcome = read_string(&rest, &name);
    else if (outcome == HPACK_FIELD && !look_up(&decoder->table, known, field))
        return HPACK_BROKEN;
    if (outcome == HPACK_FIELD)
        outcome = read_string(&rest, &value);
    if (outcome != HPACK_FIELD)
        return outcome;

    const Encoded *new_name = known ? NULL : &name;
    bool good = !index ? take_strings(block, new_name, &value, field)
                : may_be_large(&decoder->table, new_name, &value, field)
                    ? add_large(decoder, block, new_name, &value, field)
                    : add_to_table(&decoder->table, new_name, &value, field);
    if (!good)
        return HPACK_BROKEN;
    if (known) {
        field->flaws &= HPACK_BAD_NAME;
    } else {
        field->token = hpack_token(field->name);
        field->flaws = hpack_name_flaws((HpackToken)field->token, field->name);
    }
    field->flaws |= hpack_value_flaws(field->value);
    if (index) {
        HpackEntry *entry = add_entry(&decoder->table, field);
        if (entry) {
            entry->token = field->token;
            entry->flaws = field->flaws;
        }
    }
    block->rest = rest;
    block->begun = true;
    return HPACK_FIELD;
}

HpackOutcome hpack_decode(HpackDecoder *decoder, HpackBlock *block, HpackField *field_out)
{
    while (block->rest.size) {
        uint8_t first = block->rest.data[0];
        Bytes rest = block->rest;
        uint32_t number;
        if (first & 0x80) {
            HpackOutcome outcome = read_number(&rest, 7, &number);
            if (outcome == HPACK_FIELD && !look_up(&decoder->table, number, field_out))
                outcome = HPACK_BROKEN;
            if (outcome == HPACK_FIELD) {
                block->rest = rest;
                block->begun = true;
            }
            return outcome;
        }
        if ((first & 0xe0) != 0x20)
            return read_literal(decoder, block, first & 0x40, field_out);

        HpackOutcome outcome = read_number(&rest, 5, &number);
        if (outcome != HPACK_FIELD)
            return outcome;
        if (!resize_table(decoder, block, number))
            return HPACK_BROKEN;
        block->rest = rest;
    }
    return HPACK_END;
}
