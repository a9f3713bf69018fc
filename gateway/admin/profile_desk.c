#include "gateway/admin/admin_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/admin/response.h"
#include "gateway/profile/heap.h"
#include "gateway/profile/profiling.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/chore.h"
#include "gateway/thread/thread.h"
#include "protocols/http/http.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

/* A request for a profile. */
typedef struct ProfileTask {
    Arena *arena;
    h2o_req_t *req; /* NULL: it has gone, or was answered */
    Chore *chore;
    ProfileTurn turn;
    const char *node;
    int socket; /* that of the request, once more: it is looked at on the thread */
    atomic_bool over;
    /* What the thread has made: */
    Result result;
    Buffer profile;
} ProfileTask;

/* The one of this admin; NULL: it takes none. */
static _Thread_local ProfileTask *running;

/* ---- On the thread --------------------------------------------------------------------------- */

/* libh2o does not read from a connection whose request waits for its response, and so does not hear
   that the asker has gone. */
static bool is_over(void *owner)
{
    ProfileTask *task = owner;
    return atomic_load(&task->over) || admin_socket_has_left(task->socket);
}

static void run_task(void *owner)
{
    ProfileTask *task = owner;
    task->result = profile_run(task->arena, &task->turn, task->node, &(ProfileEnd){is_over, task},
                               &task->profile);
}

static void end_task(void *owner)
{
    ProfileTask *task = owner;
    if (task->socket >= 0)
        close(task->socket);
    profile_turn_give_back();
    arena_free(task->arena);
}

/* ---- The response ---------------------------------------------------------------------------- */

static void send_failure(h2o_req_t *req, Arena *arena, Result r)
{
    unsigned status = error_origin(r)->fault->http_status;
    response_send_problem(req, (int)status, http_status_phrase(status), error_text(arena, r));
}

static void send_profile(const ProfileTask *task)
{
    const char *name = task->turn.kind == PROFILE_CPU ? "attachment; filename=\"cpu.pb.gz\""
                                                      : "attachment; filename=\"heap.pb.gz\"";
    response_field(task->req, "content-disposition", name);
    response_send(task->req, 200, "OK", "application/octet-stream", buffer_bytes(&task->profile));
}

static void on_done(void *owner)
{
    ProfileTask *task = owner;
    running = NULL;
    if (task->req && failed(task->result))
        send_failure(task->req, task->arena, task->result);
    else if (task->req)
        send_profile(task);
    end_task(task);
}

static void on_refused(void *owner)
{
    ProfileTask *task = owner;
    running = NULL;
    if (task->req) {
        response_field(task->req, "retry-after", "1");
        response_send_problem(task->req, 503, "Service Unavailable", THREAD_NONE);
    }
    end_task(task);
}

/* ---- The request ----------------------------------------------------------------------------- */

/* In the pool of the request: it goes with its connection, and with its response. */
static void on_request_gone(void *argument)
{
    if (!running || running->req != *(h2o_req_t **)argument)
        return;
    running->req = NULL;
    atomic_store(&running->over, true);
}

static void start_task(h2o_req_t *req, const Config *config, const ProfileTurn *turn)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ProfileTask *task = arena_make(arena, ProfileTask);
    h2o_req_t **waiting = h2o_mem_alloc_shared(&req->pool, sizeof(h2o_req_t *), on_request_gone);
    *waiting = req;
    task->arena = arena;
    task->req = req;
    task->turn = *turn;
    task->node = arena_string(arena, config->node);
    task->profile = buffer_in(arena);
    task->socket =
        fcntl(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), F_DUPFD_CLOEXEC, 0);
    running = task;
    task->chore = chore_start(req->conn->ctx->loop, &(ChoreWork){.run = run_task,
                                                                 .on_done = on_done,
                                                                 .on_refused = on_refused,
                                                                 .on_left = end_task,
                                                                 .owner = task});
}

static void refuse_second(h2o_req_t *req, Arena *arena, const ProfileTurn *other)
{
    char since[DATE_RFC3339_SIZE];
    size_t size = date_write_rfc3339(other->since / SECOND, 0, since);
    const char *what = other->kind == PROFILE_CPU
                           ? arena_printf(arena, "a CPU profile of %u s", other->seconds)
                           : "a profile of the heap";
    response_send_problem(req, 409, "Conflict",
                          arena_printf(arena,
                                       "%s is being taken since %.*s: there is one at a time, and "
                                       "it ends when its asker goes",
                                       what, (int)size, since));
}

static void begin(const Asking *asking, const ProfileTurn *turn)
{
    const char *who = asking->who.name;
    ProfileTurn other;
    if (!profile_turn_take(turn, &other)) {
        refuse_second(asking->req, asking->arena, &other);
        return;
    }
    telemetry_event("info", "profile_begun", OK, "%s takes a profile of %s", who ? who : "somebody",
                    turn->kind == PROFILE_CPU ? "what threads do" : "who holds memory");
    start_task(asking->req, asking->config, turn);
}

/* There is one at a time: no page of another site may take it. */
static void respond(const Asking *asking, ProfileKind kind)
{
    ProfileTurn turn = {.kind = kind, .since = clock_wall()};
    if (!admin_desk_is_same_origin(asking))
        return;
    if (!asking->config) {
        response_send_problem(asking->req, 503, "Service Unavailable", "no config is loaded yet");
        return;
    }
    Result r = profile_read_query(asking->arena, kind, admin_desk_query(asking->req),
                                  asking->config->profiles.longest, &turn.seconds);
    if (failed(r))
        send_failure(asking->req, asking->arena, r);
    else if (kind == PROFILE_HEAP && !heap_is_watched()) /* it would look as if it held nothing */
        response_send_problem(asking->req, 409, "Conflict",
                              "allocations are not sampled: admin.profiles.heap is false, or the "
                              "process has another allocator than jemalloc");
    else if (admin_desk_is_head(asking->req))
        response_send(asking->req, 200, "OK", "application/octet-stream", BYTES_NONE);
    else
        begin(asking, &turn);
}

void profile_desk_respond_cpu(const Asking *asking)
{
    respond(asking, PROFILE_CPU);
}

void profile_desk_respond_heap(const Asking *asking)
{
    respond(asking, PROFILE_HEAP);
}

void profile_desk_respond_allocator(const Asking *asking)
{
    Buffer text = buffer_in(asking->arena);
    Result r = heap_statistics(asking->arena, &text);
    if (failed(r))
        send_failure(asking->req, asking->arena, r);
    else
        response_send(asking->req, 200, "OK", "application/json", buffer_bytes(&text));
}

void profile_desk_close(void)
{
    ProfileTask *task = running;
    if (!task)
        return;
    h2o_req_t *req = task->req;
    running = NULL;
    atomic_store(&task->over, true);
    chore_leave(task->chore);
    if (req)
        admin_desk_send_stopping(req);
}
