#include "gateway/telemetry/call_matrix.h"

#include "base/arena.h"
#include "gateway/telemetry/telemetry_internal.h"

#include <stdlib.h>

/* The count of one key of a method on one loop. */
typedef struct Part {
    const char *service, *client, *served;
    uint32_t method, served_version; /* their series */
    bool failed, mistaken, degraded; /* at most one of them */
    uint64_t count;
} Part;

typedef struct Parts {
    Part *items;
    size_t n, capacity;
    Arena *arena;
} Parts;

/* ---- Gathering ------------------------------------------------------------------------------- */

static Part *part_new(Parts *parts)
{
    if (parts->n == parts->capacity) {
        size_t capacity = parts->capacity ? parts->capacity * 2 : 256;
        parts->items = arena_grow(parts->arena, parts->items, parts->n * sizeof(Part),
                                  capacity * sizeof(Part));
        CHECK(parts->items); /* the arena has no limit */
        parts->capacity = capacity;
    }
    return &parts->items[parts->n++];
}

static Part part_of(const TelemetryProcess *p, uint32_t method, uint64_t key, uint64_t count)
{
    CallKey labels = call_key_of(key);
    bool other = key == CELL_OTHER;
    bool bad = !other && labels.code != CODE_OK && !labels.by;
    return (Part){
        .service = series_label(p, SERIES_METHOD, method, 0),
        .client = other ? "other" : series_label(p, SERIES_VERSION, labels.client_version, 0),
        .served = other ? "other" : series_label(p, SERIES_VERSION, labels.served_version, 0),
        .method = method,
        .served_version = other ? SERIES_OTHER : labels.served_version,
        .failed = bad && !call_key_is_mistake(&labels),
        .mistaken = bad && call_key_is_mistake(&labels),
        .degraded = !other && labels.by,
        .count = count,
    };
}

static void gather(const TelemetryProcess *p, const Telemetry *loop, uint32_t method, Parts *parts)
{
    const MethodCounters *m = method_counters(loop, method);
    const CountCell *cell = m ? atomic_load_explicit(&m->calls.first, memory_order_acquire) : NULL;
    for (; cell; cell = atomic_load_explicit(&cell->next, memory_order_relaxed))
        *part_new(parts) = part_of(p, method, cell->key, count_read(&cell->count));
}

/* Opaque routes have no versions, and no service here. */
static void gather_all(const TelemetryProcess *p, Parts *parts)
{
    for (uint32_t method = 0; method < p->series[SERIES_METHOD].n; method++) {
        if (!series_label(p, SERIES_METHOD, method, 0)[0])
            continue;
        for (const Telemetry *loop = p->loops; loop; loop = loop->next)
            gather(p, loop, method, parts);
    }
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static int by_cell(const Part *a, const Part *b)
{
    int order = strcmp(a->service, b->service);
    order = order ? order : strcmp(a->client, b->client);
    return order ? order : strcmp(a->served, b->served);
}

static int by_cell_and_method(const void *one, const void *other)
{
    const Part *a = one, *b = other;
    int order = by_cell(a, b);
    return order ? order : (a->method > b->method) - (a->method < b->method);
}

static void add_durations(const TelemetryProcess *p, const Part *part, NativeCounts *sum)
{
    for (const Telemetry *loop = p->loops; loop; loop = loop->next) {
        const MethodCounters *m = method_counters(loop, part->method);
        if (m)
            method_durations_add(sum, m, &part->served_version);
    }
}

/* Of the parts from `first` on that belong to its cell; returns the one behind them. */
static const Part *add_cell(const TelemetryProcess *p, const Part *first, const Part *end,
                            NativeCounts *durations, MatrixCell *cell)
{
    const Part *part = first;
    *cell =
        (MatrixCell){.service = first->service, .client = first->client, .served = first->served};
    memset(durations, 0, sizeof *durations);
    for (; part < end && by_cell(part, first) == 0; part++) {
        cell->calls += part->count;
        cell->errors += part->failed ? part->count : 0;
        cell->mistakes += part->mistaken ? part->count : 0;
        cell->degraded += part->degraded ? part->count : 0;
        if (part == first || part->method != part[-1].method)
            add_durations(p, part, durations);
    }
    cell->p50 = native_quantile(durations, 0.5);
    cell->p99 = native_quantile(durations, 0.99);
    return part;
}

static void make_cells(const TelemetryProcess *p, Parts *parts, CallMatrix *matrix)
{
    NativeCounts *durations = arena_make(parts->arena, NativeCounts);
    if (!parts->n)
        return;
    const Part *end = parts->items + parts->n;
    qsort(parts->items, parts->n, sizeof(Part), by_cell_and_method);
    matrix->cells = arena_array(parts->arena, MatrixCell, parts->n);
    for (const Part *part = parts->items; part < end;)
        part = add_cell(p, part, end, durations, &matrix->cells[matrix->n_cells++]);
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static int by_service(const void *a, const void *b)
{
    return strcmp(((const MatrixLoss *)a)->service, ((const MatrixLoss *)b)->service);
}

static void make_losses(TelemetryProcess *p, Arena *arena, CallMatrix *matrix)
{
    uint64_t *sums = arena_array(arena, uint64_t, SERIES_LIMIT);
    memcpy(sums, p->losses, sizeof p->losses);
    for (const Generation *g = p->generations; g; g = g->next)
        telemetry_add_losses(p, g->config, sums);
    matrix->losses = arena_array(arena, MatrixLoss, p->series[SERIES_LOSS].n);
    for (uint32_t i = 0; i < p->series[SERIES_LOSS].n; i++) {
        const char *labels[SERIES_LABELS];
        for (uint32_t k = 0; k < SERIES_LABELS; k++)
            labels[k] = series_label(p, SERIES_LOSS, i, k);
        if (sums[i])
            matrix->losses[matrix->n_losses++] =
                (MatrixLoss){labels[0], labels[1], labels[2], labels[3], labels[4], sums[i]};
    }
    qsort(matrix->losses, matrix->n_losses, sizeof *matrix->losses, by_service);
}

void call_matrix_read(Arena *arena, CallMatrix *matrix_out)
{
    TelemetryProcess *p = telemetry_lock();
    *matrix_out = (CallMatrix){.n_cells = 0};
    if (!p)
        return;
    Parts parts = {.arena = arena};
    matrix_out->since = p->began;
    gather_all(p, &parts);
    make_cells(p, &parts, matrix_out);
    make_losses(p, arena, matrix_out);
    telemetry_unlock();
}
