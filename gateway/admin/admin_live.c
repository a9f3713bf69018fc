#include "base/arena.h"
#include "base/text/query.h"
#include "gateway/admin/admin_stream.h"
#include "gateway/admin/response.h"
#include "gateway/telemetry/telemetry.h"
#include "protocols/http1/http1_head.h"

#include <time.h>

enum {
    NAME_MOST = 2000,  /* bytes of a page with its query */
    COST_OF_BYTE = 10, /* nanoseconds, about; of a page that another thread makes */
};

/* A reader, and its response. */
typedef struct LiveStream {
    AdminStream stream; /* first */
    LiveReader reader;
} LiveStream;

/* ---- Making pages ---------------------------------------------------------------------------- */

/* What is made elsewhere is known by its size only. */
static int64_t cost_of(const AdminAction *action)
{
    return action->what == ADMIN_WRITE ? clock_thread() - action->admin->making
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
    admin->making = clock_thread();
    admin_page_ask(admin, page, action);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static AdminStream *stream_of(LiveReader *reader)
{
    return (AdminStream *)((char *)reader - offsetof(LiveStream, reader));
}

static LiveReader *reader_of(AdminStream *stream)
{
    return &((LiveStream *)stream)->reader;
}

static void on_send(LiveReader *reader, Bytes text)
{
    admin_stream_send(stream_of(reader), text);
}

static void on_end(LiveReader *reader, LiveEnd why)
{
    if (why == LIVE_SLOW)
        admin_stream_drop(stream_of(reader));
    else
        admin_stream_end(stream_of(reader));
}

static void on_taken(AdminStream *stream)
{
    live_taken(reader_of(stream), clock_now());
}

static void on_left(AdminStream *stream)
{
    live_leave(reader_of(stream));
}

static const AdminStreamEvents stream_events = {.taken = on_taken, .left = on_left};

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
    Bytes query = admin_desk_query(asking->req);
    for (QueryPair pair; query_next(&query, asking->arena, &pair);) {
        Bytes name = pair.value;
        if (!bytes_are(pair.name, "page") || !pair.good || name.size > NAME_MOST) {
            refuse(asking, "this takes pages, and nothing else: /live?page=/healing&page=/config");
            return false;
        }
        if (!may_watch(asking, name))
            return false;
        if (has(names, name))
            continue;
        if (names->n == LIVE_PAGES_EACH) {
            refuse(asking, "one reader watches at most 16 pages");
            return false;
        }
        names->items[names->n++] = name;
    }
    if (!names->n)
        refuse(asking, "this takes the pages to watch: /live?page=/healing&page=/config");
    return names->n;
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
    Admin *admin = asking->admin;
    LiveStream *stream = admin_stream_begin(asking, "text/event-stream", sizeof *stream,
                                            &stream_events, &admin->watchers);
    stream->reader.send = on_send;
    stream->reader.end = on_end;
    live_join(admin->live, &stream->reader, names->items, names->n, clock_now());
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
    if (admin_stream_is_closing(asking->admin))
        admin_desk_send_stopping(req);
    else if (admin_desk_is_head(req))
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
    for (AdminStream *stream = admin->watchers; stream; stream = stream->next) {
        if (stream->over || !admin_stream_has_left(stream))
            continue;
        live_leave(reader_of(stream));
        admin_stream_drop(stream);
    }
}

void admin_live_look(Admin *admin)
{
    if (!admin->watchers)
        return;
    drop_those_who_left(admin);
    use_config(admin);
    if (admin_stream_is_closing(admin))
        live_end(admin->live);
    else
        live_look(admin->live, clock_now());
}

void admin_live_end(Admin *admin)
{
    live_end(admin->live);
}
