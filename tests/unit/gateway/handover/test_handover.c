#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/file/memory_file.h"
#include "gateway/handover/channel.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/roll.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The process has one handover: the tests are a story, in this order. */
static int supervisor; /* the other end of the channel */
static Arena *arena;
static Notice got;
static uint16_t port;
static int woken;
static Bytes weight = {(const uint8_t *)"3", 1};

static int listening(uint16_t *port_out)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    *port_out = ntohs(name.sin_port);
    return fd;
}

static int set_up(void **state)
{
    int ends[2];
    uint16_t other;
    assert_true(channel_open(ends));
    supervisor = ends[0];
    arena = arena_new(ARENA_UNLIMITED);
    Buffer roll = buffer_in(arena);
    buffer_printf(&roll, "channel %d\nsuccessor\nnonsense\nkept x y\n", ends[1]);
    buffer_printf(&roll, "kept %d 127.0.0.1:80\n", listening(&port));
    buffer_printf(&roll, "kept %d other\n", listening(&other));
    buffer_printf(&roll, "kept %d blob ejections\n",
                  memory_file_make("x", bytes_of("10.0.0.1 until 7\n")));
    char number[16];
    snprintf(number, sizeof number, "%d", memory_file_make("roll", buffer_bytes(&roll)));
    setenv(ROLL_VARIABLE, number, 1);
    handover_begin();
    return 0;
}

static int tear_down(void **state)
{
    close(supervisor);
    arena_free(arena);
    return 0;
}

/* The next notice, of this kind, about this name. */
static void expect(NoticeKind kind, const char *name, uint32_t n_fds)
{
    assert_int_equal(channel_receive(supervisor, &got), CHANNEL_NOTICE);
    assert_int_equal(got.kind, kind);
    assert_true(bytes_are(got.text, name));
    assert_int_equal(got.n_fds, n_fds);
}

static void expect_nothing(void)
{
    assert_int_equal(channel_receive(supervisor, &got), CHANNEL_EMPTY);
}

static void what_the_supervisor_handed_over_is_known(void **state)
{
    assert_true(handover_supervised());
    assert_true(handover_succeeds());
    assert_true(handover_shared());
    assert_null(getenv(ROLL_VARIABLE));
    assert_int_equal(handover_crash_file(), -1);
    assert_int_equal(fcntl(handover_channel(), F_GETFD), FD_CLOEXEC);
}

static void a_blob_is_taken_once(void **state)
{
    assert_true(bytes_are(handover_take("ejections", arena), "10.0.0.1 until 7\n"));
    assert_int_equal(handover_take("ejections", arena).size, 0);
    assert_int_equal(handover_take("limits", arena).size, 0);
}

static void write_weight(void *owner, Buffer *out)
{
    buffer_add_bytes(out, *(const Bytes *)owner);
}

static void wake(void *owner)
{
    woken++;
}

static void a_blob_that_changed_is_kept_and_one_that_did_not_is_not(void **state)
{
    handover_wake_by(wake, NULL);
    handover_offer("weight", write_weight, &weight);
    handover_write_changed();
    expect_nothing();
    handover_changed("weight");
    handover_changed("unknown");
    assert_int_equal(woken, 1);
    handover_write_changed();
    expect(NOTICE_KEEP, "blob weight", 1);
    assert_true(bytes_are(memory_file_read(arena, got.fds[0], 100), "3"));
    assert_int_equal(write(got.fds[0], "4", 1), -1); /* sealed */
    notice_close(&got);
    handover_write_changed();
    expect_nothing();
}

static void all_blobs_are_written_before_an_upgrade_and_an_empty_one_is_dropped(void **state)
{
    handover_write_all();
    expect(NOTICE_KEEP, "blob weight", 1);
    notice_close(&got);
    weight = BYTES_NONE;
    handover_write_all();
    expect(NOTICE_DROP, "blob weight", 0);
    handover_withdraw("weight");
    handover_write_all();
    expect_nothing();
}

static int take(uint16_t at, const char *name)
{
    struct sockaddr_in wanted = {
        .sin_family = AF_INET, .sin_port = htons(at), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return handover_take_socket((struct sockaddr *)&wanted, sizeof wanted, name);
}

static void sockets_are_taken_by_address_and_the_supervisor_learns_of_it_when_we_serve(void **state)
{
    assert_int_equal(take(1, "127.0.0.1:1"), -1);
    int fd = take(port, "web");
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(take(port, "web"), -1);
    handover_keep_sockets("web", &fd, 1);
    expect_nothing();
    handover_settle();
    expect(NOTICE_DROP, "other", 0); /* nobody took it */
    expect(NOTICE_DROP, "127.0.0.1:80", 0);
    expect(NOTICE_KEEP, "web", 1);
    notice_close(&got);
    expect_nothing();
}

static void afterwards_it_learns_at_once(void **state)
{
    int fds[CHANNEL_FDS + 1];
    for (int i = 0; i < CHANNEL_FDS + 1; i++)
        fds[i] = STDERR_FILENO;
    handover_keep_sockets("web", fds, CHANNEL_FDS + 1);
    expect(NOTICE_KEEP, "web", CHANNEL_FDS);
    notice_close(&got);
    expect(NOTICE_MORE, "web", 1);
    notice_close(&got);
    handover_keep_sockets("web", NULL, 0);
    expect(NOTICE_DROP, "web", 0);
    assert_false(handover_shared());
    handover_give();
    assert_true(handover_shared());
}

static void lines_that_cannot_be_read_are_passed_over(void **state)
{
    Bytes rest = bytes_of("\n 3 x\nkept 99999999999 a\nkept -1 b\nkept 4\nsuccessor\nkept 5 a b");
    RollLine line;
    assert_true(roll_next(&rest, &line));
    assert_true(bytes_are(line.word, "kept"));
    assert_int_equal(line.fd, 4);
    assert_int_equal(line.rest.size, 0);
    assert_true(roll_next(&rest, &line));
    assert_true(bytes_are(line.word, "successor"));
    assert_int_equal(line.fd, -1);
    assert_true(roll_next(&rest, &line));
    assert_int_equal(line.fd, 5);
    assert_true(bytes_are(line.rest, "a b"));
    assert_false(roll_next(&rest, &line));
    assert_false(roll_name(bytes_of("")));
    assert_false(roll_name(bytes_of("a\nb")));
    assert_true(roll_name(bytes_of("unix:/run/a b.sock")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_supervisor_handed_over_is_known),
        cmocka_unit_test(a_blob_is_taken_once),
        cmocka_unit_test(a_blob_that_changed_is_kept_and_one_that_did_not_is_not),
        cmocka_unit_test(all_blobs_are_written_before_an_upgrade_and_an_empty_one_is_dropped),
        cmocka_unit_test(
            sockets_are_taken_by_address_and_the_supervisor_learns_of_it_when_we_serve),
        cmocka_unit_test(afterwards_it_learns_at_once),
        cmocka_unit_test(lines_that_cannot_be_read_are_passed_over),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
