#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/job_store/job_owners.h"

#include <stdlib.h>

#define LEASE (10 * SECOND)

static void see(JobOwners *owners, const char *name, int64_t beat, int64_t now)
{
    job_owners_see(owners, bytes_of(name), beat, LEASE, now);
}

static bool is_dead(const JobOwners *owners, const char *name, int64_t now)
{
    for (const JobOwner *dead = job_owners_dead(owners, NULL, now); dead;
         dead = job_owners_dead(owners, dead, now))
        if (bytes_are(dead->name, name))
            return true;
    return false;
}

static void who_does_not_change_for_its_lease_is_dead(void **state)
{
    JobOwners owners = {NULL};
    job_owners_set_self(&owners, bytes_of("self"));
    see(&owners, "a", 7, 100);
    see(&owners, "b", 7, 100);
    see(&owners, "self", 7, 100);
    job_owners_listed(&owners);
    assert_null(job_owners_dead(&owners, NULL, 100 + LEASE - 1));
    see(&owners, "a", 7, 100 + LEASE - 1);
    see(&owners, "b", 8, 100 + LEASE - 1);
    see(&owners, "self", 7, 100 + LEASE - 1);
    job_owners_listed(&owners);
    assert_true(is_dead(&owners, "a", 100 + LEASE));
    assert_false(is_dead(&owners, "b", 100 + LEASE));
    assert_false(is_dead(&owners, "self", 100 + LEASE)); /* who asks lives */
    assert_false(is_dead(&owners, "b", 99 + 2 * LEASE - 1));
    assert_true(is_dead(&owners, "b", 99 + 2 * LEASE));
    job_owners_free(&owners);
}

/* Its clock is its own: it may have started anew. */
static void any_change_of_the_beat_is_a_sign_of_life(void **state)
{
    JobOwners owners = {NULL};
    job_owners_set_self(&owners, bytes_of("self"));
    see(&owners, "a", 1000, 0);
    see(&owners, "a", 3, LEASE - 1);
    assert_false(is_dead(&owners, "a", 2 * LEASE - 2));
    assert_true(is_dead(&owners, "a", 2 * LEASE - 1));
    job_owners_free(&owners);
}

static void who_is_not_listed_any_more_is_forgotten(void **state)
{
    JobOwners owners = {NULL};
    job_owners_set_self(&owners, bytes_of("self"));
    see(&owners, "a", 1, 0);
    see(&owners, "b", 1, 0);
    job_owners_listed(&owners);
    see(&owners, "b", 1, 1);
    job_owners_listed(&owners);
    assert_false(is_dead(&owners, "a", 2 * LEASE));
    see(&owners, "a", 1, LEASE); /* the same name again: it is watched from now on */
    assert_false(is_dead(&owners, "a", 2 * LEASE - 1));
    assert_true(is_dead(&owners, "a", 2 * LEASE));
    assert_true(is_dead(&owners, "b", LEASE));
    job_owners_free(&owners);
    assert_null(job_owners_dead(&owners, NULL, 0));
}

static void a_lease_may_change(void **state)
{
    JobOwners owners = {NULL};
    job_owners_set_self(&owners, bytes_of("self"));
    see(&owners, "a", 1, 0);
    job_owners_see(&owners, bytes_of("a"), 2, 2 * LEASE, 5);
    assert_false(is_dead(&owners, "a", 5 + 2 * LEASE - 1));
    assert_true(is_dead(&owners, "a", 5 + 2 * LEASE));
    job_owners_free(&owners);
}

static void who_is_mourned_is_dead_at_once_and_nobody_else(void **state)
{
    static const char *const names[] = {"gw/10/aa", "gw/11/aa", "gw/10/ab", "other/10/aa", "gw"};
    for (int mourns = 0; mourns < 2; mourns++) {
        JobOwners owners = {NULL};
        job_owners_set_self(&owners, bytes_of("gw/12/cc"));
        if (mourns)
            job_owners_mourn(&owners, bytes_of("gw/10/aa"));
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            see(&owners, names[i], 7, 0);
        job_owners_listed(&owners);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            assert_int_equal(is_dead(&owners, names[i], 0), mourns && i == 0);
        see(&owners, "gw/10/aa", 8, 0); /* it lives all the same */
        job_owners_listed(&owners);
        assert_false(is_dead(&owners, "gw/10/aa", 0));
        job_owners_free(&owners);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_mourned_is_dead_at_once_and_nobody_else),
        cmocka_unit_test(who_does_not_change_for_its_lease_is_dead),
        cmocka_unit_test(any_change_of_the_beat_is_a_sign_of_life),
        cmocka_unit_test(who_is_not_listed_any_more_is_forgotten),
        cmocka_unit_test(a_lease_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
