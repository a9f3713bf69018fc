/*
 * JobWatch: waits for changes of one job.
 *
 *      whoever changes a job, or hears that another gateway has --job_news_tell--> [ JobNews ]
 *      JobWatch <-- look -- JobWatches of each loop <--------- loop_post ----------------+
 *
 * News say which job has changed, and nothing else: whoever hears them reads the job. They may get
 * lost, for changes are made by other gateways, too; so that each watch looks also by itself, every
 * JOB_WATCH_TIME.
 */
#ifndef GATEWAY_JOB_WATCH_H
#define GATEWAY_JOB_WATCH_H

#include "base/bytes.h"
#include "gateway/job/job_id.h"
#include "gateway/loop/loop.h"

#define JOB_WATCH_TIME (1 * SECOND)

typedef struct JobNews JobNews;       /* of the process */
typedef struct JobWatches JobWatches; /* of one loop */

/* Never NULL. */
JobNews *job_news_new(void);

/* After loop_deinit of all loops that had watches, and when nobody tells any more. NULL is allowed.
 */
void job_news_free(JobNews *news);

/* The job has changed: each loop looks soon. Any thread; costs next to nothing while no loop
   watches any job. An id of another size is nobody's. */
void job_news_tell(JobNews *news, Bytes id);

/* Watches at the same time: of all clients, and of each. */
typedef struct JobWatchLimits {
    uint32_t most, per_client;
} JobWatchLimits;

/* On the loop's thread, or before it runs. `news` outlives it. Never NULL. */
JobWatches *job_watches_new(JobNews *news, Loop *loop, JobWatchLimits limits);

/* When no watch runs any more, before loop_deinit: news that are on their way are dropped there.
   NULL is allowed. */
void job_watches_free(JobWatches *watches);

/* Embedded in its owner, which stops it before it is freed; on one loop. */
typedef struct JobWatch JobWatch;
struct JobWatch {
    /* The job may have changed. The owner may stop the watch and free itself. */
    void (*look)(JobWatch *watch);
    /* private; `at` is NULL while it does not run */
    char id[JOB_ID_SIZE];
    uint64_t client; /* a hash of its name */
    JobWatches *watches;
    JobWatch *next, **at;
    Timer timer;
};

typedef enum JobWatchStart {
    JOB_WATCH_RUNS,
    /* It does not: */
    JOB_WATCH_TOO_MANY, /* there are as many as may be */
    JOB_WATCH_SHARE,    /* its client has as many as one may have */
    JOB_WATCH_NO_ID,    /* the id has another size */
} JobWatchStart;

/* `client`: a name or an address; any text. */
MUST_USE JobWatchStart job_watch_start(JobWatches *watches, JobWatch *watch, Bytes id,
                                       Bytes client);
void job_watch_stop(JobWatch *watch); /* does nothing if it does not run */

/* All of them look at once: the loop drains. */
void job_watches_look(JobWatches *watches);

#endif
