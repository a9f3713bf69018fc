#include "base/arena.h"
#include "base/text/percent.h"
#include "gateway/admin/admin_internal.h"
#include "gateway/admin/response.h"
#include "gateway/telemetry/telemetry.h"
#include "protocols/http1/http1_head.h"

#include <time.h>

enum {
    NAME_MOST = 2000,  /* bytes of a page with its query */
    COST_OF_BYTE = 10, /* nanoseconds, about; of a page that another thread makes */
};

/* The response to a reader; in the request's pool. */
struct LiveStream {
    h2o_generator_t generator; /* first */
    LiveReader reader;
    Admin *admin;
    h2o_req_t *req;
    LiveStream *next, **at; /* of its admin's; `at` NULL: it is none of them any more */
    bool sending;           /* libh2o takes one piece at a time */
    bool over;              /* it is no reader any more, and gets the end */
};

/* ---- Making pages ---------------------------------------------------------------------------- */

static int64_t thread_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* What is made elsewhere is known by its size only. */
static int64_t cost_of(const AdminAction *action)
{
    return action->what == ADMIN_WRITE ? thread_time() - action->admin->making
                                       : (int64_t)action->body.size * COST_OF_BYTE;
}

static void on_made(AdminAction *action)
{
    int status = admin_action_status(action);
    Buffer problem = buffer_in(action->arena);
    if (status != 200)
        response_write_problem(&problem, status, http_status_phrase((unsigned)status),
                               admin_action_detail(action));
    live_answer(action->owner, status, status == 200 ? action->body : buffer_bytes(&problem),
                cost_of(action), clock_now());
}

static void make(void *owner, LivePage *made)
{
    Admin *admin = owner;
    Bytes name = live_page_name(made);
    size_t mark = bytes_find(name, '?');
    static const Operator nobody = {.role = ROLE_GUEST};
    AdminQuestion question = {.path = bytes_slice(name, 0, mark),
                              .query = bytes_slice(name, mark + 1, SIZE_MAX),
                              .who = &nobody};
    const AdminPage *page = admin_page_find(question.path);
    AdminAction *action = admin_page_action(admin, page, &question);
    action->on_done = on_made;
    action->owner = made;
    admin->making = thread_time();
    admin_page_ask(admin, page, action);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static LiveStream *stream_of(LiveReader *reader)
{
    return (LiveStream *)((char *)reader - offsetof(LiveStream, reader));
}

static void stream_send(LiveStream *stream, Bytes text, h2o_send_state_t state)
{
    h2o_iovec_t part = h2o_iovec_init(text.data, text.size);
    stream->sending = true;
    h2o_send(stream->req, &part, part.len ? 1 : 0, state);
}

static void on_send(LiveReader *reader, Bytes text)
{
    stream_send(stream_of(reader), text, H2O_SEND_STATE_IN_PROGRESS);
}

static void finish(LiveStream *stream)
{
    stream->over = true;
    if (!stream->sending)
        stream_send(stream, BYTES_NONE, H2O_SEND_STATE_FINAL);
}

/* libh2o closes a connection when it cannot write. */
static void drop(LiveStream *stream)
{
    admin_connections_drop(&stream->admin->connections, stream->req->conn);
    finish(stream);
}

static void on_end(LiveReader *reader, LiveEnd why)
{
    if (why == LIVE_SLOW)
        drop(stream_of(reader));
    else
        finish(stream_of(reader));
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    LiveStream *stream = (LiveStream *)generator;
    stream->sending = false;
    admin_connections_asked(&stream->admin->connections, req->conn);
    if (stream->over)
        finish(stream);
    else
        live_taken(&stream->reader, clock_now());
}

static void stream_leave(LiveStream *stream)
{
    live_leave(&stream->reader);
    if (!stream->at)
        return;
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    stream->at = NULL;
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    stream_leave((LiveStream *)generator);
}

static void on_gone(void *stream)
{
    stream_leave(stream);
}

static LiveStream *stream_new(const Asking *asking)
{
    LiveStream *stream = h2o_mem_alloc_shared(&asking->req->pool, sizeof *stream, on_gone);
    *stream = (LiveStream){.generator = {.proceed = on_proceed, .stop = on_stop},
                           .reader = {.send = on_send, .end = on_end},
                           .admin = asking->admin,
                           .req = asking->req,
                           .next = asking->admin->streams,
                           .at = &asking->admin->streams};
    if (stream->next)
        stream->next->at = &stream->next;
    asking->admin->streams = stream;
    return stream;
}

/* ---- Requests -------------------------------------------------------------------------------- */

typedef struct PageNames {
    Bytes items[LIVE_PAGES_EACH];
    size_t n;
} PageNames;

static bool has(const PageNames *names, Bytes name)
{
    size_t i = 0;
    while (i < names->n && !bytes_equal(names->items[i], name))
        i++;
    return i < names->n;
}

static void refuse(const Asking *asking, const char *text)
{
    response_send_problem(asking->req, 400, "Bad Request", text);
}

static bool may_watch(const Asking *asking, Bytes name)
{
    const AdminPage *page = admin_page_find(bytes_slice(name, 0, bytes_find(name, '?')));
    if (page && admin_page_is_json(page))
        return admin_desk_has_role(asking, page->role);
    refuse(asking, "only pages of JSON that are read can be watched");
    return false;
}

/* "page=%2Fhealing&page=%2Fusage%3Fservice%3Dorders". False: it has its response. */
static bool read_names(const Asking *asking, PageNames *names)
{
    Bytes query = admin_desk_query(asking->req), member;
    static const char key[] = "page=";
    while (bytes_split(&query, '&', &member)) {
        Buffer name = buffer_in(asking->arena);
        bool good = bytes_start_with(member, key) &&
                    percent_decode(&name, bytes_slice(member, strlen(key), SIZE_MAX),
                                   PERCENT_PLUS_IS_SPACE) &&
                    name.size <= NAME_MOST;
        if (!good) {
            refuse(asking, "this takes pages, and nothing else: /live?page=/healing&page=/config");
            return false;
        }
        if (!may_watch(asking, buffer_bytes(&name)))
            return false;
        if (has(names, buffer_bytes(&name)))
            continue;
        if (names->n == LIVE_PAGES_EACH) {
            refuse(asking, "one reader watches at most 16 pages");
            return false;
        }
        names->items[names->n++] = buffer_bytes(&name);
    }
    if (!names->n)
        refuse(asking, "this takes the pages to watch: /live?page=/healing&page=/config");
    return names->n;
}

static bool is_over(const Admin *admin)
{
    return admin->stopping || atomic_load(&admin->leaving) || !atomic_load(admin->sees.ready);
}

/* Others, such as scrapers, find room beside the readers. */
static uint32_t most_readers(const Admin *admin, const Config *config)
{
    uint32_t room = admin->connections.most - (admin->connections.most + 2) / 3;
    return config->admin_live_readers < room ? config->admin_live_readers : room;
}

/* The readers that are there were let in by the config of before. */
static void use_config(Admin *admin)
{
    Config *config = telemetry_config();
    if (!config)
        return;
    live_allow(admin->live, most_readers(admin, config));
    if (admin->live_generation != config->generation)
        live_end(admin->live);
    admin->live_generation = config->generation;
    config_unref(config);
}

static void begin(const Asking *asking, const PageNames *names)
{
    LiveStream *stream = stream_new(asking);
    response_begin_events(asking->req, &stream->generator);
    live_join(asking->admin->live, &stream->reader, names->items, names->n, clock_now());
}

static void begin_if_there_is_room(const Asking *asking, const PageNames *names)
{
    use_config(asking->admin);
    switch (live_room(asking->admin->live, names->items, names->n)) {
    case LIVE_ROOM: begin(asking, names); break;
    case LIVE_TOO_MANY_READERS:
        admin_desk_refuse_busy(asking, "as many read live as may: ask for the pages themselves");
        break;
    case LIVE_TOO_MANY_PAGES:
        admin_desk_refuse_busy(asking, "as many pages are read live as may be: ask for them");
        break;
    }
}

/* Readers cost something: no page of another site may be one. */
void admin_live_respond(const Asking *asking)
{
    PageNames names = {.n = 0};
    h2o_req_t *req = asking->req;
    if (!admin_desk_is_same_origin(asking) || !read_names(asking, &names))
        return;
    if (is_over(asking->admin))
        admin_desk_send_stopping(req);
    else if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
        response_send(req, 200, "OK", "text/event-stream", BYTES_NONE);
    else
        begin_if_there_is_room(asking, &names);
}

/* ---- Beginning and ending -------------------------------------------------------------------- */

void admin_live_begin(Admin *admin)
{
    admin->live = live_new(&(LiveSource){.ask = make, .owner = admin});
}

static void drop_those_who_left(Admin *admin)
{
    for (LiveStream *stream = admin->streams; stream; stream = stream->next) {
        if (stream->over || !admin_connections_has_left(stream->req->conn))
            continue;
        live_leave(&stream->reader);
        drop(stream);
    }
}

void admin_live_look(Admin *admin)
{
    if (!admin->streams)
        return;
    drop_those_who_left(admin);
    use_config(admin);
    if (is_over(admin))
        live_end(admin->live);
    else
        live_look(admin->live, clock_now());
}

void admin_live_end(Admin *admin)
{
    live_end(admin->live);
}
