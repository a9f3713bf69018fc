#include "gateway/process/proof.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESPONSE_SIZE = 2048, ADMINS = 2 };

static const char request[] = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\n"
                              "Host: localhost\r\n"
                              "Content-Type: application/proto\r\n"
                              "Content-Length: 0\r\n"
                              "Connection: close\r\n\r\n";

/* A connection to one loop. */
typedef struct Probe {
    uv_poll_t poll;
    Proof *proof;
    int fd;
    uint32_t index;
    size_t size;
    char response[RESPONSE_SIZE + 1];
} Probe;

struct Proof {
    uv_async_t turned; /* threads of admin listeners */
    atomic_uint n_turned;
    Admin *admins[ADMINS];
    unsigned n_admins;
    unsigned n_left; /* loops that have not answered */
    unsigned n_open; /* handles */
    bool done;
    void (*on_done)(void *owner, Result result);
    void *owner;
    uint32_t n_probes;
    Probe probes[];
};

static void end(Proof *proof, Result result)
{
    if (proof->done)
        return;
    proof->done = true;
    proof->on_done(proof->owner, result);
}

static void end_if_all_answered(Proof *proof)
{
    if (proof->n_left == 0 && atomic_load(&proof->n_turned) == proof->n_admins)
        end(proof, OK);
}

/* A HealthCheckResponse with SERVING: field 1 is 1. */
static bool is_good(const Probe *probe)
{
    Bytes response = bytes(probe->response, probe->size);
    return bytes_start_with(response, "HTTP/1.1 200 ") &&
           bytes_end_with(response, "\r\n\r\n\x08\x01");
}

static void fail(Proof *proof, const char *format, ...) PRINTF_LIKE(2, 3);

static void fail(Proof *proof, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    end(proof, FAIL(arena, FAULT_NOT_UPGRADED, "%s", text));
    arena_free(arena);
}

static void on_answered(Probe *probe)
{
    Proof *proof = probe->proof;
    uv_poll_stop(&probe->poll);
    proof->n_left--;
    if (is_good(probe))
        end_if_all_answered(proof);
    else
        fail(proof, "loop %u answers a health check with: %.*s", probe->index,
             (int)strcspn(probe->response, "\r\n"), probe->response);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    Probe *probe = poll->data;
    (void)status;
    (void)events;
    ssize_t n = read(probe->fd, probe->response + probe->size, RESPONSE_SIZE - probe->size);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    probe->size += n > 0 ? (size_t)n : 0;
    probe->response[probe->size] = 0;
    if (n <= 0 || probe->size == RESPONSE_SIZE)
        on_answered(probe);
}

static void on_turned(uv_async_t *turned)
{
    end_if_all_answered(turned->data);
}

/* On the thread of an admin listener. */
static void on_admin_turn(void *owner)
{
    Proof *proof = owner;
    atomic_fetch_add(&proof->n_turned, 1);
    uv_async_send(&proof->turned);
}

static bool ask(Proof *proof, uv_loop_t *loop, Worker *worker)
{
    int ends[2];
    Probe *probe = &proof->probes[proof->n_probes];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    *probe = (Probe){.proof = proof, .fd = ends[0], .index = proof->n_probes};
    proof->n_probes++;
    proof->n_left++;
    worker_accept(worker, ends[1]);
    CHECK(uv_poll_init(loop, &probe->poll, probe->fd) == 0);
    proof->n_open++;
    probe->poll.data = probe;
    CHECK(uv_poll_start(&probe->poll, UV_READABLE, on_readable) == 0);
    return write(probe->fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1;
}

/* Counts the admins before the first one can answer. */
static void ask_admins(Proof *proof, Admin *const admins[ADMINS])
{
    for (int i = 0; i < ADMINS; i++)
        if (admins[i])
            proof->admins[proof->n_admins++] = admins[i];
    for (unsigned i = 0; i < proof->n_admins; i++)
        admin_ask(proof->admins[i], on_admin_turn, proof);
}

Proof *proof_start(uv_loop_t *loop, Worker **workers, uint32_t n_workers, Admin *const admins[2],
                   void (*on_done)(void *owner, Result result), void *owner)
{
    Proof *proof = calloc(1, sizeof *proof + n_workers * sizeof(Probe));
    CHECK(proof);
    proof->on_done = on_done;
    proof->owner = owner;
    CHECK(uv_async_init(loop, &proof->turned, on_turned) == 0);
    proof->turned.data = proof;
    proof->n_open++;
    ask_admins(proof, admins);
    for (uint32_t i = 0; i < n_workers; i++)
        if (!ask(proof, loop, workers[i]))
            proof->n_left++; /* it is never answered: whoever waits gives up in time */
    return proof;
}

static void on_closed(uv_handle_t *handle, Proof *proof)
{
    (void)handle;
    if (--proof->n_open == 0)
        free(proof);
}

static void on_turned_closed(uv_handle_t *handle)
{
    on_closed(handle, handle->data);
}

static void on_probe_closed(uv_handle_t *handle)
{
    Probe *probe = handle->data;
    close(probe->fd);
    on_closed(handle, probe->proof);
}

void proof_stop(Proof *proof)
{
    if (!proof)
        return;
    proof->done = true;
    for (unsigned i = 0; i < proof->n_admins; i++)
        admin_ask(proof->admins[i], NULL, NULL);
    for (uint32_t i = 0; i < proof->n_probes; i++)
        uv_close((uv_handle_t *)&proof->probes[i].poll, on_probe_closed);
    uv_close((uv_handle_t *)&proof->turned, on_turned_closed);
}
