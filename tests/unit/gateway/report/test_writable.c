#include "tests/unit/check.h"

#include "gateway/report/writable.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_folder_takes_the_files_of_whom_its_mode_allows_it(void **state)
{
    static const struct {
        mode_t mode;
        const char *user, *group;
        bool takes;
    } rows[] = {
        {0700, NULL, NULL, true},
        {0700, "nobody", NULL, false},
        {0755, "nobody", NULL, false},
        {0702, "nobody", NULL, false},
        {0701, "nobody", NULL, false},
        {0703, "nobody", NULL, true},
        {0000, "root", NULL, true},
        {0703, "nobody", "nogroup", true},
        {0700, "there is none", NULL, true},
        {0700, "nobody", "there is none", true},
    };
    char folder[] = "/tmp/writableXXXXXX", file[64];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/kept.json", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(chmod(folder, rows[i].mode), 0);
        assert_int_equal(folder_takes_files(file, rows[i].user, rows[i].group), rows[i].takes);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_false(folder_takes_files(file, NULL, NULL));
    assert_false(folder_takes_files(file, "nobody", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_takes_the_files_of_whom_its_mode_allows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
