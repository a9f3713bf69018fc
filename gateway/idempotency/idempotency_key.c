#include "gateway/idempotency/idempotency_key.h"

#include "base/arena.h"

/* Of structured fields' strings (RFC 9651, 3.3.3): printable ASCII. */
static bool is_printable(uint8_t c)
{
    return c >= ' ' && c <= '~';
}

/* Nothing that could be read as a part of a structured field. */
static bool is_bare(Bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("\",;\\", text.data[i]))
            return false;
    return text.size > 0;
}

/* What follows the string: nothing, or parameters, whose meaning nobody has defined. */
static bool is_rest(Bytes rest)
{
    for (size_t i = 0; i < rest.size; i++)
        if (!is_printable(rest.data[i]))
            return false;
    rest = bytes_trim(rest);
    return !rest.size || (rest.data[0] == ';' && rest.size > 1);
}

/* The string between the quotes, its escapes undone. False: it is none. */
static bool read_string(Bytes text, Arena *arena, Bytes *key_out)
{
    uint8_t *key = arena_array(arena, uint8_t, text.size);
    size_t at = 1, n = 0;
    if (!key)
        return false;
    for (; at < text.size && text.data[at] != '"'; at++) {
        bool escape = text.data[at] == '\\';
        at += escape;
        if (at == text.size || !is_printable(text.data[at]) ||
            (escape && !strchr("\"\\", text.data[at])))
            return false;
        key[n++] = text.data[at];
    }
    *key_out = bytes(key, n);
    return at < text.size && is_rest(bytes_slice(text, at + 1, text.size));
}

static Result malformed(Arena *arena, const char *what)
{
    return FAIL_TELL(arena, FAULT_IDEMPOTENCY_KEY_MALFORMED,
                     "Idempotency-Key %s; an example: \"8e03978e-40d5-43e8-bc93-6e29ec5f6e2b\"",
                     what);
}

Result idempotency_key_read(const Fields *fields, uint32_t most, Arena *arena, Bytes *key_out)
{
    Bytes text = BYTES_NONE;
    *key_out = BYTES_NONE;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!bytes_are(fields->items[i].name, "idempotency-key"))
            continue;
        if (text.data)
            return malformed(arena, "is there twice");
        text = fields->items[i].value.data ? fields->items[i].value : bytes("", 0);
    }
    if (!text.data)
        return OK;
    Bytes key = bytes_trim(text);
    if (key.size && key.data[0] == '"' ? !read_string(key, arena, &key) : !is_bare(key))
        return malformed(arena, "is neither a string in quotes nor one word");
    if (!key.size)
        return malformed(arena, "is empty");
    if (key.size > most)
        return malformed(arena, arena_printf(arena, "has more than %u bytes", most));
    *key_out = key;
    return OK;
}
