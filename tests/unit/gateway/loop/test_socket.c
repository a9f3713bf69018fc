#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/loop/socket.h"
#include "tests/unit/gateway/certificates.h"
#include "tests/unit/gateway/doubles.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a connection, and what became of it. */
typedef struct End {
    Socket socket;
    const uint8_t *to_send;
    size_t send_size, sent;
    uint8_t *received;
    size_t received_size, received_room;
    bool shut_after_sending, close_on_read;
    bool ready, eof, closed;
    const Fault *lost;
    char why[256];
} End;

static Loop loop;
static End here, there;
static int n_open;

static End *end_of(Socket *socket)
{
    return (End *)socket;
}

static void pump(End *end)
{
    struct iovec vectors[3]; /* uneven pieces, so that records are gathered and cut */
    while (end->sent < end->send_size) {
        size_t left = end->send_size - end->sent, given = 0;
        const uint8_t *at = end->to_send + end->sent;
        size_t sizes[3] = {9, 40000, 100};
        int n = 0;
        for (; n < 3 && given < left; n++) {
            size_t size = sizes[n] < left - given ? sizes[n] : left - given;
            vectors[n] = (struct iovec){(void *)(at + given), size};
            given += size;
        }
        size_t taken = socket_write(&end->socket, vectors, n);
        end->sent += taken;
        if (taken < given)
            return;
    }
    if (end->shut_after_sending)
        socket_shutdown(&end->socket);
}

static void on_ready(Socket *socket)
{
    end_of(socket)->ready = true;
    pump(end_of(socket));
}

static void on_read(Socket *socket, Bytes input)
{
    End *end = end_of(socket);
    if (end->received_size + input.size > end->received_room) {
        end->received_room = 2 * (end->received_size + input.size);
        end->received = realloc(end->received, end->received_room);
    }
    memcpy(end->received + end->received_size, input.data, input.size);
    end->received_size += input.size;
    if (end->close_on_read)
        socket_close(socket);
}

static void on_eof(Socket *socket)
{
    assert_false(end_of(socket)->eof);
    end_of(socket)->eof = true;
}

static void on_writable(Socket *socket)
{
    pump(end_of(socket));
}

static void on_lost(Socket *socket, Result why)
{
    assert_null(end_of(socket)->lost);
    end_of(socket)->lost = error_origin(why)->fault;
    snprintf(end_of(socket)->why, sizeof(end_of(socket)->why), "%s", error_origin(why)->doing);
    socket_close(socket);
}

static void on_closed(Socket *socket)
{
    assert_false(end_of(socket)->closed);
    end_of(socket)->closed = true;
    n_open--;
}

static const SocketEvents events = {on_ready, on_read, on_eof, on_writable, on_lost, on_closed};

static bool both_closed(void)
{
    return n_open == 0;
}

static int fresh(void **state)
{
    here = there = (End){0};
    n_open = 0;
    loop_init(&loop, 0);
    return 0;
}

static int used(void **state)
{
    socket_close(&here.socket);
    socket_close(&there.socket);
    loop_run_until(&loop, both_closed);
    loop_deinit(&loop);
    free(here.received);
    free(there.received);
    return 0;
}

static void open_pair(SSL_CTX *server)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    socket_open(&here.socket, &loop, &events, fds[0], false, NULL);
    socket_open(&there.socket, &loop, &events, fds[1], false, server);
    n_open = 2;
}

/* A listening TCP socket on a port that the system chose. */
static int listen_anywhere(struct sockaddr_in *address)
{
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

/* Connects `here` by TCP to `there`. */
static void connect_pair(SSL_CTX *server, const SocketPeer *peer)
{
    struct sockaddr_in address;
    int listening = listen_anywhere(&address);
    int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(connected, (struct sockaddr *)&address, sizeof(address)), 0);
    socket_connect(&here.socket, &loop, &events, connected, true, peer);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(listening);
    socket_open(&there.socket, &loop, &events, fd, true, server);
    n_open = 2;
}

static void send_text(End *end, const char *text)
{
    end->to_send = (const uint8_t *)text;
    end->send_size = strlen(text);
}

static bool both_received_something(void)
{
    return here.received_size > 0 && there.received_size > 0;
}

static void bytes_go_both_ways(void **state)
{
    open_pair(NULL);
    send_text(&here, "ping");
    send_text(&there, "pong");
    loop_run_until(&loop, both_received_something);
    assert_bytes(bytes(there.received, there.received_size), "ping");
    assert_bytes(bytes(here.received, here.received_size), "pong");
    assert_true(here.ready && there.ready);
}

static uint8_t *random_bytes(size_t size)
{
    uint8_t *data = malloc(size);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        data[i] = (uint8_t)x;
    }
    return data;
}

static bool there_is_at_its_end(void)
{
    return there.eof;
}

static bool here_waits(void)
{
    return socket_busy(&here.socket);
}

/* The reader begins only when the sender is held up. */
static void send_much(void)
{
    enum { SIZE = 6 * 1024 * 1024 + 17 };
    uint8_t *data = random_bytes(SIZE);
    here.to_send = data;
    here.send_size = SIZE;
    here.shut_after_sending = true;
    socket_pause(&there.socket);
    if (!there.socket.tls) /* else the handshake could not begin */
        loop_run_until(&loop, here_waits);
    assert_true(there.socket.tls || here.sent < SIZE);
    socket_resume(&there.socket);
    loop_run_until(&loop, there_is_at_its_end);
    assert_int_equal(there.received_size, SIZE);
    assert_memory_equal(there.received, data, SIZE);
    assert_false(socket_busy(&here.socket));
    free(data);
}

static void much_arrives_whole_though_the_reader_is_late(void **state)
{
    open_pair(NULL);
    send_much();
}

static bool here_is_at_its_end(void)
{
    return here.eof;
}

static void one_side_may_end_before_the_other(void **state)
{
    open_pair(NULL);
    here.shut_after_sending = true;
    send_text(&here, "question");
    loop_run_until(&loop, there_is_at_its_end);
    assert_false(here.eof);

    send_text(&there, "answer");
    there.shut_after_sending = true;
    pump(&there);
    loop_run_until(&loop, here_is_at_its_end);
    assert_bytes(bytes(here.received, here.received_size), "answer");
}

static bool there_is_closed(void)
{
    return there.closed;
}

static void the_owner_may_close_within_an_event(void **state)
{
    open_pair(NULL);
    there.close_on_read = true;
    send_text(&here, "goodbye");
    loop_run_until(&loop, there_is_closed);
    assert_int_equal(there.received_size, 7);
    assert_null(there.lost);
}

static bool here_is_lost(void)
{
    return here.lost && here.closed;
}

static bool here_is_busy(void)
{
    return socket_busy(&here.socket);
}

static void writing_to_a_peer_that_is_gone_loses_the_connection(void **state)
{
    open_pair(NULL);
    there.close_on_read = true;
    send_text(&here, "x");
    loop_run_until(&loop, there_is_closed);
    uint8_t *data = random_bytes(1 << 20);
    here.to_send = data;
    here.send_size = 1 << 20;
    here.sent = 0;
    pump(&here);
    assert_null(here.lost); /* never from within the call */
    assert_int_equal(here.sent, 0);
    loop_run_until(&loop, here_is_lost);
    assert_ptr_equal(here.lost, &FAULT_SYSTEM);
    free(data);
}

static bool here_is_ready(void)
{
    return here.ready;
}

/* The peer responds, and closes with bytes unread, which resets the connection. */
static void respond_and_reset(End *peer, Bytes response)
{
    uv_os_fd_t fd;
    assert_int_equal(uv_fileno(&peer->socket.uv.handle, &fd), 0);
    assert_int_equal(write(fd, response.data, response.size), response.size);
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    socket_close(&peer->socket);
}

/* The write fails in the turn in which the response arrives, before it is read. */
static void what_a_server_has_said_before_it_reset_the_connection_is_read(void **state)
{
    connect_pair(NULL, &(SocketPeer){.tls = NULL});
    loop_run_until(&loop, here_is_ready);
    uint8_t *response = random_bytes(100000);
    respond_and_reset(&there, bytes(response, 100000));
    send_text(&here, "more of the request");
    pump(&here);
    assert_null(here.lost); /* never from within the call */
    loop_run_until(&loop, here_is_lost);
    assert_int_equal(here.received_size, 100000);
    assert_memory_equal(here.received, response, 100000);
    assert_ptr_equal(here.lost, &FAULT_SYSTEM);
    free(response);
}

/* What was copied for the kernel is not sent any more. */
static void what_a_lost_socket_has_not_sent_is_known(void **state)
{
    open_pair(NULL);
    socket_pause(&there.socket);
    uint8_t *data = random_bytes(1 << 20);
    here.to_send = data;
    here.send_size = 1 << 20;
    pump(&here);
    loop_run_until(&loop, here_is_busy);
    size_t unsent = socket_unsent(&here.socket);
    assert_true(unsent > 0 && unsent < here.sent);
    socket_close(&there.socket);
    loop_run_until(&loop, here_is_lost);
    assert_int_equal(socket_unsent(&here.socket), unsent);
    free(data);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static Authority authority, stranger;
static SSL_CTX *server, *strict_server, *client, *known_client, *wary_client;

static int make_contexts(void **state)
{
    authority = authority_new();
    stranger = authority_new();
    server = server_context(&authority, "shop.example", true, NULL);
    strict_server = server_context(&authority, "shop.example", true, &authority);
    client = client_context(&authority, NULL, NULL);
    known_client = client_context(&authority, &authority, "panel");
    wary_client = client_context(&stranger, NULL, NULL);
    return 0;
}

static int free_contexts(void **state)
{
    SSL_CTX *all[] = {server, strict_server, client, known_client, wary_client};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        SSL_CTX_free(all[i]);
    authority_free(&authority);
    authority_free(&stranger);
    return 0;
}

static void tls_agrees_on_a_protocol_and_carries_bytes(void **state)
{
    connect_pair(server, &(SocketPeer){client, "shop.example", "h2"});
    send_text(&here, "ping");
    send_text(&there, "pong");
    loop_run_until(&loop, both_received_something);
    assert_bytes(bytes(there.received, there.received_size), "ping");
    assert_bytes(bytes(here.received, here.received_size), "pong");
    assert_bytes(socket_alpn(&here.socket), "h2");
    assert_bytes(socket_alpn(&there.socket), "h2");
    assert_null(socket_peer_names(&there.socket));
}

static bool both_ready(void)
{
    return here.ready && there.ready;
}

static void what_is_encrypted_and_cannot_be_sent_was_not_accepted(void **state)
{
    int fd;
    connect_pair(server, &(SocketPeer){client, "shop.example", NULL});
    loop_run_until(&loop, both_ready);
    assert_int_equal(uv_fileno(&here.socket.uv.handle, &fd), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0); /* from now on each write fails */
    send_text(&here, "x");
    pump(&here);
    assert_int_equal(here.sent, 0);
    loop_run_until(&loop, here_is_lost);
    assert_ptr_equal(here.lost, &FAULT_SYSTEM);
}

static bool has_ticket(void)
{
    return SSL_SESSION_has_ticket(SSL_get_session(here.socket.tls));
}

static int unread_by_here(void)
{
    int fd, n = -1;
    assert_int_equal(uv_fileno(&here.socket.uv.handle, &fd), 0);
    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

static bool here_has_received_something(void)
{
    return here.received_size > 0;
}

static void the_ticket_of_tls_1_3_comes_with_what_is_sent_first(void **state)
{
    connect_pair(server, &(SocketPeer){client, "shop.example", "h2"});
    loop_run_until(&loop, both_ready);
    assert_int_equal(unread_by_here(), 0);
    assert_false(has_ticket());
    send_text(&there, "pong");
    pump(&there);
    loop_run_until(&loop, here_has_received_something);
    assert_bytes(bytes(here.received, here.received_size), "pong");
    assert_true(has_ticket());
}

/* In TLS 1.2 it is within the handshake, which the client waits for. */
static void the_ticket_of_tls_1_2_comes_at_once(void **state)
{
    SSL_CTX *older = client_context(&authority, NULL, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(older, TLS1_2_VERSION), 1);
    connect_pair(server, &(SocketPeer){older, "shop.example", "h2"});
    loop_run_until(&loop, both_ready);
    assert_true(has_ticket());
    SSL_CTX_free(older);
}

static bool both_are_at_their_ends(void)
{
    return here.eof && there.eof;
}

/* Its sequence number is before that of close_notify. */
static void a_connection_ends_well_though_its_ticket_was_never_sent(void **state)
{
    connect_pair(server, &(SocketPeer){client, "shop.example", "h2"});
    loop_run_until(&loop, both_ready);
    socket_shutdown(&there.socket);
    socket_shutdown(&here.socket);
    loop_run_until(&loop, both_are_at_their_ends);
    assert_true(!here.lost && !there.lost);
}

static void much_arrives_whole_under_tls(void **state)
{
    connect_pair(server, &(SocketPeer){client, "shop.example", NULL});
    send_much();
    assert_true(there.eof && !there.lost);
}

static void the_server_learns_who_the_client_is(void **state)
{
    connect_pair(strict_server, &(SocketPeer){known_client, "shop.example", "h2"});
    send_text(&here, "ping");
    send_text(&there, "pong");
    loop_run_until(&loop, both_received_something);
    CertificateNames *names = socket_peer_names(&there.socket);
    assert_string_equal(names->names[CERTIFICATE_SUBJECT], "CN=panel,O=Shop");
    assert_string_equal(names->names[CERTIFICATE_DNS], "panel");
    free(names);
}

static bool one_is_lost(void)
{
    return here.lost || there.lost;
}

static void a_client_without_a_certificate_is_refused_where_one_is_asked_for(void **state)
{
    connect_pair(strict_server, &(SocketPeer){client, "shop.example", "h2"});
    loop_run_until(&loop, there_is_closed);
    assert_ptr_equal(there.lost, &FAULT_TLS);
    assert_false(there.ready);
}

static void a_server_that_is_not_trusted_is_refused(void **state)
{
    connect_pair(server, &(SocketPeer){wary_client, "shop.example", "h2"});
    loop_run_until(&loop, here_is_lost);
    assert_ptr_equal(here.lost, &FAULT_TLS);
    assert_non_null(strstr(here.why, "certificate"));
    assert_false(here.ready);
}

static void a_server_of_another_name_is_refused(void **state)
{
    connect_pair(server, &(SocketPeer){client, "bank.example", "h2"});
    loop_run_until(&loop, here_is_lost);
    assert_ptr_equal(here.lost, &FAULT_TLS);
    assert_non_null(strstr(here.why, "ostname mismatch"));
}

static void cleartext_is_not_a_handshake(void **state)
{
    open_pair(server);
    send_text(&here, "GET / HTTP/1.1\r\n\r\n");
    loop_run_until(&loop, one_is_lost);
    assert_ptr_equal(there.lost, &FAULT_TLS);
}

/* RFC 8446 section 6.1: what ends without close_notify may have been cut off. */
static void an_end_without_close_notify_is_a_loss(void **state)
{
    connect_pair(server, &(SocketPeer){client, "shop.example", "h2"});
    loop_run_until(&loop, both_ready);
    uv_os_fd_t fd;
    assert_int_equal(uv_fileno(&here.socket.uv.handle, &fd), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0); /* behind TLS's back */
    loop_run_until(&loop, there_is_closed);
    assert_ptr_equal(there.lost, &FAULT_TLS);
    assert_false(there.eof);
}

static void addresses_have_names(void **state)
{
    char name[SOCKET_NAME_SIZE];
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socket_address_name((struct sockaddr *)&v4, name);
    assert_string_equal(name, "127.0.0.1:80");
    socket_address_name((struct sockaddr *)&v6, name);
    assert_string_equal(name, "[::1]:443");
    memcpy(&v6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x02", 16);
    socket_address_name((struct sockaddr *)&v6, name);
    assert_string_equal(name, "127.0.0.2:443");
    socket_address_name(&(struct sockaddr){.sa_family = AF_UNIX}, name);
    assert_string_equal(name, "unix");
}

#define socket_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        socket_test(bytes_go_both_ways),
        socket_test(much_arrives_whole_though_the_reader_is_late),
        socket_test(one_side_may_end_before_the_other),
        socket_test(the_owner_may_close_within_an_event),
        socket_test(writing_to_a_peer_that_is_gone_loses_the_connection),
        socket_test(what_a_server_has_said_before_it_reset_the_connection_is_read),
        socket_test(what_a_lost_socket_has_not_sent_is_known),
        socket_test(tls_agrees_on_a_protocol_and_carries_bytes),
        socket_test(the_ticket_of_tls_1_3_comes_with_what_is_sent_first),
        socket_test(the_ticket_of_tls_1_2_comes_at_once),
        socket_test(a_connection_ends_well_though_its_ticket_was_never_sent),
        socket_test(much_arrives_whole_under_tls),
        socket_test(what_is_encrypted_and_cannot_be_sent_was_not_accepted),
        socket_test(the_server_learns_who_the_client_is),
        socket_test(a_client_without_a_certificate_is_refused_where_one_is_asked_for),
        socket_test(a_server_that_is_not_trusted_is_refused),
        socket_test(a_server_of_another_name_is_refused),
        socket_test(cleartext_is_not_a_handshake),
        socket_test(an_end_without_close_notify_is_a_loss),
        cmocka_unit_test(addresses_have_names),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
