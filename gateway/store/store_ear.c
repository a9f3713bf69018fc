#include "gateway/store/store_ear.h"

#include "base/clock.h"
#include "gateway/thread/thread.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CONNECT_TIME = 10 * 1000, PAUSE = 1000 /* milliseconds */ };

typedef struct Notice {
    struct Notice *next;
    size_t size;
    uint8_t text[];
} Notice;

struct StoreEar {
    const char *address, *tag; /* of the store */
    char *listen;              /* the statement */
    void (*on_notice)(void *owner, Bytes text);
    void *owner;
    uv_async_t heard;
    pthread_t thread;
    int stop; /* an eventfd: readable when the thread is to end */
    uv_mutex_t mutex;
    Notice *first, *last;
};

/* ---- The thread ------------------------------------------------------------------------------ */

static void tell(StoreEar *ear, Bytes text)
{
    Notice *notice = calloc(1, sizeof *notice + text.size + 1);
    CHECK(notice);
    notice->size = text.size;
    bytes_put(notice->text, text);
    uv_mutex_lock(&ear->mutex);
    *(ear->last ? &ear->last->next : &ear->first) = notice;
    ear->last = notice;
    uv_mutex_unlock(&ear->mutex);
    uv_async_send(&ear->heard);
}

static void take_notice(StoreEar *ear, Bytes notice)
{
    size_t tag = bytes_find(notice, ' ');
    if (!bytes_are(bytes_slice(notice, 0, tag), ear->tag))
        tell(ear, bytes_slice(notice, tag + 1, notice.size));
}

/* For the socket, or `time` (milliseconds; -1: for ever). False: the thread is to end. */
static bool wait_for(StoreEar *ear, int socket, short events, int time)
{
    struct pollfd both[] = {{.fd = ear->stop, .events = POLLIN}, {.fd = socket, .events = events}};
    poll(both, socket < 0 ? 1 : 2, time);
    return !(both[0].revents & POLLIN);
}

/* NULL: not now. */
static PGconn *connect_to(StoreEar *ear)
{
    static const char *const keys[] = {"fallback_application_name", "dbname", NULL};
    const char *values[] = {"passerelle", ear->address, NULL};
    PGconn *connection = PQconnectStartParams(keys, values, true);
    CHECK(connection);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    int64_t end = clock_now() + CONNECT_TIME * MILLISECOND;
    while (PQstatus(connection) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED && clock_now() < end &&
           wait_for(ear, PQsocket(connection), status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                    CONNECT_TIME))
        status = PQconnectPoll(connection);
    if (status == PGRES_POLLING_OK && PQsendQuery(connection, ear->listen))
        return connection;
    PQfinish(connection);
    return NULL;
}

/* Until the connection is lost, or the thread is to end. What came before it listened was missed.
 */
static void hear(StoreEar *ear, PGconn *connection)
{
    for (bool lives = true; lives;) {
        for (PGresult *result; !PQisBusy(connection) && (result = PQgetResult(connection));) {
            if (PQresultStatus(result) == PGRES_COMMAND_OK)
                tell(ear, BYTES_NONE);
            PQclear(result);
        }
        for (PGnotify *notify; (notify = PQnotifies(connection)); PQfreemem(notify))
            take_notice(ear, bytes_of(notify->extra));
        lives = wait_for(ear, PQsocket(connection), POLLIN, -1) && PQconsumeInput(connection);
    }
}

static void *run_ear(void *argument)
{
    StoreEar *ear = argument;
    pthread_setname_np(pthread_self(), "store ear");
    do {
        PGconn *connection = connect_to(ear);
        if (connection)
            hear(ear, connection);
        PQfinish(connection);
    } while (wait_for(ear, -1, 0, PAUSE));
    return NULL;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static Notice *take_notices(StoreEar *ear)
{
    uv_mutex_lock(&ear->mutex);
    Notice *first = ear->first;
    ear->first = ear->last = NULL;
    uv_mutex_unlock(&ear->mutex);
    return first;
}

static void on_heard(uv_async_t *heard)
{
    StoreEar *ear = heard->data;
    for (Notice *next, *notice = take_notices(ear); notice; notice = next) {
        next = notice->next;
        if (!uv_is_closing((uv_handle_t *)heard))
            ear->on_notice(ear->owner, bytes(notice->text, notice->size));
        free(notice);
    }
}

StoreEar *store_ear_open(Store *store, uv_loop_t *loop, const char *channel,
                         void (*on_notice)(void *owner, Bytes text), void *owner)
{
    if (!store_settings(store)->postgresql)
        return NULL;
    StoreEar *ear = calloc(1, sizeof *ear);
    CHECK(ear);
    ear->address = store_settings(store)->postgresql;
    ear->tag = store_tag(store);
    CHECK(asprintf(&ear->listen, "LISTEN %s", channel) > 0);
    ear->on_notice = on_notice;
    ear->owner = owner;
    ear->heard.data = ear;
    ear->stop = eventfd(0, EFD_CLOEXEC);
    CHECK(ear->stop >= 0);
    CHECK(uv_mutex_init(&ear->mutex) == 0);
    CHECK(uv_async_init(loop, &ear->heard, on_heard) == 0);
    CHECK(thread_make(&ear->thread, run_ear, ear) == 0);
    return ear;
}

static void on_closed(uv_handle_t *handle)
{
    StoreEar *ear = handle->data;
    for (Notice *next, *notice = take_notices(ear); notice; notice = next) {
        next = notice->next;
        free(notice);
    }
    uv_mutex_destroy(&ear->mutex);
    close(ear->stop);
    free(ear->listen);
    free(ear);
}

/* The thread never waits for anything but both descriptors. */
void store_ear_close(StoreEar *ear)
{
    if (!ear)
        return;
    CHECK(eventfd_write(ear->stop, 1) == 0);
    CHECK(pthread_join(ear->thread, NULL) == 0);
    uv_close((uv_handle_t *)&ear->heard, on_closed);
}
