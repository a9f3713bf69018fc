/*
 * The first byte says how much of the rest is the first message; what follows is the second one.
 * They differ as they do slowly, and the other way round in the same places; a message does not
 * differ from itself.
 */
#include "tests/fuzz/plan_story.h"
#include "tests/unit/adapters/compare/slow_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read once. */
static const MessageType *the_type(void)
{
    static const MessageType *type;
    const Schema *schema;
    if (type)
        return type;
    Result r = schema_load(arena_new(ARENA_UNLIMITED), kinds_set, "kinds", &schema);
    CHECK(!failed(r));
    type = schema_message(schema, bytes_of("test.kinds.Kinds"));
    return type;
}

/* The twin refuses what no sender may write, such as texts that are not UTF-8. */
static void expect_as_slow(Arena *arena, Bytes first, Bytes second, const Comparison *fast)
{
    Tree *a, *b;
    SlowCompare slow = {.arena = arena};
    if (failed(tree_parse(arena, the_type(), first, &a)) ||
        failed(tree_parse(arena, the_type(), second, &b)))
        return;
    slow_trees(&slow, "", a, b);
    CHECK(slow_agrees(&slow, fast));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 2000 /* bytes: the twin is slow */ };
    if (size == 0 || size > MOST)
        return 0;
    Bytes rest = bytes(data + 1, size - 1);
    Bytes first = bytes_slice(rest, 0, rest.size * data[0] / 255);
    Bytes second = bytes_slice(rest, first.size, rest.size);
    Arena *arena = arena_new(CALL_LIMIT), *slow = arena_new(ARENA_UNLIMITED);
    CompareRules rules = {.show = {.most = 100}};
    Comparison there, back, none;
    Result r = compare_messages(the_type(), first, second, &rules, arena, &there);
    if (!failed(r)) {
        r = compare_messages(the_type(), second, first, &rules, arena, &back);
        CHECK(!failed(r) && back.n == there.n && back.more == there.more);
        r = compare_messages(the_type(), first, first, &rules, arena, &none);
        CHECK(!failed(r) && none.n == 0);
        expect_as_slow(slow, first, second, &there);
    }
    arena_free(slow);
    arena_free(arena);
    return 0;
}
