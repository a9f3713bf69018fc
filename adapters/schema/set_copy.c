/* A copy of a descriptor set without what nobody reads of it. */
#include "adapters/schema/schema.h"
#include "adapters/schema/wire.h"

#include "base/arena.h"

/* FileDescriptorSet, FileDescriptorProto and SourceCodeInfo. */
typedef enum Level { LEVEL_SET, LEVEL_FILE, LEVEL_SOURCES } Level;

/* The field in which the next level is: of the last one, a Location. */
static const uint32_t inner[] = {[LEVEL_SET] = 1, [LEVEL_FILE] = 9, [LEVEL_SOURCES] = 1};

enum { LEADING = 3, TRAILING = 4, DETACHED = 6 }; /* the comments of a location */

static bool has_comment(Bytes location)
{
    WireReader reader = wire_reader(location);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == LEADING || f.number == TRAILING || f.number == DETACHED)
            return true;
    }
    return reader.bad;
}

static size_t add_bytes(uint8_t *to, Bytes from)
{
    if (to && from.size)
        memcpy(to, from.data, from.size);
    return from.size;
}

/* Writes what is kept of a message to `to`, which NULL only measures; returns its size, which is at
   most that of the message. Their depth is that of the levels. */
static size_t keep(Level level, Bytes message, uint8_t *to)
{
    size_t size = 0;
    WireReader reader = wire_reader(message);
    for (WireField f; wire_next(&reader, &f);) {
        uint8_t *at = to ? to + size : NULL, head[WIRE_TAG_MAX + WIRE_VARINT_MAX];
        if (f.number != inner[level] || f.type != WIRE_LENGTH) {
            size += add_bytes(at, f.record);
            continue;
        }
        if (level == LEVEL_SOURCES) {
            size += has_comment(f.bytes) ? add_bytes(at, f.record) : 0;
            continue;
        }
        size_t kept = keep(level + 1, f.bytes, NULL);
        uint8_t *behind = wire_put_varint(head, f.number << 3 | WIRE_LENGTH);
        behind = wire_put_varint(behind, kept);
        size_t before = add_bytes(at, bytes(head, (size_t)(behind - head)));
        size += before + (at ? keep(level + 1, f.bytes, at + before) : kept);
    }
    return reader.bad ? add_bytes(to, message) : size;
}

Bytes schema_set_copy(Arena *arena, Bytes descriptor_set)
{
    size_t size = keep(LEVEL_SET, descriptor_set, NULL);
    uint8_t *copy = arena_alloc(arena, size);
    CHECK(copy); /* the arena has no limit */
    return bytes(copy, keep(LEVEL_SET, descriptor_set, copy));
}
