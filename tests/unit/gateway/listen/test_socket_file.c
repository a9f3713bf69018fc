#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/listen/socket_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static Arena *arena;
static char folder[] = "/tmp/socket_file.XXXXXX", path[sizeof folder + 8];
static int fd;

static int set_up(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    arena = arena_new(ARENA_UNLIMITED);
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.sock", folder);
    strcpy(name.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(fchmod(fd, 0), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    return 0;
}

static int tear_down(void **state)
{
    close(fd);
    unlink(path);
    rmdir(folder);
    arena_free(arena);
    return 0;
}

static Result give(mode_t mode, uid_t owner, gid_t group)
{
    Address address = {.text = "unix:a.sock", .path = path};
    return socket_file_give(arena, &address, &(SocketRights){mode, owner, group});
}

static struct stat file(void)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return found;
}

static void it_gets_its_mode_and_keeps_its_owner(void **state)
{
    assert_int_equal(file().st_mode & 07777, 0);
    assert_ok(arena, give(0620, (uid_t)-1, (gid_t)-1));
    assert_int_equal(file().st_mode & 07777, 0620);
    assert_int_equal(file().st_uid, geteuid());
    assert_ok(arena, give(0777, geteuid(), getegid())); /* which needs no right */
    assert_int_equal(file().st_mode & 07777, 0777);
}

static void it_gets_its_owner_and_its_group(void **state)
{
    Result r = give(0660, NOBODY, NOBODY);
    if (geteuid() != 0) {
        assert_fault(r, FAULT_SYSTEM);
        assert_non_null(strstr(error_text(arena, r), "unix:a.sock"));
        assert_int_equal(file().st_mode & 07777, 0); /* rather nobody than somebody else */
        return;
    }
    assert_ok(arena, r);
    assert_int_equal(file().st_uid, NOBODY);
    assert_int_equal(file().st_gid, NOBODY);
    assert_int_equal(file().st_mode & 07777, 0660);
}

static void a_file_that_somebody_has_removed_needs_no_rights(void **state)
{
    unlink(path);
    assert_ok(arena, give(0660, NOBODY, NOBODY));
}

static void what_is_no_socket_stays_as_it_is(void **state)
{
    unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_fault(give(0600, (uid_t)-1, (gid_t)-1), FAULT_SYSTEM);
    assert_true(S_ISLNK(file().st_mode));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_gets_its_mode_and_keeps_its_owner),
        TEST(it_gets_its_owner_and_its_group),
        TEST(a_file_that_somebody_has_removed_needs_no_rights),
        TEST(what_is_no_socket_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
