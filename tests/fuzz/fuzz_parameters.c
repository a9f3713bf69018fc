/*
 * A body of JSON on the first line (no body when it is empty), then a parameter of the URL on each:
 * path=text. By way of protobuf and straight from JSON to JSON they become the same text, which
 * says by itself what body and parameters said together.
 */
#include "tests/fuzz/plan_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_PARAMETERS = 64 };

static bool run_parameters(const Plan *plan, const PlanInput *input, Arena *arena, Bytes *to)
{
    Buffer out = buffer_in(arena);
    Result r = plan_run(plan, input, arena, &out, NULL);
    *to = buffer_bytes(&out);
    return !failed(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PlanParameter parameters[MOST_PARAMETERS];
    Bytes rest = bytes(data, size), line, wire, json, straight, again;
    if (size == 0 || !bytes_split(&rest, '\n', &line))
        return 0;
    PlanInput input = {.bytes = line, .no_body = line.size == 0, .parameters = parameters};
    while (input.n_parameters < MOST_PARAMETERS && bytes_split(&rest, '\n', &line)) {
        size_t equals = bytes_find(line, '=');
        parameters[input.n_parameters++] =
            (PlanParameter){bytes_slice(line, 0, equals), bytes_slice(line, equals + 1, SIZE_MAX)};
    }

    const Plans *plans = plans_of(0);
    Arena *arena = arena_new(CALL_LIMIT);
    bool read = run_parameters(plans->between[CODEC_JSON][CODEC_PROTO], &input, arena, &wire);
    bool wrote = read && run_plan(plans->between[CODEC_PROTO][CODEC_JSON], arena, wire, &json);
    CHECK(run_parameters(plans->between[CODEC_JSON][CODEC_JSON], &input, arena, &straight) ==
          wrote);
    if (wrote) {
        CHECK(bytes_equal(json, straight));
        CHECK(run_plan(plans->between[CODEC_JSON][CODEC_JSON], arena, json, &again));
        CHECK(bytes_equal(json, again));
    }
    arena_free(arena);
    return 0;
}
