/*
 * The first byte says which type the rest is a message of, and how much of it may be looked at.
 * What is found to be valid is read by the slow reader, and is valid again as that writes it; with
 * less room, or less depth, nothing else is found than that there was too little.
 */
#include "adapters/prove/tree.h"
#include "adapters/schema/message_check.h"
#include "tests/fuzz/plan_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 40, FEW = 3 };

typedef struct Types {
    const MessageType *kinds, *old; /* proto3, proto2 */
} Types;

/* Read once. */
static const Types *all_types(void)
{
    static Types types;
    if (types.kinds)
        return &types;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const Schema *kinds, *old;
    Result r = schema_load(arena, kinds_set, "kinds", &kinds);
    CHECK(!failed(r));
    r = schema_load(arena, old_set, "old", &old);
    CHECK(!failed(r));
    types = (Types){schema_message(kinds, bytes_of("test.kinds.Kinds")),
                    schema_message(old, bytes_of("test.old.Old"))};
    CHECK(types.kinds && types.old);
    return &types;
}

static void expect_readable(const MessageType *type, Bytes message)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Tree *tree;
    Result r = tree_parse(arena, type, message, &tree);
    CHECK(!failed(r));
    Buffer again = buffer_in(arena);
    tree_forget_raw(tree);
    tree_write(tree, &again);
    CHECK(message_check(type, buffer_bytes(&again), DEPTH + 1, SIZE_MAX) == MESSAGE_CHECK_VALID);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const Types *types = all_types();
    const MessageType *type = data[0] & 1 ? types->old : types->kinds;
    Bytes message = bytes(data + 1, size - 1);
    MessageCheck found = message_check(type, message, DEPTH, SIZE_MAX);
    CHECK(found != MESSAGE_CHECK_TOO_LONG);
    if (found == MESSAGE_CHECK_VALID)
        expect_readable(type, message);
    MessageCheck hasty = message_check(type, message, DEPTH, data[0] >> 1);
    CHECK(hasty == found || hasty == MESSAGE_CHECK_TOO_LONG);
    MessageCheck shallow = message_check(type, message, FEW, SIZE_MAX);
    CHECK(shallow == found || shallow == MESSAGE_CHECK_TOO_DEEP);
    return 0;
}
