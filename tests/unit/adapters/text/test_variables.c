#include "adapters/text/variables.h"

#include "tests/unit/check.h"

static const char *find(void *owner, const char *name)
{
    (void)owner;
    static const char *const set[][2] = {{"HOST", "10.0.0.1"},  {"PORT", "8080"},
                                         {"EMPTY", ""},         {"_a1", "${PORT}"},
                                         {"LINES", "a: b\n#c"}, {"WRONG", "\xff"}};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (strcmp(name, set[i][0]) == 0)
            return set[i][1];
    return NULL;
}

typedef struct Row {
    const char *text, *expanded, *names;
} Row;

static void references_become_what_the_variables_have(void **state)
{
    static const Row rows[] = {
        {"", "", ""},
        {"plain $ text $HOST {PORT} $", "plain $ text $HOST {PORT} $", ""},
        {"${PORT}", "8080", "PORT"},
        {"http://${HOST}:${PORT}/", "http://10.0.0.1:8080/", "HOST, PORT"},
        {"${EMPTY}", "", "EMPTY"},
        {"${EMPTY:-x}", "x", "EMPTY (not set)"},
        {"${PORT:-x}", "8080", "PORT"},
        {"${NONE:-}", "", "NONE (not set)"},
        {"${NONE:-a:-b c}", "a:-b c", "NONE (not set)"},
        {"${_a1}", "${PORT}", "_a1"},
        {"${LINES}", "a: b\n#c", "LINES"},
        {"$${PORT}", "${PORT}", ""},
        {"$$${PORT}", "$${PORT}", ""},
        {"$$", "$$", ""},
        {"${PORT}}", "8080}", "PORT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer out = buffer_in(arena), names = buffer_in(arena);
        VariableMistake mistake;
        assert_true(
            variables_expand(arena, bytes_of(rows[i].text), find, NULL, &out, &names, &mistake));
        assert_bytes(buffer_bytes(&out), rows[i].expanded);
        assert_bytes(buffer_bytes(&names), rows[i].names);
        arena_free(arena);
    }
    (void)state;
}

static void a_mistake_says_what_to_write(void **state)
{
    static const Row rows[] = {
        {"${NONE}", "the environment has no variable NONE", "${NONE:-VALUE}"},
        {"a ${", "a reference ${ has no end", "$${ for the characters ${"},
        {"${}", "${} names no variable", "${NAME}, ${NAME:-default}, or $${ for the characters ${"},
        {"${1A}", "${1A} names no variable",
         "${NAME}, ${NAME:-default}, or $${ for the characters ${"},
        {"${A-B}", "${A-B} names no variable",
         "${NAME}, ${NAME:-default}, or $${ for the characters ${"},
        {"${A:B}", "${A:B} names no variable",
         "${NAME}, ${NAME:-default}, or $${ for the characters ${"},
        {"${A:-${HOST}}", "a default has no references", "${A:-TEXT}"},
        {"${WRONG}", "the variable WRONG is not UTF-8", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer out = buffer_in(arena), names = buffer_in(arena);
        VariableMistake mistake;
        assert_false(
            variables_expand(arena, bytes_of(rows[i].text), find, NULL, &out, &names, &mistake));
        assert_string_equal(mistake.reason, rows[i].expanded);
        assert_true(mistake.hint == rows[i].names || strcmp(mistake.hint, rows[i].names) == 0);
        arena_free(arena);
    }
    (void)state;
}

static void only_an_opened_brace_could_be_a_reference(void **state)
{
    assert_true(variables_are_in(bytes_of("a${")));
    assert_true(variables_are_in(bytes_of("$${x}")));
    assert_false(variables_are_in(bytes_of("$ {x}$")));
    assert_false(variables_are_in(BYTES_NONE));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_become_what_the_variables_have),
        cmocka_unit_test(a_mistake_says_what_to_write),
        cmocka_unit_test(only_an_opened_brace_could_be_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
