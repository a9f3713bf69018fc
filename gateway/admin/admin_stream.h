/*
 * AdminStream: a response that goes on, bit by bit, for a reader that stays: of /live and of /tail.
 *
 * libh2o takes one text at a time. It notices that a connection has gone only when it sends
 * something, so its owner looks once a second (admin_stream_has_left). Embedded in its owner, as
 * its first member, which lies in the pool of the request. On the admin's thread.
 */
#ifndef GATEWAY_ADMIN_STREAM_H
#define GATEWAY_ADMIN_STREAM_H

#include "gateway/admin/admin_internal.h"

/* What an owner does; NULL: nothing. */
typedef struct AdminStreamEvents {
    void (*taken)(AdminStream *stream); /* what was sent was taken: more may be sent */
    void (*left)(AdminStream *stream);  /* nobody reads any more; may be called again */
    void (*gone)(AdminStream *stream);  /* its memory is freed afterwards */
} AdminStreamEvents;

struct AdminStream {
    h2o_generator_t generator; /* first */
    const AdminStreamEvents *events;
    Admin *admin;
    h2o_req_t *req;
    AdminStream *next, **at; /* in the list; `at` NULL: it is in none any more */
    bool sending;            /* nothing may be sent until `taken` */
    bool over;               /* it gets nothing more but the end */
};

/* Begins the response, of `size` bytes, zeros behind the AdminStream; puts it into the list. */
void *admin_stream_begin(const Asking *asking, const char *media_type, size_t size,
                         const AdminStreamEvents *events, AdminStream **list);

/* The text stays until `taken` or `left`. Nothing is being sent, and it is not over. */
void admin_stream_send(AdminStream *stream, Bytes text);

/* The end follows what is being sent. Nothing happens if it is over. */
void admin_stream_end(AdminStream *stream);

/* The same for a reader that takes nothing: its connection is closed. */
void admin_stream_drop(AdminStream *stream);

bool admin_stream_has_left(const AdminStream *stream);

/* Whether the listener lets no more readers in, and ends those that are there. */
bool admin_stream_is_closing(const Admin *admin);

#endif
