/*
 * For tests of the HTTP engines: a Side is one connection whose streams' events are written down as
 * text, and which answers as it is told. Two sides can be wired together, or one be fed by hand.
 */
#ifndef TESTS_UNIT_PROTOCOLS_HTTP_PAIR_H
#define TESTS_UNIT_PROTOCOLS_HTTP_PAIR_H

#include "tests/unit/check.h"

#include "protocols/http/http.h"
#include "tests/unit/protocols/http/http_chaos.h"

typedef struct Side Side;

struct Side {
    HttpConnection *connection;
    Arena *arena; /* of the log and what it was sent */
    Buffer log;   /* one line per event; pieces of a body that follow one another are one line */
    Buffer wire;  /* what came out, when fed by hand */
    HttpStream *stream;    /* the latest one; NULL after release */
    HttpStream *former[8]; /* server: those before, when they are still held */
    int outputs;           /* how often on_output was called */
    char refusal[128]; /* the last request that the connection itself refused: status and reason */
    int refusals;
    bool in_body;
    bool keeps;    /* does not give body bytes back */
    char why[128]; /* of the last on_reset: what was being done */
    bool releases; /* releases each stream at on_end and on_reset */
    /* Server: true: the stream was answered and released. NULL: none is. */
    bool (*on_stream)(Side *side, HttpStream *stream, const HttpHead *head);
    void (*on_head)(Side *side, HttpStream *stream, const HttpHead *head);
    void (*on_body)(Side *side, HttpStream *stream, Bytes piece);
    void (*on_end)(Side *side, HttpStream *stream);
    void (*on_drain)(Side *side, HttpStream *stream);
};

extern const HttpStreamEvents side_stream_events;

/* `limits` may be NULL for the default ones. */
void side_begin(Side *side, HttpMaker *maker, const HttpLimits *limits);

/* Ends it, and then releases what streams it still holds. */
void side_end(Side *side);

/* Feeds bytes, all at once, and takes the output into `wire`. */
Result side_feed(Side *side, Bytes input);
Result side_feed_text(Side *side, const char *text);
void side_take_output(Side *side);

/* Moves bytes to and fro until both are quiet. */
void sides_pump(Side *a, Side *b);

/* The log as a C string, and its reset. */
const char *side_log(Side *side);
void side_forget(Side *side);
const char *side_wire(Side *side);

/* Releases a stream and forgets it. */
void side_release(Side *side, HttpStream *stream);

/* Client: opens a stream. Fields as "name: value\n" lines, or NULL. */
HttpStream *side_open(Side *side, const char *method, const char *path, const char *fields,
                      int64_t length, bool end);

/* Server: sends a head likewise. */
void side_send_head(Side *side, HttpStream *stream, unsigned status, const char *fields,
                    int64_t length, bool end);
void side_send_trailers(Side *side, HttpStream *stream, const char *fields);

/* For on_end: answers 200 with the body "ok". */
void side_answer_ok(Side *side, HttpStream *stream);

#endif
