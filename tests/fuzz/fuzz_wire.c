/*
 * Any bytes as protobuf (the first one chooses the type): what can be read is written so that it
 * reads as the same again, and what JSON can say of it comes back the same, also straight from what
 * was sent.
 */
#include "tests/fuzz/plan_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes wire, again, json, json_again, back, sent;
    if (size == 0)
        return 0;
    const Plans *plans = plans_of(data[0]);
    Arena *arena = arena_new(CALL_LIMIT);
    if (run_plan(plans->between[CODEC_PROTO][CODEC_PROTO], arena, bytes(data + 1, size - 1),
                 &wire)) {
        CHECK(run_plan(plans->between[CODEC_PROTO][CODEC_PROTO], arena, wire, &again));
        CHECK(bytes_equal(wire, again));
        if (run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, bytes(data + 1, size - 1),
                     &sent)) {
            CHECK(run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, wire, &json));
            CHECK(bytes_equal(sent, json));
        }
        if (run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, wire, &json) &&
            run_plan(plans->between[CODEC_JSON][CODEC_PROTO], arena, json, &back)) {
            CHECK(run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, back, &json_again));
            CHECK(bytes_equal(json, json_again));
        }
    }
    arena_free(arena);
    return 0;
}
