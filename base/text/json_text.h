/*
 * JSON without a schema (RFC 8259): writing a string, and a cursor over a text.
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

/* The same with its value. */
void json_text_add_member(Buffer *out, const char *name, Bytes text);
void json_text_add_number(Buffer *out, const char *name, uint64_t number);
void json_text_add_bool(Buffer *out, const char *name, bool value);

/* A time since 1970 as a text of RFC 3339, in UTC: date_write_rfc3339. */
void json_text_add_time(Buffer *out, const char *name, int64_t seconds, int32_t nanos);

/* Begins an element of the array at the end of `out`: a comma unless it is the first. */
void json_text_add_element(Buffer *out);

/* A member that is an array, and an element that is an object: their brackets are open. */
void json_text_open_list(Buffer *out, const char *name);
void json_text_open_item(Buffer *out);

typedef enum JsonTextKind {
    JSON_KIND_BAD, /* not JSON */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
} JsonTextKind;

/* The position of a reader. After a failure all functions return nothing. */
typedef struct JsonCursor {
    const uint8_t *at, *end;
    Arena *arena; /* for decoded strings */
    bool bad;
    int depth;
} JsonCursor;

JsonCursor json_cursor(Bytes text, Arena *arena);

/* The kind of the next value, which is not consumed. */
JsonTextKind json_cursor_peek(JsonCursor *cursor);

/* Iterates over an object: `*first` starts true. True if there is a member; the caller must consume
   its value next. */
bool json_cursor_member(JsonCursor *cursor, bool *first, Bytes *name_out);

/* Iterates over an array in the same way. */
bool json_cursor_element(JsonCursor *cursor, bool *first);

/* Consumes a string; BYTES_NONE and `bad` if it is not one. */
Bytes json_cursor_string(JsonCursor *cursor);

/* Consumes any value; returns its text. */
Bytes json_cursor_skip(JsonCursor *cursor);

/* Whether the whole text was consumed, and was well-formed. */
bool json_cursor_finish(JsonCursor *cursor);

#endif
