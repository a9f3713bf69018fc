#include "gateway/requests/request_ring.h"

#include "base/arena.h"
#include "base/result.h"

#include <stdlib.h>

/* Before each record, which is in one piece. Size 0: what is behind it is at the beginning of the
   memory. */
typedef struct Entry {
    uint32_t size; /* with this, rounded up to 8 bytes */
    uint32_t record_size;
    int64_t at;
} Entry;

/* One more entry than fits: the last place always has room for an end mark. */
void request_ring_init(RequestRing *ring, size_t size)
{
    *ring = (RequestRing){.size = size / 8 * 8};
    if (ring->size) {
        ring->bytes = malloc(ring->size + sizeof(Entry));
        CHECK(ring->bytes);
    }
}

void request_ring_free(RequestRing *ring)
{
    free(ring->bytes);
}

static Entry *entry_at(const RequestRing *ring, size_t at)
{
    return (Entry *)(void *)(ring->bytes + at);
}

static size_t after(const RequestRing *ring, size_t at)
{
    size_t next = at + entry_at(ring, at)->size;
    return entry_at(ring, next)->size ? next : 0;
}

static void drop_oldest(RequestRing *ring)
{
    ring->n--;
    ring->begin = ring->n ? after(ring, ring->begin) : ring->end;
}

/* Drops what is between the end and `until`; the newest record is before it. */
static void drop_until(RequestRing *ring, size_t until)
{
    while (ring->n && ring->begin >= ring->end && ring->begin < until)
        drop_oldest(ring);
}

/* Room for `size` bytes in one piece, at ring->end. */
static void make_room(RequestRing *ring, size_t size)
{
    if (ring->end + size > ring->size) {
        drop_until(ring, ring->size);
        entry_at(ring, ring->end)->size = 0;
        ring->end = 0;
        if (!ring->n)
            ring->begin = 0;
    }
    drop_until(ring, ring->end + size);
    if (!ring->n)
        ring->begin = ring->end;
}

void request_ring_add(RequestRing *ring, int64_t at, Bytes record)
{
    size_t size = (sizeof(Entry) + record.size + 7) / 8 * 8;
    if (size > ring->size / 4)
        return;
    make_room(ring, size);
    Entry *entry = entry_at(ring, ring->end);
    *entry = (Entry){.size = (uint32_t)size, .record_size = (uint32_t)record.size, .at = at};
    memcpy(entry + 1, record.data, record.size);
    ring->end += size;
    ring->n++;
}

void request_ring_each(const RequestRing *ring, int64_t since,
                       void (*see)(void *owner, int64_t at, Bytes record), void *owner)
{
    size_t at = ring->begin;
    for (uint32_t i = 0; i < ring->n; i++) {
        const Entry *entry = entry_at(ring, at);
        if (entry->at >= since)
            see(owner, entry->at, bytes(entry + 1, entry->record_size));
        if (i + 1 < ring->n)
            at = after(ring, at);
    }
}

typedef struct Finding {
    const char *member;
    Bytes found;
} Finding;

static void see_member(void *owner, int64_t at, Bytes record)
{
    Finding *finding = owner;
    if (memmem(record.data, record.size, finding->member, strlen(finding->member)))
        finding->found = record;
}

/* A quote inside of a value is escaped: the text can only be the member. */
Bytes request_ring_find(const RequestRing *ring, Bytes request_id, int64_t since)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Finding finding = {arena_printf(arena, "\"request_id\":\"%.*s\"", BYTES_ARGS(request_id)),
                       BYTES_NONE};
    request_ring_each(ring, since, see_member, &finding);
    arena_free(arena);
    return finding.found;
}
