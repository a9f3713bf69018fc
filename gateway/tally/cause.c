#include "gateway/tally/cause.h"

enum {
    VERSION_DIGITS = 3, /* of a name that stays: "v12" */
    HEX_LEAST = 4,      /* characters of an id with digits and letters */
    HEX_WORD_LEAST = 8, /* of one that might be a word: "deadbeef", but not "facade" */
    UUID_SIZE = 36,
};

typedef struct Writer {
    char *out;
    size_t size;
    bool full;
} Writer;

/* ---- Characters ------------------------------------------------------------------------------ */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool is_word(uint8_t c)
{
    return is_digit(c) || is_letter(c) || c == '_' || c >= 0x80;
}

/* What an address, a URL or an id may have in it. */
static bool is_chunk(uint8_t c)
{
    return is_word(c) || (c && strchr(",.-:/@%+[]=&?~", c));
}

static bool ends_sentence(uint8_t c)
{
    return c == ',' || c == '.' || c == ':' || c == '?' || c == '-' || c == '=';
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The bytes of a character stay together. */
static void cut_character(Writer *w)
{
    while (w->size && ((uint8_t)w->out[w->size - 1] & 0xc0) == 0x80)
        w->size--;
    if (w->size && (uint8_t)w->out[w->size - 1] >= 0xc0)
        w->size--;
}

static void put(Writer *w, Bytes text)
{
    size_t room = CAUSE_SIZE - w->size;
    size_t size = text.size < room ? text.size : room;
    if (size)
        memcpy(w->out + w->size, text.data, size);
    w->size += size;
    if (size < text.size) {
        w->full = true;
        if ((text.data[size] & 0xc0) == 0x80)
            cut_character(w);
    }
}

static bool ends_with(const Writer *w, const char *mark, const char *separator)
{
    size_t mark_size = strlen(mark), separator_size = strlen(separator);
    if (w->size < mark_size + separator_size)
        return false;
    const char *at = w->out + w->size - separator_size;
    return memcmp(at, separator, separator_size) == 0 &&
           memcmp(at - mark_size, mark, mark_size) == 0;
}

/* Stands for a particular; another one behind a comma adds nothing. */
static void put_mark(Writer *w, const char *mark)
{
    if (ends_with(w, mark, ", "))
        w->size -= 2;
    else if (!ends_with(w, mark, ""))
        put(w, bytes_of(mark));
}

/* ---- What is a particular -------------------------------------------------------------------- */

static size_t count(Bytes text, size_t from, bool (*is)(uint8_t))
{
    size_t i = from;
    while (i < text.size && is(text.data[i]))
        i++;
    return i - from;
}

static bool is_host(uint8_t c)
{
    return is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_';
}

static bool is_address_6(uint8_t c)
{
    return is_hex(c) || c == ':' || c == '.';
}

static bool is_port(Bytes text)
{
    return text.size > 1 && text.size <= 6 && text.data[0] == ':' &&
           count(text, 1, is_digit) == text.size - 1;
}

/* "127.0.0.1", "127.0.0.1:7001", "orders.internal:7001" */
static bool is_address(Bytes chunk)
{
    size_t host = count(chunk, 0, is_host);
    bool has_port = is_port(bytes_slice(chunk, host, chunk.size));
    if (host == 0 || (host < chunk.size && !has_port))
        return false;
    if (has_port)
        return true;
    size_t dots = 0;
    for (size_t i = 0; i < host; i++) {
        dots += chunk.data[i] == '.';
        if (!is_digit(chunk.data[i]) && chunk.data[i] != '.')
            return false;
    }
    return dots == 3;
}

/* "2001:db8::1", "[::1]", "[::1]:7001" */
static bool is_address_of_6(Bytes chunk)
{
    bool bracket = chunk.data[0] == '[';
    size_t from = bracket, size = count(chunk, from, is_address_6), colons = 0;
    for (size_t i = from; i < from + size; i++)
        colons += chunk.data[i] == ':';
    size_t end = from + size;
    if (colons < 2)
        return false;
    if (!bracket)
        return end == chunk.size;
    if (end == chunk.size || chunk.data[end] != ']')
        return false;
    Bytes port = bytes_slice(chunk, end + 1, chunk.size);
    return port.size == 0 || is_port(port);
}

static bool is_uuid(Bytes chunk)
{
    if (chunk.size != UUID_SIZE)
        return false;
    for (size_t i = 0; i < chunk.size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? chunk.data[i] != '-' : !is_hex(chunk.data[i]))
            return false;
    }
    return true;
}

static bool has_url(Bytes chunk)
{
    for (size_t i = 1; i + 2 < chunk.size; i++)
        if (memcmp(chunk.data + i, "://", 3) == 0)
            return true;
    return false;
}

static bool is_particular(Bytes chunk)
{
    return is_address(chunk) || is_address_of_6(chunk) || is_uuid(chunk) || has_url(chunk) ||
           bytes_start_with(chunk, "unix:") || bytes_find(chunk, '@') < chunk.size;
}

static bool is_hex_id(Bytes word)
{
    if (word.size > 2 && word.data[0] == '0' && word.data[1] == 'x')
        word = bytes_slice(word, 2, word.size);
    size_t digits = 0;
    for (size_t i = 0; i < word.size; i++) {
        digits += is_digit(word.data[i]);
        if (!is_hex(word.data[i]))
            return false;
    }
    return digits < word.size && word.size >= (digits ? HEX_LEAST : HEX_WORD_LEAST);
}

static bool is_version(Bytes word)
{
    return word.size >= 2 && word.size <= 1 + VERSION_DIGITS && word.data[0] == 'v' &&
           count(word, 1, is_digit) == word.size - 1;
}

/* ---- Parts of a text ------------------------------------------------------------------------- */

static bool is_no_digit(uint8_t c)
{
    return !is_digit(c);
}

/* Letters, digits and underscores. */
static void put_word(Writer *w, Bytes word)
{
    if (is_version(word)) {
        put(w, word);
        return;
    }
    if (is_hex_id(word)) {
        put_mark(w, "*");
        return;
    }
    for (size_t at = 0; at < word.size;) {
        size_t plain = count(word, at, is_no_digit);
        put(w, bytes_slice(word, at, plain));
        at += plain;
        size_t digits = count(word, at, is_digit);
        if (digits)
            put_mark(w, "#");
        at += digits;
    }
}

/* A number with a fraction or with groups is one number: "1.5", "12,000". */
static size_t number_at(Bytes text, size_t at)
{
    size_t end = at + count(text, at, is_digit);
    while (end + 1 < text.size && (text.data[end] == '.' || text.data[end] == ',') &&
           is_digit(text.data[end + 1]))
        end += 1 + count(text, end + 1, is_digit);
    return end - at;
}

static void put_chunk(Writer *w, Bytes chunk)
{
    size_t tail = 0;
    while (tail < chunk.size && ends_sentence(chunk.data[chunk.size - 1 - tail]))
        tail++;
    Bytes end = bytes_slice(chunk, chunk.size - tail, tail);
    chunk.size -= tail;
    if (chunk.size && is_particular(chunk)) {
        put_mark(w, "*");
        put(w, end);
        return;
    }
    for (size_t at = 0; at < chunk.size;) {
        size_t word = count(chunk, at, is_word);
        if (word && count(chunk, at, is_digit) == word) {
            word = number_at(chunk, at);
            put_mark(w, "#");
        } else if (word) {
            put_word(w, bytes_slice(chunk, at, word));
        } else {
            word = 1;
            put(w, bytes_slice(chunk, at, 1));
        }
        at += word;
    }
    put(w, end);
}

/* The size of a value in quotes from `at` on, with them; 0: none begins there. An apostrophe inside
   of a word is none. */
static size_t quoted_at(Bytes text, size_t at)
{
    uint8_t quote = text.data[at];
    if (quote != '"' && quote != '`' && quote != '\'')
        return 0;
    if (quote == '\'' && at && is_word(text.data[at - 1]))
        return 0;
    size_t size = bytes_find(bytes_slice(text, at + 1, text.size), quote);
    if (at + 1 + size < text.size)
        return size + 2;
    return quote == '"' ? text.size - at : 0;
}

size_t cause_write(Bytes text, char out[CAUSE_SIZE])
{
    Writer w = {.out = out};
    text = bytes_slice(text, 0, CAUSE_READ_SIZE);
    for (size_t at = 0; at < text.size && !w.full;) {
        size_t size = quoted_at(text, at);
        if (size) {
            put_mark(&w, "\"*\"");
        } else if ((size = count(text, at, is_chunk)) > 0) {
            put_chunk(&w, bytes_slice(text, at, size));
        } else {
            size = 1;
            put(&w, bytes_slice(text, at, 1));
        }
        at += size;
    }
    return w.size;
}
