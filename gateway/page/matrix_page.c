#include "gateway/page/matrix_page.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/telemetry/call_matrix.h"

enum { FIELDS_MOST = 200 /* of one cell that may be lost: schemas have many */ };

static void add_millis(Buffer *out, const char *name, int64_t nanoseconds)
{
    json_text_add_key(out, name);
    buffer_printf(out, "%.3g", (double)nanoseconds / (double)MILLISECOND);
}

/* ---- What is lost ---------------------------------------------------------------------------- */

/* Of requests from the client's version to the one that serves, or of responses back. */
static bool is_between(const MatrixLoss *loss, const MatrixCell *cell)
{
    return (strcmp(loss->from, cell->client) == 0 && strcmp(loss->to, cell->served) == 0) ||
           (strcmp(loss->from, cell->served) == 0 && strcmp(loss->to, cell->client) == 0);
}

static void write_loss(const MatrixLoss *loss, Buffer *out)
{
    json_text_open_item(out);
    json_text_add_member(out, "field", bytes_of(loss->field));
    json_text_add_member(out, "kind", bytes_of(loss->kind));
    json_text_add_member(out, "from", bytes_of(loss->from));
    json_text_add_member(out, "to", bytes_of(loss->to));
    json_text_add_number(out, "calls", loss->count);
    buffer_add_byte(out, '}');
}

static uint64_t write_lost(const MatrixCell *cell, const MatrixLoss *losses, size_t n, Buffer *out)
{
    uint64_t sum = 0;
    json_text_open_list(out, "lost");
    for (size_t i = 0; i < n; i++) {
        if (!is_between(&losses[i], cell))
            continue;
        write_loss(&losses[i], out);
        sum += losses[i].count;
    }
    buffer_add_byte(out, ']');
    return sum;
}

static uint32_t write_set(const MappingSet *set, uint32_t room, Buffer *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; set && i < set->n_losses && n < room; i++) {
        if (set->losses[i]->kind < LOSS_DEFAULTED)
            continue;
        json_text_add_element(out);
        json_text_add(out, bytes_of(set->losses[i]->path));
        n++;
    }
    return n;
}

static const MappingSet *set_of(const Version *from, const Version *to)
{
    return from && to && from->to ? from->to[to->index] : NULL;
}

static void write_loses(const Service *service, const MatrixCell *cell, Buffer *out)
{
    const Version *client = service_version(service, bytes_of(cell->client));
    const Version *served = service_version(service, bytes_of(cell->served));
    json_text_open_list(out, "loses");
    if (client != served) {
        uint32_t n = write_set(set_of(client, served), FIELDS_MOST, out);
        write_set(set_of(served, client), FIELDS_MOST - n, out);
    }
    buffer_add_byte(out, ']');
}

/* ---- Services -------------------------------------------------------------------------------- */

static void write_cell(const Service *service, const MatrixCell *cell, const MatrixLoss *losses,
                       size_t n, Buffer *out)
{
    json_text_open_item(out);
    json_text_add_member(out, "client_version", bytes_of(cell->client));
    json_text_add_member(out, "served_version", bytes_of(cell->served));
    json_text_add_number(out, "calls", cell->calls);
    json_text_add_number(out, "errors", cell->errors);
    json_text_add_number(out, "mistakes", cell->mistakes);
    json_text_add_number(out, "degraded", cell->degraded);
    add_millis(out, "p50_ms", cell->p50);
    add_millis(out, "p99_ms", cell->p99);
    json_text_add_number(out, "losses", write_lost(cell, losses, n, out));
    write_loses(service, cell, out);
    buffer_add_byte(out, '}');
}

/* The service is the first member of both. */
static const char *service_at(const void *items, size_t size, size_t i)
{
    return *(const char *const *)((const char *)items + i * size);
}

/* Those of a service are in a row. */
typedef struct Run {
    size_t first, n;
} Run;

static Run run_of(const char *service, const void *items, size_t n, size_t size)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(service_at(items, size, middle), service) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < n && strcmp(service_at(items, size, end), service) == 0)
        end++;
    return (Run){low, end - low};
}

static void write_versions(const Service *service, Buffer *out)
{
    json_text_open_list(out, "versions");
    for (uint32_t i = 0; i < service->n_versions; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(service->versions[i].name));
    }
    buffer_add_byte(out, ']');
}

static void write_service(const Service *service, const CallMatrix *matrix, Buffer *out)
{
    Run cells = run_of(service->name, matrix->cells, matrix->n_cells, sizeof *matrix->cells);
    Run losses = run_of(service->name, matrix->losses, matrix->n_losses, sizeof *matrix->losses);
    json_text_open_item(out);
    json_text_add_member(out, "service", bytes_of(service->name));
    write_versions(service, out);
    json_text_open_list(out, "cells");
    for (size_t i = 0; i < cells.n; i++)
        write_cell(service, &matrix->cells[cells.first + i], matrix->losses + losses.first,
                   losses.n, out);
    buffer_add_text(out, "]}");
}

void matrix_page_write(const Config *config, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    CallMatrix matrix;
    call_matrix_read(arena, &matrix);
    buffer_add_byte(out, '{');
    json_text_add_time(out, "since", matrix.since / SECOND, 0);
    json_text_open_list(out, "services");
    for (uint32_t i = 0; i < config->n_services; i++)
        write_service(&config->services[i], &matrix, out);
    buffer_add_text(out, "]}");
    arena_free(arena);
}
