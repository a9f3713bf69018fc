/*
 * Proof: whether a gateway that does not accept clients yet could serve them. Each loop is asked
 * for its health, as a client asks, on a connection that only this process can make; and the
 * threads of the admin listeners have to turn. Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_PROOF_H
#define GATEWAY_PROOF_H

#include "gateway/admin/admin.h"
#include "gateway/process/worker.h"

#include <uv.h>

typedef struct Proof Proof;

/* Calls `on_done` once, later, unless it is stopped: with the fault NOT_UPGRADED and what has
   failed, which is borrowed. There is no limit of time. The admins may be NULL. */
Proof *proof_start(uv_loop_t *loop, Worker **workers, uint32_t n_workers, Admin *const admins[2],
                   void (*on_done)(void *owner, Result result), void *owner);

/* Also after on_done; before the admins stop. It is freed when the loop has closed its handles.
   NULL is allowed. */
void proof_stop(Proof *proof);

#endif
