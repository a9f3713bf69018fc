/*
 * Redaction: the record of a call without what `ledger.redact` names.
 *
 * A name is that of a member of the record ("client", "path"), or the path of a message's field as
 * errors name it ("order.customer"), which includes the fields beneath it; the numbers of elements
 * do not count, nor do underscores and capitals, in which the two spellings of a field differ. The
 * value of a member becomes "redacted", and so does each text of an error that quotes it, or, of a
 * path, what stands between two of its slashes. If an error is about such a field, no text of its
 * chain is left, for each of them may quote the value; faults, fields and places stay. Any thread.
 */
#ifndef GATEWAY_REDACTION_H
#define GATEWAY_REDACTION_H

#include "base/bytes.h"

/* Adds the record, which is a JSON object, to `out`; "{}" in place of anything else. `names` ends
   with NULL; NULL: nothing is taken out. */
void redact_record(Bytes record, const char *const *names, Buffer *out);

/* The same of a page about jobs: what its members `request` and `response` have are messages, whose
   fields are hidden by their paths ("spec.owner", also of lists of messages); and so are members
   `message`, `resource` and `why` that quote them. Of the other members only `client` is hidden. */
void redact_job(Bytes page, const char *const *names, Buffer *out);

/* Whether a field of that path is hidden. */
bool redaction_hides(Bytes path, const char *const *names);

#endif
