#include "gateway/discovery/inbox.h"

#include "base/result.h"

#include <pthread.h>
#include <stdlib.h>

struct Inbox {
    uv_async_t arrived;
    void (*on_reading)(void *owner, Reading *reading);
    void *owner;
    pthread_mutex_t mutex; /* of the next two */
    Reading *first, **end;
};

static Reading *take_all(Inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    Reading *first = inbox->first;
    inbox->first = NULL;
    inbox->end = &inbox->first;
    pthread_mutex_unlock(&inbox->mutex);
    return first;
}

static void on_arrived(uv_async_t *arrived)
{
    Inbox *inbox = arrived->data;
    for (Reading *reading = take_all(inbox), *next; reading; reading = next) {
        next = reading->next;
        inbox->on_reading(inbox->owner, reading);
    }
}

Inbox *inbox_new(uv_loop_t *loop, void (*on_reading)(void *owner, Reading *reading), void *owner)
{
    Inbox *inbox = calloc(1, sizeof *inbox);
    CHECK(inbox);
    inbox->on_reading = on_reading;
    inbox->owner = owner;
    inbox->end = &inbox->first;
    CHECK(pthread_mutex_init(&inbox->mutex, NULL) == 0);
    CHECK(uv_async_init(loop, &inbox->arrived, on_arrived) == 0);
    inbox->arrived.data = inbox;
    return inbox;
}

void inbox_put(Inbox *inbox, Reading *reading)
{
    pthread_mutex_lock(&inbox->mutex);
    reading->next = NULL;
    *inbox->end = reading;
    inbox->end = &reading->next;
    pthread_mutex_unlock(&inbox->mutex);
    uv_async_send(&inbox->arrived);
}

static void on_closed(uv_handle_t *arrived)
{
    Inbox *inbox = arrived->data;
    pthread_mutex_destroy(&inbox->mutex);
    free(inbox);
}

void inbox_end(Inbox *inbox)
{
    for (Reading *reading = take_all(inbox), *next; reading; reading = next) {
        next = reading->next;
        reading_free(reading);
    }
    uv_close((uv_handle_t *)&inbox->arrived, on_closed);
}
