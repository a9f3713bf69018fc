/*
 * KeyKeeper: keeps the keys of all sources (key_source.h) fresh, on a thread of its own.
 *
 *      file   looked at every `every`; read again when it is another one
 *      URL    fetched every `every`, a little earlier by chance; sooner when a token names a key
 * that is not there, but not within KEY_FETCH_PAUSE; after a failure sooner, too
 *
 * What cannot be read changes nothing: the last good keys stay, for as long as it takes. Of a URL
 * they are also kept in a file, if the config names one, so that a gateway can start without the
 * server. The thread may wait for files and servers; no loop does.
 */
#ifndef GATEWAY_KEY_KEEPER_H
#define GATEWAY_KEY_KEEPER_H

#include "gateway/telemetry/exposition.h"

typedef struct KeyKeeper KeyKeeper;

/* Starts the thread, and lets the gateway wait for the first keys (key_sources_are_awaited). Never
   NULL. */
KeyKeeper *key_keeper_start(void);

/* Ends the thread, or leaves it behind if it waits for a file. NULL is allowed. */
void key_keeper_end(KeyKeeper *keeper);

/* For metrics; any thread. */
void key_keeper_metrics_write(Exposition *e, void *keeper);

#endif
