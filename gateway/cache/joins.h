/*
 * Joins: calls that wait for the response of an equal one that is under way on their loop.
 *
 *      first call    leads ------- instance ------- its response --> shared
 *      equal ones    wait ........................................ take it
 *
 * Whoever comes first with a key leads; the others wait, for a time of their own. If the leader's
 * response is an error, or for nobody else, all go on alone at once. If the leader leaves before it
 * has one, the call that has waited longest leads in its place; after JOIN_LEADERS have led, all go
 * on alone. What becomes of one that waits is told by `on_step`, from a timer and never within a
 * call of these functions.
 * Equal are those with the same key: who may have whose response is for the caller to put in it.
 * One loop, its thread only.
 */
#ifndef GATEWAY_JOINS_H
#define GATEWAY_JOINS_H

#include "base/arena.h"
#include "gateway/cache/response_key.h"
#include "gateway/loop/loop.h"

enum { JOIN_LEADERS = 3 };

typedef struct Joining Joining;

typedef enum JoinStep {
    JOIN_WAIT,
    JOIN_LEAD,  /* goes on; its response is for the others, too */
    JOIN_ALONE, /* goes on */
    JOIN_TAKE,  /* has the response */
} JoinStep;

/* One call: filled in by its owner up to `on_step`, the rest zeros. In the owner's memory. */
struct Joining {
    Timer timer; /* first */
    Loop *loop;
    Arena *arena; /* for the response */
    void *owner;
    void (*on_step)(Joining *joining, JoinStep step);

    JoinGroup *group; /* NULL: it neither leads nor waits any more */
    Joining *next;    /* of those that wait */
    JoinStep step;    /* when the timer fires */
    int64_t since;    /* it has waited (monotonic nanoseconds) */
    int64_t waited;   /* nanoseconds; for its owner */
    Bytes message;    /* JOIN_TAKE: the response, the id of the call that it was for, */
    Bytes from;
    Bytes served; /* and the version that has served it */
};

/* JOIN_WAIT: until then (monotonic nanoseconds) at most. JOIN_LEAD. JOIN_ALONE: `most` calls of the
   loop wait already. */
JoinStep join_enter(Joining *joining, const ResponseKey *key, int64_t until, uint32_t most);

/* The leader's response, `from` this call and `served` by this version, is for all who wait: each
   gets a copy in its arena, or goes on alone if that has no room. Nothing to do for one that does
   not lead. */
void join_share(Joining *leader, Bytes message, Bytes from, Bytes served);

/* The leader has failed, or has a response that is for nobody else: all go on alone. Nothing to do
   for one that does not lead. */
void join_disperse(Joining *leader);

/* It ends without a response, or goes on otherwise: on_step is not called any more. Another one
   leads in the place of a leader. */
void join_leave(Joining *joining);

#endif
