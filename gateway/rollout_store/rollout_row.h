/*
 * RolloutRow: what the store has of a rollout, and what belongs to it. Texts are borrowed.
 */
#ifndef GATEWAY_ROLLOUT_ROW_H
#define GATEWAY_ROLLOUT_ROW_H

#include "base/bytes.h"

enum {
    ROLLOUT_MEMBERS_MOST = 1000, /* that are recorded; larger tiers are a hash */
    ROLLOUT_CLAIM_MOST = 256,    /* clients of one claim */
    ROLLOUT_ROWS_MOST = 1000,    /* that are read */
    ROLLOUT_ACTS_MOST = 200,     /* of a history that are read: the latest */
};

/* Who judges, and since which change of judges. `name` empty: nobody. */
typedef struct RolloutJudge {
    Bytes name;
    int64_t token; /* grows with each change */
    int64_t beat;  /* grows with each renewal */
} RolloutJudge;

typedef struct RolloutRow {
    Bytes id;         /* "orders build 3.1.0" */
    int64_t revision; /* grows with each act, from 1 */
    int64_t trial;   /* grows when it is started anew: members and samples of others do not count */
    int64_t room;    /* recorded members that there may be; not above ROLLOUT_MEMBERS_MOST */
    bool open;       /* clients may become members, and members are needed */
    Bytes content;   /* its state, as its owner writes it */
    Bytes evidence;  /* what its judge has seen so far, as that writes it; may be empty */
    int64_t changed; /* wall time in nanoseconds */
    RolloutJudge judge;
} RolloutRow;

/* Of the trial, in the order in which they became members. */
typedef struct RolloutMembers {
    int64_t last;           /* the number of the latest one; 0: there is none */
    int64_t count;          /* of all; less than `last`: clients were forgotten */
    const Bytes *clients;   /* those that were asked for */
    const int64_t *numbers; /* of each, from 1: never above the room that there was then */
    uint32_t n;
    const int64_t *at; /* wall time in nanoseconds of each: when it was claimed; NULL: long ago */
} RolloutMembers;

/* What somebody did with it. */
typedef struct RolloutAct {
    int64_t revision; /* of the row after it */
    int64_t trial, at;
    Bytes content; /* as its owner writes it */
} RolloutAct;

/* What a gateway has seen of a trial. */
typedef struct RolloutSample {
    Bytes node; /* its name */
    int64_t at; /* wall time; 0: it has left */
    Bytes content;
    /* To write: */
    int64_t revision, member; /* the latest ones that it knows */
    int64_t begun, settled;   /* the latest ones with which it has begun */
    int64_t cell;  /* time is cut into cells of this length, and what the gateway has known in an
                      earlier one is kept, too */
    bool promised; /* it is to be durable */
} RolloutSample;

#endif
