/*
 * JobMigration: whether a job may be moved from the definition by which it was accepted to one of
 * another revision. Pure.
 */
#ifndef GATEWAY_JOB_MIGRATION_H
#define GATEWAY_JOB_MIGRATION_H

#include "base/result.h"
#include "gateway/job_store/job_record.h"

/*
 * What has happened must mean the same in both: the version in which the job is written, and of
 * each step up to where the job stands its name, kind, method and version; and of those that have
 * begun the undos. The steps behind may be others. Nobody may have the job, and it must not have
 * ended well. Fault: JOB_UNFIT, with the reason.
 */
MUST_USE Result job_migration_check(const JobRecord *record, const JobDefinition *from,
                                    const JobDefinition *to, Arena *arena);

#endif
