#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/job/job_id.h"

#include <stdlib.h>

static void an_id_is_its_time_and_its_chance(void **state)
{
    static const uint8_t none[JOB_ID_CHANCE],
        all[JOB_ID_CHANCE] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    char id[JOB_ID_SIZE + 1];
    job_id_make(0, none, id);
    assert_string_equal(id, "00000000000000000000000000");
    job_id_make(1469922850259 * MILLISECOND, all, id); /* the time of the specification's example */
    assert_string_equal(id, "01arz3ndekzzzzzzzzzzzzzzzz");
    job_id_make(INT64_MAX, none, id);
    assert_true(job_id_is_valid(bytes_of(id)));
    job_id_make(-1, none, id);
    assert_string_equal(id, "00000000000000000000000000");
}

static void ids_sort_by_their_time(void **state)
{
    char earlier[JOB_ID_SIZE + 1], later[JOB_ID_SIZE + 1];
    for (int64_t wall = 1; wall < INT64_MAX / 64; wall *= 64) {
        job_id_make(wall, (const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", earlier);
        job_id_make(wall + MILLISECOND, (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", later);
        assert_true(strcmp(earlier, later) < 0);
    }
}

static void each_bit_of_chance_counts(void **state)
{
    char first[JOB_ID_SIZE + 1], second[JOB_ID_SIZE + 1];
    for (int bit = 0; bit < JOB_ID_CHANCE * 8; bit++) {
        uint8_t chance[JOB_ID_CHANCE] = {0};
        job_id_make(SECOND, chance, first);
        chance[bit / 8] ^= (uint8_t)(1 << bit % 8);
        job_id_make(SECOND, chance, second);
        assert_string_not_equal(first, second);
    }
}

static void a_time_of_a_schedule_has_one_id(void **state)
{
    char id[JOB_ID_SIZE + 1], same[JOB_ID_SIZE + 1], later[JOB_ID_SIZE + 1], other[JOB_ID_SIZE + 1];
    job_id_of_time(bytes_of("hosting.Sites/Repair"), 3600 * SECOND, id);
    job_id_of_time(bytes_of("hosting.Sites/Repair"), 3600 * SECOND, same);
    job_id_of_time(bytes_of("hosting.Sites/Repair"), 7200 * SECOND, later);
    job_id_of_time(bytes_of("hosting.Sites/Renew"), 3600 * SECOND, other);
    assert_string_equal(id, same);
    assert_string_not_equal(id, later);
    assert_string_not_equal(id, other);
    assert_true(job_id_is_valid(bytes_of(id)));
    assert_true(strcmp(id, later) < 0);
}

static void other_texts_are_no_ids(void **state)
{
    static const char *const texts[] = {"",
                                        "01arz3ndekzzzzzzzzzzzzzzz",
                                        "01arz3ndekzzzzzzzzzzzzzzzzz",
                                        "01ARZ3NDEKZZZZZZZZZZZZZZZZ",
                                        "01arz3ndekzzzzzzzzzzzzzzzu",
                                        "81arz3ndekzzzzzzzzzzzzzzzz",
                                        "01arz3ndekzzzzzzz/zzzzzzzz"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(job_id_is_valid(bytes_of(texts[i])));
    assert_false(job_id_is_valid(bytes("01arz3ndekzzzzzzzzzzzzzzz\0", 26)));
    assert_true(job_id_is_valid(bytes_of("71arz3ndekzzzzzzzzzzzzzzzz")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_its_time_and_its_chance),
        cmocka_unit_test(ids_sort_by_their_time),
        cmocka_unit_test(each_bit_of_chance_counts),
        cmocka_unit_test(a_time_of_a_schedule_has_one_id),
        cmocka_unit_test(other_texts_are_no_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
