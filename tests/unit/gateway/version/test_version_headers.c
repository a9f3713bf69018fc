#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/version/version_headers.h"

#include <stdlib.h>

#define NOW (1772323200 * SECOND)

typedef struct Fixture {
    Arena *arena;
    Service service;
    Version version;
    Fields out;
} Fixture;

static int begin(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(ARENA_UNLIMITED);
    f->service = (Service){
        .name = "orders",
        .version_header = "api-version",
        .rules = {RULE_PATH, RULE_HEADER, RULE_MEDIA_TYPE, RULE_PIN, RULE_DEFAULT},
        .n_rules = 5,
    };
    f->version = (Version){.name = "v1", .service = &f->service};
    f->out = fields_in(f->arena);
    *state = f;
    return 0;
}

static int end(void **state)
{
    Fixture *f = *state;
    arena_free(f->arena);
    free(f);
    return 0;
}

static void the_version_is_said_under_the_services_own_name(void **state)
{
    Fixture *f = *state;
    f->service.version_header = "x-shop-version";
    version_headers_write(&f->version, RULE_PATH, NULL, NOW, &f->out);
    assert_bytes(fields_get(&f->out, "x-shop-version"), "v1");
    assert_null(fields_get(&f->out, "api-version").data);
}

static void a_version_in_the_path_varies_with_nothing(void **state)
{
    Fixture *f = *state;
    version_headers_write(&f->version, RULE_PATH, "x-client", NOW, &f->out);
    assert_null(fields_get(&f->out, "vary").data);
}

static void vary_names_what_was_asked_up_to_the_rule_that_decided(void **state)
{
    Fixture *f = *state;
    version_headers_write(&f->version, RULE_MEDIA_TYPE, "x-client", NOW, &f->out);
    assert_bytes(fields_get(&f->out, "vary"), "api-version, accept");
    f->out.n = 0;
    version_headers_write(&f->version, RULE_DEFAULT, "x-client", NOW, &f->out);
    assert_bytes(fields_get(&f->out, "vary"), "api-version, accept, x-client");
    f->out.n = 0;
    version_headers_write(&f->version, RULE_DEFAULT, NULL, NOW, &f->out);
    assert_bytes(fields_get(&f->out, "vary"), "api-version, accept");
}

static void an_answer_in_no_version_still_says_what_was_asked(void **state)
{
    Fixture *f = *state;
    version_headers_vary(&f->service, RULE_MEDIA_TYPE, "x-client", &f->out);
    assert_int_equal(f->out.n, 1);
    assert_bytes(fields_get(&f->out, "vary"), "api-version, accept");
}

static void a_young_version_says_nothing_of_its_end(void **state)
{
    Fixture *f = *state;
    version_headers_write(&f->version, RULE_PATH, NULL, NOW, &f->out);
    assert_int_equal(f->out.n, 1);
}

static void deprecation_is_a_structured_date_and_sunset_an_http_date(void **state)
{
    Fixture *f = *state;
    f->version.deprecated = 1688169599 * SECOND;
    f->version.sunset = 1719791999 * SECOND;
    f->version.successor_link = "https://shop.example/v2";
    version_headers_write(&f->version, RULE_PATH, NULL, NOW, &f->out);
    assert_bytes(fields_get(&f->out, "deprecation"), "@1688169599");
    assert_bytes(fields_get(&f->out, "sunset"), "Sun, 30 Jun 2024 23:59:59 GMT");
    assert_bytes(fields_get(&f->out, "link"),
                 "<https://shop.example/v2>; rel=\"successor-version\"");
}

static void the_next_brown_out_is_announced_until_it_begins(void **state)
{
    Fixture *f = *state;
    Brownout brownouts[] = {{NOW + 60 * SECOND, NOW + 90 * SECOND, BROWNOUT_WHOLE},
                            {NOW + SECOND, NOW + 601 * SECOND, 525},
                            {NOW, NOW + SECOND, 1}};
    Retiring retiring = {.brownouts = brownouts, .n_brownouts = 3};
    f->version.retiring = &retiring;
    version_headers_write(&f->version, RULE_PATH, NULL, NOW, &f->out);
    assert_bytes(fields_get(&f->out, "passerelle-brownout"), "@1772323201;for=600;share=5.25");
    f->out.n = 0;
    version_headers_write(&f->version, RULE_PATH, NULL, NOW + SECOND, &f->out);
    assert_bytes(fields_get(&f->out, "passerelle-brownout"), "@1772323260;for=30;share=100.00");
    f->out.n = 0;
    version_headers_write(&f->version, RULE_PATH, NULL, NOW + 60 * SECOND, &f->out);
    assert_null(fields_get(&f->out, "passerelle-brownout").data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_version_is_said_under_the_services_own_name),
        TEST(a_version_in_the_path_varies_with_nothing),
        TEST(vary_names_what_was_asked_up_to_the_rule_that_decided),
        TEST(an_answer_in_no_version_still_says_what_was_asked),
        TEST(a_young_version_says_nothing_of_its_end),
        TEST(deprecation_is_a_structured_date_and_sunset_an_http_date),
        TEST(the_next_brown_out_is_announced_until_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
