/* Any bytes as JSON: a tree that is written and read back the same, or an error. */
#include "adapters/text/json.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonLimits limits = {.depth = 32, .elements = 10000};
    JsonNode *root, *again;
    Result r = json_parse(arena, bytes(data, size), &limits, &root);
    if (!failed(r)) {
        Buffer once = buffer_in(arena), twice = buffer_in(arena);
        json_write(&once, root);
        r = json_parse(arena, buffer_bytes(&once), &limits, &again);
        CHECK(!failed(r));
        json_write(&twice, again);
        CHECK(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    }
    arena_free(arena);
    return 0;
}
