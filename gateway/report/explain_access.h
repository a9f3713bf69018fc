/*
 * ExplainAccess: who may make a call, for `passerelle explain`: how clients must prove who they
 * are, which rules there are, and which of them hold for the client that is named. Of that client
 * only the name is known; rules about its tenant, class or claims do not hold. Any thread.
 */
#ifndef GATEWAY_EXPLAIN_ACCESS_H
#define GATEWAY_EXPLAIN_ACCESS_H

#include "gateway/report/explain.h"

/* With a route. Lines for people; nothing, if the config says nothing of it. */
void explain_access_text(const ExplainRequest *request, const Explained *found, Buffer *out);

/* The member "access" of an object, likewise. */
void explain_access_json(const ExplainRequest *request, const Explained *found, Buffer *out);

#endif
