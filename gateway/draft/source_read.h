/*
 * Reads what a person names as the source of a draft: a descriptor set, a folder of .proto files,
 * or the address of an instance, which is asked by reflection. For commands: it waits.
 */
#ifndef GATEWAY_SOURCE_READ_H
#define GATEWAY_SOURCE_READ_H

#include "gateway/draft/draft.h"

/* Everything is borrowed. */
typedef struct SourcePlace {
    const char *folder;          /* of the config: "." */
    const char *const *includes; /* folders of imports */
    uint32_t n_includes;
    DraftTls tls; /* of instances that are named https://...; files as they are named here */
} SourcePlace;

/* Faults: NO_FILE, BAD_SCHEMA, BAD_CONFIG (it is none of these), SYSTEM, and those of
   reflection_ask. In the arena, which has no limit. */
MUST_USE Result source_read(Arena *arena, const char *said, const SourcePlace *place,
                            DraftSource *source_out);

/* How a config in the folder names an instance that is named here: "unix:orders.sock" is another
   file there, and "https://orders" is "orders:443" by TLS. `text` as for draft_add_instance, which
   takes what this gives. */
const char *source_instance_seen_from(Arena *arena, const SourcePlace *place, const char *text,
                                      const DraftTls **tls_out);

#endif
