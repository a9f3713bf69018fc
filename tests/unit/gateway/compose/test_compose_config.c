/* What a config with composed methods may say, and what is told of mistakes. */
#include "gateway/service/config_load.h"

#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

#define YARD                                                                                       \
    "  - name: yard\n"                                                                             \
    "    versions: [{name: v1, package: yard.v1, schema: yard.binpb}]\n"                           \
    "    instances: ['127.0.0.1:7101']\n"
#define BOARD                                                                                      \
    "  - name: board\n"                                                                            \
    "    versions:\n"                                                                              \
    "      - name: v1\n"                                                                           \
    "        package: board.v1\n"                                                                  \
    "        schema: board.binpb\n"                                                                \
    "        compose:\n"
#define SHOW_OF(more, legs) "          - {method: Boards/Show" more ", legs: [" legs "]}\n"
#define ALSO "          - {method: Boards/Also, legs: [" GOOD_LEG "]}\n"
#define GOOD_LEG LEG_OF("a", "{name: request.name}", "{few: parts}")
#define LEG_OF(name, request, response)                                                            \
    "{name: " name ", method: yard.Yard/Get, request: " request ", response: " response "}"
#define SHOW(more, legs)                                                                           \
    LISTEN "services:\n" YARD BOARD SHOW_OF(more, legs)                                            \
    ALSO

static const char *told(Arena *arena, const char *text)
{
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    assert_ok(arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL, config_arena, &problems,
                                      &config));
    Buffer out = buffer_in(arena);
    problems_print(&problems, &out);
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    return without_folder(arena, buffer_bytes(&out));
}

static void expect(const char *text, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(told(arena, text), expected);
    arena_free(arena);
}

static void a_composed_service_has_legs_in_place_of_instances(void **state)
{
    expect(SHOW("", GOOD_LEG), "");
    expect(SHOW(", report: states, fan_out: 64", GOOD_LEG), "");
}

static void types_may_be_wider_and_messages_others_of_the_same_names(void **state)
{
    expect(SHOW("", LEG_OF("a", "{name: request.name}", "{few: parts, many: parts}")), "");
    expect(SHOW("", LEG_OF("a", "{name: request.name}", "{lone: .}")), "");
    expect(SHOW("", LEG_OF("a", "{name: request.name}", "{inner.inner.few: parts}")), "");
}

typedef struct Mistake {
    const char *more, *legs, *told;
} Mistake;

static void mistakes_are_told_with_their_place_and_what_to_write(void **state)
{
    static const Mistake mistakes[] = {
#include "tests/unit/gateway/compose/mistakes.def"
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *text =
            arena_printf(arena, "%s          - {method: Boards/Show%s, legs: [%s]}\n%s",
                         LISTEN "services:\n" YARD BOARD, mistakes[i].more, mistakes[i].legs, ALSO);
        assert_string_equal(told(arena, text), mistakes[i].told);
    }
    arena_free(arena);
}

#define CALLS(other) "{name: a, method: board.Boards/" other ", response: {few: few}}"

static void a_method_must_not_be_composed_of_itself_through_others(void **state)
{
    expect(LISTEN "services:\n" YARD BOARD SHOW_OF(
               "", CALLS("Also")) "          - {method: Boards/Also, legs: [" CALLS("Show") "]}\n",
           "a.yaml:12:11: services[1].versions[0].compose: /board.v1.Boards/Show is composed of "
           "itself, through its legs (call another method in one of the legs)\n"
           "a.yaml:12:11: services[1].versions[0].compose: /board.v1.Boards/Also is composed of "
           "itself, through its legs (call another method in one of the legs)\n");
}

static void but_of_another_composed_one(void **state)
{
    expect(SHOW("", CALLS("Also")), "");
}

static void all_methods_of_a_composed_version_are_composed_once(void **state)
{
    expect(LISTEN "services:\n" YARD BOARD SHOW_OF("", GOOD_LEG),
           "a.yaml:12:11: services[1].versions[0].compose: /board.v1.Boards/Also is not composed, "
           "and there are no instances for it ({method: Boards/Also, legs: [...]})\n");
    expect(SHOW("", GOOD_LEG) ALSO,
           "a.yaml:14:22: services[1].versions[0].compose[2].method: Boards/Also is composed "
           "already\n");
    expect(LISTEN "services:\n" YARD BOARD "          - {method: Boards/Shaw, legs: [" GOOD_LEG
                  "]}\n" ALSO,
           "a.yaml:12:22: services[1].versions[0].compose[0].method: v1 of board has no method "
           "Boards/Shaw (did you mean Boards/Show)\n");
}

static void a_stream_cannot_be_composed(void **state)
{
    expect(LISTEN "services:\n" YARD "  - name: feed\n"
                  "    versions:\n"
                  "      - name: v1\n"
                  "        package: feed.v1\n"
                  "        schema: board.binpb\n"
                  "        compose: [{method: Feeds/Follow, legs: [{name: a, method: "
                  "yard.Yard/Get}]}]\n",
           "a.yaml:11:28: services[1].versions[0].compose[0].method: /feed.v1.Feeds/Follow is a "
           "stream: it must take one message and give one\n");
}

static void a_composed_service_has_no_instances(void **state)
{
    expect(SHOW("", GOOD_LEG) "    instances: ['127.0.0.1:7300']\n",
           "a.yaml:6:5: services[1]: the service board is composed, so that it has no instances of "
           "its own (leave out one of them)\n");
}

static void a_route_of_a_composed_method_has_no_other_version_to_ask(void **state)
{
    expect(LISTEN
           "services:\n" YARD "  - name: panel\n"
           "    versions:\n"
           "      - {name: v1, package: panel.v1, schema: panel.binpb}\n"
           "      - name: v2\n"
           "        package: panel.v2\n"
           "        schema: panel.binpb\n"
           "        compose: [{method: Pages/Overview, legs: [{name: a, method: yard.Yard/Get, "
           "response: {thing: .}}]}]\n"
           "    changes: [panel.yaml]\n"
           "routes: [{match: panel, on_failure: {graceful: {older: true}}}]\n",
           "a.yaml:12:19: services[1].versions[1].compose[0]: /panel.v2.Pages/Overview is "
           "composed, so that there is no instance of another version: the route panel must not "
           "have older (older: true in its legs)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_composed_service_has_legs_in_place_of_instances),
        cmocka_unit_test(types_may_be_wider_and_messages_others_of_the_same_names),
        cmocka_unit_test(mistakes_are_told_with_their_place_and_what_to_write),
        cmocka_unit_test(a_method_must_not_be_composed_of_itself_through_others),
        cmocka_unit_test(but_of_another_composed_one),
        cmocka_unit_test(all_methods_of_a_composed_version_are_composed_once),
        cmocka_unit_test(a_stream_cannot_be_composed),
        cmocka_unit_test(a_composed_service_has_no_instances),
        cmocka_unit_test(a_route_of_a_composed_method_has_no_other_version_to_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
