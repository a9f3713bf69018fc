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

/* What a server decides on when this client has greeted it, which says `how` it would resume. */
static size_t tickets_for(SSL_CTX *context, SSL_CTX *client_context, bool how)
{
    static const uint8_t modes[] = {0x00, 0x2d, 0x00, 0x02, 0x01, 0x01};
    SSL *client = SSL_new(client_context), *server = SSL_new(context);
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL_set_bio(client, BIO_new(BIO_s_null()), up);
    SSL_set_connect_state(client);
    SSL_do_handshake(client);
    char *hello;
    size_t size = (size_t)BIO_get_mem_data(up, &hello);
    char *found = memmem(hello, size, modes, sizeof modes);
    assert_non_null(found);
    if (!how)
        found[0] = 0x5a; /* an extension that nobody knows */
    BIO *hello_in = BIO_new_mem_buf(hello, (int)size);
    SSL_set_bio(server, hello_in, down);
    SSL_set_accept_state(server);
    assert_int_equal(SSL_do_handshake(server), -1);
    assert_true(BIO_get_mem_data(down, &hello) > 0); /* its flight */
    size_t n = SSL_get_num_tickets(server);
    SSL_free(server);
    SSL_free(client);
    return n;
}

static void a_client_that_cannot_resume_gets_no_ticket(void **state)
{
    TlsFiles with_sessions = {
        .certificate = files.certificate, .key = files.key, .session_seconds = 60};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SSL_CTX *server, *client;
    assert_ok(arena, tls_server_context(arena, &with_sessions, &server));
    assert_ok(arena, tls_client_context(arena, &files, &client));
    assert_int_equal(tickets_for(server, client, true), 1);
    assert_int_equal(tickets_for(server, client, false), 0);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_cannot_resume_gets_no_ticket),
        cmocka_unit_test(the_cheapest_suites_come_first_and_a_handshake_seals_one_ticket),
        cmocka_unit_test(without_memory_there_is_an_error_in_place_of_a_context),
    };
    return openssl_memory_begin() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
