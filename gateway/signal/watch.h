/*
 * Watch: all that is watched for weak signals: figures of methods, the mix of versions of services,
 * clients, and kinds of failures; and what is remembered of them over a restart.
 *
 *      counters of all calls --each hour--> Drift of a method, Mix of a service --+
 *      last calls of clients --each hour--> Silence ------------------------------+--> Finding
 *      failures of the ledger --each look-> Novelty (who looks makes the finding) -'
 *
 * Memory is bounded: WATCH_METHODS and WATCH_SERVICES, and what novelty.h and silence.h say; what
 * comes later is not watched. Owned by one thread. Plain functions; time is passed in.
 */
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include "base/arena.h"
#include "base/result.h"
#include "gateway/signal/drift.h"
#include "gateway/signal/finding.h"
#include "gateway/signal/mix.h"
#include "gateway/signal/novelty.h"
#include "gateway/signal/silence.h"

enum { WATCH_METHODS = 1000, WATCH_SERVICES = 200 };

/* A method in a version, and what was counted of it since the process began. */
typedef struct WatchMethod {
    const char *service, *method, *version;
    DriftHour total;
} WatchMethod;

typedef struct WatchedMethod {
    uint64_t name;   /* a hash of service, method and version */
    uint8_t counted; /* `total` is of this process */
    DriftHour total;
    Drift drift;
} WatchedMethod;

typedef struct WatchedService {
    uint64_t name; /* a hash */
    Mix mix;
} WatchedService;

/* Zeros, with `least_calls`, watch nothing yet. */
typedef struct Watch {
    uint64_t least_calls; /* of an hour, of a method or service; fewer say nothing */
    Novelty novelty;
    Silence silence;
    WatchedMethod *methods;
    WatchedService *services;
    uint32_t n_methods, n_services, methods_room, services_room;
} Watch;

/* The hour that began at `wall` is over. `judge` false: it was not counted as a whole, and only the
   totals are taken. */
void watch_hour(Watch *watch, const WatchMethod *methods, uint32_t n, int64_t wall, bool judge,
                FindingSink *on_found, void *owner);

/* As silence_hour; `name_of` says what a client is called, of one in `seen`. */
typedef struct WatchClients {
    const SilenceSeen *seen;
    uint32_t n;
    const char *(*name_of)(void *owner, uint64_t client);
    FindingSink *on_found;
    void *owner;
} WatchClients;
void watch_clients(Watch *watch, const WatchClients *clients, int64_t wall, bool judge);

/* What is remembered, as bytes for a store; of this kind of machine. */
void watch_write(const Watch *watch, Buffer *out);

/* Reads it into a watch that is empty. Fault: BAD_VALUE: it is no such text, or of another version
   of the gateway; the watch stays empty. */
MUST_USE Result watch_read(Watch *watch, Bytes text, Arena *arena);

/* Frees what it holds. */
void watch_deinit(Watch *watch);

#endif
