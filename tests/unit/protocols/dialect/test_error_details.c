/* Error details: how many there may be, how long their texts, and what cannot be read. */
#include "protocols/dialect/error_details.h"

#include "tests/unit/check.h"

static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static const ReplyOptions full_options = {.full = true};
static const ReplyOptions public_options = {0};

/* `n` times the same character. */
static const char *run_of(char c, size_t n)
{
    char *text = arena_calloc(arena, 1, n + 1);
    memset(text, c, n);
    return text;
}

static size_t count(Bytes text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++)
        n += text.data[i] == (uint8_t)c;
    return n;
}

static ErrorDetails made(Result why, const ReplyOptions *options, const char *retry_after)
{
    ErrorDetails details;
    assert_ok(arena, error_details_make(&(Status){.error = why.error}, options,
                                        bytes_of(retry_after), arena, &details));
    return details;
}

/* The value of the only detail of a type; data NULL when there is none. */
static Bytes value_of(ErrorDetails details, const char *type)
{
    Bytes found = BYTES_NONE;
    for (size_t i = 0; i < details.n; i++) {
        if (!bytes_end_with(details.items[i].type_url, type))
            continue;
        assert_null(found.data);
        found = details.items[i].value;
    }
    return found;
}

static void details_take_as_many_as_they_have_room_for(void **state)
{
    ErrorDetail detail = {bytes_of("t"), bytes_of("v")};
    ErrorDetails details = error_details_in(arena, 2);
    assert_int_equal(details.n, 0);
    assert_true(error_details_add(&details, detail));
    assert_true(error_details_add(&details, detail));
    assert_false(error_details_add(&details, detail));
    assert_int_equal(details.n, 2);
    assert_bytes(details.items[1].type_url, "t");
    ErrorDetails none = {0};
    assert_false(error_details_add(&none, detail));
}

static void without_memory_there_is_room_for_none(void **state)
{
    Arena *small = arena_new(8192);
    ErrorDetails details = error_details_in(small, 8192);
    assert_int_equal(details.capacity, 0);
    assert_false(error_details_add(&details, (ErrorDetail){bytes_of("t"), bytes_of("v")}));
    arena_free(small);
}

static void what_is_no_any_is_no_detail(void **state)
{
    ErrorDetail detail;
    assert_true(error_detail_read(bytes_of("\x0a\x01t\x12\x01v"), arena, &detail));
    assert_bytes(detail.type_url, "t");
    assert_bytes(detail.value, "v");
    assert_true(error_detail_read(BYTES_NONE, arena, &detail));
    assert_int_equal(detail.type_url.size, 0);
    assert_false(error_detail_read(bytes_of("\x0a\x05t"), arena, &detail));
    assert_false(error_detail_read(bytes_of("\xff"), arena, &detail));
    assert_int_equal(error_details_read(bytes_of("\xff"), arena).n, 0);
    assert_int_equal(error_details_read(BYTES_NONE, arena).n, 0);
}

static void a_full_error_has_all_six_details(void **state)
{
    static const ReplyOptions all_options = {
        .full = true,
        .help = "https://docs.example/errors",
        .request_id = {(const uint8_t *)"req-1", 5},
    };
    Result why = FAIL_FIELD(arena, FAULT_BAD_VALUE, "a.b", "a.b: no number");
    assert_int_equal(made(why, &all_options, "7").n, 6);
    assert_int_equal(made(why, &full_options, "7").n, 4);
    assert_int_equal(made(why, &public_options, "7").n, 3);
    assert_int_equal(made(why, &public_options, NULL).n, 2);
}

static void an_error_links_to_the_page_about_its_reason(void **state)
{
    static const struct {
        const char *help, *url;
    } rows[] = {
        {NULL, ""},
        {"https://docs.example/errors", "https://docs.example/errors"},
        {"https://docs.example/#{reason}", "https://docs.example/#BAD_VALUE"},
        {"https://docs.example/{reason}?from=gateway",
         "https://docs.example/BAD_VALUE?from=gateway"},
    };
    Result why = FAIL(arena, FAULT_BAD_VALUE, "no number");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ReplyOptions options = {.help = rows[i].help};
        assert_bytes(error_help(&FAULT_BAD_VALUE, &options, arena), rows[i].url);
        Bytes help = value_of(made(why, &options, NULL), "google.rpc.Help");
        assert_int_equal(help.data != NULL, rows[i].help != NULL);
    }
}

static Result n_mistakes(size_t n, size_t size)
{
    Result mistakes[32];
    for (size_t i = 0; i < n; i++)
        mistakes[i] = FAIL_FIELD(arena, FAULT_BAD_VALUE, arena_printf(arena, "f%zu", i), "#%s",
                                 run_of('%', size));
    return error_with_others(arena, mistakes, n);
}

/* As many as a client's head has room for. */
static void a_bad_request_lists_all_invalid_fields(void **state)
{
    static const struct {
        size_t n, size, listed;
    } rows[] = {{1, 10, 1}, {2, 10, 2}, {16, 10, 16}, {17, 10, 16}, {2, 490, 2}, {3, 490, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Result why = n_mistakes(rows[i].n, rows[i].size);
        Bytes request = value_of(made(why, &public_options, NULL), "BadRequest");
        assert_int_equal(count(request, '#'), rows[i].listed);
    }
}

static void the_message_says_how_many_fields_more_are_invalid(void **state)
{
    assert_bytes(error_message(n_mistakes(1, 0).error, false, arena),
                 "a value does not fit its field: #");
    assert_bytes(error_message(n_mistakes(2, 0).error, false, arena),
                 "a value does not fit its field: # (and 1 more invalid field)");
    assert_bytes(error_message(n_mistakes(3, 0).error, true, arena),
                 "a value does not fit its field: # (and 2 more invalid fields)");
    assert_bytes(error_message(n_mistakes(15, 0).error, true, arena),
                 "a value does not fit its field: # (and 14 more invalid fields)");
    assert_bytes(error_message(n_mistakes(16, 0).error, true, arena),
                 "a value does not fit its field: # (and at least 15 more invalid fields)");
}

/* What is wrong with the service's message is not the caller's. */
static void a_field_is_told_only_where_the_caller_is_responsible(void **state)
{
    Result why = FAIL_FIELD(arena, FAULT_BAD_VALUE, "a.b", "a.b: no number");
    assert_non_null(value_of(made(why, &full_options, NULL), "BadRequest").data);
    why = FAIL_OVER(arena, why, FAULT_UPSTREAM_MESSAGE, "reading the response");
    ErrorDetails details = made(why, &full_options, NULL);
    assert_null(value_of(details, "BadRequest").data);
    assert_non_null(value_of(details, "DebugInfo").data);
}

static void field_and_description_are_cut(void **state)
{
    static const struct {
        size_t field, description, field_left, description_left;
    } rows[] = {{256, 512, 256, 512}, {257, 513, 256, 512}, {4000, 4000, 256, 512}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Result why = FAIL_FIELD(arena, FAULT_BAD_VALUE, run_of('#', rows[i].field), "%s",
                                run_of('%', rows[i].description));
        Bytes request = value_of(made(why, &full_options, NULL), "BadRequest");
        assert_int_equal(count(request, '#'), rows[i].field_left);
        assert_int_equal(count(request, '%'), rows[i].description_left);
    }
}

/* DebugInfo.detail repeats the last entry. */
static void the_chain_is_cut_after_eight_causes(void **state)
{
    for (size_t n = 1; n <= 10; n++) {
        Result why = FAIL(arena, FAULT_SYSTEM, "#");
        for (size_t i = 1; i < n; i++)
            why = FAIL_OVER(arena, why, FAULT_SYSTEM, "#");
        Bytes debug = value_of(made(why, &full_options, NULL), "DebugInfo");
        assert_int_equal(count(debug, '#'), (n < 8 ? n : 8) + 1);
    }
}

static void an_entry_of_the_chain_is_cut(void **state)
{
    size_t name = strlen("SYSTEM: ");
    for (size_t size = 127; size <= 129; size++) {
        Result why = FAIL(arena, FAULT_SYSTEM, "%s", run_of('#', size - name));
        Bytes debug = value_of(made(why, &full_options, NULL), "DebugInfo");
        assert_int_equal(count(debug, '#'), 2 * ((size < 128 ? size : 128) - name));
    }
}

static void a_message_is_cut(void **state)
{
    size_t before = strlen(FAULT_BAD_REQUEST.text) + 2;
    for (size_t size = 1023; size <= 1025; size++) {
        Result why = FAIL(arena, FAULT_BAD_REQUEST, "%s", run_of('#', size - before));
        Bytes message = error_message(why.error, true, arena);
        assert_int_equal(message.size, size < 1024 ? size : 1024);
    }
}

/* Characters of one to four bytes, of which the last begins before the limit. */
static void a_message_is_cut_before_a_character_that_does_not_fit(void **state)
{
    static const char *const characters[] = {"e", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    size_t before = strlen(FAULT_BAD_REQUEST.text) + 2;
    for (size_t i = 0; i < 4; i++)
        for (size_t over = 1; over <= i + 1; over++) {
            size_t start = 1024 - (i + 1) + over; /* of the character, which ends `over` behind */
            Result why = FAIL(arena, FAULT_BAD_REQUEST, "%s%s####", run_of('#', start - before),
                              characters[i]);
            assert_int_equal(error_message(why.error, true, arena).size, start);
        }
}

static void a_delay_is_told_where_it_is_a_number_of_seconds(void **state)
{
    static const struct {
        const char *retry_after;
        bool told;
    } rows[] = {{NULL, false},
                {"0", true},
                {"2147483647", true},
                {"2147483648", false},
                {"99999999999999999999", false},
                {"-1", false},
                {"1.5", false},
                {"Fri, 31 Dec 1999 23:59:59 GMT", false}};
    Result why = FAIL(arena, FAULT_OVERLOADED, "x");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ErrorDetails details = made(why, &public_options, rows[i].retry_after);
        if ((value_of(details, "RetryInfo").data != NULL) != rows[i].told)
            fail_msg("retry-after: %s", rows[i].retry_after);
    }
}

static void a_rate_limit_says_which_one_it_is(void **state)
{
    Result why = error_new(arena, &FAULT_RATE_LIMITED, OK, "", __FILE__, __LINE__,
                           "client: 2 calls per hour, 4 at once");
    ErrorDetails details = made(why, &public_options, "1800");
    assert_bytes(value_of(details, "QuotaFailure"), "\x0a\x25\x0a\x06"
                                                    "client"
                                                    "\x12\x1b"
                                                    "2 calls per hour, 4 at once");
    assert_non_null(value_of(details, "RetryInfo").data);
    assert_null(value_of(details, "BadRequest").data);
    Bytes info = value_of(details, "ErrorInfo");
    static const char limit[] = "\x0a\x05limit\x12\x06"
                                "client";
    assert_non_null(memmem(info.data, info.size, limit, sizeof limit - 1));
    /* Where nothing may be told, and of other faults, there is none. */
    details = made(FAIL(arena, FAULT_RATE_LIMITED, "inner: x"), &public_options, "1");
    assert_null(value_of(details, "QuotaFailure").data);
    details = made(FAIL(arena, FAULT_OVERLOADED, "x"), &public_options, "1");
    assert_null(value_of(details, "QuotaFailure").data);
}

static void a_failed_call_of_our_own_is_told_as_its_failure_or_what_the_peer_returned(void **state)
{
    char text[600];
    memset(text, 'x', sizeof text);
    Status status = {.code = CODE_NOT_FOUND, .message = bytes_of("no such thing")};
    Result r = status_failure(arena, &status);
    assert_ptr_equal(r.error->fault, &FAULT_UPSTREAM_STATUS);
    assert_string_equal(r.error->doing, "it returned NOT_FOUND: no such thing");
    status.message = bytes(text, sizeof text);
    r = status_failure(arena, &status);
    assert_int_equal(strlen(r.error->doing), strlen("it returned NOT_FOUND: ") + 500);
    status = status_of_error(arena, FAIL(arena, FAULT_UPSTREAM_DOWN, "connecting"));
    r = status_failure(arena, &status);
    assert_ptr_equal(r.error->fault, &FAULT_UPSTREAM_DOWN);
    assert_string_equal(r.error->doing, "connecting");
}

static void the_reason_is_that_of_the_error_info(void **state)
{
    ErrorDetails details = made(FAIL(arena, FAULT_OVERLOADED, "x"), &public_options, NULL);
    assert_bytes(error_details_reason(details, arena), "OVERLOADED");
    details.items[0].value = bytes_of("\xff");
    assert_null(error_details_reason(details, arena).data);
    assert_null(error_details_reason((ErrorDetails){0}, arena).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(details_take_as_many_as_they_have_room_for),
        cmocka_unit_test(without_memory_there_is_room_for_none),
        cmocka_unit_test(what_is_no_any_is_no_detail),
        cmocka_unit_test(a_full_error_has_all_six_details),
        cmocka_unit_test(an_error_links_to_the_page_about_its_reason),
        cmocka_unit_test(a_bad_request_lists_all_invalid_fields),
        cmocka_unit_test(the_message_says_how_many_fields_more_are_invalid),
        cmocka_unit_test(a_field_is_told_only_where_the_caller_is_responsible),
        cmocka_unit_test(field_and_description_are_cut),
        cmocka_unit_test(the_chain_is_cut_after_eight_causes),
        cmocka_unit_test(an_entry_of_the_chain_is_cut),
        cmocka_unit_test(a_message_is_cut),
        cmocka_unit_test(a_message_is_cut_before_a_character_that_does_not_fit),
        cmocka_unit_test(a_delay_is_told_where_it_is_a_number_of_seconds),
        cmocka_unit_test(a_rate_limit_says_which_one_it_is),
        cmocka_unit_test(a_failed_call_of_our_own_is_told_as_its_failure_or_what_the_peer_returned),
        cmocka_unit_test(the_reason_is_that_of_the_error_info),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
