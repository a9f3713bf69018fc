/*
 * Explain: what would become of a request, told by the same tables and rules that calls go by.
 *
 * Nothing is sent and no instance is looked at: who answers is said in the order in which instances
 * that are all well would be asked. For `passerelle explain`; any thread.
 */
#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

#include "gateway/config/config.h"

typedef struct ExplainRequest {
    Bytes verb, path; /* the path with its query, if any */
    Fields fields;    /* lower-case names */
    Bytes identity;   /* of the client, or empty */
    bool plan;        /* print the plans too */
} ExplainRequest;

/* Adds what was found, also when the Result says that such a request would be refused. */
MUST_USE Result explain(const Config *config, const ExplainRequest *request, Arena *arena,
                        Buffer *out);

#endif
