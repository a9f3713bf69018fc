/* What a Watch remembers, as bytes: a head that names the layout, then each table as it is. */
#include "gateway/signal/watch.h"

#include <stdlib.h>

/* Whoever reads must have the same layout: another one is read as nothing. What says yes or no is a
   uint8_t: a bool that is neither would be undefined. */
typedef struct WatchHead {
    char magic[8];
    uint32_t sizes[4]; /* of a row of each table */
    uint32_t n[4];
    int64_t novelty_since;
    uint64_t sum; /* of the tables: what is damaged is read as nothing, too */
} WatchHead;

enum { KINDS, CLIENTS, METHODS, SERVICES };

static const WatchHead layout = {
    .magic = "signals",
    .sizes = {sizeof(NoveltyKind), sizeof(SilentClient), sizeof(WatchedMethod),
              sizeof(WatchedService)},
};

static const uint32_t most[4] = {NOVELTY_KINDS, SILENCE_CLIENTS, WATCH_METHODS, WATCH_SERVICES};

static void add_rows(Buffer *out, const void *rows, uint32_t n, size_t size)
{
    if (n)
        buffer_add(out, rows, n * size);
}

void watch_write(const Watch *watch, Buffer *out)
{
    WatchHead head;
    memset(&head, 0, sizeof head);
    memcpy(&head, &layout, sizeof head);
    head.n[KINDS] = watch->novelty.n;
    head.n[CLIENTS] = watch->silence.n;
    head.n[METHODS] = watch->n_methods;
    head.n[SERVICES] = watch->n_services;
    head.novelty_since = watch->novelty.since;
    size_t at = out->size;
    buffer_add(out, &head, sizeof head);
    add_rows(out, watch->novelty.kinds, watch->novelty.n, sizeof *watch->novelty.kinds);
    add_rows(out, watch->silence.clients, watch->silence.n, sizeof *watch->silence.clients);
    add_rows(out, watch->methods, watch->n_methods, sizeof *watch->methods);
    add_rows(out, watch->services, watch->n_services, sizeof *watch->services);
    if (out->full)
        return;
    head.sum = bytes_hash(bytes_slice(buffer_bytes(out), at + sizeof head, SIZE_MAX));
    memcpy(out->data + at, &head, sizeof head);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_head(Bytes text, WatchHead *head)
{
    if (text.size < sizeof *head)
        return false;
    memcpy(head, text.data, sizeof *head);
    size_t size = sizeof *head;
    for (int i = 0; i < 4; i++) {
        if (head->sizes[i] != layout.sizes[i] || head->n[i] > most[i])
            return false;
        size += (size_t)head->n[i] * head->sizes[i];
    }
    return memcmp(head->magic, layout.magic, sizeof head->magic) == 0 && size == text.size &&
           head->novelty_since >= 0 &&
           bytes_hash(bytes_slice(text, sizeof *head, SIZE_MAX)) == head->sum;
}

/* NULL: there are none. */
static void *take_rows(Bytes *text, uint32_t n, size_t size)
{
    if (!n)
        return NULL;
    void *rows = malloc(n * size);
    CHECK(rows);
    memcpy(rows, text->data, n * size);
    *text = bytes_slice(*text, n * size, SIZE_MAX);
    return rows;
}

static bool kinds_are_sorted(const Novelty *novelty)
{
    bool sorted = true;
    for (uint32_t i = 1; i < novelty->n; i++)
        sorted = sorted && novelty->kinds[i - 1].kind < novelty->kinds[i].kind;
    return sorted;
}

static bool is_sound(const Watch *watch)
{
    bool sound = kinds_are_sorted(&watch->novelty);
    for (uint32_t i = 0; i < watch->silence.n; i++)
        sound = sound && silence_is_sound(&watch->silence.clients[i]);
    for (uint32_t i = 0; i < watch->n_methods; i++)
        sound = sound && drift_is_sound(&watch->methods[i].drift);
    for (uint32_t i = 0; i < watch->n_services; i++)
        sound = sound && mix_is_sound(&watch->services[i].mix);
    return sound;
}

static void take_tables(Watch *watch, Bytes text, const WatchHead *head)
{
    const uint32_t *n = head->n;
    text = bytes_slice(text, sizeof *head, SIZE_MAX);
    watch->novelty.kinds = take_rows(&text, n[KINDS], sizeof *watch->novelty.kinds);
    watch->novelty.n = watch->novelty.capacity = n[KINDS];
    watch->novelty.since = head->novelty_since;
    watch->silence.clients = take_rows(&text, n[CLIENTS], sizeof *watch->silence.clients);
    watch->silence.n = watch->silence.capacity = n[CLIENTS];
    watch->methods = take_rows(&text, n[METHODS], sizeof *watch->methods);
    watch->n_methods = watch->methods_room = n[METHODS];
    watch->services = take_rows(&text, n[SERVICES], sizeof *watch->services);
    watch->n_services = watch->services_room = n[SERVICES];
}

Result watch_read(Watch *watch, Bytes text, Arena *arena)
{
    WatchHead head;
    if (!read_head(text, &head))
        return FAIL(arena, FAULT_BAD_VALUE, "what was remembered for signals has another layout");
    take_tables(watch, text, &head);
    for (uint32_t i = 0; i < watch->n_methods; i++)
        watch->methods[i].counted = false;
    if (is_sound(watch))
        return OK;
    watch_deinit(watch);
    watch->novelty.since = 0;
    return FAIL(arena, FAULT_BAD_VALUE, "what was remembered for signals is damaged");
}
