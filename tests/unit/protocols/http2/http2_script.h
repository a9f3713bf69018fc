/*
 * For tests of the HTTP/2 engine: frames written by hand, as a peer would send them, and found in
 * what came out.
 */
#ifndef TESTS_UNIT_PROTOCOLS_HTTP2_SCRIPT_H
#define TESTS_UNIT_PROTOCOLS_HTTP2_SCRIPT_H

#include "tests/unit/protocols/http/http_pair.h"

enum {
    DATA = 0,
    HEADERS = 1,
    PRIORITY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PUSH_PROMISE = 5,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9,
    END_STREAM = 1,
    ACK = 1,
    END_HEADERS = 4,
};

/* What a peer sends, frame by frame. */
typedef struct Script {
    Buffer text;
} Script;

/* Begins with the preface, where a client speaks, and SETTINGS. */
Script script_in(Arena *arena, bool client);

void frame(Script *script, uint8_t type, uint8_t flags, uint32_t id, Bytes payload);

/* A WINDOW_UPDATE. */
void window_update(Script *script, uint32_t id, uint32_t size);

/* A header block without compression from "name: value" lines; a name may begin with a colon. */
Bytes block(Arena *arena, const char *lines);

#define REQUEST ":method: POST\n:scheme: http\n:authority: a\n:path: /\n"

/* HEADERS, complete. */
void request(Script *script, uint32_t id, uint8_t flags, const char *lines);

/* Feeds what the script has, at a time, takes the output, and begins anew. */
Result script_feed(Script *script, Side *side, int64_t now);

uint32_t number_at(const uint8_t *at);

/* The first frame of a type in what came out, from its head on; or NULL. */
const uint8_t *find_frame(Bytes wire, uint8_t type, uint32_t id);

void expect_goaway(Side *side, uint32_t code);
void expect_reset(Side *side, uint32_t id, uint32_t code);

#endif
