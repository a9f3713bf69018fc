/*
 * The garage: a service in three versions that the tests load configs with. GARAGE is the folder
 * that its files are in: garage.binpb, v1-v2.yaml, server.pem, server.key, other.key.
 */
#ifndef TESTS_UNIT_GATEWAY_GARAGE_H
#define TESTS_UNIT_GATEWAY_GARAGE_H

#include "base/arena.h"
#include "base/bytes.h"

#define FILES GARAGE "/"
#define LISTEN "listen: ['127.0.0.1:0']\n"
#define GARAGE_SERVICE                                                                             \
    "services:\n"                                                                                  \
    "  - name: garage\n"                                                                           \
    "    versions:\n"                                                                              \
    "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"                               \
    "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"                               \
    "      - {name: v3, package: garage.v3, schema: garage.binpb}\n"                               \
    "    changes: [v1-v2.yaml]\n"                                                                  \
    "    instances:\n"                                                                             \
    "      - {address: '127.0.0.1:7003', versions: [v3]}\n"
#define GOOD LISTEN GARAGE_SERVICE

/* Without the folder's name, which is another one on every machine. */
static inline const char *without_folder(Arena *arena, Bytes text)
{
    Buffer out = buffer_in(arena);
    while (text.size)
        if (bytes_start_with(text, FILES)) {
            text = bytes_slice(text, strlen(FILES), text.size);
        } else {
            buffer_add_byte(&out, text.data[0]);
            text = bytes_slice(text, 1, text.size);
        }
    return arena_text(arena, buffer_bytes(&out));
}

#endif
