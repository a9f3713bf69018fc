/*
 * One field of a stored message, by its path: what conditions compare, and what keys are of.
 *
 * Read from the wire, without a plan: a path is a few fields deep, and the rest of the message is
 * of no interest. As protobuf requires, of several values the last one counts, and a message that
 * is in several records is all of them together.
 */
#ifndef GATEWAY_JOB_FIELD_H
#define GATEWAY_JOB_FIELD_H

#include "adapters/schema/schema.h"
#include "gateway/config/job_config.h"

/* A message without the field, or that cannot be read, has "", 0 or false there. */
bool job_condition_holds(const JobCondition *condition, Bytes message);

/* Adds the text or the whole number, in decimal; nothing if it is not set, or
   0. `path` ends with NULL. */
void job_field_text(const FieldType *const *path, Bytes message, Buffer *out);

#endif
