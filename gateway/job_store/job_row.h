/*
 * JobRow: a row of the table `jobs` as a JobRecord, and back. Content, message and the reason of an
 * order are sealed.
 */
#ifndef GATEWAY_JOB_ROW_H
#define GATEWAY_JOB_ROW_H

#include "gateway/job_store/job_record.h"
#include "gateway/store/store_task.h"

/* The record of a row with JOB_COLUMNS, content, in the arena. Never NULL: what cannot be opened or
   read is told in `damage`. */
JobRecord *job_row_read(const StoreRow *row, const StoreKeys *keys, Arena *arena);

/* The order that the row with these columns has: its name, who, why (sealed). */
JobOrder job_row_read_order(const StoreValue *values, Bytes id, const StoreKeys *keys,
                            Arena *arena);

/* Binds the content of the record, sealed. */
void job_row_bind_content(StoreTask *task, StoreStatement *statement, const JobRecord *record,
                          const StoreKeys *keys);

/* Binds a text of the job `id`, sealed. */
void job_row_bind_sealed(StoreTask *task, StoreStatement *statement, const char *column, Bytes id,
                         Bytes text, const StoreKeys *keys);

/* "cancel"; empty: none is given. */
const char *job_order_name(const JobOrder *order);

#endif
