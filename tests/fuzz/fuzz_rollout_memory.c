/* RolloutMemory: what a process before has handed over is read, and handed over again as the same.
 */
#include "base/arena.h"
#include "base/result.h"
#include "gateway/rollout_run/rollout_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const RolloutTier tiers[] = {{"1", ROLLOUT_TIER_CLIENTS, 1, 0},
                                    {"all", ROLLOUT_TIER_ALL, 0, 0}};
static const RolloutDefinition definition = {
    .name = "orders build b", .tiers = tiers, .n_tiers = 2};

/* False: there is nothing of the rollout in the text. */
static bool read_and_write(Bytes text, Buffer *out)
{
    static RolloutRoster roster; /* large */
    RolloutMemory memory;
    bool read = rollout_memory_read(text, definition.name, &memory, &roster);
    if (read) {
        for (uint32_t i = 1; i < roster.n; i++)
            CHECK(roster.numbers[i - 1] < roster.numbers[i]);
        rollout_memory_begin(out);
        rollout_memory_add(&definition, &memory, &roster, out);
        rollout_memory_end(out);
    }
    CHECK(read || roster.n == 0);
    rollout_roster_clear(&roster);
    return read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer once = buffer_in(arena), twice = buffer_in(arena);
    if (read_and_write(bytes(data, size), &once))
        CHECK(read_and_write(buffer_bytes(&once), &twice) &&
              bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    arena_free(arena);
    return 0;
}
