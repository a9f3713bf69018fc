#include "gateway/telemetry/exemplar.h"

#include "tests/unit/check.h"

#include <pthread.h>

static Exemplar made(char digit, int64_t at)
{
    Exemplar exemplar = {.value = at, .at = at};
    memset(exemplar.trace, digit, sizeof exemplar.trace);
    memset(exemplar.span, digit, sizeof exemplar.span);
    return exemplar;
}

static void the_newest_of_several_cells_is_read(void **state)
{
    ExemplarCell cells[2] = {0};
    Exemplar newest = {0};
    exemplar_read(&cells[0], &newest);
    assert_int_equal(newest.at, 0);
    exemplar_write(&cells[0], &(Exemplar){.at = 7});
    Exemplar of_second = made('b', 9);
    exemplar_write(&cells[1], &of_second);
    exemplar_read(&cells[1], &newest);
    exemplar_read(&cells[0], &newest);
    assert_memory_equal(&newest, &of_second, sizeof newest);
}

static void a_cell_has_the_last_one_that_was_written(void **state)
{
    ExemplarCell cell = {0};
    Exemplar newest = {0}, first = made('a', 1), second = made('b', 2);
    exemplar_write(&cell, &first);
    exemplar_write(&cell, &second);
    exemplar_read(&cell, &newest);
    assert_memory_equal(&newest, &second, sizeof newest);
}

static ExemplarCell shared;
static atomic_bool over;

static void *write_on(void *unused)
{
    for (int64_t at = 1; !atomic_load(&over); at++) {
        Exemplar exemplar = made((char)('a' + at % 26), at);
        exemplar_write(&shared, &exemplar);
    }
    return NULL;
}

static bool is_whole(const Exemplar *exemplar)
{
    Exemplar wanted = made((char)('a' + exemplar->at % 26), exemplar->at);
    return memcmp(exemplar, &wanted, sizeof wanted) == 0;
}

static void what_is_read_while_it_is_written_is_whole(void **state)
{
    pthread_t writer;
    int64_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
    for (int seen = 0; seen < 1000;) {
        Exemplar newest = {0};
        exemplar_read(&shared, &newest);
        seen += newest.at > last;
        last = newest.at > last ? newest.at : last;
        assert_true(newest.at == 0 || is_whole(&newest));
    }
    atomic_store(&over, true);
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_several_cells_is_read),
        cmocka_unit_test(a_cell_has_the_last_one_that_was_written),
        cmocka_unit_test(what_is_read_while_it_is_written_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
