/* Whole responses that are encoded once. A header block without any entry of a dynamic table is the
   same on all connections. */
#include "base/text/decimal.h"
#include "protocols/http/http_rules.h"
#include "protocols/http2/http2.h"

static void add_field(Buffer *block, Bytes name, Bytes value)
{
    if (!buffer_reserve(block, name.size + value.size + HPACK_FIELD_EXTRA))
        return;
    uint8_t *at = block->data + block->size;
    block->size += (size_t)(hpack_encode_alone(at, name, value) - at);
}

static void add_number(Buffer *block, const char *name, uint64_t number)
{
    char digits[DECIMAL_SIZE];
    add_field(block, bytes_of(name), bytes(digits, decimal_write(number, digits)));
}

static Bytes encode_head(const HttpHead *head, Arena *arena)
{
    Buffer block = buffer_in(arena);
    add_number(&block, ":status", head->status);
    if (head->content_length >= 0)
        add_number(&block, "content-length", (uint64_t)head->content_length);
    for (uint32_t i = 0; i < head->fields.n; i++) {
        const Field *field = &head->fields.items[i];
        if (http_may_go_out(field))
            add_field(&block, field->name, field->value);
    }
    return block.full ? BYTES_NONE : buffer_bytes(&block);
}

static Bytes encode_trailers(const Fields *trailers, Arena *arena)
{
    Buffer block = buffer_in(arena);
    for (uint32_t i = 0; i < trailers->n; i++) {
        const Field *field = &trailers->items[i];
        if (http_may_go_out(field) && !http_is_barred_from_trailers(field->name))
            add_field(&block, field->name, field->value);
    }
    return block.full ? BYTES_NONE : buffer_bytes(&block);
}

HttpReady http_ready_of(const HttpHead *head, Bytes body, const Fields *trailers, Arena *arena)
{
    return (HttpReady){
        .head = *head,
        .body = body,
        .trailers = trailers,
        .block = encode_head(head, arena),
        .last = trailers ? encode_trailers(trailers, arena) : BYTES_NONE,
    };
}
