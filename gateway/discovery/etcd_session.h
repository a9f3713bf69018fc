/*
 * EtcdSession: keeps a copy of the keys under a prefix of etcd v3, by calls of the gateway's own.
 *
 *      (Authenticate) -> Range, in pages of one revision -> Watch from the next revision on -> ...
 *           ^                                                                  |
 *           +------ the next endpoint, after a backoff <-- it fails, is silent, or is compacted
 *
 * After each interruption all keys are read anew: another store may have taken the place of the old
 * one, whose revisions mean nothing there. Until that is done, the copy is what it was.
 *
 * One loop, its thread only.
 */
#ifndef GATEWAY_ETCD_SESSION_H
#define GATEWAY_ETCD_SESSION_H

#include "gateway/config/config.h"
#include "gateway/discovery/etcd_keys.h"
#include "gateway/loop/loop.h"

typedef struct EtcdSession EtcdSession;

typedef struct EtcdSessionEvents {
    /* The copy is complete, and as of one revision; it has changed, unless `same`. */
    void (*on_keys)(void *owner, const EtcdKeys *keys, bool same);
    /* None of the endpoints could be asked; the session tries again. */
    void (*on_failure)(void *owner, Result why);
} EtcdSessionEvents;

/* Events come from the loop, never from within this call. Never NULL. */
EtcdSession *etcd_session_new(Loop *loop, const EtcdSessionEvents *events, void *owner);

/* Connects by these settings, which are borrowed until the next such call or the end, and reads all
   keys anew. */
void etcd_session_use(EtcdSession *session, const Discovery *discovery);

/* Whether the copy is as of one revision: it is not while etcd sends a change in parts. */
bool etcd_session_is_whole(const EtcdSession *session);

/* No event follows. */
void etcd_session_free(EtcdSession *session);

#endif
