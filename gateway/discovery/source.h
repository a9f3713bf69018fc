/*
 * Source: where the list of a service's instances comes from.
 *
 *      discovery.c --- start, use, stop ---> source_files.c   file, folder: a thread for each look
 *                                            source_dns.c     DNS     \  a loop on a thread of its
 *          <-------- reading_deliver ------- source_etcd.c    etcd v3 /  own: source_loop.h
 *
 * A source reads its list at once, and again when it may have changed, and delivers a Reading each
 * time, on the main thread or from another one. What it waits for blocks neither the main loop nor
 * a reload. The functions below belong to the main thread.
 */
#ifndef GATEWAY_SOURCE_H
#define GATEWAY_SOURCE_H

#include "gateway/discovery/reading.h"

#include <uv.h>

typedef struct Source Source;         /* begins with a pointer to its SourceKind */
typedef struct SourceLoop SourceLoop; /* source_loop.h */
typedef struct Inbox Inbox;           /* inbox.h */

/* Who starts a source; all of it outlives the source. */
typedef struct SourceOwner {
    uv_loop_t *loop;
    Inbox *inbox;        /* for readings, from any thread */
    SourceLoop *sources; /* NULL: none was needed so far */
} SourceOwner;

typedef struct SourceKind {
    /* Never NULL. `number` is given to its readings: those of a source that was stopped are dropped
       by it. Begins with `use`. */
    Source *(*start)(SourceOwner *owner, uint64_t number);

    /* The list is this service's from now on, and is read at once. The source may be asked to use
       another config at any time; it drops what it reads for the one before. */
    void (*use)(Source *source, Config *config, Service *service);

    /* Ends it; the memory is freed when its thread has left it. */
    void (*stop)(Source *source);
} SourceKind;

struct Source {
    const SourceKind *kind;
};

extern const SourceKind source_files, source_dns, source_etcd;

#endif
