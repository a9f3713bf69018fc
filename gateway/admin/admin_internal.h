/* What the files of the admin listener share. All on its thread, but where a mutex is named. */
#ifndef GATEWAY_ADMIN_INTERNAL_H
#define GATEWAY_ADMIN_INTERNAL_H

#include "gateway/admin/admin.h"
#include "gateway/admin/admin_connections.h"
#include "gateway/admin/admin_pages.h"
#include "gateway/admin/operator.h"
#include "gateway/admin/password_desk.h"
#include "gateway/admin/refusals.h"
#include "gateway/page/live.h"

#include <h2o.h>

typedef struct AdminStream AdminStream;

struct Admin {
    bool stopping; /* on_stop was called */
    Arena *arena;
    AdminSees sees;
    ListenerConfig listener;
    SocketRights rights; /* of the listener, if the config says them */
    Config binding;      /* nothing but the listener, for bind.h */
    uint16_t port;

    pthread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
    uv_async_t answered;
    pthread_mutex_t mutex;
    AdminAction *done;            /* under the mutex: with their responses */
    void (*on_turn)(void *owner); /* under the mutex: of admin_ask; NULL: nobody asks */
    void *asker;                  /* under the mutex */
    atomic_bool leaving;          /* accepts nobody any more */
    AdminConnections connections;
    Refusals refusals;
    uv_timer_t look; /* at what is to be done by the second */
    PasswordDesk *desk;
    Live *live;
    uint64_t live_generation; /* of the config that let its readers in */
    AdminStream *watchers;    /* its readers */
    int64_t making;           /* the time of this thread when a page for them was begun */
    uv_async_t tailed;        /* the log has lines for readers of /tail */
    AdminStream *tails;       /* these */

    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
};

/* A request, and who it is from. */
struct Asking {
    Admin *admin;
    h2o_req_t *req;
    Arena *arena;         /* of this turn of the loop */
    const Config *config; /* NULL: none is loaded yet */
    Operator who;
};

/* ---- admin_desk.c: who may ask what ---------------------------------------------------------- */

/* Responds to the request, now or later. */
void admin_desk_receive(Admin *admin, h2o_req_t *req);

/* Counts the refusal, and sends it as a problem. */
void admin_desk_refuse(const Asking *asking, RefusalReason reason, int status, const char *title,
                       const char *text);

/* "192.0.2.7:5000"; empty: on a unix socket, or unknown. */
Bytes admin_desk_peer(h2o_socket_t *socket, Arena *arena);

void admin_desk_send_stopping(h2o_req_t *req);

/* 503: too much of what the text says is being done. */
void admin_desk_refuse_busy(const Asking *asking, const char *text);

/* Whether the request proves the role. If it does not, it has its response. */
bool admin_desk_has_role(const Asking *asking, OperatorRole role);

/* Whether it comes from a page of this listener, or no page. The same. */
bool admin_desk_is_same_origin(const Asking *asking);

/* Behind the question mark; may be empty. */
Bytes admin_desk_query(const h2o_req_t *req);

/* Whether the asker wants no body: HEAD. */
bool admin_desk_is_head(const h2o_req_t *req);

/* ---- admin_live.c: the readers of /live ------------------------------------------------------ */

void admin_live_begin(Admin *admin);
void admin_live_respond(const Asking *asking);

/* Once a second. */
void admin_live_look(Admin *admin);

/* Its readers are ended; for the last time before its connections are closed. */
void admin_live_end(Admin *admin);

/* ---- admin_tail.c: the readers of /tail ------------------------------------------------------ */

void admin_tail_begin(Admin *admin);
void admin_tail_respond(const Asking *asking);

/* Once a second. */
void admin_tail_look(Admin *admin);

/* Its readers are ended, before its connections are closed. */
void admin_tail_end(Admin *admin);

/* ---- profile_desk.c: how operators look into this process ------------------------------------ */

/*
 *      admin's thread   request --> [turn] --> chore ............... --> response
 *      thread                                    samples, symbols, pprof
 *
 * A profile ends when its asker goes. The process has one at a time (profiling.h).
 */
void profile_desk_respond_cpu(const Asking *asking);
void profile_desk_respond_heap(const Asking *asking);

/* A page of AdminPage.respond: the allocator's statistics. */
void profile_desk_respond_allocator(const Asking *asking);

/* The admin stops: who waits is told so. */
void profile_desk_close(void);

#endif
