/*
 * SourceLoop: an event loop on a thread of its own, for sources that ask others over a network.
 *
 * It is started when the first such source is needed. Its thread waits for nobody, but takes its
 * time to read long lists, as the loops of calls and the main thread must not.
 *
 *      main thread: source_loop_use, source_loop_post ---> loop: DNS, calls to etcd, reading
 */
#ifndef GATEWAY_SOURCE_LOOP_H
#define GATEWAY_SOURCE_LOOP_H

#include "gateway/discovery/source.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/resolver.h"

/* The owner's, which runs from the first such call on, with this config. Never NULL. */
SourceLoop *source_loop_of(SourceOwner *owner, Config *config);

/* From now on, calls and lookups are made with this config. */
void source_loop_use(SourceLoop *sources, Config *config);

/* `run` is called on the loop, in the order of posting. */
void source_loop_post(SourceLoop *sources, void (*run)(Loop *loop, void *argument), void *argument);

/* Ends it when all that was posted has run, waits for the thread, and frees. */
void source_loop_end(SourceLoop *sources);

/* On the loop: for its lookups. Valid as long as the loop runs. */
Resolver *source_loop_resolver(Loop *loop);

#endif
