/*
 * AdminAction: something that an operator wants of the gateway: a change, or a page.
 *
 *      admin thread   admin_page_ask --> action --> page->write, or sees->act ..... on_done, freed
 *      main thread                                    does it, audits it, admin_action_done |
 *
 * The admin thread makes it and hands it over; from then on only the main thread touches what it
 * says, until admin_action_done, which may be called on any thread, exactly once.
 */
#ifndef GATEWAY_ADMIN_ACTION_H
#define GATEWAY_ADMIN_ACTION_H

#include "base/bytes.h"
#include "base/result.h"

typedef struct Admin Admin;
typedef struct AdminAction AdminAction;

/* The request field in which an operator says why. */
#define ADMIN_REASON "passerelle-why"

typedef enum AdminDoing {
    ADMIN_WRITE, /* nothing: the admin thread has all that the page shows */
    ADMIN_RELOAD,
    ADMIN_DRAIN,
    ADMIN_UPGRADE,
    ADMIN_READ_AUDIT,
    ADMIN_FORGET_CLIENT, /* `text` is the query */
    ADMIN_READ_ERRORS,
    ADMIN_READ_REQUEST,  /* `target` is its id */
    ADMIN_LIST_REQUESTS, /* `text` is the query */
    ADMIN_ANNOTATE,      /* `target` is a fingerprint, `text` what is said of it */
    ADMIN_INSTANCE,      /* `target` is "eject", "drain" or "return", `text` the query */
    ADMIN_SERVICE,       /* `target` is "pin" or "unpin", `text` the query */
    ADMIN_READ_JOBS,     /* `text` is the query */
    ADMIN_READ_SIGNALS,
    ADMIN_ACKNOWLEDGE,   /* `target` is the id of a signal */
    ADMIN_POST_FEEDBACK, /* `text` is what customers say */
    ADMIN_LIST_FEEDBACK, /* `text` is the query */
    ADMIN_READ_FEEDBACK, /* `target` is its id */
    ADMIN_READ_JOB,      /* `target` is its id */
    ADMIN_READ_USAGE,    /* `text` is the query */
    ADMIN_READ_ROLLOUTS, /* `text` is the query */
    ADMIN_ORDER_ROLLOUT, /* `target` is "advance" or the like, `text` the query */
    ADMIN_RETIRE,        /* `text` is the query */
    ADMIN_ORDER_JOB,     /* `target` is "ID/retry" or the like, or "unpark", `text` the query */
    ADMIN_READ_KEY,      /* `text` is the query */
    ADMIN_FORGET_KEY,    /* `text` is the query */
    ADMIN_READ_API_KEYS, /* when they were used */
} AdminDoing;

struct AdminAction {
    AdminDoing what;
    const char *who, *by; /* the operator, and how that was proved; "": it does not matter */
    Bytes why;            /* may be empty */
    Bytes target;         /* of the path, behind its first segment; may be empty */
    Bytes text;           /* the query, or the body of the request; may be empty */

    /* The response, set before it is done, in its arena. */
    Arena *arena;
    Result result;
    Bytes body;   /* JSON, of a success */
    Bytes detail; /* of a failure: more than the error says; may be empty */

    AdminAction *next; /* for whoever has it */
    Admin *admin;
    /* On the admin's thread; after it, the action is freed. Not called when the Admin has stopped.
     */
    void (*on_done)(AdminAction *action);
    void *owner; /* for on_done; NULL: nobody waits any more */
};

/* Gives it back with its response. */
void admin_action_done(AdminAction *action);

/* Frees one that nobody will answer any more: its Admin has stopped. */
void admin_action_free(AdminAction *action);

#endif
