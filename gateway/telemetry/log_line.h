/*
 * Log lines: one JSON object on one line, written without printf, and without allocation once the
 * buffer is large enough. The buffer belongs to the caller; any thread.
 *
 *   log_line_begin(&line, wall, "call", "info");
 *   log_line_text(&line, LOG_KEY("service"), bytes_of("orders"));
 *   log_line_end(&line);
 *
 * Texts are escaped and repaired to UTF-8; long ones are cut, so that a line stays bounded.
 */
#ifndef GATEWAY_LOG_LINE_H
#define GATEWAY_LOG_LINE_H

#include "base/bytes.h"
#include "base/result.h"
#include "base/text/decimal.h"

enum {
    LOG_TEXT_SIZE = 1024, /* of one text, before escaping; the rest is cut off */
    LOG_CAUSES = 16,      /* links of one chain */
    LOG_LINES = 20,       /* of one list; the rest is left out */
};

#define LOG_KEY(name) bytes(",\"" name "\":", sizeof(",\"" name "\":") - 1)

/* Clears the buffer and writes the members of every line: time, kind and level. */
void log_line_begin(Buffer *line, int64_t wall, const char *kind, const char *level);

/* Adds members that were formatted before, with their ",": for what is the same in many lines. */
static inline void log_line_part(Buffer *line, Bytes part)
{
    buffer_add_bytes(line, part);
}

/* What is inlined into each of its uses: most keys are literals, of a size that is known there. A
   line has about thirty members, and their calls would cost more than what they write. */
#define LOG_LINE_INLINED static inline __attribute__((always_inline))

/* Writes the key, with its ",", and reserves `size` bytes for the value, which log_line_end_value
   ends. NULL: out of memory. */
LOG_LINE_INLINED uint8_t *log_line_begin_value(Buffer *line, Bytes key, size_t size)
{
    if (!buffer_reserve(line, key.size + size))
        return NULL;
    uint8_t *at = line->data + line->size;
    if (!__builtin_constant_p(key.size))
        return bytes_put(at, key);
    if (key.size)
        memcpy(at, key.data, key.size);
    return at + key.size;
}

static inline void log_line_end_value(Buffer *line, const uint8_t *end)
{
    line->size = (size_t)(end - line->data);
}

/* A text, left out when it is empty. */
void log_line_text(Buffer *line, Bytes key, Bytes text);

/* The same for a text that needs no escapes. May be empty. */
LOG_LINE_INLINED void log_line_plain(Buffer *line, Bytes key, Bytes text)
{
    uint8_t *at = text.size ? log_line_begin_value(line, key, text.size + 2) : NULL;
    if (!at)
        return;
    *at++ = '"';
    at = bytes_put(at, text);
    *at++ = '"';
    log_line_end_value(line, at);
}

LOG_LINE_INLINED void log_line_word(Buffer *line, Bytes key, const char *word)
{
    if (word)
        log_line_plain(line, key, bytes_of(word));
}

LOG_LINE_INLINED void log_line_number(Buffer *line, Bytes key, uint64_t number)
{
    uint8_t *at = log_line_begin_value(line, key, DECIMAL_SIZE);
    if (!at)
        return;
    if (number < 10)
        *at++ = (uint8_t)('0' + number);
    else
        at += decimal_write(number, (char *)at);
    log_line_end_value(line, at);
}

enum { LOG_MILLIS_SIZE = DECIMAL_SIZE + 4 };

/* Writes nanoseconds as milliseconds with three decimals; returns the end. */
uint8_t *log_line_put_millis(uint8_t *at, int64_t nanoseconds);

LOG_LINE_INLINED void log_line_millis(Buffer *line, Bytes key, int64_t nanoseconds)
{
    uint8_t *at = log_line_begin_value(line, key, LOG_MILLIS_SIZE);
    if (at)
        log_line_end_value(line, log_line_put_millis(at, nanoseconds));
}

/* The chain as [{"fault", "doing", "field", "at"}], outermost first. Left out for success. */
void log_line_causes(Buffer *line, Bytes key, Result why);

/* Each line of the text as an element of a list. Left out when there is none. */
void log_line_lines(Buffer *line, Bytes key, Bytes text);

void log_line_end(Buffer *line);

#endif
