/*
 * ShadowReport: the page of a ShadowBook as text for people: how many copies were compared, and
 * each kind of difference with its newest sample. Any thread.
 */
#ifndef GATEWAY_SHADOW_REPORT_H
#define GATEWAY_SHADOW_REPORT_H

#include "base/bytes.h"

/* At most `limit` differences of each method, those of the most calls first. False: it is no such
   page. An AdminPageWriter. */
bool shadow_report_write(Buffer *out, Bytes page, uint64_t limit);

#endif
