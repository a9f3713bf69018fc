#include "base/memory/machine.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/test_machine_XXXXXX";
static char command[256];

static int set_up(void **state)
{
    snprintf(root, sizeof root, "/tmp/test_machine_XXXXXX");
    assert_non_null(mkdtemp(root));
    return 0;
}

static int tear_down(void **state)
{
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void put(const char *path, const char *text)
{
    char full[256];
    snprintf(command, sizeof command, "mkdir -p $(dirname %s%s)", root, path);
    assert_int_equal(system(command), 0);
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void memory_of_a_machine_without_groups_is_its_own(void **state)
{
    put("/proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n");
    assert_int_equal(machine_memory(root), 1024000);
}

static void a_group_may_have_less(void **state)
{
    put("/proc/meminfo", "MemTotal:        1000 kB\n");
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "500000\n");
    assert_int_equal(machine_memory(root), 500000);
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(machine_memory(root), 1024000);
    put("/sys/fs/cgroup/a/b/memory.max", "5000000\n");
    assert_int_equal(machine_memory(root), 1024000);
}

static void a_group_around_it_may_have_less_still(void **state)
{
    put("/proc/meminfo", "MemTotal:        1000 kB\n");
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "500000\n");
    put("/sys/fs/cgroup/a/memory.max", "400000\n");
    assert_int_equal(machine_memory(root), 400000);
    put("/sys/fs/cgroup/memory.max", "300000\n");
    assert_int_equal(machine_memory(root), 300000);
}

/* There the group's path is the host's. */
static void in_a_container_the_mounts_root_is_the_group(void **state)
{
    put("/proc/meminfo", "MemTotal:        1000 kB\n");
    put("/proc/self/cgroup", "0::/system.slice/some\n");
    put("/sys/fs/cgroup/memory.max", "300000\n");
    assert_int_equal(machine_memory(root), 300000);
}

static void groups_of_version_1_are_read_too(void **state)
{
    put("/proc/meminfo", "MemTotal:        1000 kB\n");
    put("/proc/self/cgroup", "5:cpu:/a\n4:memory:/a\nmalformed\n");
    put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "200000\n");
    assert_int_equal(machine_memory(root), 200000);
}

static void what_cannot_be_read_is_unknown(void **state)
{
    assert_int_equal(machine_memory(root), 0);
}

static void this_machine_has_some(void **state)
{
    assert_true(machine_memory("") > 1 << 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(memory_of_a_machine_without_groups_is_its_own),
        TEST(a_group_may_have_less),
        TEST(a_group_around_it_may_have_less_still),
        TEST(in_a_container_the_mounts_root_is_the_group),
        TEST(groups_of_version_1_are_read_too),
        TEST(what_cannot_be_read_is_unknown),
        TEST(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
