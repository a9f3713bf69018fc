#include "gateway/process/succession.h"

#include "base/result.h"
#include "gateway/handover/handover.h"

#include <stdlib.h>

struct Succession {
    uv_poll_t poll;
    void (*hear)(void *owner, NoticeKind kind, Bytes text);
    void *owner;
    Notice notice;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    Succession *s = poll->data;
    (void)status;
    (void)events;
    while (!uv_is_closing((uv_handle_t *)poll)) {
        ChannelOutcome outcome = channel_receive(handover_channel(), &s->notice);
        if (outcome == CHANNEL_EMPTY)
            return;
        if (outcome == CHANNEL_CLOSED) {
            uv_poll_stop(poll);
            s->hear(s->owner, NOTICE_NONE, BYTES_NONE);
            return;
        }
        notice_close(&s->notice); /* it has no descriptors for us */
        s->hear(s->owner, s->notice.kind, s->notice.text);
    }
}

Succession *succession_start(uv_loop_t *loop,
                             void (*hear)(void *owner, NoticeKind kind, Bytes text), void *owner)
{
    if (!handover_supervised())
        return NULL;
    Succession *s = calloc(1, sizeof *s);
    CHECK(s);
    s->hear = hear;
    s->owner = owner;
    CHECK(uv_poll_init(loop, &s->poll, handover_channel()) == 0);
    s->poll.data = s;
    CHECK(uv_poll_start(&s->poll, UV_READABLE, on_readable) == 0);
    return s;
}

void succession_stop(Succession *succession)
{
    if (succession)
        uv_close((uv_handle_t *)&succession->poll, on_closed);
}

void succession_say(NoticeKind kind, const char *text)
{
    if (handover_supervised())
        channel_send(handover_channel(), kind, bytes_of(text), NULL, 0);
}
