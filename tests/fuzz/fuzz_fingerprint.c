/*
 * Fingerprints of any bytes (the first one chooses the type): a message that a plan can read has
 * the same spelling as what the plan makes of it.
 */
#include "gateway/idempotency/fingerprint.h"
#include "tests/fuzz/plan_story.h"

enum { DEPTH = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const MessageType *type_of(unsigned which)
{
    static const MessageType *types[N_TYPES];
    static Arena *arena;
    static const char *const names[] = {"test.kinds.Kinds", "test.old.Old"};
    const Bytes sets[] = {kinds_set, old_set};
    for (unsigned i = 0; !types[i % N_TYPES] && i < N_TYPES; i++) {
        const Schema *schema;
        arena = arena ? arena : arena_new(ARENA_UNLIMITED);
        Result r = schema_load(arena, sets[i], names[i], &schema);
        CHECK(!failed(r));
        types[i] = schema_message(schema, bytes_of(names[i]));
    }
    return types[which % N_TYPES];
}

/* False: it cannot be read, or there is more in it than its type knows. */
static bool convert(const Plan *plan, Arena *arena, Bytes from, Bytes *to)
{
    Buffer out = buffer_in(arena);
    PlanInput input = {.bytes = from};
    PlanRun run = {0};
    Result r = plan_run(plan, &input, arena, &out, &run);
    *to = buffer_bytes(&out);
    return !failed(r) && !run.n_unknown;
}

static Bytes spelled(const MessageType *type, Arena *arena, Bytes message)
{
    Buffer out = buffer_in(arena);
    Result r = fingerprint_spell(type, message, DEPTH, arena, &out);
    CHECK(!failed(r));
    return buffer_bytes(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const Plans *plans = plans_of(data[0]);
    const MessageType *type = type_of(data[0]);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes message = bytes(data + 1, size - 1), again;
    Buffer out = buffer_in(arena);
    Result r = fingerprint_spell(type, message, DEPTH, arena, &out);
    if (convert(plans->between[CODEC_PROTO][CODEC_PROTO], arena, message, &again)) {
        CHECK(!failed(r));
        CHECK(bytes_equal(buffer_bytes(&out), spelled(type, arena, again)));
    }
    arena_free(arena);
    return 0;
}
