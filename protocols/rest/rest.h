/*
 * REST by google.api.http: path templates, how a request is split into path, query and body, and
 * the formats of responses that a client accepts.
 *
 * Only strings: adapters/ resolves field paths and converts texts to values. Grammar and rules:
 * google/api/http.proto ("HTTP Transcoding"), AIP-127.
 *
 * A RestTable is built when the config is loaded, then read-only and shared by all loops; it lives
 * as long as its arena. The cost of a match depends on the length of the path, not on the number of
 * templates.
 */
#ifndef PROTOCOLS_REST_H
#define PROTOCOLS_REST_H

#include "base/call.h"

typedef struct RestTable RestTable;
typedef struct RestTemplate RestTemplate;

/* A parameter in a path or query. */
typedef struct RestParameter {
    Bytes field_path; /* "order.id": schema names or JSON names, not resolved here */
    Bytes text;       /* percent-decoded by the rules for single- and multi-segment variables */
} RestParameter;

typedef struct RestMatch {
    void *value;               /* the one given to rest_table_add */
    RestParameter *parameters; /* path variables, in the order of the template */
    size_t n_parameters;
    Bytes allowed; /* for Allow, when the path matches but not the verb: "GET, PUT"; else empty */
} RestMatch;

/* Parses a template, such as "/v1/{name=projects/x}:publish". Fault: BAD_SCHEMA, with the
   column. */
MUST_USE Result rest_template_parse(Arena *arena, Bytes text, const RestTemplate **template_out);

/* The field paths of the variables, in order. Returns how many. */
size_t rest_template_variables(const RestTemplate *template, const Bytes **field_paths_out);

RestTable *rest_table_new(Arena *arena);

/* google.api.Http.fully_decode_reserved_expansion: in variables of several segments all escapes
   except %2F are decoded. Without it, escapes of the reserved characters of RFC 6570 are kept. */
void rest_table_decode_reserved(RestTable *table);

/* Adds a template. `verb`: "GET", which HEAD is served by, too, or a custom kind ("*" matches all).
   If an earlier template matches the same requests, the new one replaces it, and *shadowed_out is
   the value of the earlier one; else NULL. */
MUST_USE Result rest_table_add(RestTable *table, Bytes verb, Bytes template_text, void *value,
                               void **shadowed_out);

/* Finds the most specific template. `path` is percent-encoded, without query. *found_out false: no
   match; match_out->allowed then has the verbs that match the path. Results are in the arena.
   Fault: BAD_REQUEST for a malformed percent-escape. */
MUST_USE Result rest_table_match(const RestTable *table, Bytes verb, Bytes path, Arena *arena,
                                 RestMatch *match_out, bool *found_out);

/* Parses a query string "a.b=1&c=x%20y" ("+" is a space). Results are in the arena, or point into
   `query`. Faults: BAD_REQUEST, OUT_OF_MEMORY. */
MUST_USE Result rest_query_parse(Bytes query, Arena *arena, RestParameter **parameters_out,
                                 size_t *n_out);

/* The reverse, for a request to a REST instance: appends the path with the encoded texts of the
   variables to `out`. `value_of` returns the text of a field path; data NULL when the field is not
   set. Fault: BAD_VALUE when a field is not set or its text does not match the pattern of the
   variable. */
typedef Bytes (*RestValueOf)(void *owner, Bytes field_path);
MUST_USE Result rest_template_expand(const RestTemplate *template, RestValueOf value_of,
                                     void *owner, Arena *arena, Buffer *out);

/* Appends "name=text", percent-encoded, with "?" or "&" before it. */
void rest_query_add(Buffer *path, Bytes name, Bytes text);

/* The format of the messages of a response stream. */
typedef enum RestStream {
    REST_STREAM_LINES,   /* application/x-ndjson: a message on each line */
    REST_STREAM_EVENTS,  /* text/event-stream: an event for each message */
    REST_STREAM_ARRAY,   /* application/json: an array, written element by element */
    REST_STREAM_RESULTS, /* application/json: lines as grpc-gateway writes them, {"result": {...}}
                          */
} RestStream;

/* The format that the client prefers by the Accept fields of call->head; call->usual_stream if
   several are equal. Where lines are usual, an array only if a range names JSON itself; elsewhere,
   lines only if a range names them. */
RestStream rest_stream_of(const Call *call);

/* Whether the client accepts JSON; `is_stream`: one of the stream formats. True without an Accept
   field. */
bool rest_accepts(const Call *call, bool is_stream);

/*
 * RestBody: the state of a response stream of JSON while its body is written. Owned by the code
 * that writes the response.
 *
 *   lines    {...}                       an error is the last line
 *   events   id: 1                       the number of messages so far, including those before a
 *            data: {...}                 reconnect, by the client's Last-Event-ID
 *
 *            event: end                  with the service's trailers; a client that reconnects
 *            id: end                     with this id gets 204
 *            data: {"metadata": {...}}
 *   array    [                           an error is the last element
 *            {...}
 *            ,{...}
 *            ]
 *   results  {"result": {...}}           an error is the last line
 */
typedef struct RestBody {
    RestStream form;
    uint64_t written; /* messages in this body */
    uint64_t before;  /* in those before it */
} RestBody;

/* By the Accept fields and Last-Event-ID of call->head. */
RestBody rest_body_of(const Call *call);

/* Whether the client reconnects to an event stream that has ended: a response of 204 makes it stop
   (HTML Standard, section 9.2.3). */
bool rest_body_is_over(const Call *call);

/* Append a message; the successful end, with the JSON of the end event; or an error, which also
   ends the body. `for_good`: the same request would fail again, so a client must not reconnect by
   itself. All JSON is on one line. */
void rest_body_add(RestBody *body, Bytes message, Buffer *out);
void rest_body_end(const RestBody *body, Bytes end, Buffer *out);
void rest_body_fail(RestBody *body, Bytes error, bool for_good, Buffer *out);

#endif
