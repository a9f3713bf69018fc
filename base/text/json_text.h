/*
 * JSON without a schema (RFC 8259): how a string is written, and a cursor over a text.
 *
 * For small texts of known shape: error bodies, log lines, Connect's end of stream. Messages are
 * read and written by adapters/. The cursor borrows its text; decoded strings go to the arena. Any
 * thread.
 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include "base/bytes.h"

/* Adds the text in quotes, escaped; bytes that are no valid UTF-8 become U+FFFD. */
void json_text_add(Buffer *out, Bytes text);

/* Begins a member of the object at the end of `out`: a comma unless it is the first, the name, a
   colon. */
void json_text_add_key(Buffer *out, const char *name);

typedef enum JsonTextKind {
    JSON_KIND_BAD, /* not JSON */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
} JsonTextKind;

/* Where a reader stands. A failure sticks: everything after it gives nothing. */
typedef struct JsonCursor {
    const uint8_t *at, *end;
    Arena *arena; /* for decoded strings */
    bool bad;
    int depth;
} JsonCursor;

JsonCursor json_cursor(Bytes text, Arena *arena);

/* What comes next, without taking it. */
JsonTextKind json_cursor_peek(JsonCursor *cursor);

/* Walks an object: `*first` starts true. True when there is a member; its value is to be taken
   next. */
bool json_cursor_member(JsonCursor *cursor, bool *first, Bytes *name_out);

/* Walks an array in the same way. */
bool json_cursor_element(JsonCursor *cursor, bool *first);

/* Takes a string; BYTES_NONE and `bad` when it is none. */
Bytes json_cursor_string(JsonCursor *cursor);

/* Takes any value; the bytes of its text. */
Bytes json_cursor_skip(JsonCursor *cursor);

/* Whether the whole text was taken, and was well-formed. */
bool json_cursor_finish(JsonCursor *cursor);

#endif
