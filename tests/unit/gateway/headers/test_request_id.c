#include "tests/unit/check.h"

#include "gateway/headers/request_id.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, REQUEST_ID_SIZE);
}

static void ids_are_hex_and_do_not_repeat(void **state)
{
    enum { N = 10000 };
    char(*ids)[REQUEST_ID_SIZE] = malloc((size_t)N * REQUEST_ID_SIZE);
    Random loops[2];
    random_seed(&loops[0]);
    random_seed(&loops[1]);
    for (int i = 0; i < N; i++) {
        request_id_write(&loops[i % 2], ids[i]);
        for (int j = 0; j < REQUEST_ID_SIZE; j++)
            assert_non_null(memchr("0123456789abcdef", ids[i][j], 16));
    }
    qsort(ids, N, REQUEST_ID_SIZE, by_text);
    for (int i = 1; i < N; i++)
        assert_memory_not_equal(ids[i - 1], ids[i], REQUEST_ID_SIZE);
    free(ids);
}

static void all_of_the_number_is_in_the_text(void **state)
{
    Random random = {{1, 2, 3, 4}}; /* gives 11520, then 0, which is passed over, then 1509978240 */
    char id[REQUEST_ID_SIZE];
    request_id_write(&random, id);
    assert_memory_equal(id,
                        "0000000000002d00"
                        "000000005a007080",
                        REQUEST_ID_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_hex_and_do_not_repeat),
        cmocka_unit_test(all_of_the_number_is_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
