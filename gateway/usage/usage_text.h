/*
 * UsageText: rows of a UsageTable as text, for the process after this one (gateway/handover).
 *
 *   service version method field shared period calls last client
 *
 * One line each, parted by tabs; texts are percent-encoded. The size is bounded: where there are
 * too many rows, those that do not fit are written as shared ones. Main thread.
 */
#ifndef GATEWAY_USAGE_TEXT_H
#define GATEWAY_USAGE_TEXT_H

#include "gateway/usage/usage_names.h"
#include "gateway/usage/usage_table.h"

enum { USAGE_TEXT_SIZE = 16 << 20 /* bytes of rows with names, about */ };

void usage_text_write(UsageTable *table, UsageNames *names, size_t most, Buffer *out);

/* Adds what was written; returns the number of lines that could be read. */
uint32_t usage_text_read(UsageTable *table, UsageNames *names, Bytes text);

#endif
