/*
 * KeyUses: when each API key of the config was last used, how often, and by which gateway; and
 * which keys nobody has used for long.
 *
 *      loops --count--> KeyUse (key_use.h) --each KEY_USES_BEAT--> store: a row of this gateway
 *                                          <----- all rows: the last use anywhere
 *
 * A crash loses what was counted since the last beat. If nobody knows whether the store has taken a
 * row (STORE_UNKNOWN), it is written again: use may be overstated, and is never missed. Without a
 * store only what this process has seen is known. Belongs to the main thread and its loop, except
 * for the metrics.
 */
#ifndef GATEWAY_KEY_USES_H
#define GATEWAY_KEY_USES_H

#include "gateway/config/config.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

#define KEY_USES_BEAT (60 * SECOND)

enum { KEY_USES_MOST = 20000 /* keys that are looked at */ };

typedef struct KeyUses KeyUses;

/* `port` belongs to the same loop; NULL: there is no store. */
KeyUses *key_uses_start(uv_loop_t *loop, StorePort *port);

/* This config from now on. Copies what it keeps. */
void key_uses_use(KeyUses *uses, const Config *config);

/*
 * The page as JSON: {"keys": [{"key", "id", "since", "last", "calls", "unused", "gateways":
 * [{"node", "last", "calls"}]}], "as_of"}. `key`: the first 16 digits of its SHA-256; `since`:
 * since when it is known; `last` is not there if it was never used. `on_done` is called once, at
 * once or later on this thread. Faults: those of the store. The JSON lives during the call only.
 */
void key_uses_ask(KeyUses *uses, void (*on_done)(void *owner, Result result, Bytes json),
                  void *owner);

/* Writes what is left, without waiting for it. All loops are gone. The port may close then. The
   timer closes. */
void key_uses_stop(KeyUses *uses);

/* After the loop has ended. */
void key_uses_free(KeyUses *uses);

/* A MetricsWriter. Any thread. */
void key_uses_metrics_write(Exposition *e, void *uses);

#endif
