#include "tests/unit/check.h"

#include "gateway/headers/cors.h"

static const char *const origins[] = {"https://panel.example", "https://*.shop.example"};
static const Cors listed = {
    .origins = origins, .n_origins = 2, .credentials = true, .max_age_seconds = 600};

static void answer(Arena *arena, const Cors *cors, const char *origin, Fields *fields)
{
    *fields = fields_in(arena);
    fields_add_text(fields, "api-version", "v1");
    fields_add_text(fields, "content-type", "application/json");
    cors_add(cors, bytes_of(origin), fields);
}

static void a_listed_origin_may_read_the_answer_and_its_fields(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields;
    answer(arena, &listed, "https://panel.example", &fields);
    assert_bytes(fields_get(&fields, "access-control-allow-origin"), "https://panel.example");
    assert_bytes(fields_get(&fields, "access-control-allow-credentials"), "true");
    const char *exposed = arena_text(arena, fields_get(&fields, "access-control-expose-headers"));
    assert_non_null(strstr(exposed, "grpc-status-details-bin"));
    assert_non_null(strstr(exposed, "api-version"));
    assert_null(strstr(exposed, "content-type"));
    arena_free(arena);
}

static void a_star_stands_for_labels_and_never_for_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *right[] = {"https://a.shop.example", "https://a.b.shop.example"};
    const char *wrong[] = {"https://.shop.example",
                           "https://shop.example",
                           "http://a.shop.example",
                           "https://a.shop.example.evil",
                           "null",
                           "https://panel.example.evil"};
    Fields fields;
    for (size_t i = 0; i < 2; i++) {
        answer(arena, &listed, right[i], &fields);
        assert_bytes(fields_get(&fields, "access-control-allow-origin"), right[i]);
    }
    for (size_t i = 0; i < 6; i++) {
        answer(arena, &listed, wrong[i], &fields);
        assert_null(fields_get(&fields, "access-control-allow-origin").data);
        assert_bytes(fields_get(&fields, "vary"), "origin");
    }
    arena_free(arena);
}

static void without_origins_nothing_is_said(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields;
    answer(arena, &(Cors){0}, "https://panel.example", &fields);
    assert_int_equal(fields.n, 2);
    arena_free(arena);
}

static void a_preflight_is_granted_what_it_asks_for(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HttpHead head = {.method = bytes_of("OPTIONS"), .fields = fields_in(arena)};
    assert_false(cors_is_preflight(&head));
    fields_add_text(&head.fields, "origin", "https://panel.example");
    fields_add_text(&head.fields, "access-control-request-method", "POST");
    fields_add_text(&head.fields, "access-control-request-headers", "x-grpc-web,content-type");
    assert_true(cors_is_preflight(&head));

    Fields fields = fields_in(arena);
    cors_answer_preflight(&listed, &head, &fields);
    assert_bytes(fields_get(&fields, "access-control-allow-headers"), "x-grpc-web,content-type");
    assert_bytes(fields_get(&fields, "access-control-max-age"), "600");
    arena_free(arena);
}

static Bytes allowed_verbs(Arena *arena, const Cors *cors, const char *wanted)
{
    HttpHead head = {.method = bytes_of("OPTIONS"), .fields = fields_in(arena)};
    Fields fields = fields_in(arena);
    fields_add_text(&head.fields, "origin", "https://panel.example");
    fields_add_text(&head.fields, "access-control-request-method", wanted);
    cors_answer_preflight(cors, &head, &fields);
    return fields_get(&fields, "access-control-allow-methods");
}

#define USUAL "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

static void verbs_are_the_usual_ones_and_those_of_the_schemas(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Cors cors = listed;
    assert_bytes(allowed_verbs(arena, &cors, "PURGE"), USUAL);
    cors.verbs = ", PURGE, SEARCH";
    assert_bytes(allowed_verbs(arena, &cors, "PURGE"), USUAL ", PURGE, SEARCH");
    assert_bytes(allowed_verbs(arena, &cors, "MOVE"), USUAL ", PURGE, SEARCH");
    cors.any_verb = true;
    assert_bytes(allowed_verbs(arena, &cors, "PURGE"), USUAL ", PURGE, SEARCH");
    assert_bytes(allowed_verbs(arena, &cors, "MOVE"), USUAL ", PURGE, SEARCH, MOVE");
    assert_bytes(allowed_verbs(arena, &cors, "a, b"), USUAL ", PURGE, SEARCH"); /* no token */
    arena_free(arena);
}

static void an_answer_without_an_origin_varies_by_it_all_the_same(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields;
    answer(arena, &listed, "", &fields);
    assert_bytes(fields_get(&fields, "vary"), "origin");
    assert_null(fields_get(&fields, "access-control-allow-origin").data);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_origin_may_read_the_answer_and_its_fields),
        cmocka_unit_test(a_star_stands_for_labels_and_never_for_nothing),
        cmocka_unit_test(without_origins_nothing_is_said),
        cmocka_unit_test(a_preflight_is_granted_what_it_asks_for),
        cmocka_unit_test(verbs_are_the_usual_ones_and_those_of_the_schemas),
        cmocka_unit_test(an_answer_without_an_origin_varies_by_it_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
