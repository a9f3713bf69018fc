/*
 * AccessReport: who may call what, by which proof, and which fields of responses are hidden: for
 * each route that methods or paths have. For `passerelle check`. Any thread.
 */
#ifndef GATEWAY_ACCESS_REPORT_H
#define GATEWAY_ACCESS_REPORT_H

#include "gateway/config/config.h"

/* Lines for people; nothing, if the config says nothing of it. */
void access_report(const Config *config, Buffer *out);

/* The members "access" and "hidden" of an object, each with a comma before it; likewise. */
void access_report_json(const Config *config, Buffer *out);

#endif
