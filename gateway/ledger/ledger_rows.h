/*
 * LedgerRows: the rows of the ledger as one text, a line for each: what a gateway without a store
 * leaves to its successor (gateway/handover). Belongs to the main thread.
 */
#ifndef GATEWAY_LEDGER_ROWS_H
#define GATEWAY_LEDGER_ROWS_H

#include "gateway/tally/tally.h"

/* All rows, as failure_text_write writes them. `process`: when this process began, in wall time;
   `redact`: what records of calls do not show, or NULL. */
void ledger_rows_write(const Tally *all, int64_t process, const char *const *redact, Buffer *out);

/* Adds the rows to what was counted since. Those that cannot be read are passed over. Gives their
   number. `config` tells what their methods are called now. */
uint32_t ledger_rows_read(Tally *all, const Config *config, Bytes text);

/* The failures of all rows. */
uint64_t ledger_rows_count(const Tally *all);

#endif
