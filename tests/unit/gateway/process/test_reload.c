#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/process/reload.h"
#include "gateway/service/config_load.h"
#include "gateway/thread/thread.h"
#include "tests/unit/gateway/garage.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2 };

#define SERVICE(schema)                                                                            \
    "services:\n  - name: garage\n"                                                                \
    "    versions: [{name: v1, package: garage.v1, schema: " schema "}]\n"                         \
    "    instances: ['127.0.0.1:7003']\n"
#define PLAIN SERVICE("garage.binpb")

static Arena *arena;
static char path[256]; /* of the config, beside the garage's schema */
static Config *running;
static uv_loop_t loop;
static int n_read;

static void on_read(void *owner)
{
    assert_ptr_equal(owner, &n_read);
    n_read++;
}

static void write_config(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static Config *loaded(const char *text)
{
    Arena *own = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    assert_ok(arena,
              config_load_text(bytes_of(text), FILES "a.yaml", NULL, own, &problems, &config));
    assert_non_null(config);
    return config;
}

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    snprintf(path, sizeof path, "%s/reload-%d.yaml", GARAGE, (int)getpid());
    running = loaded("listen: ['127.0.0.1:0']\n" PLAIN);
    n_read = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    return 0;
}

static int tear_down(void **state)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_unref(running);
    unlink(path);
    arena_free(arena);
    return 0;
}

static Reload *start(void)
{
    return reload_start(path, running, WORKERS, &loop, on_read, &n_read);
}

/* Until on_read was called. */
static void wait_until_read(void)
{
    while (n_read == 0)
        uv_run(&loop, UV_RUN_ONCE);
}

static Reload *reloaded(const char *text)
{
    write_config(text);
    Reload *reload = start();
    wait_until_read();
    return reload;
}

static void assert_refused(Reload *reload, const char *fault, const char *text)
{
    Config *config = NULL;
    Result r = reload_finish(reload, arena, &config);
    assert_true(failed(r));
    assert_string_equal(r.error->fault->name, fault);
    if (!strstr(error_text(arena, r), text))
        fail_msg("%s", error_text(arena, r));
    assert_null(config);
}

static void a_good_config_is_given_with_its_reference(void **state)
{
    Reload *reload = reloaded("listen: ['127.0.0.1:0']\n" PLAIN);
    Config *config = NULL;
    assert_int_equal(running->references, 2); /* as long as it is compared with */
    assert_ok(arena, reload_finish(reload, arena, &config));
    assert_int_equal(running->references, 1);
    assert_int_equal(config->references, 1);
    assert_int_equal(config->n_services, 1);
    assert_null(reload_sockets(reload)); /* the address is one that the running config has */
    assert_int_equal(reload_mistakes(reload).size, 0);
    assert_int_equal(n_read, 1);
    for (int i = 0; i < WORKERS; i++)
        reload_taken(reload); /* the last one frees it */
    config_unref(config);
}

static void new_addresses_are_opened_once_for_each_worker(void **state)
{
    Reload *reload = reloaded("listen: ['127.0.0.1:0', 'localhost:0']\n" PLAIN);
    Config *config;
    assert_ok(arena, reload_finish(reload, arena, &config));
    const BoundSocket *bound = reload_sockets(reload);
    assert_non_null(bound);
    assert_string_equal(bound->listener->address.text, "localhost:0");
    int fds[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        fds[i] = bound->fds[i];
        assert_int_not_equal(fcntl(fds[i], F_GETFD), -1);
    }
    assert_int_not_equal(fds[0], fds[1]);
    reload_taken(reload);
    assert_int_not_equal(fcntl(fds[1], F_GETFD), -1); /* the other worker may still take its own */
    reload_taken(reload);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* what nobody took is closed */
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    config_unref(config);
}

static void each_mistake_is_told(void **state)
{
    Reload *reload = reloaded("listen: ['127.0.0.1:0']\nliste: []\n" PLAIN);
    assert_refused(reload, "BAD_CONFIG", "1 mistake in ");
    assert_non_null(strstr(arena_text(arena, reload_mistakes(reload)), ":2:1: liste: "));
    reload_drop(reload);
    n_read = 0;
    reload = reloaded("listen: ['127.0.0.1:0']\nliste: []\nlisten_: []\n" PLAIN);
    assert_refused(reload, "BAD_CONFIG", "2 mistakes in ");
    reload_drop(reload);
    assert_int_equal(running->references, 1);
}

static void a_file_that_is_not_there_is_refused(void **state)
{
    Reload *reload = start();
    wait_until_read();
    assert_refused(reload, "BAD_CONFIG", "NO_FILE");
    reload_drop(reload);
}

static int listening(bool accepts, uint16_t *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(fd, accepts ? 8 : 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    *port = ntohs(name.sin_port);
    return fd;
}

static void an_address_that_is_taken_is_refused_and_nothing_stays_open(void **state)
{
    uint16_t port;
    int taken = listening(true, &port);
    Reload *reload =
        reloaded(arena_printf(arena, "listen: ['127.0.0.1:0', '127.0.0.1:%u']\n" PLAIN, port));
    assert_refused(reload, "SYSTEM", "Address already in use");
    assert_null(reload_sockets(reload));
    reload_drop(reload);
    close(taken);
}

/* An instance that is asked for its schema, and never answers. */
static void one_that_waits_for_an_instance_can_be_cancelled(void **state)
{
    uint16_t port;
    int silent = listening(true, &port);
    write_config(arena_printf(
        arena, "listen: ['127.0.0.1:0']\n" SERVICE("{reflection: '127.0.0.1:%u', timeout: 60s}"),
        port));
    Reload *reload = start();
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(n_read, 0);
    assert_string_equal(reload_doing(reload, arena), "waiting for schemas of instances");
    assert_true(reload_time(reload) >= 50 * MILLISECOND);
    reload_cancel(reload);
    wait_until_read();
    assert_refused(reload, "SHUTTING_DOWN", "the gateway stops");
    reload_drop(reload);
    close(silent);
}

static void one_that_is_cancelled_too_late_has_its_config(void **state)
{
    Reload *reload = reloaded("listen: ['127.0.0.1:0']\n" PLAIN);
    reload_cancel(reload);
    Config *config = NULL;
    assert_ok(arena, reload_finish(reload, arena, &config));
    assert_non_null(config);
    reload_drop(reload);
    config_unref(config);
}

/* The config is a pipe to which nobody writes. */
static void one_that_waits_for_a_file_says_which_and_can_be_left_behind(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const char *pipe_path = arena_printf(arena, "/dev/fd/%d", ends[0]);
    Reload *reload = reload_start(pipe_path, running, WORKERS, &loop, on_read, &n_read);
    const char *expected = arena_printf(arena, "reading %s", pipe_path);
    while (strcmp(reload_doing(reload, arena), expected) != 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    reload_cancel(reload);
    reload_leave(reload);
    uv_run(&loop, UV_RUN_DEFAULT); /* it has nothing more to wait for */
    assert_int_equal(threads_left(), 1);
    assert_int_equal(n_read, 0);
    close(ends[1]); /* the end of the file */
    while (threads_left())
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(n_read, 0);
    close(ends[0]);
    config_unref(running); /* its own reference, which it keeps, as its memory */
    reload_drop(reload);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_good_config_is_given_with_its_reference),
        TEST(new_addresses_are_opened_once_for_each_worker),
        TEST(each_mistake_is_told),
        TEST(a_file_that_is_not_there_is_refused),
        TEST(an_address_that_is_taken_is_refused_and_nothing_stays_open),
        TEST(one_that_waits_for_an_instance_can_be_cancelled),
        TEST(one_that_is_cancelled_too_late_has_its_config),
        TEST(one_that_waits_for_a_file_says_which_and_can_be_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
