/*
 * HttpChaos: the owner of one HTTP connection that does anything that owners may do, at any time,
 * by a repeatable dice, and watches that the contract of http.h holds: nothing is heard of a stream
 * after its release, after on_reset, or twice what comes once; no more is queued or owed than was
 * given. For the unit tests and fuzz targets of the engines.
 */
#ifndef TESTS_UNIT_PROTOCOLS_HTTP_CHAOS_H
#define TESTS_UNIT_PROTOCOLS_HTTP_CHAOS_H

#include "base/arena.h"
#include "protocols/http/http.h"

enum { CHAOS_STREAMS = 32 };

typedef struct HttpChaos HttpChaos;

typedef struct ChaosStream {
    HttpChaos *chaos;
    HttpStream *stream; /* NULL: the place is free */
    bool head, end, reset;
    bool tunnel; /* an upgrade: after the request's end a tunnel may begin and end */
    size_t owed;
} ChaosStream;

struct HttpChaos {
    HttpConnection *connection;
    Arena *arena;
    uint32_t dice;
    bool client;
    bool calm; /* only answers and consumes, as a well-behaved owner */
    ChaosStream streams[CHAOS_STREAMS];
    uint64_t heads, ends, resets; /* how many were heard */
};

typedef HttpConnection *HttpMaker(const HttpLimits *limits, bool secure,
                                  const HttpConnectionEvents *events, void *owner);

void http_chaos_begin(HttpChaos *chaos, HttpMaker *maker, bool client, const HttpLimits *limits,
                      uint32_t seed);

/* The connection is lost and freed, in this or the other order of streams and connection. */
void http_chaos_end(HttpChaos *chaos);

/* Does something with some stream. */
void http_chaos_act(HttpChaos *chaos);

/* A number from 0 to n - 1. */
uint32_t http_chaos_dice(HttpChaos *chaos, uint32_t n);

/* Takes all output and feeds it to `to`, or drops it when that is NULL. True when there was
   some. */
bool http_chaos_move(HttpChaos *from, HttpChaos *to);

/* Moves output between the two until neither has any. */
void http_chaos_settle(HttpChaos *client, HttpChaos *server);

#endif
