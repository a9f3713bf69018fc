#include "gateway/otlp/log_source.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/otlp/log_record.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>
#include <stdlib.h>

struct LogSource {
    OtlpExporter *exporter;
    bool taking;
    pthread_mutex_t mutex; /* of the members below: */
    Arena *arena;          /* of the lines; NULL: there are none */
    Buffer lines;          /* each with its newline */
    size_t enough;         /* bytes that are not waited with */
};

/* ---- On the writer's thread ------------------------------------------------------------------ */

static uint32_t count_lines(Bytes lines)
{
    uint32_t n = 0;
    for (size_t i = 0; i < lines.size; i++)
        n += lines.data[i] == '\n';
    return n;
}

/* Up to and with the last newline of those first bytes. */
static size_t whole_lines(Bytes lines, size_t most)
{
    size_t size = lines.size < most ? lines.size : most;
    while (size && lines.data[size - 1] != '\n')
        size--;
    return size;
}

/* Drops the last lines that there is no room for. */
static void cut(LogSource *source)
{
    size_t most = otlp_exporter_most(source->exporter);
    size_t queued = otlp_exporter_queued(source->exporter);
    size_t fits = whole_lines(buffer_bytes(&source->lines), most > queued ? most - queued : 0);
    Bytes rest = bytes_slice(buffer_bytes(&source->lines), fits, SIZE_MAX);
    if (rest.size)
        otlp_exporter_drop(source->exporter, count_lines(rest));
    source->lines.size = fits;
}

static void take_lines(void *owner, const struct iovec parts[2])
{
    LogSource *source = owner;
    pthread_mutex_lock(&source->mutex);
    if (!source->arena) {
        source->arena = arena_new(ARENA_UNLIMITED);
        source->lines = buffer_in(source->arena);
    }
    size_t before = source->lines.size;
    for (int i = 0; i < 2; i++)
        buffer_add(&source->lines, parts[i].iov_base, parts[i].iov_len);
    cut(source);
    bool enough = before < source->enough && source->lines.size >= source->enough;
    pthread_mutex_unlock(&source->mutex);
    if (enough)
        otlp_exporter_gather_now(source->exporter);
}

/* ---- On the exporter's thread ---------------------------------------------------------------- */

typedef struct Collection {
    OtlpExporter *exporter;
    size_t most; /* bytes of a request */
    LogRecordForm form;
    OtlpBatch batch;
    Arena *scratch; /* of the lines of one request */
} Collection;

static void end_request(Collection *c)
{
    otlp_batch_send(&c->batch, c->exporter);
    arena_reset(c->scratch);
}

static void add_line(Collection *c, Bytes line)
{
    otlp_batch_begin(&c->batch, c->most);
    c->batch.n += log_record_write(line, &c->form, c->scratch, &c->batch.items);
    if (c->batch.items.size >= c->most)
        end_request(c);
}

void log_source_gather(void *owner, OtlpExporter *exporter, const Config *config)
{
    LogSource *source = owner;
    Collection c = {.exporter = exporter,
                    .most = config->otlp.logs.batch,
                    .scratch = arena_new(ARENA_UNLIMITED),
                    .form = {.least = config->otlp.least,
                             .redact = config->log.redact,
                             .observed = clock_wall()}};
    pthread_mutex_lock(&source->mutex);
    Arena *arena = source->arena;
    Bytes lines = arena ? buffer_bytes(&source->lines) : BYTES_NONE, line;
    source->arena = NULL;
    source->lines = (Buffer){0};
    pthread_mutex_unlock(&source->mutex);
    while (bytes_split(&lines, '\n', &line))
        if (line.size)
            add_line(&c, line);
    end_request(&c);
    arena_free(c.scratch);
    arena_free(arena);
}

/* ---- On the main thread ---------------------------------------------------------------------- */

LogSource *log_source_new(OtlpExporter *exporter)
{
    LogSource *source = calloc(1, sizeof *source);
    CHECK(source);
    CHECK(pthread_mutex_init(&source->mutex, NULL) == 0);
    source->exporter = exporter;
    return source;
}

void log_source_use(LogSource *source, const Config *config)
{
    pthread_mutex_lock(&source->mutex);
    source->enough = config ? config->otlp.logs.batch : 0;
    pthread_mutex_unlock(&source->mutex);
    bool take = config && config->otlp.logs.on;
    if (take != source->taking)
        telemetry_tap(take ? take_lines : NULL, source);
    source->taking = take;
}

void log_source_free(LogSource *source)
{
    arena_free(source->arena);
    pthread_mutex_destroy(&source->mutex);
    free(source);
}
