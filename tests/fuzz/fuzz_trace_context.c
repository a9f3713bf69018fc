/* Trace context: the first line is a traceparent, each further one a tracestate. What goes on is
   well-formed. */
#include "base/arena.h"
#include "gateway/headers/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_state(Bytes state)
{
    int members = 0;
    Bytes member;
    CHECK(state.size <= TRACE_STATE_SIZE && bytes_start_with(state, "passerelle="));
    while (bytes_split(&state, ',', &member)) {
        CHECK(bytes_find(member, '=') > 0 && bytes_find(member, '=') < member.size - 1);
        members++;
    }
    CHECK(members <= TRACE_STATE_MEMBERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields head = fields_in(arena), passed_on = fields_in(arena);
    Bytes text = bytes(data, size), line;
    const char *name = "traceparent";
    while (bytes_split(&text, '\n', &line)) {
        fields_add(&head, bytes_of(name), line);
        name = "tracestate";
    }

    Random random;
    random_seed_fixed(&random, size);
    TraceContext context, again;
    trace_context_begin(&head, &random, arena, &context);
    trace_context_write(&context, &passed_on);
    CHECK(context.known || passed_on.n == 0);
    if (context.known) {
        CHECK(trace_parent_read(fields_get(&passed_on, "traceparent"), &again));
        CHECK(memcmp(again.trace_id, context.trace_id, TRACE_ID_SIZE) == 0);
    }
    Bytes state = fields_get(&passed_on, "tracestate");
    if (state.data)
        check_state(state);
    arena_free(arena);
    return 0;
}
