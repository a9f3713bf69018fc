#include "gateway/admin/operator.h"

#include "tests/unit/check.h"

#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

static Arena *arena;
static Operator who;

static OperatorConfig operators[] = {
    {.name = "reader", .role = ROLE_READ, .has_token = true},
    {.name = "ada", .role = ROLE_OPERATE, .certificate = "CN=ada"},
};

static const Config config = {.operators = operators, .n_operators = 2};

static const CertificateNames ada = {.names = {[CERTIFICATE_SUBJECT] = "CN=ada"}};
static const CertificateNames bob = {.names = {[CERTIFICATE_SUBJECT] = "CN=bob"}};

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    SHA256((const uint8_t *)"secret", 6, operators[0].token_hash);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static OperatorRole role(const char *authorization, const CertificateNames *certificate)
{
    OperatorProof proof = {
        .unix_fd = -1, .certificate = certificate, .authorization = bytes_of(authorization)};
    assert_true(operator_find(&config, &proof, arena, &who));
    return who.role;
}

static void who_shows_nothing_that_is_listed_is_a_guest(void **state)
{
    static const char *const said[] = {"",
                                       "secret",
                                       "Bearer ",
                                       "Bearer secre",
                                       "Bearer",
                                       "Basic secret",
                                       "Bearer secrets",
                                       "Bearer secret x",
                                       "Beare secret"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        assert_int_equal(role(said[i], NULL), ROLE_GUEST);
        assert_null(who.name);
    }
    assert_int_equal(role("", &bob), ROLE_GUEST);
}

static void a_token_is_known_by_its_hash(void **state)
{
    assert_int_equal(role("Bearer secret", NULL), ROLE_READ);
    assert_string_equal(who.name, "reader");
    assert_string_equal(who.by, "token");
    assert_int_equal(role("bearer  secret ", NULL), ROLE_READ);
}

static void a_certificate_comes_before_a_token(void **state)
{
    assert_int_equal(role("", &ada), ROLE_OPERATE);
    assert_string_equal(who.by, "certificate");
    assert_int_equal(role("Bearer secret", &ada), ROLE_OPERATE);
    assert_int_equal(role("Bearer secret", &bob), ROLE_READ);
}

/* The hash of nothing is refused by the config; should it be there, it is nobody's. */
static void an_empty_token_is_none(void **state)
{
    SHA256((const uint8_t *)"", 0, operators[0].token_hash);
    assert_int_equal(role("Bearer ", NULL), ROLE_GUEST);
    assert_int_equal(role("Bearer", NULL), ROLE_GUEST);
}

/* An operator without a token has a hash of zeros, which is nobody's. */
static void who_has_no_token_is_not_known_by_one(void **state)
{
    memset(operators[1].token_hash, 0, sizeof operators[1].token_hash);
    SHA256((const uint8_t *)"x", 1, operators[1].token_hash);
    assert_int_equal(role("Bearer x", NULL), ROLE_GUEST);
}

static void the_own_user_operates_by_the_socket(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    OperatorProof proof = {.unix_fd = fds[0]};
    assert_true(operator_find(NULL, &proof, arena, &who));
    assert_int_equal(who.role, ROLE_OPERATE);
    assert_string_equal(who.by, "socket");
    assert_string_equal(who.name, arena_printf(arena, "uid %u", (unsigned)geteuid()));
    close(fds[0]);
    close(fds[1]);
    assert_false(operator_find(NULL, &proof, arena, &who)); /* whose peer cannot be known */
    assert_int_equal(who.role, ROLE_GUEST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_shows_nothing_that_is_listed_is_a_guest),
        TEST(a_token_is_known_by_its_hash),
        TEST(a_certificate_comes_before_a_token),
        TEST(an_empty_token_is_none),
        TEST(who_has_no_token_is_not_known_by_one),
        TEST(the_own_user_operates_by_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
