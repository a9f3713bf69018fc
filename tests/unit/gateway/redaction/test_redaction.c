#include "tests/unit/check.h"

#include "gateway/redaction/redaction.h"

static void check(const char *record, const char *const *names, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    redact_record(bytes_of(record), names, &out);
    assert_bytes(buffer_bytes(&out), expected);
    arena_free(arena);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char record[] = "{\"client\":\"ada\",\"path\":\"/v1/orders/7\",\"causes\":[{\"fault\":"
                             "\"A\",\"doing\":\"reading ada\"},{\"fault\":\"B\",\"doing\":\"it is "
                             "'ada'\",\"field\":\"order.items[3].name\"}]}";

static void without_names_nothing_is_taken_out(void **state)
{
    check(record, NULL, record);
    check(record, NAMES(NULL), record);
    check(record, NAMES("clients", "order.items.names", "order.item", "items"), record);
}

static void a_member_is_taken_out(void **state)
{
    check("{\"client\":\"ada\",\"path\":{\"a\":1},\"n\":7}", NAMES("client", "path", "n"),
          "{\"client\":\"redacted\",\"path\":\"redacted\",\"n\":\"redacted\"}");
}

static void an_error_of_a_field_has_no_texts(void **state)
{
    static const char expected[] =
        "{\"client\":\"ada\",\"path\":\"/v1/orders/7\",\"causes\":[{\"fault\":\"A\",\"doing\":"
        "\"redacted\"},{\"fault\":\"B\",\"doing\":\"redacted\",\"field\":\"order.items[3].name\"}]"
        "}";
    check(record, NAMES("order.items.name"), expected);
    check(record, NAMES("order.items"), expected);
    check(record, NAMES("order"), expected);
}

static void both_spellings_of_a_field_are_meant(void **state)
{
    static const char spelled[] =
        "{\"causes\":[{\"doing\":\"x\",\"field\":\"the_order.totalCents[1]\"}]}";
    static const char hidden[] =
        "{\"causes\":[{\"doing\":\"redacted\",\"field\":\"the_order.totalCents[1]\"}]}";
    check(spelled, NAMES("theOrder.total_cents"), hidden);
    check(spelled, NAMES("the_order"), hidden);
    check(spelled, NAMES("theOrder"), hidden);
    check(spelled, NAMES("the_order.total"), spelled);
    check(spelled, NAMES("the_order.total_cents_more"), spelled);
    check("{\"client\":\"x\",\"client_by\":\"y\"}", NAMES("client_by"),
          "{\"client\":\"x\",\"client_by\":\"redacted\"}");
    check("{\"client\":\"x\",\"client_by\":\"y\"}", NAMES("client"),
          "{\"client\":\"redacted\",\"client_by\":\"y\"}");
}

static void a_text_that_quotes_a_member_is_taken_out(void **state)
{
    check("{\"client\":\"ada\",\"causes\":[{\"doing\":\"calling\"},{\"doing\":\"it is ada's\"},{"
          "\"doing\":\"adamant\"}]}",
          NAMES("client"),
          "{\"client\":\"redacted\",\"causes\":[{\"doing\":\"calling\"},{\"doing\":\"redacted\"},{"
          "\"doing\":\"adamant\"}]}");
}

static void a_part_of_a_path_is_quoted_too(void **state)
{
    check(
        "{\"path\":\"/v1/orders/a%20b\",\"service\":\"orders\",\"causes\":[{\"doing\":\"orders is "
        "away\"},{\"doing\":\"finding /v1/orders/a%20b\"},{\"doing\":\"no order a "
        "b\"},{\"doing\":\"no "
        "order a bit\"}]}",
        NAMES("path"),
        "{\"path\":\"redacted\",\"service\":\"orders\",\"causes\":[{\"doing\":\"orders is "
        "away\"},{\"doing\":\"redacted\"},{\"doing\":\"redacted\"},{\"doing\":\"no order a "
        "bit\"}]}");
    check("{\"path\":\"/7/\",\"causes\":[{\"doing\":\"it is 17\"},{\"doing\":\"7 is it\"}]}",
          NAMES("path"),
          "{\"path\":\"redacted\",\"causes\":[{\"doing\":\"it is 17\"},{\"doing\":\"redacted\"}]}");
}

static void errors_of_attempts_are_redacted_too(void **state)
{
    check("{\"tries\":[{\"causes\":[{\"doing\":\"x\",\"field\":\"a\"}]},{\"causes\":[{\"doing\":"
          "\"x\",\"field\":\"b\"}]}]}",
          NAMES("a"),
          "{\"tries\":[{\"causes\":[{\"doing\":\"redacted\",\"field\":\"a\"}]},{\"causes\":[{"
          "\"doing\":\"x\",\"field\":\"b\"}]}]}");
}

static void what_is_no_record_says_nothing(void **state)
{
    check("{\"client\":", NULL, "{}");
    check("[1]", NULL, "{}");
    check("", NAMES("client"), "{}");
}

static void check_job(const char *page, const char *const *names, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    redact_job(bytes_of(page), names, &out);
    assert_bytes(buffer_bytes(&out), expected);
    arena_free(arena);
}

static void fields_of_messages_of_jobs_are_hidden_by_their_paths(void **state)
{
    static const char page[] =
        "{\"client\":\"ada\",\"name\":\"n\",\"request\":{\"spec\":{\"name\":\"blog\",\"plan\":1}},"
        "\"steps\":[{\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"x\"},{\"name\":\"y\"}]}}]"
        "}";
    check_job(page, NULL, page);
    check_job(page, NAMES("name", "spec.names", "parts.n", "response"), page);
    check_job(
        page, NAMES("spec.name", "client"),
        "{\"client\":\"redacted\",\"name\":\"n\",\"request\":{\"spec\":{\"name\":\"redacted\","
        "\"plan\":1}},\"steps\":[{\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"x\"},{"
        "\"name\":\"y\"}]}}]}");
    check_job(
        page, NAMES("spec", "parts.name"),
        "{\"client\":\"ada\",\"name\":\"n\",\"request\":{\"spec\":\"redacted\"},\"steps\":[{"
        "\"name\":\"s\",\"response\":{\"parts\":[{\"name\":\"redacted\"},{\"name\":\"redacted\"}]}}"
        "]}");
    check_job("{\"request\":", NAMES("spec"), "{}");
}

static void texts_about_a_job_that_quote_a_field_are_hidden(void **state)
{
    check_job("{\"resource\":\"site/blog\",\"failure\":{\"step\":\"a\",\"message\":\"no 'blog'\"},"
              "\"order\":{\"why\":\"blogs\"},\"request\":{\"spec\":{\"name\":\"blog\"}}}",
              NAMES("spec"),
              "{\"resource\":\"redacted\",\"failure\":{\"step\":\"a\",\"message\":\"redacted\"},"
              "\"order\":{\"why\":\"blogs\"},\"request\":{\"spec\":\"redacted\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_names_nothing_is_taken_out),
        cmocka_unit_test(a_member_is_taken_out),
        cmocka_unit_test(an_error_of_a_field_has_no_texts),
        cmocka_unit_test(both_spellings_of_a_field_are_meant),
        cmocka_unit_test(a_text_that_quotes_a_member_is_taken_out),
        cmocka_unit_test(a_part_of_a_path_is_quoted_too),
        cmocka_unit_test(errors_of_attempts_are_redacted_too),
        cmocka_unit_test(what_is_no_record_says_nothing),
        cmocka_unit_test(fields_of_messages_of_jobs_are_hidden_by_their_paths),
        cmocka_unit_test(texts_about_a_job_that_quote_a_field_are_hidden),
    };
    return cmocka_run_group_tests_name("redaction", tests, NULL, NULL);
}
