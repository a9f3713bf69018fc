/* Outputs with real files and sockets. */
#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/log_output/tail.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Fixture {
    Arena *arena;
    char folder[32];
    const char *path, *socket;
    LogOutputConfig outputs[LOG_OUTPUTS_MOST];
    LogConfig config;
    LogTarget *target;
} Fixture;

#define CALL "{\"log\":\"call\",\"level\":\"info\",\"client\":\"acme\",\"code\":\"OK\"}"
#define EVENT "{\"log\":\"event\",\"level\":\"error\",\"event\":\"x\",\"message\":\"y\"}"

static int begin(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(ARENA_UNLIMITED);
    strcpy(f->folder, "/tmp/outputs.XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    f->path = arena_printf(f->arena, "%s/log", f->folder);
    f->socket = arena_printf(f->arena, "%s/socket", f->folder);
    f->config = (LogConfig){.outputs = f->outputs, .n_outputs = 1};
    f->outputs[0] = (LogOutputConfig){.name = "log", .path = f->path};
    *state = f;
    return 0;
}

static int end(void **state)
{
    Fixture *f = *state;
    unlink(f->path);
    unlink(f->socket);
    rmdir(f->folder);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void open_outputs(Fixture *f)
{
    assert_ok(f->arena, log_outputs_open(f->arena, &f->config, "gw1", &f->target));
}

/* The parts are as a ring has them. */
static uint64_t write_parts(Fixture *f, const char *first, const char *second)
{
    const struct iovec parts[2] = {{(void *)(uintptr_t)first, strlen(first)},
                                   {(void *)(uintptr_t)second, strlen(second)}};
    return f->target->write(f->target, parts);
}

static void close_outputs(Fixture *f)
{
    f->target->free(f->target);
}

static Bytes content(Fixture *f)
{
    char *text = arena_calloc(f->arena, 1, 1 << 16);
    int file = open(f->path, O_RDONLY);
    ssize_t n = read(file, text, 1 << 16);
    close(file);
    return bytes(text, n > 0 ? (size_t)n : 0);
}

static uint64_t lost_of(const char *name)
{
    LogOutputFigures figures[LOG_FIGURES_MOST];
    uint32_t n = log_outputs_figures(figures);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(figures[i].name, name) == 0)
            return figures[i].lost;
    return UINT64_MAX;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void a_plain_file_gets_the_bytes(void **state)
{
    Fixture *f = *state;
    open_outputs(f);
    assert_int_equal(write_parts(f, "anything\n", "at all\n"), 0);
    close_outputs(f);
    assert_bytes(content(f), "anything\nat all\n");
}

static void lines_have_the_form_of_their_output(void **state)
{
    Fixture *f = *state;
    f->outputs[0].format = "%{client} %{code}";
    f->outputs[0].lines = LOG_CALLS;
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", CALL "\n"), 0);
    close_outputs(f);
    assert_bytes(content(f), "acme OK\nacme OK\n");
}

static void a_line_of_two_parts_is_one(void **state)
{
    Fixture *f = *state;
    f->outputs[0].format = "%{client}";
    open_outputs(f);
    for (size_t at = 0; at < strlen(CALL "\n"); at++) {
        const char *whole = CALL "\n";
        assert_int_equal(write_parts(f, arena_printf(f->arena, "%.*s", (int)at, whole), whole + at),
                         0);
    }
    close_outputs(f);
    Bytes text = content(f), line;
    int n = 0;
    while (text.size && bytes_split(&text, '\n', &line)) {
        assert_bytes(line, "acme");
        n++;
    }
    assert_int_equal(n, strlen(CALL "\n"));
}

static void each_output_gets_the_lines_that_it_is_for(void **state)
{
    static const struct {
        LogLines lines;
        const char *expected;
    } rows[] = {
        {LOG_ALL_LINES, CALL "\n" EVENT "\n"}, {LOG_CALLS, CALL "\n"}, {LOG_EVENTS, EVENT "\n"}};
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f->outputs[0].lines = rows[i].lines;
        f->config.n_outputs = 2;
        f->outputs[1] = (LogOutputConfig){.name = "none", .path = "/dev/null"};
        unlink(f->path);
        open_outputs(f);
        assert_int_equal(write_parts(f, CALL "\n" EVENT "\n", ""), 0);
        close_outputs(f);
        assert_bytes(content(f), rows[i].expected);
    }
}

/* stderr is a file here. */
static void an_event_that_no_output_is_for_goes_to_stderr(void **state)
{
    Fixture *f = *state;
    int before = dup(STDERR_FILENO), file = open(f->socket, O_WRONLY | O_CREAT | O_APPEND, 0600);
    f->outputs[0].lines = LOG_CALLS;
    open_outputs(f);
    dup2(file, STDERR_FILENO);
    assert_int_equal(write_parts(f, CALL "\n" EVENT "\n", ""), 0);
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    close_outputs(f);
    f->path = f->socket;
    assert_bytes(content(f), EVENT "\n");
    f->path = arena_printf(f->arena, "%s/log", f->folder);
}

static void nothing_that_is_redacted_leaves_the_process(void **state)
{
    static const char *const names[] = {"client", NULL};
    Fixture *f = *state;
    f->config.redact = names;
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    close_outputs(f);
    assert_bytes(content(f),
                 "{\"log\":\"call\",\"level\":\"info\",\"client\":\"redacted\",\"code\":\"OK\"}\n");
}

static void ignore(void *owner)
{
}

static void readers_of_tail_get_what_is_written(void **state)
{
    Fixture *f = *state;
    LogFilter filter = {.min_ms = 0};
    static const char *const names[] = {"client", NULL};
    f->config.redact = names;
    open_outputs(f);
    TailReader *reader = tail_open(&filter, ignore, NULL);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    Buffer out = buffer_in(f->arena);
    assert_true(tail_take(reader, &out));
    assert_non_null(strstr(arena_text(f->arena, buffer_bytes(&out)), "\"client\":\"redacted\""));
    tail_close(reader);
    close_outputs(f);
}

static void what_a_file_does_not_take_is_counted_for_it(void **state)
{
    Fixture *f = *state;
    f->outputs[0] = (LogOutputConfig){.name = "full", .path = "/dev/full"};
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n" EVENT "\n", ""), 2);
    close_outputs(f);
    assert_int_equal(lost_of("full"), 2);
    f->outputs[0].readable = true;
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n" EVENT "\n", ""), 2);
    close_outputs(f);
    assert_int_equal(lost_of("full"), 4);
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
    Fixture *f = *state;
    f->outputs[1] = (LogOutputConfig){.name = "x", .path = "/nonexistent/log"};
    f->config.n_outputs = 2;
    assert_fault(log_outputs_open(f->arena, &f->config, "gw1", &f->target), FAULT_NO_FILE);
    assert_fault(log_outputs_check(f->arena, &f->config), FAULT_NO_FILE);
    f->config.n_outputs = 1;
    assert_ok(f->arena, log_outputs_check(f->arena, &f->config));
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static int listen_at(Fixture *f, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->socket);
    unlink(f->socket);
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static const char *receive(Fixture *f, int fd)
{
    char *text = arena_calloc(f->arena, 1, 1 << 18);
    ssize_t n = recv(fd, text, (1 << 18) - 1, 0);
    return n > 0 ? text : NULL;
}

static void use_socket(Fixture *f, LogTo to)
{
    f->outputs[0] = (LogOutputConfig){
        .name = "socket", .to = to, .path = f->socket, .facility = 16, .most = 8192};
}

static void syslog_gets_a_datagram_for_each_line(void **state)
{
    Fixture *f = *state;
    use_socket(f, LOG_TO_SYSLOG);
    int fd = listen_at(f, SOCK_DGRAM);
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", EVENT "\n"), 0);
    const char *expected = arena_printf(f->arena, "<134>passerelle[%ld]: " CALL, (long)getpid());
    assert_string_equal(receive(f, fd), expected);
    assert_non_null(strstr(receive(f, fd), EVENT));
    assert_null(receive(f, fd));
    close_outputs(f);
    close(fd);
}

static void a_daemon_that_was_started_again_is_found(void **state)
{
    Fixture *f = *state;
    use_socket(f, LOG_TO_SYSLOG);
    open_outputs(f);
    uint64_t before = lost_of("socket");
    assert_int_equal(write_parts(f, CALL "\n", ""), 1); /* it is not there yet */
    assert_int_equal(lost_of("socket"), before + 1);
    close_outputs(f);

    int fd = listen_at(f, SOCK_DGRAM);
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    close(fd);
    fd = listen_at(f, SOCK_DGRAM);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    assert_non_null(receive(f, fd));
    close_outputs(f);
    close(fd);
}

/* Its queue is full. It is waited for once, and then no more. */
static void a_daemon_that_stands_still_loses_lines_and_holds_up_nobody(void **state)
{
    Fixture *f = *state;
    use_socket(f, LOG_TO_SYSLOG);
    f->outputs[1] = (LogOutputConfig){.name = "log", .path = f->path};
    f->config.n_outputs = 2;
    int fd = listen_at(f, SOCK_DGRAM);
    open_outputs(f);
    int64_t begun = clock_now();
    uint64_t lost = 0;
    int n = 0;
    for (; lost < 1000; n++)
        lost += write_parts(f, CALL "\n", "");
    assert_true(clock_now() - begun < 5 * SECOND);
    int taken = 0;
    while (receive(f, fd))
        taken++;
    assert_int_equal(taken, n - 1000);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0); /* it takes lines again */
    close_outputs(f);
    close(fd);
    Bytes text = content(f);
    assert_true(text.size > 0);
}

static void the_journal_gets_what_is_too_large_for_a_datagram_in_memory(void **state)
{
    Fixture *f = *state;
    use_socket(f, LOG_TO_JOURNAL);
    f->outputs[0].readable = true;
    int fd = listen_at(f, SOCK_DGRAM), file = -1;
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    const char *entry = receive(f, fd);
    assert_true(bytes_start_with(bytes_of(entry), "MESSAGE= OK acme\nPRIORITY=6\n"));
    assert_non_null(strstr(entry, "\nPASSERELLE_CLIENT=acme\n"));

    Buffer large = buffer_in(f->arena);
    buffer_add_text(&large, "{\"client\":\"");
    while (large.size < 1 << 20)
        buffer_add_byte(&large, 'x');
    buffer_add_text(&large, "\"}\n");
    assert_int_equal(write_parts(f, arena_text(f->arena, buffer_bytes(&large)), ""), 0);
    char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
    assert_int_equal(recvmsg(fd, &message, 0), 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    assert_non_null(head);
    memcpy(&file, CMSG_DATA(head), sizeof file);
    struct stat info;
    assert_int_equal(fstat(file, &info), 0);
    assert_true(info.st_size > 1 << 20);
    assert_int_equal(fcntl(file, F_GET_SEALS),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    close(file);
    close_outputs(f);
    close(fd);
}

static void a_stream_has_counted_messages_and_is_connected_again(void **state)
{
    Fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 5), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    f->outputs[0] = (LogOutputConfig){.name = "tcp",
                                      .to = LOG_TO_SYSLOG,
                                      .transport = LOG_BY_TCP,
                                      .host = "127.0.0.1",
                                      .port = ntohs(address.sin_port),
                                      .format = "%{client}",
                                      .facility = 16,
                                      .most = 8192};
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", CALL "\n"), 0);
    int fd = accept(listening, NULL, NULL);
    const char *text = receive(f, fd);
    const char *message =
        arena_printf(f->arena, "<134>1 - gw1 passerelle %ld call - acme", (long)getpid());
    const char *counted = arena_printf(f->arena, "%zu %s", strlen(message), message);
    while (strlen(text) < 2 * strlen(counted))
        text = arena_printf(f->arena, "%s%s", text, receive(f, fd));
    assert_string_equal(text, arena_printf(f->arena, "%s%s", counted, counted));

    close(fd); /* what follows goes to a new connection */
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    fd = accept(listening, NULL, NULL);
    assert_string_equal(receive(f, fd), counted);
    close(fd);
    close_outputs(f);
    close(listening);
}

static void a_message_that_is_too_long_is_cut_and_counted(void **state)
{
    Fixture *f = *state;
    LogOutputFigures figures[LOG_FIGURES_MOST];
    use_socket(f, LOG_TO_SYSLOG);
    f->outputs[0].name = "short";
    f->outputs[0].most = 40;
    int fd = listen_at(f, SOCK_DGRAM);
    open_outputs(f);
    assert_int_equal(write_parts(f, CALL "\n", ""), 0);
    assert_int_equal(strlen(receive(f, fd)), 40);
    uint32_t n = log_outputs_figures(figures);
    assert_string_equal(figures[n - 1].name, "short");
    assert_int_equal(figures[n - 1].cut, 1);
    assert_int_equal(figures[n - 1].lost, 0);
    close_outputs(f);
    close(fd);
}

static void what_means_the_same_can_stay_open(void **state)
{
    static const char *const some[] = {"a", NULL}, *const more[] = {"a", "b", NULL};
    Fixture *f = *state;
    LogOutputConfig others[2] = {f->outputs[0]};
    LogConfig other = {.outputs = others, .n_outputs = 1, .samples = true, .share = 0.5};
    others[0].name = "another name";
    others[0].path = arena_string(f->arena, f->path);
    assert_true(log_outputs_are_same(&f->config, &other));
    other.redact = some + 1;
    assert_true(log_outputs_are_same(&f->config, &other));
    other.redact = some;
    assert_false(log_outputs_are_same(&f->config, &other));
    f->config.redact = more;
    assert_false(log_outputs_are_same(&f->config, &other));
    other.redact = more;
    assert_true(log_outputs_are_same(&f->config, &other));
    others[0].format = "%{a}";
    assert_false(log_outputs_are_same(&f->config, &other));
    others[0].format = NULL;
    other.n_outputs = 2;
    assert_false(log_outputs_are_same(&f->config, &other));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_file_gets_the_bytes),
        TEST(lines_have_the_form_of_their_output),
        TEST(a_line_of_two_parts_is_one),
        TEST(each_output_gets_the_lines_that_it_is_for),
        TEST(an_event_that_no_output_is_for_goes_to_stderr),
        TEST(nothing_that_is_redacted_leaves_the_process),
        TEST(readers_of_tail_get_what_is_written),
        TEST(what_a_file_does_not_take_is_counted_for_it),
        TEST(a_file_that_cannot_be_opened_is_an_error),
        TEST(syslog_gets_a_datagram_for_each_line),
        TEST(a_daemon_that_was_started_again_is_found),
        TEST(a_daemon_that_stands_still_loses_lines_and_holds_up_nobody),
        TEST(the_journal_gets_what_is_too_large_for_a_datagram_in_memory),
        TEST(a_stream_has_counted_messages_and_is_connected_again),
        TEST(a_message_that_is_too_long_is_cut_and_counted),
        TEST(what_means_the_same_can_stay_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
