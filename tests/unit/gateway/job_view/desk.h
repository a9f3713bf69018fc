/*
 * A scene (tests/unit/gateway/call/scene.h) with a job in its config, and a double of the storage:
 * it has one job at most, and answers when the test says so.
 *
 * Items of the yard are made by a job, which is written in v1: the client's `owner` is the
 * response's, and `note` tells the state.
 */
#ifndef TESTS_UNIT_GATEWAY_JOB_VIEW_DESK_H
#define TESTS_UNIT_GATEWAY_JOB_VIEW_DESK_H

#include "gateway/job_view/job_desk.h"
#include "gateway/job_view/job_maker.h"
#include "tests/unit/gateway/call/scene.h"

#define JOB_OF(more, resource)                                                                     \
    LISTEN "store: {sqlite: jobs.db}\n"                                                            \
           "services:\n" YARD "      - {address: '127.0.0.1:7101', versions: [v1]}\n"              \
           "jobs:\n"                                                                               \
           "  - method: yard.Yard/Make\n"                                                          \
           "    version: v1\n"                                                                     \
           "    answer: {name: request.name, owner: request.owner}\n"                              \
           "    state: note\n" more "    resource: {kind: item, key: request.name" resource "}\n"  \
           "    steps: [{name: look, method: yard.Yard/Get, version: v1, "                         \
           "request: {name: request.name}}]\n"
#define READS ", read: [{method: yard.Yard/Get, key: name}]"
#define BLOCKS ", block: [{method: yard.Yard/Both, key: name}]"
#define JOB JOB_OF("", READS BLOCKS)

/* What was asked of the storage last, and not answered. */
typedef enum Asked { NOTHING, ACCEPT, ORDER, READ, FIND, LIST, REMOVE } Asked;

typedef struct Desk {
    JobStorage storage; /* first */
    Scene *scene;
    JobNews *news;
    Arena *arena;
    JobRecord *job; /* NULL: there is none */
    Asked asked;
    unsigned n_asked;
    unsigned n_works, n_orders; /* somebody was told that there is work, or an order */
    JobOnAccepted *on_accepted; /* what is to be called: one of these */
    JobOnOrdered *on_ordered;
    JobOnRead *on_read;
    JobOnListed *on_listed;
    void *owner;
    JobAdmission admission;
    JobOrder order;
    JobFilter filter;
    Bytes about; /* id or resource */
} Desk;

/* The desk of the scene, with this config. */
Desk *desk_play(void **state, const char *config);
void desk_free(Desk *desk); /* before the scene */

/* The storage answers; everything here pumps. */
void desk_accept(Desk *desk, JobAcceptance acceptance); /* JOB_ACCEPTED: the job is there */
void desk_give(Desk *desk);                             /* of READ, FIND, LIST: what is there */
void desk_ordered(Desk *desk, JobOrderOutcome outcome); /* of ORDER, REMOVE */
void desk_fail(Desk *desk, const Fault *fault);

/* There is a job of this client (NULL: anonymous), in this state. */
JobRecord *desk_has(Desk *desk, const char *client, JobState job_state);

#endif
