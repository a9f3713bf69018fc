#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/tls/tls_context.h"
#include "tests/unit/gateway/openssl_memory.h"

#include <openssl/ssl.h>

static const TlsFiles files = {.certificate = GARAGE "/server.pem",
                               .key = GARAGE "/server.key",
                               .authorities = GARAGE "/server.pem",
                               .http2 = true};

static void make_one(Result (*make)(Arena *, const TlsFiles *, SSL_CTX **))
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SSL_CTX *context;
    assert_ok(arena, make(arena, &files, &context));
    SSL_CTX_free(context);
    arena_free(arena);
}

/* How many allocations failed before one more did not. What OpenSSL begins only once, it has begun
   before: that cannot be repeated. Of thousands, the first ones by one, and then in larger steps.
 */
static int fail_each(Result (*make)(Arena *, const TlsFiles *, SSL_CTX **))
{
    make_one(make);
    for (int nth = 0;; nth += 1 + nth / 20) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        SSL_CTX *context = NULL;
        openssl_memory_fail(nth);
        Result r = make(arena, &files, &context);
        bool has_failed = openssl_memory_has_failed();
        assert_true(failed(r) == !context);
        if (!has_failed)
            assert_ok(arena, r);
        if (failed(r))
            assert_ptr_equal(error_origin(r)->fault, &FAULT_TLS);
        SSL_CTX_free(context);
        arena_free(arena);
        if (!has_failed)
            return nth;
    }
}

static void without_memory_there_is_an_error_in_place_of_a_context(void **state)
{
    assert_true(fail_each(tls_server_context) > 100);
    assert_true(fail_each(tls_client_context) > 100);
}

/* The first suite of the version that the context has; "": none. */
static const char *first_of(SSL_CTX *context, const char *version)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        if (strcmp(SSL_CIPHER_get_version(cipher), version) == 0)
            return SSL_CIPHER_get_name(cipher);
    }
    return "";
}

static void the_cheapest_suites_come_first_and_a_handshake_seals_one_ticket(void **state)
{
    TlsFiles with_sessions = files;
    with_sessions.session_seconds = 60;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SSL_CTX *context;
    assert_ok(arena, tls_server_context(arena, &with_sessions, &context));
    assert_string_equal(first_of(context, "TLSv1.3"), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(first_of(context, "TLSv1.2"), "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_int_equal(SSL_CTX_get_num_tickets(context), 1);
    SSL_CTX_free(context);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cheapest_suites_come_first_and_a_handshake_seals_one_ticket),
        cmocka_unit_test(without_memory_there_is_an_error_in_place_of_a_context),
    };
    return openssl_memory_begin() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
