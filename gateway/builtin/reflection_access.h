/*
 * What of the schemas a client is shown: the methods that it may call in some version, and the
 * services that have one. Messages are shown with their files. Pure functions over the config.
 */
#ifndef GATEWAY_REFLECTION_ACCESS_H
#define GATEWAY_REFLECTION_ACCESS_H

#include "gateway/identity/identity.h"

/* Who looks. */
typedef struct Onlooker {
    const Config *config;
    const Identity *identity;
} Onlooker;

/* Whether it may call one of the methods of the service, in some version: else its versions are
   hidden, too. */
bool reflection_shows_versions(const Onlooker *onlooker, const Service *service);

/* Whether it may call one of the methods of the RPC service. */
bool reflection_shows_service(const Onlooker *onlooker, const char *full_name);

/* Whether a symbol may be asked for: it is no service and no method, or one that is shown. */
bool reflection_shows_symbol(const Onlooker *onlooker, Bytes symbol);

/* Whether a file is shown: it has no services, or one that is shown. */
bool reflection_shows_file(const Onlooker *onlooker, const SchemaFile *file);

/* The file's descriptor without what is not shown; in the arena, or the file's own. */
Bytes reflection_descriptor(const Onlooker *onlooker, const SchemaFile *file, Arena *arena);

#endif
