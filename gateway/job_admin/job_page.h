/*
 * JobPage: jobs as JSON for operators, without what `ledger.redact` names: the list, and one job
 * with its messages. Pure.
 */
#ifndef GATEWAY_JOB_PAGE_H
#define GATEWAY_JOB_PAGE_H

#include "gateway/config/config.h"
#include "gateway/job_store/job_storage.h"

/* {"jobs": [...], "next": ID}: `next` is there if the page is full. What is sealed is not shown. */
void job_page_list(const Config *config, const JobRecord *const *jobs, uint32_t n, uint32_t most,
                   int64_t wall, Buffer *out);

/* One job, with the messages of its steps if the config has its definition. */
void job_page_job(const Config *config, const JobRecord *record, int64_t wall, Buffer *out);

#endif
