/*
 * Any bytes as a message in JSON (the first one chooses the type): by way of protobuf and straight
 * from JSON to JSON it becomes the same text, and that text stays what it is.
 */
#include "tests/fuzz/plan_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes wire, json, straight, again;
    if (size == 0)
        return 0;
    Bytes text = bytes(data + 1, size - 1);
    const Plans *plans = plans_of(data[0]);
    Arena *arena = arena_new(CALL_LIMIT);
    bool read = run_plan(plans->between[CODEC_JSON][CODEC_PROTO], arena, text, &wire);
    bool wrote = read && run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, wire, &json);
    CHECK(run_plan(plans->between[CODEC_JSON][CODEC_JSON], arena, text, &straight) == wrote);
    if (wrote) {
        CHECK(bytes_equal(json, straight));
        CHECK(run_plan(plans->between[CODEC_JSON][CODEC_JSON], arena, json, &again));
        CHECK(bytes_equal(json, again));
    }
    arena_free(arena);
    return 0;
}
