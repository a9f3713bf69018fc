/*
 * SourceLoop: an event loop on a thread of its own, for sources that ask others over a network.
 *
 * It is started when the first such source is needed. Its thread waits for nobody, but takes its
 * time to read long lists, as the loops of calls and the main thread must not.
 *
 *      main thread: source_loop_tell, source_loop_post ---> loop: DNS, calls to etcd, reading
 */
#ifndef GATEWAY_SOURCE_LOOP_H
#define GATEWAY_SOURCE_LOOP_H

#include "gateway/discovery/source.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/resolver.h"

/* From now on, calls and lookups are made with this config. */
void source_loop_use(SourceLoop *sources, Config *config);

/* What a source is told on its loop. */
typedef struct SourceUse {
    Source *source;
    Config *config; /* a reference, which is the source's from then on */
    Service *service;
} SourceUse;

/* SourceKind's `use`: `run` is called on the owner's loop with a SourceUse, which it frees by free.
   The loop is started if it does not run. */
void source_loop_tell(SourceOwner *owner, const SourceUse *use, void (*run)(Loop *loop, void *use));

/* `run` is called on the loop, in the order of posting. */
void source_loop_post(SourceLoop *sources, void (*run)(Loop *loop, void *argument), void *argument);

/* Ends it when all that was posted has run, waits for the thread, and frees. */
void source_loop_end(SourceLoop *sources);

/* On the loop: for its lookups. Valid as long as the loop runs. */
Resolver *source_loop_resolver(Loop *loop);

#endif
