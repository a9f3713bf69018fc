#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/loop/dial.h"
#include "tests/unit/gateway/doubles.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Addresses of the machine itself: on all of them one port is free. A listener whose queue is full
 * does not answer any more: a black hole.
 */
static Loop loop;
static Dial *dial;
static uint16_t port;
static int doors[8], n_doors; /* and connections that fill their queues */

static int connected_fd;
static uint32_t connected_to;
static int64_t began, ended;
static const Fault *fault;
static char why[512];
static int n_events;

static void on_connected(void *owner, Dial *d, int fd, uint32_t which)
{
    assert_ptr_equal(d, dial);
    n_events++;
    connected_fd = fd;
    connected_to = which;
    ended = loop.now;
}

static void on_failed(void *owner, Dial *d, Result r)
{
    n_events++;
    ended = loop.now;
    fault = error_origin(r)->fault;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    snprintf(why, sizeof(why), "%s", error_text(arena, r));
    arena_free(arena);
}

static const DialEvents events = {on_connected, on_failed};

static IpAddress ip(const char *text)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(text), &address));
    return address;
}

static int open_door(const char *host, int queue)
{
    IpAddress address = ip(host);
    IpSocketAddress name;
    socklen_t size = ip_socket_address(&address, port, &name);
    int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(fd, &name.any, size), 0);
    assert_int_equal(listen(fd, queue), 0);
    if (port == 0) {
        assert_int_equal(getsockname(fd, &name.any, &size), 0);
        port = ntohs(name.v4.sin_port);
    }
    doors[n_doors++] = fd;
    return fd;
}

/* Takes connections into its queue until it is full, and answers nobody behind that. */
static void open_black_hole(const char *host)
{
    open_door(host, 0);
    IpAddress address = ip(host);
    IpSocketAddress name;
    socklen_t size = ip_socket_address(&address, port, &name);
    for (int i = 0; i < 2; i++) {
        int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        doors[n_doors++] = fd;
        assert_true(connect(fd, &name.any, size) == 0 || errno == EINPROGRESS);
    }
}

static bool happened(void)
{
    return n_events > 0;
}

static void add(const char *host, bool more)
{
    IpAddress address = ip(host);
    dial_add(dial, &address, 1, port, more);
}

static void run(void)
{
    n_events = 0;
    began = loop.now;
    loop_run_until(&loop, happened);
    assert_int_equal(n_events, 1);
}

static int fresh(void **state)
{
    loop_init(&loop, 0);
    port = 0;
    n_doors = n_events = 0;
    connected_fd = -1;
    fault = NULL;
    why[0] = '\0';
    dial = dial_new(&loop, 0, &events, NULL);
    open_door("127.0.0.9", 8); /* finds a port */
    return 0;
}

static int used(void **state)
{
    dial_free(dial);
    loop_deinit(&loop);
    for (int i = 0; i < n_doors; i++)
        close(doors[i]);
    if (connected_fd >= 0)
        close(connected_fd);
    return 0;
}

static uint16_t peer_port(int fd)
{
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    return getpeername(fd, (struct sockaddr *)&name, &size) == 0 ? ntohs(name.sin_port) : 0;
}

static void one_address_is_connected_to(void **state)
{
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 0);
    assert_int_equal(peer_port(connected_fd), port);
    assert_true(fcntl(connected_fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(dial_state(dial, 0), DIAL_CONNECTED);
    assert_false(dial_has_more(dial));
}

static void a_refused_connection_says_so(void **state)
{
    add("127.0.0.8", false);
    run();
    assert_ptr_equal(fault, &FAULT_SYSTEM);
    assert_non_null(strstr(why, "connecting: connection refused"));
    assert_int_equal(dial_state(dial, 0), DIAL_FAILED);
}

static void behind_a_failed_address_the_next_one_is_begun_at_once(void **state)
{
    add("127.0.0.7", true);
    add("127.0.0.8", true);
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 2);
    assert_true(ended - began < DIAL_DELAY);
    assert_int_equal(dial_state(dial, 0), DIAL_FAILED);
    assert_int_equal(dial_state(dial, 1), DIAL_FAILED);
}

static void behind_one_that_does_not_answer_the_next_one_is_begun_after_the_delay(void **state)
{
    open_black_hole("127.0.0.7");
    add("127.0.0.7", true);
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 1);
    assert_true(ended - began >= DIAL_DELAY);
    assert_true(ended - began < 3 * DIAL_DELAY);
    assert_int_equal(dial_state(dial, 0), DIAL_OVERTAKEN);
}

static void a_black_hole_of_one_family_costs_the_delay(void **state)
{
    open_black_hole("::1");
    add("::1", true);
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 1);
    assert_true(ended - began >= DIAL_DELAY);
}

static void a_failure_while_another_is_under_way_begins_the_next_at_once(void **state)
{
    open_black_hole("127.0.0.6");
    add("127.0.0.6", true);
    add("127.0.0.7", true); /* refused, after the delay */
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 2);
    assert_true(ended - began < 2 * DIAL_DELAY);
}

static void when_all_have_failed_the_last_reason_is_said(void **state)
{
    add("127.0.0.7", true);
    add("127.0.0.8", false);
    run();
    char expected[100];
    snprintf(expected, sizeof(expected),
             "connecting to 2 addresses failed; the last one was 127.0.0.8:%u", port);
    assert_non_null(strstr(why, expected));
    assert_non_null(strstr(why, "refused"));
}

static bool first_has_failed(void)
{
    return dial_state(dial, 0) == DIAL_FAILED;
}

static void addresses_that_come_late_are_waited_for(void **state)
{
    add("127.0.0.8", true);
    loop_run_until(&loop, first_has_failed);
    assert_int_equal(n_events, 0);
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 1);
}

static void without_late_addresses_it_fails(void **state)
{
    add("127.0.0.8", true);
    loop_run_until(&loop, first_has_failed);
    assert_int_equal(n_events, 0);
    dial_add(dial, NULL, 0, port, false);
    run();
    assert_ptr_equal(fault, &FAULT_SYSTEM);
}

static void it_goes_on_behind_a_connection_that_was_of_no_use(void **state)
{
    open_door("127.0.0.7", 8);
    add("127.0.0.7", true);
    add("127.0.0.9", false);
    run();
    assert_int_equal(connected_to, 0);
    close(connected_fd);
    assert_true(dial_has_more(dial));
    assert_true(dial_go_on(dial));
    run();
    assert_int_equal(connected_to, 1);
    assert_false(dial_go_on(dial));
}

static void a_freed_dial_is_quiet_and_closes_what_it_began(void **state)
{
    open_black_hole("127.0.0.7");
    add("127.0.0.7", true);
    add("127.0.0.9", false);
    int before = dup(0);
    close(before);
    for (int i = 0; i < 3; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(dial_state(dial, 0), DIAL_BEGUN);
    dial_free(dial);
    dial = NULL;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(n_events, 0);
}

static void a_unix_socket_is_connected_to(void **state)
{
    char folder[] = "/tmp/dial.XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", folder);
    int fd = doors[n_doors++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(fd, 1), 0);
    dial_add_path(dial, name.sun_path);
    run();
    assert_true(connected_fd >= 0);
    unlink(name.sun_path);
    rmdir(folder);
}

static void a_unix_socket_that_is_not_there_is_said(void **state)
{
    dial_add_path(dial, "/nowhere/at/all");
    run();
    assert_non_null(strstr(why, "no such file"));
}

/* The number of the next descriptor. */
static uint32_t next_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return (uint32_t)fd;
}

static void descriptors_at_or_beyond_the_bound_are_not_used(void **state)
{
    dial_free(dial);
    dial = dial_new(&loop, next_descriptor(), &events, NULL);
    add("127.0.0.9", false);
    run();
    assert_non_null(strstr(why, "too many open files"));

    dial_free(dial);
    dial = dial_new(&loop, next_descriptor() + 1, &events, NULL);
    add("127.0.0.9", false);
    run();
    assert_true(connected_fd >= 0);
}

#define dial_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        dial_test(one_address_is_connected_to),
        dial_test(a_refused_connection_says_so),
        dial_test(behind_a_failed_address_the_next_one_is_begun_at_once),
        dial_test(behind_one_that_does_not_answer_the_next_one_is_begun_after_the_delay),
        dial_test(a_black_hole_of_one_family_costs_the_delay),
        dial_test(a_failure_while_another_is_under_way_begins_the_next_at_once),
        dial_test(when_all_have_failed_the_last_reason_is_said),
        dial_test(addresses_that_come_late_are_waited_for),
        dial_test(without_late_addresses_it_fails),
        dial_test(it_goes_on_behind_a_connection_that_was_of_no_use),
        dial_test(a_freed_dial_is_quiet_and_closes_what_it_began),
        dial_test(a_unix_socket_is_connected_to),
        dial_test(a_unix_socket_that_is_not_there_is_said),
        dial_test(descriptors_at_or_beyond_the_bound_are_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
