/*
 * EjectionText: whatever a text says of an instance, what is written of it afterwards is read as
 * the same again; and no ejection is for longer than a day.
 */
#include "base/arena.h"
#include "gateway/instances/ejection_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (1000 * SECOND)

static Bytes written(Arena *arena)
{
    Buffer *out = arena_make(arena, Buffer);
    *out = buffer_in(arena);
    ejections_write(out);
    return buffer_bytes(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Instance instance = {.address = {.text = "a:1", .host = "a", .port = 1}};
    KnownInstance *known = known_instance_of(&instance);
    uint32_t n = ejections_read(bytes(data, size), NOW);
    CHECK(n <= 1);
    Bytes first = written(arena);
    const Judged *judged = &known->judged;
    CHECK(!judged_is_ejected(judged) ||
          (judged->until > NOW && judged->until - NOW <= 24 * 3600 * SECOND));
    CHECK(judged_is_ejected(judged) == ((known->barred & BAR_EJECTED) != 0));
    if (first.size)
        CHECK(ejections_read(first, NOW) == 1 && bytes_equal(written(arena), first));
    known_instance_unref(known);
    arena_free(arena);
    return 0;
}
