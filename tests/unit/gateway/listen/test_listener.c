#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/call/client.h"
#include "gateway/listen/listener.h"
#include "tests/unit/gateway/doubles.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* No request comes that far here. */
uint32_t client_end_all(ClientConnection *client, Result why)
{
    return 0;
}

void client_drop_all(ClientConnection *client, Result why)
{
}

void client_accept(ClientConnection *client, HttpStream *stream, int64_t began)
{
    check_failed("no exchange begins", __FILE__, __LINE__);
}

static Loop loop;
static Config config;
static ListenerConfig listeners[4];
static ConnectionSet connections;
static ListenerSet set;
static atomic_uint n_in_process;
static Arena *arena;
static char directory[] = "/tmp/passerelle-test-XXXXXX";
static char path[64], path_text[80];

static int make_directory(void **state)
{
    if (!mkdtemp(directory))
        return 1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(path_text, sizeof(path_text), "unix:%s", path);
    return 0;
}

static int remove_directory(void **state)
{
    return rmdir(directory);
}

static int fresh(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    memset(counted, 0, sizeof(counted));
    config = config_for_test();
    config.limits.connections = 100;
    config.limits.idle_time = 30 * SECOND;
    config.listeners = listeners;
    config.n_listeners = 0;
    n_in_process = 0;
    loop_init(&loop, 0);
    loop.config = &config;
    connections = (ConnectionSet){.loop = &loop, .n_in_process = &n_in_process};
    listeners_init(&set, &loop, &connections);
    return 0;
}

static int used(void **state)
{
    listeners_close(&set);
    connections_abort(&connections, OK);
    loop_deinit(&loop);
    unlink(path);
    arena_free(arena);
    return 0;
}

static void want(Address address)
{
    listeners[config.n_listeners++] = (ListenerConfig){.address = address};
}

static Address unix_address(void)
{
    return (Address){.text = path_text, .path = path};
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static int connect_v4(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint32_t wanted_connections;

static bool has_connections(void)
{
    return connections.n == wanted_connections;
}

static void expect_connections(uint32_t n)
{
    wanted_connections = n;
    loop_run_until(&loop, has_connections);
}

static BoundSocket *bind_all(const Config *running, uint32_t n_loops)
{
    BoundSocket *sockets;
    assert_ok(arena, bind_listeners(arena, &config, running, n_loops, &sockets));
    return sockets;
}

static void each_loop_has_a_socket_on_the_same_port(void **state)
{
    want((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    BoundSocket *sockets = bind_all(NULL, 3);
    assert_null(sockets->next);
    uint16_t port = port_of(sockets->fds[0]);
    assert_int_not_equal(port, 0);
    for (int i = 1; i < 3; i++)
        assert_int_equal(port_of(sockets->fds[i]), port);
    bind_close(sockets, 3);
    assert_int_equal(connect_v4(port), -1);
}

static void a_client_is_accepted(void **state)
{
    want((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    BoundSocket *sockets = bind_all(NULL, 1);
    uint16_t port = port_of(sockets->fds[0]);
    listeners_apply(&set, &config, sockets);
    assert_int_equal(sockets->fds[0], -1);
    int client = connect_v4(port);
    assert_true(client >= 0);
    expect_connections(1);
    close(client);
    expect_connections(0);
}

static void a_port_that_is_taken_is_an_error_and_nothing_stays_open(void **state)
{
    want((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    BoundSocket *first = bind_all(NULL, 1);
    uint16_t port = port_of(first->fds[0]);

    config.n_listeners = 0;
    want(unix_address());
    want((Address){.text = "taken", .host = "127.0.0.1", .port = port});
    BoundSocket *second;
    Result r = bind_listeners(arena, &config, NULL, 1, &second);
    assert_fault(r, FAULT_SYSTEM);
    assert_non_null(strstr(r.error->doing, "taken: Address already in use"));
    assert_null(second);
    struct stat info;
    assert_int_equal(stat(path, &info), -1);
    bind_close(first, 1);
}

static void a_host_that_is_not_known_is_an_error(void **state)
{
    want((Address){.text = "nowhere.invalid:80", .host = "nowhere.invalid", .port = 80});
    BoundSocket *sockets;
    assert_fault(bind_listeners(arena, &config, NULL, 1, &sockets), FAULT_BAD_CONFIG);
}

static void ipv6_takes_ipv4_along_unless_that_has_a_listener(void **state)
{
    want((Address){.text = "[::]:0", .host = "::"});
    BoundSocket *sockets = bind_all(NULL, 1);
    uint16_t port = port_of(sockets->fds[0]);
    int client = connect_v4(port);
    assert_true(client >= 0);
    close(client);
    bind_close(sockets, 1);

    config.n_listeners = 0;
    want((Address){.text = "v6", .host = "::", .port = port});
    want((Address){.text = "v4", .host = "127.0.0.1", .port = port});
    sockets = bind_all(NULL, 1);
    for (BoundSocket *s = sockets; s; s = s->next) {
        int v6_only = 0;
        socklen_t size = sizeof(v6_only);
        if (strcmp(s->listener->address.text, "v6") == 0) {
            assert_int_equal(getsockopt(s->fds[0], IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size), 0);
            assert_int_equal(v6_only, 1);
        }
    }
    bind_close(sockets, 1);
}

static void a_unix_socket_is_shared_by_the_loops(void **state)
{
    want(unix_address());
    BoundSocket *sockets = bind_all(NULL, 2);
    assert_int_not_equal(sockets->fds[0], sockets->fds[1]);
    listeners_apply(&set, &config, sockets);
    int client = connect_unix();
    assert_true(client >= 0);
    expect_connections(1);
    close(client);
    close(sockets->fds[1]);
}

static void a_stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    want(unix_address());
    BoundSocket *sockets = bind_all(NULL, 1);
    BoundSocket *second;
    assert_fault(bind_listeners(arena, &config, NULL, 1, &second), FAULT_SYSTEM);
    bind_close(sockets, 1); /* its file stays, as after a crash */

    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    sockets = bind_all(NULL, 1);
    assert_int_not_equal(connect_unix(), -1);
    bind_close(sockets, 1);
    bind_forget(&config, &config);
    assert_int_equal(stat(path, &info), 0);
    bind_forget(&config, NULL);
    assert_int_equal(stat(path, &info), -1);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    want(unix_address());
    BoundSocket *sockets;
    assert_fault(bind_listeners(arena, &config, NULL, 1, &sockets), FAULT_SYSTEM);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
    char longer[200];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    want((Address){.text = "unix:long", .path = longer});
    BoundSocket *sockets;
    assert_fault(bind_listeners(arena, &config, NULL, 1, &sockets), FAULT_BAD_CONFIG);
}

static void a_reload_keeps_opens_and_closes(void **state)
{
    want((Address){.text = "one", .host = "127.0.0.1"});
    want(unix_address());
    BoundSocket *sockets = bind_all(NULL, 1);
    uint16_t port = 0;
    for (BoundSocket *s = sockets; s; s = s->next) {
        if (!s->listener->address.path)
            port = port_of(s->fds[0]);
    }
    listeners_apply(&set, &config, sockets);
    int waiting = connect_unix(); /* accepted, though its listener goes */

    Config old = config;
    ListenerConfig kept[2] = {listeners[0], {.address = {.text = "two", .host = "127.0.0.1"}}};
    config.listeners = kept;
    config.n_listeners = 2;
    sockets = bind_all(&old, 1);
    assert_null(sockets->next); /* only the new one is opened */
    uint16_t new_port = port_of(sockets->fds[0]);
    listeners_apply(&set, &config, sockets);
    bind_forget(&old, &config);

    int first = connect_v4(port), second = connect_v4(new_port);
    assert_true(waiting >= 0 && first >= 0 && second >= 0);
    expect_connections(3);
    assert_int_equal(connect_unix(), -1);
    close(waiting);
    close(first);
    close(second);
    config.listeners = listeners;
}

static bool somebody_was_refused(void)
{
    return counted[COUNTER_CONNECTIONS_REFUSED] > 0;
}

static unsigned expected_refused;

static bool as_many_were_refused(void)
{
    return counted[COUNTER_CONNECTIONS_REFUSED] >= expected_refused;
}

/* The lowest number that is free. */
static int next_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void clients_leave_the_descriptors_that_are_reserved(void **state)
{
    want((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    BoundSocket *sockets = bind_all(NULL, 1);
    uint16_t port = port_of(sockets->fds[0]);
    listeners_apply(&set, &config, sockets);

    int clients[4], first = connect_v4(port);
    expect_connections(1); /* and libuv has opened what it opens with a loop's first socket */
    close(first);
    expect_connections(0);
    for (int i = 0; i < 4; i++)
        clients[i] = connect_v4(port); /* they wait in the backlog */
    config.descriptors.clients = (uint32_t)next_descriptor() + 2;
    expected_refused = 2;
    loop_run_until(&loop, as_many_were_refused);
    assert_int_equal(connections.n, 2);
    assert_int_equal(counted[COUNTER_CONNECTIONS_REFUSED], 2);
    assert_int_equal(next_descriptor(), config.descriptors.clients);

    close(clients[0]);
    expect_connections(1);
    clients[0] = connect_v4(port); /* the place of one that has left is for the next */
    expect_connections(2);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    expect_connections(0);
}

/* Without a descriptor to accept with, a client is sent away instead of waiting for ever. */
static void without_descriptors_clients_are_sent_away(void **state)
{
    want((Address){.text = "127.0.0.1:0", .host = "127.0.0.1"});
    BoundSocket *sockets = bind_all(NULL, 1);
    uint16_t port = port_of(sockets->fds[0]);
    listeners_apply(&set, &config, sockets);

    int client = connect_v4(port);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)client + 1; /* all below are in use */
    int holes[64], n_holes = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (n_holes < 64 && (holes[n_holes] = dup(0)) >= 0)
        n_holes++;
    assert_int_equal(errno, EMFILE);
    loop_run_until(&loop, somebody_was_refused);
    assert_int_equal(connections.n, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (n_holes > 0)
        close(holes[--n_holes]);

    char byte;
    assert_int_equal(read(client, &byte, 1), 0);
    close(client);
    client = connect_v4(port); /* and those who come later are served */
    expect_connections(1);
    close(client);
}

#define listener_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        listener_test(each_loop_has_a_socket_on_the_same_port),
        listener_test(a_client_is_accepted),
        listener_test(a_port_that_is_taken_is_an_error_and_nothing_stays_open),
        listener_test(a_host_that_is_not_known_is_an_error),
        listener_test(ipv6_takes_ipv4_along_unless_that_has_a_listener),
        listener_test(a_unix_socket_is_shared_by_the_loops),
        listener_test(a_stale_unix_socket_is_replaced_and_a_live_one_is_not),
        listener_test(a_file_that_is_no_socket_is_left_alone),
        listener_test(a_path_that_is_too_long_is_an_error),
        listener_test(a_reload_keeps_opens_and_closes),
        listener_test(clients_leave_the_descriptors_that_are_reserved),
        listener_test(without_descriptors_clients_are_sent_away),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
