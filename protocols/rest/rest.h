/*
 * REST by google.api.http: path templates, how a request is split into path, query and body, and
 * the formats of responses that a client accepts.
 *
 * Only strings: which field a variable or a query parameter means, and how its text becomes a
 * value, is the business of adapters/. Grammar and rules: google/api/http.proto ("HTTP
 * Transcoding"), AIP-127.
 *
 * A RestTable is built when the config is loaded and read by all loops afterwards. Matching costs
 * the length of the path, not the number of templates.
 */
#ifndef PROTOCOLS_REST_H
#define PROTOCOLS_REST_H

#include "base/call.h"

typedef struct RestTable RestTable;
typedef struct RestTemplate RestTemplate;

/* A parameter found in a path or query. */
typedef struct RestParameter {
    Bytes field_path; /* "order.id": names as in the schema or as JSON names, not resolved here */
    Bytes text;       /* decoded as the rules for single- and multi-segment variables say */
} RestParameter;

typedef struct RestMatch {
    void *value;               /* what was added with the template */
    RestParameter *parameters; /* path variables, in order */
    size_t n_parameters;
    Bytes allowed; /* no match of the verb, but of the path: "GET, PUT" for Allow; else empty */
} RestMatch;

/* Parses "/v1/{name=projects/x}:publish" and the like. Fault: BAD_SCHEMA, with the column. */
MUST_USE Result rest_template_parse(Arena *arena, Bytes text, const RestTemplate **template_out);

/* Variables of a template, as field paths in order. */
size_t rest_template_variables(const RestTemplate *template, const Bytes **field_paths_out);

RestTable *rest_table_new(Arena *arena);

/* google.api.Http.fully_decode_reserved_expansion: variables of several segments are decoded but
   for %2F. Without it the escapes of all of RFC 6570's reserved characters stay in them. */
void rest_table_decode_reserved(RestTable *table);

/* `verb` "GET", or a custom kind ("*" matches all). Two templates that match the same requests: the
   last one wins, and the one before is returned in *shadowed_out (its value) or NULL. */
MUST_USE Result rest_table_add(RestTable *table, Bytes verb, Bytes template_text, void *value,
                               void **shadowed_out);

/* Finds the most specific template. `path` is not decoded, without query. False: no such path (then
   match->allowed says whether another verb would do). Fault BAD_REQUEST: bad percent-escape. */
MUST_USE Result rest_table_match(const RestTable *table, Bytes verb, Bytes path, Arena *arena,
                                 RestMatch *match_out, bool *found_out);

/* The parameters of a query string "a.b=1&c=x%20y" ("+" is a space). Fault: BAD_REQUEST. */
MUST_USE Result rest_query_parse(Bytes query, Arena *arena, RestParameter **parameters_out,
                                 size_t *n_out);

/* The reverse, towards a REST instance: writes the path with the variables' texts put in and
   encoded. `value_of` gives the text for a field path; data NULL when the field is not set, or the
   text does not match the variable's pattern: Fault BAD_VALUE. */
typedef Bytes (*RestValueOf)(void *owner, Bytes field_path);
MUST_USE Result rest_template_expand(const RestTemplate *template, RestValueOf value_of,
                                     void *owner, Arena *arena, Buffer *out);

/* Adds "name=text", percent-encoded, with "?" or "&" before it. */
void rest_query_add(Buffer *path, Bytes name, Bytes text);

/* The format of the messages of a response stream. */
typedef enum RestStream {
    REST_STREAM_LINES,  /* application/x-ndjson: a message on each line */
    REST_STREAM_EVENTS, /* text/event-stream: an event for each message */
} RestStream;

/* The format that the client prefers by the Accept fields of call->head; lines when in doubt. */
RestStream rest_stream_of(const Call *call);

/* Whether the client accepts JSON; `is_stream`: one of the stream formats. True without an Accept
   field. */
bool rest_accepts(const Call *call, bool is_stream);

/* Adds one message of a response stream. `message` is JSON on one line. */
void rest_stream_write(RestStream stream, Bytes message, Buffer *out);

#endif
