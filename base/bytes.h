/*
 * Bytes: borrowed bytes. Buffer: bytes that grow in an arena.
 *
 * Bytes have no NUL at the end and may have any value; the owner of their memory is documented
 * where they are declared. A Buffer at its arena's limit stays valid, drops what is added, and sets
 * `full`; its user checks this once, at the end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Arena Arena;

typedef struct Bytes {
    const uint8_t *data; /* borrowed; may be NULL when size is 0 */
    size_t size;
} Bytes;

#define BYTES_NONE ((Bytes){NULL, 0})

/* For use in printf: "%.*s", BYTES_ARGS(b). */
#define BYTES_ARGS(b) (int)(b).size, (const char *)(b).data

static inline Bytes bytes(const void *data, size_t size)
{
    return (Bytes){data, size};
}

/* The characters of a C string, without its NUL. */
static inline Bytes bytes_of(const char *text)
{
    return (Bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(Bytes a, Bytes b)
{
    /* `b` is often a literal: its size is then known to the compiler. */
    return a.size == b.size && (b.size == 0 || memcmp(a.data, b.data, b.size) == 0);
}

/* Of two C strings, or NULLs. */
static inline bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A copy on the heap, which the caller frees; NULL only of NULL. Without memory the process ends.
 */
char *text_copy(const char *text);

/* The same of bytes, with a NUL behind them. Never NULL. */
char *text_copy_bytes(Bytes text);

/* For ASCII only: other bytes are unchanged. */
static inline uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline bool bytes_are(Bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}

/* `texts` ends with NULL. */
bool bytes_are_one_of(Bytes a, const char *const *texts);

/* Equal except for the case of ASCII letters. */
bool bytes_equal_nocase(Bytes a, Bytes b);

static inline bool bytes_are_nocase(Bytes a, const char *text)
{
    return bytes_equal_nocase(a, bytes_of(text));
}

static inline bool bytes_start_with(Bytes whole, const char *prefix)
{
    Bytes p = bytes_of(prefix);
    return whole.size >= p.size && (p.size == 0 || memcmp(whole.data, p.data, p.size) == 0);
}

static inline bool bytes_end_with(Bytes whole, const char *suffix)
{
    Bytes s = bytes_of(suffix);
    return whole.size >= s.size &&
           (s.size == 0 || memcmp(whole.data + whole.size - s.size, s.data, s.size) == 0);
}

/* As memcmp, the shorter first. */
int bytes_compare(Bytes a, Bytes b);

/* `size` bytes from `from`, both limited to `whole`. */
static inline Bytes bytes_slice(Bytes whole, size_t from, size_t size)
{
    if (from >= whole.size)
        return BYTES_NONE;
    if (size > whole.size - from)
        size = whole.size - from;
    return bytes(whole.data + from, size);
}

/* At most `most` bytes from the start, of UTF-8 without a part of a character at their end. What is
   no UTF-8 is cut anywhere. */
Bytes bytes_cut_long_text(Bytes text, size_t most);

static inline Bytes bytes_cut_text(Bytes text, size_t most)
{
    return text.size <= most ? text : bytes_cut_long_text(text, most);
}

/* vsnprintf, whose text is not cut within a character of UTF-8. */
void text_format(char *text, size_t capacity, const char *format, va_list args);

/* Position of a byte, or whole.size if it does not occur. */
static inline size_t bytes_find(Bytes whole, uint8_t byte)
{
    const uint8_t *at = whole.size ? (const uint8_t *)memchr(whole.data, byte, whole.size) : NULL;
    return at ? (size_t)(at - whole.data) : whole.size;
}

static inline bool byte_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

Bytes bytes_trim_blanks(Bytes whole);

/* Without spaces and tabs at both ends. Nearly nothing has some. */
static inline Bytes bytes_trim(Bytes whole)
{
    bool has =
        whole.size && (byte_is_blank(whole.data[0]) || byte_is_blank(whole.data[whole.size - 1]));
    return has ? bytes_trim_blanks(whole) : whole;
}

/*
 * Removes the part before `separator` from the front of `*rest`, with the separator. False if
 * nothing is left. An empty part between two separators counts.
 */
bool bytes_split(Bytes *rest, uint8_t separator, Bytes *part_out);

/*
 * Copies to memory that is large enough; returns the end of the copy. Names and values are short:
 * up to 32 bytes are two moves from both ends, which may overlap, instead of a call of memcpy.
 */
static inline uint8_t *bytes_put(uint8_t *at, Bytes from)
{
    typedef struct Half {
        uint8_t bytes[16];
    } Half;
    size_t size = from.size;
    if (size > 32) {
        memcpy(at, from.data, size);
    } else if (size >= 16) {
        Half first, last;
        memcpy(&first, from.data, 16);
        memcpy(&last, from.data + size - 16, 16);
        memcpy(at, &first, 16);
        memcpy(at + size - 16, &last, 16);
    } else if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, from.data, 8);
        memcpy(&last, from.data + size - 8, 8);
        memcpy(at, &first, 8);
        memcpy(at + size - 8, &last, 8);
    } else {
        for (size_t i = 0; i < size; i++)
            at[i] = from.data[i];
    }
    return at + size;
}

static inline uint64_t bytes_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t bytes_half(const uint8_t *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof half);
    return half;
}

/* Whether there are these bytes, likewise: for texts that mostly are equal. */
static inline __attribute__((always_inline)) bool bytes_are_at(const uint8_t *at, Bytes text)
{
    const uint8_t *t = text.data;
    size_t size = text.size, last = size - 1;
    if (size > 32)
        return memcmp(at, t, size) == 0;
    if (size >= 16) {
        uint64_t first =
            (bytes_word(at) ^ bytes_word(t)) | (bytes_word(at + 8) ^ bytes_word(t + 8));
        return !(first | (bytes_word(at + size - 16) ^ bytes_word(t + size - 16)) |
                 (bytes_word(at + size - 8) ^ bytes_word(t + size - 8)));
    }
    if (size >= 8)
        return bytes_word(at) == bytes_word(t) &&
               bytes_word(at + size - 8) == bytes_word(t + size - 8);
    if (size >= 4)
        return bytes_half(at) == bytes_half(t) &&
               bytes_half(at + size - 4) == bytes_half(t + size - 4);
    return !size || (at[0] == t[0] && at[size / 2] == t[size / 2] && at[last] == t[last]);
}

/* A copy in the arena; BYTES_NONE with data NULL at its limit. */
Bytes bytes_copy(Arena *arena, Bytes from);

/* The same with ASCII letters in lower case. */
Bytes bytes_lower(Arena *arena, Bytes from);

/* A decimal number without sign or space; false if it is not one or does not fit. */
bool bytes_to_u64(Bytes text, uint64_t *number_out);

uint64_t bytes_hash(Bytes b);

typedef struct Buffer {
    uint8_t *data;
    size_t size, capacity;
    Arena *arena;
    bool full; /* something was dropped, because the arena's limit is reached */
} Buffer;

static inline Buffer buffer_in(Arena *arena)
{
    return (Buffer){.arena = arena};
}

static inline Bytes buffer_bytes(const Buffer *buffer)
{
    return (Bytes){buffer->data, buffer->size};
}

/* The same where NULL means that there is nothing: an empty message is there. */
static inline Bytes buffer_message(const Buffer *buffer)
{
    return buffer->size ? buffer_bytes(buffer) : bytes("", 0);
}

bool buffer_extend(Buffer *buffer, size_t more);

/* Room for `more` bytes behind data + size. False, with `full` set, at the arena's limit. */
static inline bool buffer_reserve(Buffer *buffer, size_t more)
{
    return __builtin_expect(buffer->capacity - buffer->size >= more, 1) ||
           buffer_extend(buffer, more);
}

static inline void buffer_add(Buffer *buffer, const void *data, size_t size)
{
    if (size && buffer_reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
}

static inline void buffer_add_bytes(Buffer *buffer, Bytes b)
{
    buffer_add(buffer, b.data, b.size);
}

static inline void buffer_add_byte(Buffer *buffer, uint8_t byte)
{
    if (buffer_reserve(buffer, 1))
        buffer->data[buffer->size++] = byte;
}

static inline void buffer_add_text(Buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
