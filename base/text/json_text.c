#include "base/text/json_text.h"

#include "base/text/date.h"
#include "base/text/utf8.h"

#include <inttypes.h>

enum { MOST_DEPTH = 64 };

static void add_escaped(Buffer *out, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '"': buffer_add(out, "\\\"", 2); return;
    case '\\': buffer_add(out, "\\\\", 2); return;
    case '\n': buffer_add(out, "\\n", 2); return;
    case '\r': buffer_add(out, "\\r", 2); return;
    case '\t': buffer_add(out, "\\t", 2); return;
    }
    buffer_add(out, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

static bool needs_escape(uint8_t c)
{
    return c < ' ' || c == '"' || c == '\\' || c == 0x7f;
}

/* U+0080 to U+009F: JSON allows them, but a terminal takes them for commands. */
static bool is_c1_control(const uint8_t *at, const uint8_t *end)
{
    return at[0] == 0xc2 && end - at > 1 && at[1] < 0xa0;
}

static void add_valid(Buffer *out, Bytes text)
{
    for (size_t i = 0; i < text.size;) {
        size_t run = i;
        while (run < text.size && !needs_escape(text.data[run]) &&
               !is_c1_control(text.data + run, text.data + text.size))
            run++;
        buffer_add(out, text.data + i, run - i);
        if (run < text.size && text.data[run] == 0xc2)
            run++; /* what follows is the number of the character */
        if (run < text.size)
            add_escaped(out, text.data[run++]);
        i = run;
    }
}

void json_text_add(Buffer *out, Bytes text)
{
    buffer_add_byte(out, '"');
    for (;;) {
        size_t good = utf8_valid_prefix(text);
        add_valid(out, bytes(text.data, good));
        if (good == text.size)
            break;
        utf8_add_character(out, 0xfffd);
        text = bytes_slice(text, good + 1, text.size);
    }
    buffer_add_byte(out, '"');
}

static void add_comma_unless_after(Buffer *out, uint8_t opens)
{
    if (out->size && out->data[out->size - 1] != opens)
        buffer_add_byte(out, ',');
}

void json_text_add_key(Buffer *out, const char *name)
{
    add_comma_unless_after(out, '{');
    json_text_add(out, bytes_of(name));
    buffer_add_byte(out, ':');
}

void json_text_add_member(Buffer *out, const char *name, Bytes text)
{
    json_text_add_key(out, name);
    json_text_add(out, text);
}

void json_text_add_number(Buffer *out, const char *name, uint64_t number)
{
    json_text_add_key(out, name);
    buffer_printf(out, "%" PRIu64, number);
}

void json_text_add_bool(Buffer *out, const char *name, bool value)
{
    json_text_add_key(out, name);
    buffer_add_text(out, value ? "true" : "false");
}

void json_text_add_time(Buffer *out, const char *name, int64_t seconds, int32_t nanos)
{
    char text[DATE_RFC3339_SIZE];
    size_t size = date_write_rfc3339(seconds, nanos, text);
    json_text_add_member(out, name, bytes(text, size));
}

void json_text_add_element(Buffer *out)
{
    add_comma_unless_after(out, '[');
}

void json_text_open_list(Buffer *out, const char *name)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, '[');
}

void json_text_open_item(Buffer *out)
{
    json_text_add_element(out);
    buffer_add_byte(out, '{');
}

JsonCursor json_cursor(Bytes text, Arena *arena)
{
    static const uint8_t nothing[1];
    const uint8_t *at = text.size ? text.data : nothing;
    return (JsonCursor){.at = at, .end = at + text.size, .arena = arena};
}

static bool fail(JsonCursor *cursor)
{
    cursor->bad = true;
    cursor->at = cursor->end;
    return false;
}

static void skip_blanks(JsonCursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                        *cursor->at == '\n' || *cursor->at == '\r'))
        cursor->at++;
}

/* The next byte that is not a blank; 0 at the end. */
static uint8_t next_byte(JsonCursor *cursor)
{
    skip_blanks(cursor);
    return cursor->at < cursor->end ? *cursor->at : 0;
}

static bool take(JsonCursor *cursor, uint8_t expected)
{
    if (next_byte(cursor) != expected || cursor->at == cursor->end)
        return fail(cursor);
    cursor->at++;
    return true;
}

/* Takes the next byte if it is `wanted`, without skipping blanks. */
static bool take_if(JsonCursor *cursor, uint8_t wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

JsonTextKind json_cursor_peek(JsonCursor *cursor)
{
    switch (next_byte(cursor)) {
    case '{': return JSON_KIND_OBJECT;
    case '[': return JSON_KIND_ARRAY;
    case '"': return JSON_KIND_STRING;
    case 't':
    case 'f': return JSON_KIND_BOOL;
    case 'n': return JSON_KIND_NULL;
    case '-': return JSON_KIND_NUMBER;
    }
    return next_byte(cursor) >= '0' && next_byte(cursor) <= '9' ? JSON_KIND_NUMBER : JSON_KIND_BAD;
}

/* Enters an array or object, or goes to its next item. False: there are no more. */
static bool next_item(JsonCursor *cursor, bool *first, uint8_t opens, uint8_t closes)
{
    if (cursor->bad)
        return false;
    if (*first) {
        *first = false;
        if (!take(cursor, opens) || ++cursor->depth > MOST_DEPTH)
            return fail(cursor);
        if (next_byte(cursor) != closes)
            return true;
    } else if (next_byte(cursor) == ',') {
        cursor->at++;
        return true;
    }
    cursor->depth--;
    take(cursor, closes);
    return false;
}

bool json_cursor_member(JsonCursor *cursor, bool *first, Bytes *name_out)
{
    if (!next_item(cursor, first, '{', '}'))
        return false;
    *name_out = json_cursor_string(cursor);
    return take(cursor, ':') && !cursor->bad;
}

bool json_cursor_element(JsonCursor *cursor, bool *first)
{
    return next_item(cursor, first, '[', ']');
}

/* The four digits of a \u escape, or -1. */
static int32_t read_hex4(JsonCursor *cursor)
{
    if (cursor->end - cursor->at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *cursor->at++;
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* After "\u". A surrogate pair is one character; a lone surrogate is an error. */
static bool add_unicode_escape(JsonCursor *cursor, Buffer *out)
{
    int32_t high = read_hex4(cursor);
    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    if (high >= 0xd800 && high <= 0xdbff) {
        if (cursor->end - cursor->at < 6 || cursor->at[0] != '\\' || cursor->at[1] != 'u')
            return false;
        cursor->at += 2;
        int32_t low = read_hex4(cursor);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8_add_character(out, (uint32_t)high);
    return true;
}

static bool add_escape(JsonCursor *cursor, Buffer *out)
{
    if (cursor->at == cursor->end)
        return false;
    uint8_t c = *cursor->at++;
    switch (c) {
    case '"':
    case '\\':
    case '/': buffer_add_byte(out, c); return true;
    case 'b': buffer_add_byte(out, '\b'); return true;
    case 'f': buffer_add_byte(out, '\f'); return true;
    case 'n': buffer_add_byte(out, '\n'); return true;
    case 'r': buffer_add_byte(out, '\r'); return true;
    case 't': buffer_add_byte(out, '\t'); return true;
    case 'u': return add_unicode_escape(cursor, out);
    }
    return false;
}

/* The part of a string up to its closing quote or the next escape. */
static Bytes plain_run(JsonCursor *cursor)
{
    const uint8_t *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '"' && *cursor->at != '\\' &&
           *cursor->at >= ' ')
        cursor->at++;
    return bytes(start, (size_t)(cursor->at - start));
}

Bytes json_cursor_string(JsonCursor *cursor)
{
    if (cursor->bad || !take(cursor, '"'))
        return BYTES_NONE;
    Bytes run = plain_run(cursor);
    if (take_if(cursor, '"')) {
        if (!utf8_valid(run))
            fail(cursor);
        return cursor->bad ? BYTES_NONE : run;
    }
    Buffer text = buffer_in(cursor->arena);
    buffer_add_bytes(&text, run);
    while (take_if(cursor, '\\')) {
        if (!add_escape(cursor, &text)) {
            fail(cursor);
            return BYTES_NONE;
        }
        buffer_add_bytes(&text, plain_run(cursor));
    }
    if (!take_if(cursor, '"') || text.full || !utf8_valid(buffer_bytes(&text))) {
        fail(cursor);
        return BYTES_NONE;
    }
    return text.data ? buffer_bytes(&text) : bytes("", 0);
}

static bool skip_word(JsonCursor *cursor, const char *word)
{
    if (!bytes_start_with(bytes(cursor->at, (size_t)(cursor->end - cursor->at)), word))
        return fail(cursor);
    cursor->at += strlen(word);
    return true;
}

static size_t skip_digits(JsonCursor *cursor)
{
    const uint8_t *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return (size_t)(cursor->at - start);
}

static void skip_number(JsonCursor *cursor)
{
    take_if(cursor, '-');
    bool zero = cursor->at < cursor->end && *cursor->at == '0';
    size_t digits = skip_digits(cursor);
    bool good = digits == 1 || (digits > 1 && !zero);
    if (take_if(cursor, '.'))
        good = good && skip_digits(cursor) > 0;
    if (take_if(cursor, 'e') || take_if(cursor, 'E')) {
        if (!take_if(cursor, '+'))
            take_if(cursor, '-');
        good = good && skip_digits(cursor) > 0;
    }
    if (!good)
        fail(cursor);
}

static void skip_items(JsonCursor *cursor, JsonTextKind kind)
{
    bool first = true;
    Bytes name;
    while (kind == JSON_KIND_ARRAY ? json_cursor_element(cursor, &first)
                                   : json_cursor_member(cursor, &first, &name))
        json_cursor_skip(cursor);
}

Bytes json_cursor_skip(JsonCursor *cursor)
{
    JsonTextKind kind = json_cursor_peek(cursor);
    const uint8_t *start = cursor->at;
    switch (kind) {
    case JSON_KIND_BAD: fail(cursor); break;
    case JSON_KIND_NULL: skip_word(cursor, "null"); break;
    case JSON_KIND_BOOL: skip_word(cursor, *cursor->at == 't' ? "true" : "false"); break;
    case JSON_KIND_NUMBER: skip_number(cursor); break;
    case JSON_KIND_STRING: json_cursor_string(cursor); break;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: skip_items(cursor, kind); break;
    }
    return cursor->bad ? BYTES_NONE : bytes(start, (size_t)(cursor->at - start));
}

bool json_cursor_finish(JsonCursor *cursor)
{
    skip_blanks(cursor);
    return !cursor->bad && cursor->at == cursor->end;
}
