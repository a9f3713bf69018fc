#include "gateway/admin/admin_stream.h"

#include "gateway/admin/response.h"

static void send_part(AdminStream *stream, Bytes text, h2o_send_state_t state)
{
    h2o_iovec_t part = h2o_iovec_init(text.data, text.size);
    stream->sending = true;
    h2o_send(stream->req, &part, part.len ? 1 : 0, state);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    AdminStream *stream = (AdminStream *)generator;
    stream->sending = false;
    admin_connections_asked(&stream->admin->connections, req->conn);
    if (stream->over)
        send_part(stream, BYTES_NONE, H2O_SEND_STATE_FINAL);
    else if (stream->events->taken)
        stream->events->taken(stream);
}

static void leave(AdminStream *stream)
{
    if (stream->events->left)
        stream->events->left(stream);
    if (!stream->at)
        return;
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    stream->at = NULL;
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    leave((AdminStream *)generator);
}

static void on_gone(void *owner)
{
    AdminStream *stream = owner;
    leave(stream);
    if (stream->events->gone)
        stream->events->gone(stream);
}

void *admin_stream_begin(const Asking *asking, const char *media_type, size_t size,
                         const AdminStreamEvents *events, AdminStream **list)
{
    AdminStream *stream = h2o_mem_alloc_shared(&asking->req->pool, size, on_gone);
    memset(stream, 0, size);
    *stream = (AdminStream){.generator = {.proceed = on_proceed, .stop = on_stop},
                            .events = events,
                            .admin = asking->admin,
                            .req = asking->req,
                            .next = *list,
                            .at = list};
    if (stream->next)
        stream->next->at = &stream->next;
    *list = stream;
    response_begin_stream(asking->req, media_type, &stream->generator);
    return stream;
}

void admin_stream_send(AdminStream *stream, Bytes text)
{
    send_part(stream, text, H2O_SEND_STATE_IN_PROGRESS);
}

void admin_stream_end(AdminStream *stream)
{
    if (stream->over)
        return;
    stream->over = true;
    if (!stream->sending)
        send_part(stream, BYTES_NONE, H2O_SEND_STATE_FINAL);
}

/* libh2o closes a connection when it cannot write. */
void admin_stream_drop(AdminStream *stream)
{
    admin_connections_drop(&stream->admin->connections, stream->req->conn);
    admin_stream_end(stream);
}

bool admin_stream_has_left(const AdminStream *stream)
{
    return admin_connections_has_left(stream->req->conn);
}

bool admin_stream_is_closing(const Admin *admin)
{
    return admin->stopping || atomic_load(&admin->leaving) || !atomic_load(admin->sees.ready);
}
