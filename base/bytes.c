#include "base/bytes.h"

#include "base/arena.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

char *text_copy_bytes(Bytes text)
{
    char *copy = malloc(text.size + 1);
    CHECK(copy);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

char *text_copy(const char *text)
{
    return text ? text_copy_bytes(bytes_of(text)) : NULL;
}

bool bytes_are_one_of(Bytes a, const char *const *texts)
{
    while (*texts && !bytes_are(a, *texts))
        texts++;
    return *texts;
}

bool bytes_equal_nocase(Bytes a, Bytes b)
{
    return a.size == b.size &&
           (a.size == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0);
}

int bytes_compare(Bytes a, Bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Bytes that a character has in all by its first one. */
static size_t character_size(uint8_t first)
{
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

Bytes bytes_cut_long_text(Bytes text, size_t most)
{
    enum { LONGEST_CHARACTER = 4 };
    Bytes cut = bytes_slice(text, 0, most);
    size_t back = 1;
    while (back < LONGEST_CHARACTER && back < cut.size &&
           (cut.data[cut.size - back] & 0xc0) == 0x80)
        back++;
    bool is_part = cut.size && character_size(cut.data[cut.size - back]) > back;
    return is_part ? bytes_slice(cut, 0, cut.size - back) : cut;
}

void text_format(char *text, size_t capacity, const char *format, va_list args)
{
    int size = vsnprintf(text, capacity, format, args);
    if (size > 0 && (size_t)size >= capacity)
        text[bytes_cut_long_text(bytes(text, capacity - 1), capacity - 1).size] = '\0';
}

Bytes bytes_trim_blanks(Bytes whole)
{
    while (whole.size && byte_is_blank(whole.data[0])) {
        whole.data++;
        whole.size--;
    }
    while (whole.size && byte_is_blank(whole.data[whole.size - 1]))
        whole.size--;
    return whole;
}

bool bytes_split(Bytes *rest, uint8_t separator, Bytes *part_out)
{
    if (!rest->data)
        return false;
    size_t at = bytes_find(*rest, separator);
    *part_out = bytes(rest->data, at);
    *rest = at == rest->size ? BYTES_NONE : bytes(rest->data + at + 1, rest->size - at - 1);
    return true;
}

Bytes bytes_copy(Arena *arena, Bytes from)
{
    if (!from.size)
        return bytes("", 0);
    uint8_t *copy = arena_alloc(arena, from.size);
    if (!copy)
        return BYTES_NONE;
    bytes_put(copy, from);
    return bytes(copy, from.size);
}

Bytes bytes_lower(Arena *arena, Bytes from)
{
    uint8_t *lower = arena_alloc(arena, from.size);
    if (!lower)
        return BYTES_NONE;
    for (size_t i = 0; i < from.size; i++)
        lower[i] = ascii_lower(from.data[i]);
    return bytes(lower, from.size);
}

bool bytes_to_u64(Bytes text, uint64_t *number_out)
{
    uint64_t number = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *number_out = number;
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t eight)
{
    hash = (hash ^ eight) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Up to seven bytes, the first in the lowest. They are read from both ends and in the middle: a
   byte that is read twice goes where it is. */
static uint64_t few_bytes(Bytes b)
{
    if (b.size >= 4) {
        uint32_t first, last;
        memcpy(&first, b.data, 4);
        memcpy(&last, b.data + b.size - 4, 4);
        return le32toh(first) | (uint64_t)le32toh(last) << 8 * (b.size - 4);
    }
    if (!b.size)
        return 0;
    return b.data[0] | (uint64_t)b.data[b.size / 2] << 8 * (b.size / 2) |
           (uint64_t)b.data[b.size - 1] << 8 * (b.size - 1);
}

/* Eight bytes at a time, the last ones padded with zeros. The size is part of the hash, so texts
   that differ in trailing zeros differ. */
uint64_t bytes_hash(Bytes b)
{
    uint64_t hash = mix(0xcbf29ce484222325u, b.size), eight;
    for (; b.size >= sizeof eight; b.data += sizeof eight, b.size -= sizeof eight) {
        memcpy(&eight, b.data, sizeof eight);
        hash = mix(hash, eight);
    }
    return mix(mix(hash, few_bytes(b)), 0);
}

bool buffer_extend(Buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : more > 64 ? more : 64;
    if (more > SIZE_MAX / 4) {
        buffer->full = true;
        return false;
    }
    while (capacity - buffer->size < more)
        capacity *= 2;

    uint8_t *grown =
        buffer->full ? NULL : arena_grow(buffer->arena, buffer->data, buffer->size, capacity);
    if (!grown) {
        buffer->full = true;
        return false;
    }
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

void buffer_printf(Buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size >= 0 && buffer_reserve(buffer, (size_t)size + 1)) {
        vsnprintf((char *)buffer->data + buffer->size, (size_t)size + 1, format, args);
        buffer->size += (size_t)size;
    }
    va_end(args);
}
