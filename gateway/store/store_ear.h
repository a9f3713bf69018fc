/*
 * StoreEar: hears what gateways that share a PostgreSQL tell each other (LISTEN and NOTIFY).
 *
 * A connection and a thread of its own, because a notice comes when nobody has asked. It is a hint,
 * and may be lost: while the server is away, and in SQLite, which has nothing like it. Whoever
 * listens must look from time to time as well. A notice is "TAG TEXT" with the store's tag of
 * whoever tells it (store_tag): a store does not hear itself.
 */
#ifndef GATEWAY_STORE_EAR_H
#define GATEWAY_STORE_EAR_H

#include "gateway/store/store.h"

typedef struct StoreEar StoreEar;

/* On the loop's thread. `channel` is a name of SQL, and lives as long as the process. `on_notice`
   is called on the loop, with the text of the notice, during the call only; empty: notices may have
   been missed, for it was not connected. NULL: this store has no notices. */
StoreEar *store_ear_open(Store *store, uv_loop_t *loop, const char *channel,
                         void (*on_notice)(void *owner, Bytes text), void *owner);

/* No more calls. The ear is freed when its handle is closed: let the loop run. Before store_close.
   NULL is allowed. */
void store_ear_close(StoreEar *ear);

#endif
