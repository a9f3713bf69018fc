#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/in_force/in_force.h"

static const char TEXT[] = "listen: [127.0.0.1:8080]\n"
                           "admin:\n"
                           "  operators:\n"
                           "    - {name: ops, role: operate, token_sha256: abc123}\n"
                           "store: {postgresql: 'host=db password=hidden'}\n"
                           "routes: [{match: orders}]\n";

static ConfigSource again = {"a.binpb", NULL}, list = {"a.yaml", &again},
                    first = {"a.binpb", &list};
static Config config = {
    .generation = 3, .file = "gateway.yaml", .hash = "0123456789abcdef", .sources = &first};

static ConfigText main_text;

static int set_up(void **state)
{
    in_force_forget();
    main_text = (ConfigText){.file = "gateway.yaml", .text = bytes_of(TEXT)};
    config.texts = &main_text;
    config.generation = 3;
    *state = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    in_force_forget();
    return 0;
}

static const char *page(Arena *arena)
{
    Buffer out = buffer_in(arena);
    in_force_write(&config, &out);
    return arena_text(arena, buffer_bytes(&out));
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("%s is not in %s", part, text);
}

static void each_value_is_told_with_its_line_and_defaults_without(void **state)
{
    const char *shown = page(*state);
    assert_has(shown, "{\"path\":\"listen[0]\",\"value\":\"127.0.0.1:8080\",\"line\":1}");
    assert_has(shown, "{\"path\":\"admin.operators[0].name\",\"value\":\"ops\",\"line\":4}");
    assert_has(shown, "{\"path\":\"admin.refused_events\",\"value\":\"");
    assert_has(shown, "{\"path\":\"admin.password_time\",\"value\":\"5m\"}");
    assert_has(shown, "{\"path\":\"routes[0].match\",\"value\":\"orders\",\"line\":6}");
    assert_null(strstr(shown, "values_left_out"));
}

static void secrets_are_named_and_not_told(void **state)
{
    const char *shown = page(*state);
    assert_has(shown, "{\"path\":\"admin.operators[0].token_sha256\",\"secret\":true,\"line\":4}");
    assert_has(shown, "{\"path\":\"store.postgresql\",\"secret\":true,\"line\":5}");
    assert_null(strstr(shown, "abc123"));
    assert_null(strstr(shown, "hidden"));
}

static void the_files_that_it_was_read_from_are_named_once(void **state)
{
    const char *shown = page(*state);
    assert_has(shown, "\"generation\":3,\"file\":\"gateway.yaml\",\"hash\":\"0123456789abcdef\"");
    assert_has(shown, "\"sources\":[\"a.binpb\",\"a.yaml\"]");
}

static void since_when_it_is_in_force_is_told_of_that_generation_only(void **state)
{
    in_force_use(3, 1700000000 * SECOND);
    assert_has(page(*state), "\"since\":\"2023-11-14T22:13:20Z\"");
    in_force_use(4, 1700000060 * SECOND);
    assert_null(strstr(page(*state), "since"));
}

static void the_values_are_those_of_the_generation(void **state)
{
    assert_has(page(*state), "routes[0]");
    main_text.text = bytes_of("listen: [':80']\n");
    assert_has(page(*state), "routes[0]"); /* a generation does not change */
    config.generation = 4;
    const char *shown = page(*state);
    assert_null(strstr(shown, "routes[0]"));
    assert_has(shown, "\"value\":\":80\"");
}

/* From the texts as they were read: the files may have changed since. */
static void values_of_included_files_and_of_variables_say_so(void **state)
{
    setenv("IN_FORCE_HOST", "10.0.0.1", 1);
    unsetenv("IN_FORCE_PORT");
    ConfigText deep = {.file = "parts/deep.yaml", .text = bytes_of("routes: [{match: b}]\n")};
    ConfigText part = {.file = "parts/a.yaml",
                       .text = bytes_of("include: deep.yaml\nroutes:\n  - match: a\n"),
                       .by = &main_text,
                       .next = &deep};
    deep.by = &part;
    main_text.text = bytes_of("include: parts/*.yaml\nx-mine: 1\nroutes: [{match: orders}]\n"
                              "listen: ['${IN_FORCE_HOST}:${IN_FORCE_PORT:-80}']\n"
                              "store: {postgresql: {file: secrets/db}}\n");
    main_text.next = &part;
    const char *shown = page(*state);
    assert_has(shown, "{\"path\":\"include[0]\",\"value\":\"parts/*.yaml\",\"line\":1}");
    assert_has(shown, "{\"path\":\"routes[0].match\",\"value\":\"orders\",\"line\":3}");
    assert_has(shown, "{\"path\":\"routes[1].match\",\"value\":\"a\",\"file\":\"parts/a.yaml\","
                      "\"line\":3}");
    assert_has(shown, "{\"path\":\"routes[2].match\",\"value\":\"b\",\"file\":\"parts/deep.yaml\","
                      "\"line\":1}");
    assert_has(shown, "{\"path\":\"listen[0]\",\"value\":\"10.0.0.1:80\",\"line\":4,"
                      "\"variables\":\"IN_FORCE_HOST, IN_FORCE_PORT (not set)\"}");
    assert_has(shown, "{\"path\":\"store.postgresql\",\"secret\":true,\"line\":5,"
                      "\"from\":\"secrets/db\"}");
    assert_null(strstr(shown, "x-mine"));
}

static void a_config_without_a_text_has_no_values(void **state)
{
    config.texts = NULL;
    assert_has(page(*state), "\"values\":[]");
}

static void the_latest_refusals_are_kept_the_latest_first(void **state)
{
    assert_has(page(*state), "\"refused\":[]");
    for (int i = 1; i <= IN_FORCE_REFUSALS + 1; i++) {
        const char *cause = arena_printf(*state, "refused %d", i);
        in_force_refuse(&(RefusedConfig){.at = 1700000000 * SECOND,
                                         .who = i == 2 ? "ops" : NULL,
                                         .why = bytes_of(i == 2 ? "a \"try\"" : ""),
                                         .cause = cause,
                                         .mistakes = bytes_of(i == 2 ? "a:1: x\nb:2: <y>\n" : "")});
    }
    const char *shown = page(*state);
    assert_has(shown, "\"refused\":[{\"at\":\"2023-11-14T22:13:20Z\",\"cause\":\"refused 21\","
                      "\"mistakes\":[]},{");
    assert_has(shown, "\"who\":\"ops\",\"why\":\"a \\\"try\\\"\",\"cause\":\"refused 2\","
                      "\"mistakes\":[\"a:1: x\",\"b:2: <y>\"]}]");
    assert_null(strstr(shown, "\"refused 1\""));
}

static void many_mistakes_are_cut(void **state)
{
    Buffer mistakes = buffer_in(*state);
    for (int i = 0; i < 3 * IN_FORCE_MISTAKES; i++)
        buffer_add_byte(&mistakes, i % 100 ? 'x' : '\n');
    in_force_refuse(&(RefusedConfig){.cause = "many", .mistakes = buffer_bytes(&mistakes)});
    size_t size = strlen(strstr(page(*state), "\"refused\""));
    assert_true(size > IN_FORCE_MISTAKES && size < IN_FORCE_MISTAKES + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_value_is_told_with_its_line_and_defaults_without,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_named_and_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_files_that_it_was_read_from_are_named_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(since_when_it_is_in_force_is_told_of_that_generation_only,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_values_are_those_of_the_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_of_included_files_and_of_variables_say_so, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_config_without_a_text_has_no_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_refusals_are_kept_the_latest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_mistakes_are_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
