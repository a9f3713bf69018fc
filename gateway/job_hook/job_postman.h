/*
 * JobPostman: tells webhooks of jobs what is in the outbox (job_outbox.h), at least once.
 *
 *      [outbox] --take--> POST --2xx--> gone
 *         ^                 |
 *         +--- backoff -----+ anything else, until the webhook's `for` is over
 *
 * A thread of its own, which may wait for the store. Each webhook has a number of requests at the
 * same time, so that one that hangs holds up nobody else. One that takes nothing is asked less and
 * less often, whatever waits for it. All functions are for the main thread, unless they say
 * otherwise.
 */
#ifndef GATEWAY_JOB_POSTMAN_H
#define GATEWAY_JOB_POSTMAN_H

#include "gateway/config/config.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

typedef struct JobPostman JobPostman;

/* The thread starts with the first config that has webhooks. `store` outlives it. Never NULL. */
JobPostman *job_postman_start(Store *store, Config *config);

/* The webhooks are those of this config from now on. */
void job_postman_use(JobPostman *postman, Config *config);

/* There is something in the outbox. Any thread. */
void job_postman_hear(JobPostman *postman);

/* Takes no more; requests that are under way may end for a second. What is not told stays in the
   outbox. Before store_close. */
void job_postman_stop(JobPostman *postman);

/* After it was stopped. NULL is allowed. */
void job_postman_free(JobPostman *postman);

/* A MetricsWriter; `postman` is a JobPostman. Any thread. */
void job_postman_metrics_write(Exposition *e, void *postman);

#endif
