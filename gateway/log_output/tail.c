#include "gateway/log_output/tail.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct TailReader {
    Arena *arena; /* of the filter */
    LogFilter filter;
    void (*wake)(void *owner);
    void *owner;
    bool asleep;   /* has taken all, and gets lines now: is to be woken */
    uint64_t lost; /* since the last take */
    size_t size;
    uint8_t queue[TAIL_QUEUE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TailReader *readers[TAIL_READERS];
static atomic_uint n_readers;
static atomic_ullong n_lost;

bool tail_is_read(void)
{
    return atomic_load_explicit(&n_readers, memory_order_relaxed) > 0;
}

uint32_t tail_readers(void)
{
    return atomic_load(&n_readers);
}

uint64_t tail_lost(void)
{
    return atomic_load(&n_lost);
}

/* ---- The writer's thread --------------------------------------------------------------------- */

/* Behind a gap there is nothing until the reader knows of it. */
static void queue_line(TailReader *reader, Bytes line)
{
    if (reader->lost || line.size + 1 > TAIL_QUEUE - reader->size) {
        reader->lost++;
        atomic_fetch_add_explicit(&n_lost, 1, memory_order_relaxed);
        return;
    }
    memcpy(reader->queue + reader->size, line.data, line.size);
    reader->queue[reader->size + line.size] = '\n';
    reader->size += line.size + 1;
}

void tail_tell(const LogView *view)
{
    if (!tail_is_read())
        return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < TAIL_READERS; i++)
        if (readers[i] && log_filter_takes(&readers[i]->filter, view))
            queue_line(readers[i], view->line);
    pthread_mutex_unlock(&lock);
}

void tail_wake(void)
{
    if (!tail_is_read())
        return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < TAIL_READERS; i++) {
        TailReader *reader = readers[i];
        if (!reader || !reader->asleep || (!reader->size && !reader->lost))
            continue;
        reader->asleep = false;
        reader->wake(reader->owner);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- Readers --------------------------------------------------------------------------------- */

static TailReader *reader_new(const LogFilter *filter, void (*wake)(void *owner), void *owner)
{
    TailReader *reader = malloc(sizeof *reader);
    CHECK(reader);
    reader->arena = arena_new(ARENA_UNLIMITED);
    reader->filter = *filter;
    for (int kind = 0; kind < LOG_FILTER_KINDS; kind++)
        if (filter->wanted[kind].data)
            reader->filter.wanted[kind] = bytes_copy(reader->arena, filter->wanted[kind]);
    reader->wake = wake;
    reader->owner = owner;
    reader->asleep = true;
    reader->lost = 0;
    reader->size = 0;
    return reader;
}

TailReader *tail_open(const LogFilter *filter, void (*wake)(void *owner), void *owner)
{
    TailReader *reader = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < TAIL_READERS && !reader; i++) {
        if (readers[i])
            continue;
        reader = readers[i] = reader_new(filter, wake, owner);
        atomic_fetch_add(&n_readers, 1);
    }
    pthread_mutex_unlock(&lock);
    return reader;
}

bool tail_take(TailReader *reader, Buffer *out)
{
    pthread_mutex_lock(&lock);
    bool any = reader->size > 0 || reader->lost > 0;
    buffer_add(out, reader->queue, reader->size);
    if (reader->lost)
        buffer_printf(out, "{\"log\":\"tail\",\"lost\":%llu}\n", (unsigned long long)reader->lost);
    reader->size = 0;
    reader->lost = 0;
    reader->asleep = !any;
    pthread_mutex_unlock(&lock);
    return any;
}

void tail_close(TailReader *reader)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < TAIL_READERS; i++)
        if (readers[i] == reader)
            readers[i] = NULL;
    atomic_fetch_sub(&n_readers, 1);
    pthread_mutex_unlock(&lock);
    arena_free(reader->arena);
    free(reader);
}
