#include "gateway/authz/authz_response.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "tests/unit/check.h"

static const PolicyServer server = {.name = "opa", .message_bytes = 8, .fields = 3};

/* ---- Writing what a server says -------------------------------------------------------------- */

static Bytes message_of(Arena *arena, uint32_t number, Bytes content)
{
    Buffer out = buffer_in(arena);
    wire_add_bytes(&out, number, content);
    return buffer_bytes(&out);
}

static Bytes number_of(Arena *arena, uint32_t number, uint64_t value)
{
    Buffer out = buffer_in(arena);
    wire_add_number(&out, number, value);
    return buffer_bytes(&out);
}

static Bytes both(Arena *arena, Bytes first, Bytes second)
{
    Buffer out = buffer_in(arena);
    buffer_add_bytes(&out, first);
    buffer_add_bytes(&out, second);
    return buffer_bytes(&out);
}

static Bytes header(Arena *arena, const char *name, const char *value)
{
    return message_of(
        arena, 1,
        both(arena, message_of(arena, 1, bytes_of(name)), message_of(arena, 2, bytes_of(value))));
}

enum { UNSAID = -1 };

/* A HeaderValueOption; UNSAID: it has no `append`. */
static Bytes option(Arena *arena, const char *name, const char *value, int append, int action)
{
    Bytes out = header(arena, name, value);
    if (append != UNSAID)
        out = both(arena, out, message_of(arena, 2, number_of(arena, 1, (uint64_t)append)));
    return action ? both(arena, out, number_of(arena, 3, (uint64_t)action)) : out;
}

static Bytes status_of(Arena *arena, uint64_t code)
{
    return message_of(arena, 1, code ? number_of(arena, 1, code) : bytes("", 0));
}

static Bytes allowed(Arena *arena, Bytes ok)
{
    return both(arena, status_of(arena, 0), message_of(arena, 3, ok));
}

static Bytes denied(Arena *arena, Bytes content)
{
    return both(arena, status_of(arena, 7), message_of(arena, 2, content));
}

static Result read_response(Arena *arena, Bytes message, AuthzResponse *out)
{
    return authz_response_read(&server, message, arena, out);
}

/* ---- Deciding -------------------------------------------------------------------------------- */

static void only_a_clear_yes_allows_a_call(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes ok = message_of(arena, 3, bytes("", 0)), no = message_of(arena, 2, bytes("", 0));
    const struct {
        Bytes message;
        bool allowed;
    } cases[] = {
        {status_of(arena, 0), true},
        {ok, true},
        {both(arena, status_of(arena, 0), ok), true},
        {status_of(arena, 7), false},
        {status_of(arena, 16), false},
        {no, false},
        {both(arena, status_of(arena, 7), ok), false},
        {both(arena, status_of(arena, 0), no), false}, /* it contradicts itself */
        {both(arena, status_of(arena, 0), status_of(arena, 7)), false},
        {both(arena, ok, no), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AuthzResponse said;
        assert_ok(arena, read_response(arena, cases[i].message, &said));
        assert_int_equal(said.allowed, cases[i].allowed);
    }
    arena_free(arena);
}

static void what_decides_nothing_or_is_malformed_is_an_error(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes metadata = message_of(arena, 4, bytes("", 0));
    const Bytes bad[] = {
        bytes("", 0),
        metadata,
        bytes("\xff\xff\xff", 3),
        both(arena, status_of(arena, 0), bytes("\x1a\x05\x01", 3)),
        message_of(arena, 1, bytes("\x08", 1)),
        allowed(arena, bytes("\x12\x07", 2)),
        allowed(arena,
                message_of(arena, 2, option(arena, "x-a", "b", UNSAID, 4))), /* a newer action */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AuthzResponse said;
        assert_fault(read_response(arena, bad[i], &said), FAULT_UPSTREAM_MESSAGE);
    }
    arena_free(arena);
}

static void a_refusal_is_one_whatever_comes_with_it(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer many = buffer_in(arena);
    for (int i = 0; i < 100; i++)
        buffer_add_bytes(&many, message_of(arena, 2, option(arena, "x-a", "b", UNSAID, 0)));
    const Bytes odd[] = {
        denied(arena, bytes("\x0a\x02\x08", 3)),
        denied(arena, buffer_bytes(&many)),
        denied(arena, message_of(arena, 2, option(arena, "x-a", "b", UNSAID, 9))),
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        AuthzResponse said;
        assert_ok(arena, read_response(arena, odd[i], &said));
        assert_false(said.allowed);
        assert_int_equal(said.response.n, 0);
    }
    arena_free(arena);
}

static void a_refusal_has_a_status_and_a_short_text(void **state)
{
    static const struct {
        uint64_t code;
        uint16_t told;
    } cases[] = {{0, 403},   {401, 401}, {302, 302}, {300, 300}, {299, 403},
                 {200, 403}, {304, 403}, {599, 599}, {600, 403}, {65536 + 401, 403}};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bytes code = message_of(arena, 1, number_of(arena, 1, cases[i].code));
        assert_ok(arena, read_response(arena, denied(arena, code), &said));
        assert_int_equal(said.http_status, cases[i].told);
        assert_int_equal(said.message.size, 0);
    }
    assert_ok(arena, read_response(arena, denied(arena, message_of(arena, 3, bytes_of("12345678"))),
                                   &said));
    assert_bytes(said.message, "12345678");
    assert_ok(arena, read_response(
                         arena, denied(arena, message_of(arena, 3, bytes_of("123456789"))), &said));
    assert_bytes(said.message, "12345678");
    assert_ok(arena,
              read_response(arena, denied(arena, message_of(arena, 3, bytes_of("a\xff"))), &said));
    assert_bytes(said.message, "a\xef\xbf\xbd");
    arena_free(arena);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static Fields client_fields(Arena *arena)
{
    Fields fields = fields_in(arena);
    fields_add(&fields, bytes_of("x-user"), bytes_of("forged"));
    fields_add(&fields, bytes_of("x-user"), bytes_of("twice"));
    return fields;
}

static void fields_are_overwritten_appended_and_removed(void **state)
{
    static const struct {
        const char *name;
        int append, action;
        const char *user, *other; /* all values; NULL: none */
    } cases[] = {
        {"x-user", UNSAID, 0, "ada", NULL},
        {"X-User", 0, 0, "ada", NULL},
        {"x-user", 1, 0, "forged, twice, ada", NULL},
        {"x-user", 1, 2, "forged, twice, ada", NULL},
        {"x-user", UNSAID, 1, "forged, twice", NULL},
        {"x-user", UNSAID, 2, "ada", NULL},
        {"x-user", UNSAID, 3, "ada", NULL},
        {"x-other", UNSAID, 0, "forged, twice", "ada"},
        {"x-other", UNSAID, 1, "forged, twice", "ada"},
        {"x-other", UNSAID, 2, "forged, twice", "ada"},
        {"x-other", UNSAID, 3, "forged, twice", NULL},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AuthzResponse said;
        Fields fields = client_fields(arena);
        Bytes ok = message_of(
            arena, 2, option(arena, cases[i].name, "ada", cases[i].append, cases[i].action));
        assert_ok(arena, read_response(arena, allowed(arena, ok), &said));
        authz_apply(&said.request, &fields);
        assert_bytes(fields_joined(&fields, "x-user"), cases[i].user);
        assert_bytes(fields_joined(&fields, "x-other"), cases[i].other);
    }
    AuthzResponse said;
    Fields fields = client_fields(arena);
    assert_ok(arena, read_response(arena, allowed(arena, message_of(arena, 5, bytes_of("X-User"))),
                                   &said));
    authz_apply(&said.request, &fields);
    assert_int_equal(fields.n, 0);
    arena_free(arena);
}

static void a_call_is_not_allowed_without_a_change_that_cannot_be_made(void **state)
{
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"", "a"},
        {":path", "/other"},
        {"host", "other"},
        {"Host", "other"},
        {"content-length", "1"},
        {"transfer-encoding", "chunked"},
        {"connection", "close"},
        {"te", "trailers"},
        {"upgrade", "h2c"},
        {"trailer", "x"},
        {"expect", "100-continue"},
        {"content-type", "text/plain"},
        {"content-encoding", "gzip"},
        {"grpc-timeout", "1S"},
        {"grpc-encoding", "gzip"},
        {"connect-timeout-ms", "1"},
        {"x-forwarded-for", "192.0.2.1"},
        {"forwarded", "for=a"},
        {"via", "1.1 a"},
        {"x-request-id", "1"},
        {"passerelle-hops", "a"},
        {"grpc-previous-rpc-attempts", "3"},
        {"x a", "b"},
        {"x-a:", "b"},
        {"x-a\r\n", "b"},
        {"x-a", "b\r\nx-b: c"},
        {"x-a", "b\n"},
        {"x-a", " b"},
        {"x-a-bin", "no base64"},
        {"x-a-bin", "YWJj, a"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Bytes ok = message_of(arena, 2, option(arena, bad[i].name, bad[i].value, UNSAID, 0));
        assert_fault(read_response(arena, allowed(arena, ok), &said), FAULT_BAD_VALUE);
    }
    Bytes removed = message_of(arena, 5, bytes_of("host"));
    assert_fault(read_response(arena, allowed(arena, removed), &said), FAULT_BAD_VALUE);
    for (uint32_t number = 7; number <= 8; number++) {
        Bytes query = message_of(arena, number, bytes_of(""));
        assert_fault(read_response(arena, allowed(arena, query), &said), FAULT_BAD_VALUE);
    }
    arena_free(arena);
}

static void bytes_are_named_in_base64(void **state)
{
    static const char *const good[] = {"", "YWJj", "YQ", "YQ==", "YWJj, YQ"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Bytes ok = message_of(arena, 2, option(arena, "x-a-bin", good[i], UNSAID, 0));
        assert_ok(arena, read_response(arena, allowed(arena, ok), &said));
        assert_int_equal(said.request.n, 1);
    }
    Bytes content = message_of(arena, 2, option(arena, "x-a-bin", "!", UNSAID, 0));
    assert_ok(arena, read_response(arena, denied(arena, content), &said));
    assert_int_equal(said.n_unfit, 1);
    arena_free(arena);
}

static void an_unfit_field_of_a_response_is_left_out(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    Fields fields = fields_in(arena);
    Bytes content =
        both(arena, message_of(arena, 2, option(arena, "content-length", "1", UNSAID, 0)),
             both(arena, message_of(arena, 2, option(arena, "grpc-status", "0", UNSAID, 0)),
                  message_of(arena, 2, option(arena, "Location", "/login", UNSAID, 0))));
    assert_ok(arena, read_response(arena, denied(arena, content), &said));
    assert_int_equal(said.n_unfit, 2);
    authz_apply(&said.response, &fields);
    assert_int_equal(fields.n, 1);
    assert_bytes(fields_get(&fields, "location"), "/login");

    fields_add(&fields, bytes_of("x-a"), bytes_of("1"));
    content = message_of(arena, 6, option(arena, "x-a", "2", UNSAID, 0));
    assert_ok(arena, read_response(arena, allowed(arena, content), &said));
    authz_apply(&said.response, &fields);
    assert_bytes(fields_joined(&fields, "x-a"), "1, 2");
    arena_free(arena);
}

static void no_more_fields_may_be_named_than_the_config_allows(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzResponse said;
    Bytes one = message_of(arena, 2, option(arena, "x-a", "b", UNSAID, 0));
    Bytes three = both(arena, both(arena, one, message_of(arena, 5, bytes_of("x-b"))),
                       message_of(arena, 6, option(arena, "host", "b", UNSAID, 0)));
    assert_ok(arena, read_response(arena, allowed(arena, three), &said));
    assert_fault(read_response(arena, allowed(arena, both(arena, three, one)), &said),
                 FAULT_UPSTREAM_MESSAGE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_clear_yes_allows_a_call),
        cmocka_unit_test(what_decides_nothing_or_is_malformed_is_an_error),
        cmocka_unit_test(a_refusal_is_one_whatever_comes_with_it),
        cmocka_unit_test(a_refusal_has_a_status_and_a_short_text),
        cmocka_unit_test(fields_are_overwritten_appended_and_removed),
        cmocka_unit_test(a_call_is_not_allowed_without_a_change_that_cannot_be_made),
        cmocka_unit_test(bytes_are_named_in_base64),
        cmocka_unit_test(an_unfit_field_of_a_response_is_left_out),
        cmocka_unit_test(no_more_fields_may_be_named_than_the_config_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
