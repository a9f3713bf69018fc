/* What the tests of first change lists share: a list is refused for its marks, and for nothing
 * else. */
#ifndef TESTS_UNIT_ADAPTERS_DIFF_FIRST_LIST_H
#define TESTS_UNIT_ADAPTERS_DIFF_FIRST_LIST_H

#include "adapters/diff/schema_diff.h"
#include "base/arena.h"
#include "tests/unit/check.h"

static inline Problems problems_of(Arena *arena, const char *yaml, const ChangeSide *from,
                                   const ChangeSide *to)
{
    Problems problems = problems_in(arena);
    const ChangeList *list;
    assert_ok(arena, changes_load(arena, bytes_of(yaml), "list.yaml", from, to, &problems, &list));
    return problems;
}

static inline const char *without_marks(Arena *arena, const char *yaml)
{
    static const char mark[] = "  # decide:";
    Buffer out = buffer_in(arena);
    for (const char *at; (at = strstr(yaml, mark)); yaml = strchr(at, '\n'))
        buffer_add(&out, yaml, (size_t)(at - yaml));
    buffer_add(&out, yaml, strlen(yaml) + 1);
    return (const char *)out.data;
}

static inline uint32_t count_marks(const char *yaml)
{
    uint32_t n = 0;
    for (const char *at = yaml; (at = strstr(at, "  # decide:")); at++)
        n++;
    return n;
}

static inline void check_first_list(Arena *arena, const ChangeSide *from, const ChangeSide *to)
{
    SchemaDiff diff;
    schema_diff(arena, from, to, &diff);
    const char *yaml = arena_text(arena, diff.change_list);
    assert_int_equal(problems_of(arena, yaml, from, to).n, count_marks(yaml));
    Problems rest = problems_of(arena, without_marks(arena, yaml), from, to);
    Buffer text = buffer_in(arena);
    problems_print(&rest, &text);
    if (rest.n)
        fail_msg("%s: %.*s\n%s", from->package, BYTES_ARGS(buffer_bytes(&text)), yaml);
}

#endif
