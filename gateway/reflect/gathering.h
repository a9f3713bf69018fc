/*
 * Gathering: builds a schema from an instance's server reflection.
 *
 * Sends one request at a time: for the list of services, then for the file of each service of one
 * package, or of all, then for each imported file that is still missing. Responses are limited and
 * validated.
 * Pure: bytes in, bytes out. Lives in its arena, which has no limit; one thread.
 *
 *      gathering_ask -> request -> instance -> response -> gathering_take -> gathering_ask ...
 */
#ifndef GATEWAY_GATHERING_H
#define GATEWAY_GATHERING_H

#include "base/bytes.h"
#include "base/result.h"
#include "base/table.h"

/* One request. */
typedef struct GatheringAsk {
    uint32_t field; /* of ServerReflectionRequest: ASK_SERVICES, ASK_SYMBOL, ASK_FILE */
    Bytes name;
    Bytes importer; /* of a file: the file that imports it */
} GatheringAsk;

typedef struct Gathering {
    Arena *arena;
    const char *package;       /* NULL: all, but for health and reflection */
    const char *const *mixins; /* RPC services of other packages; none at the beginning */
    size_t n_mixins;
    size_t limit, size; /* bytes of all responses */
    Buffer set;         /* the FileDescriptorSet so far; not linked yet */
    Table files;        /* name -> its descriptor, as Bytes */
    /* private */
    Table asked; /* names of files that were or will be requested */
    GatheringAsk *asks;
    size_t n_asks, n_asked, capacity;
    bool awaits; /* a response */
} Gathering;

/* For all RPC services in `package` (borrowed; NULL: whatever the instance serves), with responses
   of at most `limit` bytes together. */
void gathering_begin(Gathering *gathering, Arena *arena, const char *package, size_t limit);

/* Adds the next ServerReflectionRequest to `request`; false: the schema is complete. */
bool gathering_ask(Gathering *gathering, Buffer *request);

/*
 * Takes the ServerReflectionResponse to the latest request. Faults: UPSTREAM_MESSAGE,
 * UPSTREAM_TOO_LARGE, UPSTREAM_STATUS (an error response in the stream), BAD_SCHEMA (no service in
 * the package).
 */
MUST_USE Result gathering_take(Gathering *gathering, Bytes answer);

/* Iterates over the services that the instance listed and that were asked for; false at the end.
 *Start with at = 0. */
bool gathering_service(const Gathering *gathering, size_t *at, Bytes *name_out);

#endif
