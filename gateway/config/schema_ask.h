/*
 * SchemaAsk: the function by which config_load fetches a schema from an instance.
 *
 * Reading a config opens no connections itself: the caller of config_load passes the function that
 * does (reflection_client.h), or none.
 */
#ifndef GATEWAY_SCHEMA_ASK_H
#define GATEWAY_SCHEMA_ASK_H

#include "gateway/config/config.h"

/* The parameters. Everything is borrowed for the call. */
typedef struct SchemaQuery {
    const Instance *instance;  /* a gRPC one; `service` NULL */
    const char *package;       /* the package of the RPC services; NULL: all that it serves */
    const char *const *mixins; /* full names of RPC services of other packages */
    size_t n_mixins;
    const char *version_header, *version; /* sent with the request, for an instance that serves
                                             several versions; both NULL: not */
    int64_t timeout;                      /* nanoseconds, for the whole exchange */
    size_t most;                          /* bytes of all responses together */
} SchemaQuery;

struct SchemaAsk {
    /*
     * Blocks until the schema is complete or has failed. `config` is the one that is being loaded:
     * its limits are set. The schema and its FileDescriptorSet live in `arena`, which has no limit.
     * A retryable fault means that the instance cannot be reached now: a cached schema may be used.
     */
    Result (*ask)(void *owner, Config *config, const SchemaQuery *query, Arena *arena,
                  Bytes *set_out, const Schema **schema_out);
    void *owner; /* passed to `ask` */
};

#endif
