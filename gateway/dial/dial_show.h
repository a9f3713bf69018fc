/*
 * DialShow: a call as people read it, or as one JSON object, while it happens.
 *
 * The text: the request on both sides, the response on both, each line marked where it differs from
 * the other side, and how the call has ended. Without colours the marks say the same. Everything
 * that a peer has sent is made printable (printable.h). In an arena; one thread.
 */
#ifndef GATEWAY_DIAL_SHOW_H
#define GATEWAY_DIAL_SHOW_H

#include "gateway/dial/dial_call.h"
#include "gateway/dial/dial_sides.h"

typedef struct DialShow {
    bool json, colours;
    Arena *arena;
    Buffer *out;       /* the text so far; JSON is in it after dial_show_end */
    const char *where; /* the address that is called */
    bool through;      /* it is a gateway's, whose instance is not seen */
    bool lost;         /* something was, so far */
    bool marked;       /* a line was, so far */
    uint32_t n_requests, n_responses;
    Buffer requests, responses; /* JSON */
} DialShow;

DialShow dial_show_in(Arena *arena, Buffer *out);

/* Another place is called: what was shown of the one before stays in the text. */
void dial_show_begin(DialShow *show, const DialPlans *plans, const char *where);

void dial_show_request(DialShow *show, const DialPlans *plans, const DialSides *sides);
void dial_show_response(DialShow *show, const DialPlans *plans, const DialSides *sides);

/* The call has ended. `plans`: may be NULL, where it did not begin: then `end` has its failure. */
void dial_show_end(DialShow *show, const DialPlans *plans, const DialEnd *end);

#endif
