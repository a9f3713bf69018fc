/*
 * Watch: the list of one service. Private to this module.
 */
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include "gateway/discovery/discovery.h"
#include "gateway/discovery/inbox.h"
#include "gateway/discovery/source.h"

#include <pthread.h>

/* How the list is, for metrics; under the mutex of Watching. */
typedef struct ListState {
    int64_t read_at; /* the last good reading: monotonic nanoseconds; 0: none yet */
    uint64_t n_readings, n_failures;
    uint32_t n_instances, n_refused;
    bool failing; /* the instances are those of an earlier reading */
} ListState;

typedef struct Watch {
    struct Watch *next;
    uv_timer_t emptying; /* runs while the list is empty, and the set is not */
    Watching *of;
    uint64_t number;  /* of its readings */
    Service *service; /* of the running config */
    char *name, *place;
    Source *source;
    ListState state;
    bool heals;     /* what is not read is made good by what was read before: healing.h */
    uint64_t *told; /* hashes of the mistakes in the last reading, in their order */
    size_t n_told;
    bool bare;           /* it is told that the service has no instances */
    int64_t empty_since; /* monotonic nanoseconds; 0: the list is not empty */
} Watch;

struct Watching {
    uv_loop_t *loop;
    void (*on_changed)(void *owner);
    void *owner;
    Config *config; /* borrowed: the running one */
    SourceOwner sources;
    Watch *first;
    uint64_t n_watches;    /* ever */
    pthread_mutex_t mutex; /* of the list of watches and their states, for other threads */
};

#endif
