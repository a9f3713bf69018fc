#include "gateway/memory/accounts.h"

#include "tests/unit/check.h"

#include <pthread.h>

static IpAddress at(const char *text)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(text), &address));
    return address;
}

static bool share_an_account(const char *a, const char *b)
{
    IpAddress first = at(a), second = at(b);
    Account *one = account_open(&first), *other = account_open(&second);
    bool same = one == other;
    assert_int_equal(account_is_of(one, &second), same);
    account_close(one);
    account_close(other);
    return same;
}

static void a_client_is_an_ipv4_address_or_an_ipv6_network(void **state)
{
    assert_true(share_an_account("192.0.2.1", "192.0.2.1"));
    assert_false(share_an_account("192.0.2.1", "192.0.2.2"));
    assert_true(share_an_account("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
    assert_false(share_an_account("2001:db8:0:1::1", "2001:db8:0:2::1"));
}

static void peers_without_an_address_are_one_client(void **state)
{
    IpAddress none = {.known = false}, other = {.bytes = {1, 2, 3}, .known = false};
    Account *one = account_open(&none);
    assert_ptr_equal(account_open(&other), one);
    account_close(one);
    account_close(one);
    account_close(NULL);
}

static void an_account_lives_until_its_last_reference(void **state)
{
    IpAddress address = at("192.0.2.1");
    Account *account = account_open(&address);
    account_open(&address);
    account_add(account, 100);
    account_close(account);
    assert_int_equal(accounts_open(), 1);
    assert_int_equal(account_held(account), 100);
    account_add(account, -100);
    account_close(account);
    assert_int_equal(accounts_open(), 0);
    account = account_open(&address);
    assert_int_equal(account_held(account), 0);
    account_close(account);
}

static void many_clients_are_told_apart(void **state)
{
    enum { MANY = 20000 };
    static Account *accounts[MANY];
    IpAddress address = at("2001:db8::1");
    for (uint32_t i = 0; i < MANY; i++) {
        address.bytes[6] = (uint8_t)(i >> 8);
        address.bytes[7] = (uint8_t)i;
        accounts[i] = account_open(&address);
        account_add(accounts[i], i + 1);
    }
    assert_int_equal(accounts_open(), MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(account_held(accounts[i]), i + 1);
        account_add(accounts[i], -(int64_t)(i + 1));
        account_close(accounts[i]);
    }
    assert_int_equal(accounts_open(), 0);
}

static void *open_and_close(void *text)
{
    IpAddress address = at(text);
    for (int i = 0; i < 2000; i++) {
        Account *account = account_open(&address);
        account_add(account, 1000);
        account_add(account, -1000);
        account_keep(account);
        account_close(account);
        account_close(account);
    }
    return NULL;
}

static void loops_open_and_close_the_same_accounts(void **state)
{
    static char *const texts[] = {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, texts[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(accounts_open(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_an_ipv4_address_or_an_ipv6_network),
        cmocka_unit_test(peers_without_an_address_are_one_client),
        cmocka_unit_test(an_account_lives_until_its_last_reference),
        cmocka_unit_test(many_clients_are_told_apart),
        cmocka_unit_test(loops_open_and_close_the_same_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
