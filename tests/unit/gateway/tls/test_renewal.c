#include "gateway/tls/renewal.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with a.pem, a.key, b.pem, b.key: signed by themselves, of other serial numbers. */
typedef struct Fixture {
    Arena *arena;
    char folder[32];
} Fixture;

static Fixture fixture;

static const char *path_of(const char *name)
{
    return arena_printf(fixture.arena, "%s/%s", fixture.folder, name);
}

/* Of the next pair, in seconds from now. */
static long ends = 3600;

static void write_pair(const char *name, long serial, const char *host)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), ends);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)host, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(path_of(arena_printf(fixture.arena, "%s.pem", name)), "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    file = fopen(path_of(arena_printf(fixture.arena, "%s.key", name)), "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int setup(void **state)
{
    fixture.arena = arena_new(ARENA_UNLIMITED);
    strcpy(fixture.folder, "/tmp/test_renewal.XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    write_pair("a", 1, "localhost");
    write_pair("b", 2, "shop.example");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.pem", "a.key", "b.pem", "b.key"};
    for (size_t i = 0; i < 4; i++)
        unlink(path_of(names[i]));
    rmdir(fixture.folder);
    arena_free(fixture.arena);
    return 0;
}

static TlsFiles files_of(bool watched)
{
    static TlsPair more;
    more = (TlsPair){path_of("b.pem"), path_of("b.key")};
    return (TlsFiles){.certificate = path_of("a.pem"),
                      .key = path_of("a.key"),
                      .more = &more,
                      .n_more = 0,
                      .watched = watched};
}

static int accept_all(int good, X509_STORE_CTX *context)
{
    return 1;
}

static void step(SSL *ssl)
{
    int done = SSL_do_handshake(ssl);
    assert_true(done == 1 || SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ);
}

typedef struct Serials {
    long server, client; /* 0: it has shown none */
} Serials;

static long serial_of_peer(const SSL *ssl)
{
    const X509 *shown = SSL_get0_peer_certificate(ssl);
    return shown ? ASN1_INTEGER_get(X509_get0_serialNumber(shown)) : 0;
}

/* Both contexts verify whatever they are shown. */
static Serials shake(SSL_CTX *server_context, SSL_CTX *client_context, const char *host)
{
    BIO *one, *other;
    SSL *server = SSL_new(server_context), *client = SSL_new(client_context);
    assert_int_equal(BIO_new_bio_pair(&one, 0, &other, 0), 1);
    SSL_set_bio(server, one, one);
    SSL_set_bio(client, other, other);
    SSL_set_verify(server, SSL_VERIFY_PEER, accept_all);
    SSL_set_verify(client, SSL_VERIFY_PEER, accept_all);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    if (host)
        SSL_set_tlsext_host_name(client, host);
    for (int i = 0; i < 4; i++) {
        step(client);
        step(server);
    }
    assert_true(SSL_is_init_finished(server) && SSL_is_init_finished(client));
    Serials serials = {serial_of_peer(client), serial_of_peer(server)};
    SSL_free(server);
    SSL_free(client);
    return serials;
}

static SSL_CTX *server_of(const TlsFiles *files)
{
    SSL_CTX *context;
    assert_ok(fixture.arena, tls_server_context(fixture.arena, files, &context));
    return context;
}

static SSL_CTX *client_of(const TlsFiles *files)
{
    SSL_CTX *context;
    assert_ok(fixture.arena, tls_client_context(fixture.arena, files, &context));
    return context;
}

static void renew(SSL_CTX *context)
{
    CertificateTable *table;
    Renewal *renewal = renewal_of(context);
    assert_ok(fixture.arena, renewal_read(renewal, fixture.arena, &table));
    assert_false(renewal_shows(renewal, table));
    renewal_use(renewal, table);
}

static void a_server_shows_the_new_certificate_to_the_next_client(void **state)
{
    TlsFiles files = files_of(true), plain = {.http2 = true};
    SSL_CTX *server = server_of(&files), *client = client_of(&plain);
    assert_int_equal(shake(server, client, NULL).server, 1);
    write_pair("a", 7, "localhost");
    assert_int_equal(shake(server, client, NULL).server, 1);
    renew(server);
    assert_int_equal(shake(server, client, NULL).server, 7);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void a_certificate_that_nobody_can_ask_for_is_refused(void **state)
{
    TlsFiles files = files_of(true), plain = {.http2 = true};
    SSL_CTX *context = NULL;
    files.n_more = 1; /* its name is the subject's, and none for DNS */
    assert_fault(tls_server_context(fixture.arena, &files, &context), FAULT_TLS);
    assert_null(context);
    files.n_more = 0;
    SSL_CTX *server = server_of(&files), *client = client_of(&plain);
    assert_int_equal(shake(server, client, "elsewhere.example").server, 1);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void a_client_shows_the_new_certificate_to_the_next_instance(void **state)
{
    TlsFiles own = files_of(false), watched = files_of(true);
    watched.http2 = true;
    SSL_CTX *server = server_of(&own), *client = client_of(&watched);
    assert_int_equal(shake(server, client, "localhost").client, 1);
    write_pair("a", 9, "localhost");
    renew(client);
    Serials serials = shake(server, client, "localhost");
    assert_int_equal(serials.client, 9);
    assert_int_equal(serials.server, 1);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void what_is_not_watched_has_no_renewal(void **state)
{
    TlsFiles own = files_of(false), none = {.watched = true, .http2 = true};
    SSL_CTX *server = server_of(&own), *client = client_of(&none);
    assert_null(renewal_of(server));
    assert_null(renewal_of(client)); /* it has no certificate */
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void files_that_do_not_fit_are_told_and_not_shown(void **state)
{
    TlsFiles files = files_of(true), plain = {.http2 = true};
    SSL_CTX *server = server_of(&files), *client = client_of(&plain);
    CertificateTable *table;
    assert_int_equal(rename(path_of("b.key"), path_of("a.key")), 0);
    Result r = renewal_read(renewal_of(server), fixture.arena, &table);
    assert_fault(r, FAULT_TLS);
    assert_non_null(strstr(error_text(fixture.arena, r), "does not match the certificate"));
    assert_null(table);
    assert_int_equal(truncate(path_of("a.pem"), 100), 0);
    assert_fault(renewal_read(renewal_of(server), fixture.arena, &table), FAULT_TLS);
    unlink(path_of("a.pem"));
    assert_fault(renewal_read(renewal_of(server), fixture.arena, &table), FAULT_TLS);
    assert_int_equal(shake(server, client, NULL).server, 1);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void the_same_files_show_nothing_new(void **state)
{
    TlsFiles files = files_of(true);
    SSL_CTX *server = server_of(&files);
    CertificateTable *table;
    assert_ok(fixture.arena, renewal_read(renewal_of(server), fixture.arena, &table));
    assert_true(renewal_shows(renewal_of(server), table));
    certificate_table_free(table);
    SSL_CTX_free(server);
}

static void each_change_of_a_file_changes_the_stamp(void **state)
{
    TlsFiles files = files_of(true);
    SSL_CTX *server = server_of(&files);
    const Renewal *renewal = renewal_of(server);
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
    uint64_t before = renewal_stamp(renewal), after;
    assert_int_equal(renewal_stamp(renewal), before);
    assert_int_equal(utimensat(AT_FDCWD, path_of("a.key"), times, 0), 0);
    assert_int_not_equal(after = renewal_stamp(renewal), before);
    assert_int_equal(truncate(path_of("a.pem"), 10), 0);
    assert_int_not_equal(renewal_stamp(renewal), after);
    after = renewal_stamp(renewal);
    unlink(path_of("a.pem"));
    assert_int_not_equal(renewal_stamp(renewal), after);
    SSL_CTX_free(server);
}

/* Whether the files may take the place of what is shown, `later` seconds from now. */
static bool may_take(Renewal *renewal, int64_t later)
{
    CertificateTable *table;
    assert_ok(fixture.arena, renewal_read(renewal, fixture.arena, &table));
    Result r = renewal_check(renewal, fixture.arena, table, clock_wall() + later * SECOND);
    certificate_table_free(table);
    return !failed(r);
}

static void a_certificate_that_has_ended_may_not_replace_one_that_has_not(void **state)
{
    TlsFiles files = files_of(true);
    SSL_CTX *context = server_of(&files);
    Renewal *renewal = renewal_of(context);
    assert_true(may_take(renewal, 0));
    ends = -10;
    write_pair("a", 7, "localhost");
    ends = 3600;
    assert_false(may_take(renewal, 0));
    assert_true(may_take(renewal, 2 * 3600)); /* neither is good then */
    write_pair("a", 8, "localhost");
    assert_true(may_take(renewal, 0));
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_shows_the_new_certificate_to_the_next_client,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_that_nobody_can_ask_for_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_client_shows_the_new_certificate_to_the_next_instance,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_certificate_that_has_ended_may_not_replace_one_that_has_not, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_watched_has_no_renewal, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_do_not_fit_are_told_and_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_same_files_show_nothing_new, setup, teardown),
        cmocka_unit_test_setup_teardown(each_change_of_a_file_changes_the_stamp, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
