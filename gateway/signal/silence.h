/*
 * Silence: clients that call regularly, and then do not call any more.
 *
 * Of each client it is known in which share p of the same hours of days before it has called
 * (season.h). An hour without a call is a surprise of -ln(1 - p); an hour in which the client does
 * not call anyway is none. Surprises add up until it calls again, and it is found when they pass
 * SILENCE_LIMIT, which chance alone does once in 100,000 silences, and SILENCE_MORE times the
 * largest surprise that this client has overcome before: who stays away now and then is not looked
 * for as soon as who never did.
 *
 * If most of those who should call do not, no client has fallen silent, but something is between
 * them and the gateway: that is one finding, and the hour says nothing about any of them.
 * SILENCE_CLIENTS are known; a new one takes the place of the one that has called longest ago.
 * Owned by one thread. Plain functions; time is passed in.
 */
#ifndef GATEWAY_SILENCE_H
#define GATEWAY_SILENCE_H

#include "gateway/signal/season.h"

#define SILENCE_LIMIT 11.5 /* -ln(0.00001) */
#define SILENCE_MORE 1.5
enum {
    SILENCE_CLIENTS = 2000,
    SILENCE_EXPECTED = 10, /* clients that should call, so that it can be most of them */
    SILENCE_DAYS = 7,      /* since when a client must be known */
};

typedef struct SilentClient {
    uint64_t client;       /* a hash of its name */
    int64_t known, last;   /* wall time: since when; its last call */
    int64_t quiet_since;   /* the begin of the first hour without a call; 0: it calls */
    uint32_t hours;        /* without a call, since then */
    float surprise;        /* of these */
    float overcome;        /* the largest that ended by a call */
    uint8_t told, present; /* `present`: of the hour under way */
    Season calls;          /* 1: it has called in the hour; 0: it has not */
} SilentClient;

typedef struct Silence {
    SilentClient *clients; /* [n], in no order */
    uint32_t n, capacity;
    uint8_t all_told; /* that most are silent */
} Silence;

/* A client, and when it has called last. */
typedef struct SilenceSeen {
    uint64_t client;
    int64_t last; /* wall time */
} SilenceSeen;

typedef struct SilenceFound {
    uint64_t client; /* 0: most of them */
    int64_t last;    /* its last call */
    uint32_t hours;  /* without a call */
    double surprise;
    uint32_t expected, silent; /* of most: clients that should have called; that did not */
} SilenceFound;

/*
 * The hour that began at `wall` is over. `seen`: all clients that are known to have called lately,
 * the busiest first, which are believed to be all that there are. `judge` false: the hour was not
 * watched as a whole; it is only learned who called last.
 */
void silence_hour(Silence *silence, const SilenceSeen *seen, uint32_t n, int64_t wall, bool judge,
                  void (*on_found)(void *owner, const SilenceFound *found), void *owner);

/* The client is not remembered any more. */
void silence_forget(Silence *silence, uint64_t client);

/* Frees what it holds. */
void silence_deinit(Silence *silence);

bool silence_is_sound(const SilentClient *client);

#endif
