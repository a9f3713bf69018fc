/*
 * JobQuery: which jobs an operator asks for, or how an order is meant, from the query of an admin
 * page. Pure.
 */
#ifndef GATEWAY_JOB_QUERY_H
#define GATEWAY_JOB_QUERY_H

#include "base/result.h"
#include "gateway/job_store/job_storage.h"

enum { JOB_LIST_DEFAULT = 100 };

typedef struct JobQuery {
    JobFilter filter; /* its client is set by whoever asks the storage */
    Bytes client;     /* as the operator names it */
    bool has_client;
    int64_t older; /* nanoseconds that a job has been in its state and step; 0: any */
    Bytes name;    /* of an event, or of a method */
    uint32_t to;   /* the revision to which a job is moved; 0: the one that accepts new jobs */
} JobQuery;

/* What a query may say: bits of these. */
enum {
    JOB_QUERY_LIST = 1,   /* client, service, state (also several: failed,waiting), step, resource,
                             older, limit, after */
    JOB_QUERY_EVENT = 2,  /* name; it must be there */
    JOB_QUERY_TO = 4,     /* to */
    JOB_QUERY_METHOD = 8, /* method; it must be there */
};

/* Reads "state=failed&older=1h", of which each part may be there once. In the arena. Fault:
   BAD_VALUE. */
MUST_USE Result job_query_read(Bytes text, unsigned may_say, Arena *arena, JobQuery *query_out);

#endif
