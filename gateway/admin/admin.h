/*
 * Admin: the listener for operators: metrics, health, and the running config.
 *
 *   GET /           the web page; GET /page/... are its files
 *   GET /live?page=PATH&page=PATH  pages, and each again when it changes, as events; role `read`
 *   GET /whoami     the operator's name and role, as the request proves them
 *   GET /metrics    Prometheus text, or OpenMetrics where Accept asks for it
 *   GET /healthz    200 as long as the process responds
 *   GET /readyz     200 while calls are accepted and their clients can be known, else 503
 *   GET /config     the running config as JSON: services, versions, instances and their state
 *   GET /settings   what the config says, with its lines, and which were refused; role `read`
 *   GET /fleet      the gateways that share the store, and where they differ
 *   GET /matrix     calls by the versions of clients and of instances; role `read`
 *   GET /healing    what the gateway does about what is broken, now and before; role `read`
 *   GET /tail?FILTER=VALUE  the log, line by line as it is written; role `read`
 *   GET /limits     who is refused most by limits, and since when; role `read`
 *   GET /shadow?service=NAME  what copies of calls have shown, of all services or one; role `read`
 *   GET /audit      what operators changed; role `read`
 *   GET /errors     the failures by their kind; records of calls in it need the role `read`
 *   GET /requests/ID  the record of a call; role `read`
 *   GET /jobs       jobs in the store, by the query; role `read`
 *   GET /jobs/ID    one of them, with its messages; role `read`
 *   GET /idempotency?key=KEY  what is kept of a key; role `read`
 *   GET /feedback/list, /feedback/ID  what customers said, by the query; role `read`
 *   GET /signals    what was found unusual; role `read`
 *   GET /keys       when API keys were used last, and how often; role `read`
 *   GET /usage      who uses which version, by the query; role `read`
 *   GET /debug/profile?seconds=N  what threads do, as pprof reads it; role `operate`
 *   GET /debug/heap  who holds memory, likewise; role `operate`
 *   GET /debug/allocator  the statistics of jemalloc; role `operate`
 *   GET /debug/loops  how long things wait for each event loop; role `read`
 *   GET /rollouts   new builds and versions, and how far they have come; role `read`
 *   POST /feedback  enters what customers said; role `operate`
 *   POST /signals/ID  somebody has seen a signal; role `operate`
 *   POST /errors/FINGERPRINT  says something of a kind of failures; role `operate`
 *   POST /reload    reads the config again; role `operate`
 *   POST /drain     stops in order, as SIGTERM; role `operate`
 *   POST /upgrade   a new process takes over; role `operate`
 *   POST /instance/eject?address=ADDRESS&for=TIME  and drain, return: role `operate`
 *   POST /service/pin?service=NAME&to=VERSION&for=TIME  and unpin: role `operate`
 *   POST /retire?service=NAME&version=NAME  ends a version, or `again=true`: serves it; `operate`
 *   POST /jobs/ID/retry  and skip-step, cancel, undo, replay, migrate, event: role `operate`
 *   POST /jobs/unpark?method=METHOD  its jobs begin again; role `operate`
 *   POST /rollouts/advance?name=ROLLOUT  and start, pause, resume, rollback: role `operate`
 *   POST /rollouts/tell?name=ROLLOUT&client=NAME&metric=NAME  a business metric: role `operate`
 *   POST /idempotency/forget?key=KEY  a call whose outcome is unknown; role `operate`
 *   POST /client/forget?name=NAME   takes a client out of the store; role `operate`
 *
 * libh2o's HTTP server on its own libuv loop and thread, so that a busy data plane does not delay
 * it and it never delays a call. Errors are application/problem+json. Accepted hosts: admin_host.h;
 * limit of connections: admin_connections.h.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "gateway/admin/admin_action.h"
#include "gateway/config/config.h"
#include "gateway/fleet/fleet.h"
#include "gateway/limits/rate_limits.h"
#include "gateway/shadow/shadow_book.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

#include <stdatomic.h>

/* What it shows besides the running config. Borrowed until admin_stop. */
typedef struct AdminSees {
    const atomic_bool *ready; /* whether calls are accepted; may change at any time */
    Fleet *fleet;             /* NULL: there is no store */
    Store *store;             /* likewise */
    ShadowBook *shadows;
    RateLimits *limits;
    /* Takes the action, and answers it later by admin_action_done. Called on the admin's thread.
       NULL: there is nobody who acts. */
    void (*act)(void *owner, AdminAction *action);
    void *owner;
} AdminSees;

/*
 * Listens on `address`, which is config->admin or config->admin_socket, and starts the thread.
 * Copies what it keeps of the config. After telemetry_start. Faults: SYSTEM (the address cannot be
 * bound), BAD_CONFIG (its host name has no address).
 */
MUST_USE Result admin_start(Arena *arena, const Config *config, const Address *address,
                            const AdminSees *sees, Admin **admin_out);

/* Closes the listener and its connections, ends the thread, frees everything. NULL is allowed. */
void admin_stop(Admin *admin);

/* Its thread calls `on_turn` once, soon; unless another one asks before, or NULL takes it back.
   `on_turn` must not ask. */
void admin_ask(Admin *admin, void (*on_turn)(void *owner), void *owner);

/* It accepts nobody any more; its connections stay. NULL is allowed. */
void admin_leave(Admin *admin);

/* A MetricsWriter: of all admin listeners. Any thread. */
void admin_metrics_write(Exposition *e, void *unused);

/* The port that it listens on: if the address has port 0, the one that the system chose; 0 for
   unix. */
uint16_t admin_port(const Admin *admin);

#endif
