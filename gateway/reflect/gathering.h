/*
 * Gathering: a schema put together from what an instance tells of itself by server reflection.
 *
 * Asks one thing at a time: the list of services, then the file of each service of one package,
 * then each file that is imported and has not come along. What comes back is bounded and
 * distrusted. Pure: bytes in, bytes out. Lives in its arena, which has no limit; one thread.
 *
 *      gathering_ask -> request -> instance -> answer -> gathering_take -> ... until gathering_ask
 * is false
 */
#ifndef GATEWAY_GATHERING_H
#define GATEWAY_GATHERING_H

#include "base/bytes.h"
#include "base/result.h"
#include "base/table.h"

/* Something to ask for, with its name. */
typedef struct GatheringAsk {
    uint32_t field; /* of ServerReflectionRequest: ASK_SERVICES, ASK_SYMBOL, ASK_FILE */
    Bytes name;
    Bytes importer; /* of a file: who imports it */
} GatheringAsk;

typedef struct Gathering {
    Arena *arena;
    const char *package;
    size_t limit, size; /* bytes of all answers */
    Buffer set;         /* the FileDescriptorSet so far; not linked yet */
    Table files;        /* name -> its descriptor, as Bytes */
    /* private */
    Table asked; /* names of files that are or will be asked for */
    GatheringAsk *asks;
    size_t n_asks, n_asked, capacity;
    bool awaits; /* an answer */
} Gathering;

/* For all RPC services in `package` (borrowed), from answers of at most `limit` bytes together. */
void gathering_begin(Gathering *gathering, Arena *arena, const char *package, size_t limit);

/* Adds the next ServerReflectionRequest to `request`; false: all is there. */
bool gathering_ask(Gathering *gathering, Buffer *request);

/*
 * Takes the ServerReflectionResponse to the latest request. Faults: UPSTREAM_MESSAGE,
 * UPSTREAM_TOO_LARGE, UPSTREAM_STATUS (an error that it says in-band), BAD_SCHEMA (no service in
 * the package).
 */
MUST_USE Result gathering_take(Gathering *gathering, Bytes answer);

/* The services of the package that the instance has told of; false at the end. Start with *at =
   0. */
bool gathering_service(const Gathering *gathering, size_t *at, Bytes *name_out);

#endif
