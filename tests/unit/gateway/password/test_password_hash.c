#include "gateway/password/password_hash.h"

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

/* Of libargon2's own tests. */
#define KNOWN                                                                                      \
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

static PasswordHash read_good(const char *text)
{
    PasswordHash hash;
    assert_ok(arena, password_hash_read(arena, bytes_of(text), &hash));
    return hash;
}

static const char *mistake_in(const char *text)
{
    PasswordHash hash;
    Result r = password_hash_read(arena, bytes_of(text), &hash);
    assert_fault(r, FAULT_BAD_VALUE);
    return error_text(arena, r);
}

static void a_known_hash_takes_its_password_and_no_other(void **state)
{
    PasswordHash hash = read_good(KNOWN);
    assert_int_equal(hash.memory, 65536);
    assert_int_equal(hash.passes, 2);
    assert_int_equal(hash.lanes, 1);
    assert_int_equal(password_hash_check(&hash, bytes_of("password")), PASSWORD_RIGHT);
    assert_int_equal(password_hash_check(&hash, bytes_of("passworD")), PASSWORD_WRONG);
    assert_int_equal(password_hash_check(&hash, BYTES_NONE), PASSWORD_WRONG);
}

static void what_is_written_is_read_again_as_the_same(void **state)
{
    PasswordHash hash = read_good(KNOWN);
    Buffer text = buffer_in(arena);
    password_hash_write(&hash, &text);
    assert_bytes(buffer_bytes(&text), KNOWN);
}

static void a_new_hash_takes_its_password_and_has_a_salt_of_its_own(void **state)
{
    PasswordHash one, two;
    Bytes password = bytes_of("correct horse");
    Buffer text = buffer_in(arena);
    assert_ok(arena, password_hash_make(arena, password, &one));
    assert_ok(arena, password_hash_make(arena, password, &two));
    assert_memory_not_equal(one.salt, two.salt, sizeof one.salt);
    assert_memory_not_equal(one.hash, two.hash, one.hash_size);
    password_hash_write(&one, &text);
    PasswordHash again = read_good(arena_text(arena, buffer_bytes(&text)));
    assert_int_equal(password_hash_check(&again, password), PASSWORD_RIGHT);
    assert_int_equal(password_hash_check(&again, bytes_of("correct horsf")), PASSWORD_WRONG);
}

static const char *with(const char *cost)
{
    return arena_printf(
        arena, "$argon2id$v=19$%s$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", cost);
}

static void a_hash_may_cost_neither_too_much_nor_too_little(void **state)
{
    static const struct {
        const char *good, *bad, *why;
    } bounds[] = {
        {"m=262144,t=4,p=1", "m=262145,t=3,p=1", "cost too much"},
        {"m=262144,t=4,p=1", "m=262144,t=5,p=1", "cost too much"},
        {"m=65536,t=16,p=1", "m=61680,t=17,p=1", "cost too much"},
        {"m=7168,t=5,p=1", "m=7167,t=6,p=1", "guessed too easily"},
        {"m=8960,t=4,p=1", "m=8959,t=4,p=1", "guessed too easily"},
        {"m=7168,t=5,p=16", "m=7168,t=5,p=17", "lanes"},
        {"m=7168,t=5,p=1", "m=7168,t=5,p=0", "lanes"},
        {"m=7168,t=5,p=1", "m=4194304,t=1,p=1", "cost too much"},
        {"m=7168,t=5,p=1", "m=4294967295,t=4294967295,p=1", "cost too much"},
        {"m=7168,t=5,p=1", "m=4294967296,t=1,p=1", "is not m="},
        {"m=7168,t=5,p=1", "m=65536,t=0,p=1", "guessed too easily"},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        read_good(with(bounds[i].good));
        assert_non_null(strstr(mistake_in(with(bounds[i].bad)), bounds[i].why));
    }
}

static void only_the_one_spelling_is_read(void **state)
{
    static const char *const bad[] = {
        "",
        "secret",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$t=2,m=65536,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=065536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=2,p=1,$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        KNOWN "$",
        KNOWN "=",
        KNOWN " ",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFh-dXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        mistake_in(bad[i]);
}

static void salt_and_hash_have_their_sizes(void **state)
{
    static const struct {
        unsigned salt, hash;
        bool good;
    } sizes[] = {{7, 32, false}, {8, 32, true}, {64, 32, true}, {65, 32, false},
                 {8, 15, false}, {8, 16, true}, {8, 64, true},  {8, 65, false}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t zeros[65] = {0};
        Buffer text = buffer_in(arena);
        buffer_add_text(&text, "$argon2id$v=19$m=65536,t=2,p=1$");
        for (int part = 0; part < 2; part++) {
            unsigned size = part ? sizes[i].hash : sizes[i].salt;
            Buffer encoded = buffer_in(arena);
            /* base64 of zeros is "A": four characters for three bytes, without padding. */
            for (unsigned k = 0; k < (size * 8 + 5) / 6; k++)
                buffer_add_byte(&encoded, 'A');
            buffer_add_bytes(&text, buffer_bytes(&encoded));
            if (!part)
                buffer_add_byte(&text, '$');
        }
        PasswordHash hash;
        Result r = password_hash_read(arena, buffer_bytes(&text), &hash);
        assert_int_equal(!failed(r), sizes[i].good);
        if (failed(r))
            error_ignore(r, "it is expected");
        else
            assert_memory_equal(hash.salt, zeros, sizes[i].salt);
    }
}

static void a_password_that_is_too_long_is_wrong_at_once(void **state)
{
    PasswordHash hash = read_good(with("m=7168,t=5,p=1"));
    char text[PASSWORD_BYTES_MOST + 1];
    memset(text, 'x', sizeof text);
    assert_int_equal(password_hash_check(&hash, bytes(text, PASSWORD_BYTES_MOST)), PASSWORD_WRONG);
    assert_int_equal(password_hash_check(&hash, bytes(text, sizeof text)), PASSWORD_WRONG);
}

static void a_hash_of_several_lanes_is_computed_on_one_thread(void **state)
{
    PasswordHash hash = read_good("$argon2id$v=19$m=7168,t=5,p=4$c29tZXNhbHQ$"
                                  "DC59ObJs/xXn+IKVyZZ2+PlWsuEhZ3A8qjELh3hNa2c");
    assert_int_equal(password_hash_check(&hash, bytes_of("password")), PASSWORD_RIGHT);
    hash.lanes = 2;
    assert_int_equal(password_hash_check(&hash, bytes_of("password")), PASSWORD_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_hash_takes_its_password_and_no_other),
        cmocka_unit_test(what_is_written_is_read_again_as_the_same),
        cmocka_unit_test(a_new_hash_takes_its_password_and_has_a_salt_of_its_own),
        cmocka_unit_test(a_hash_may_cost_neither_too_much_nor_too_little),
        cmocka_unit_test(only_the_one_spelling_is_read),
        cmocka_unit_test(salt_and_hash_have_their_sizes),
        cmocka_unit_test(a_password_that_is_too_long_is_wrong_at_once),
        cmocka_unit_test(a_hash_of_several_lanes_is_computed_on_one_thread),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
