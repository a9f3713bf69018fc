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

static int set_up(void **state)
{
    in_force_forget();
    config.text = bytes_of(TEXT);
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
    const char *text = page(*state);
    assert_has(text, "{\"path\":\"listen[0]\",\"value\":\"127.0.0.1:8080\",\"line\":1}");
    assert_has(text, "{\"path\":\"admin.operators[0].name\",\"value\":\"ops\",\"line\":4}");
    assert_has(text, "{\"path\":\"admin.refused_events\",\"value\":\"");
    assert_has(text, "{\"path\":\"admin.password_time\",\"value\":\"5m\"}");
    assert_has(text, "{\"path\":\"routes[0].match\",\"value\":\"orders\",\"line\":6}");
    assert_null(strstr(text, "values_left_out"));
}

static void secrets_are_named_and_not_told(void **state)
{
    const char *text = page(*state);
    assert_has(text, "{\"path\":\"admin.operators[0].token_sha256\",\"secret\":true,\"line\":4}");
    assert_has(text, "{\"path\":\"store.postgresql\",\"secret\":true,\"line\":5}");
    assert_null(strstr(text, "abc123"));
    assert_null(strstr(text, "hidden"));
}

static void the_files_that_it_was_read_from_are_named_once(void **state)
{
    const char *text = page(*state);
    assert_has(text, "\"generation\":3,\"file\":\"gateway.yaml\",\"hash\":\"0123456789abcdef\"");
    assert_has(text, "\"sources\":[\"a.binpb\",\"a.yaml\"]");
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
    config.text = bytes_of("listen: [':80']\n");
    assert_has(page(*state), "routes[0]"); /* a generation does not change */
    config.generation = 4;
    const char *text = page(*state);
    assert_null(strstr(text, "routes[0]"));
    assert_has(text, "\"value\":\":80\"");
}

static void a_config_without_a_text_has_no_values(void **state)
{
    config.text = BYTES_NONE;
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
    const char *text = page(*state);
    assert_has(text, "\"refused\":[{\"at\":\"2023-11-14T22:13:20Z\",\"cause\":\"refused 21\","
                     "\"mistakes\":[]},{");
    assert_has(text, "\"who\":\"ops\",\"why\":\"a \\\"try\\\"\",\"cause\":\"refused 2\","
                     "\"mistakes\":[\"a:1: x\",\"b:2: <y>\"]}]");
    assert_null(strstr(text, "\"refused 1\""));
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
        cmocka_unit_test_setup_teardown(a_config_without_a_text_has_no_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_refusals_are_kept_the_latest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_mistakes_are_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
