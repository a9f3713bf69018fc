/*
 * KeyFetch: a set of keys from a URL, by libcurl, as a whole and within a time and a size.
 *
 * It follows no redirect, asks no proxy, and verifies the server's certificate. The thread waits.
 */
#ifndef GATEWAY_KEY_FETCH_H
#define GATEWAY_KEY_FETCH_H

#include "gateway/token/key_source.h"

#include <stdatomic.h>

/* The text of a response with the status 200, in the arena. `stop`: whether to give up. Faults:
   SYSTEM, whose text never has the URL. */
MUST_USE Result key_fetch(Arena *arena, const KeyPlace *place, const atomic_bool *stop,
                          Bytes *text_out);

#endif
