/*
 * FailureText: a row of the ledger as a text, for the store, and back.
 *
 *   "52de81fa7cda618d {\"fault\": ...}"
 *
 * JSON behind a checksum, for a record that outlives the process may come back damaged. Texts are
 * as redacted as records that are shown. Any thread.
 */
#ifndef GATEWAY_FAILURE_TEXT_H
#define GATEWAY_FAILURE_TEXT_H

#include "gateway/tally/failure_table.h"

/* Adds the text to `out`. `method`: in place of that of the row; `redact`: what records of calls do
   not show; or NULL. */
void failure_text_write(const FailureRow *row, const FailureMethod *method,
                        const char *const *redact, Buffer *out);

/* The row, which the caller frees; NULL after a failure. Faults: BAD_VALUE (the text is damaged, or
   names a fault that this build does not know), BAD_JSON. */
MUST_USE Result failure_text_read(Arena *arena, Bytes text, FailureRow **row_out);

#endif
