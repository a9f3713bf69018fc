#include "gateway/trace/trace_book.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/trace/span_write.h"

#include <stdlib.h>

struct TraceBook {
    OtlpExporter *exporter;
    Loop *loop;
    OtlpBatch spans;
    Timer timer; /* runs while there are some */
    bool closed;
    int64_t second; /* in which so many were recorded late: */
    uint32_t n_late;
};

static void pass_on(TraceBook *book)
{
    timer_stop(&book->loop->timers, &book->timer);
    otlp_batch_send(&book->spans, book->exporter);
}

static void on_old(Timer *timer)
{
    pass_on((TraceBook *)((char *)timer - offsetof(TraceBook, timer)));
}

static bool may_be_late(TraceBook *book, uint32_t most)
{
    int64_t second = book->loop->now / SECOND;
    if (second != book->second) {
        book->second = second;
        book->n_late = 0;
    }
    return book->n_late++ < most;
}

/* Nobody has decided that it is recorded. */
static bool is_worth_it(const TracingConfig *config, const CallRecord *record)
{
    if (record->quiet)
        return false;
    if (record->time_total >= config->slow)
        return true;
    return config->errors && failed(record->why) && telemetry_side(record) != SIDE_CLIENT;
}

static void begin_batch(TraceBook *book)
{
    const TracingConfig *config = &book->loop->config->tracing;
    otlp_batch_begin(&book->spans, config->to.batch); /* and one call: its texts are cut */
    if (!book->closed)
        timer_start(&book->loop->timers, &book->timer, book->loop->now + config->to.every);
}

static void add(TraceBook *book, const CallRecord *record, const TraceContext *context)
{
    if (!book->spans.arena)
        begin_batch(book);
    book->spans.n +=
        spans_write(record, context, clock_now() - record->time_total, &book->loop->random,
                    book->loop->config->log.redact, &book->spans.items);
    telemetry_exemplar(book->loop, record, context);
    if (book->spans.items.size >= book->loop->config->tracing.to.batch)
        pass_on(book);
}

static void on_call(void *owner, const CallRecord *record, Bytes line)
{
    TraceBook *book = owner;
    const TracingConfig *config = &book->loop->config->tracing;
    (void)line;
    if (!config->to.on)
        return;
    if (record->trace && record->trace->recorded) {
        add(book, record, record->trace);
        return;
    }
    if (!is_worth_it(config, record) || !may_be_late(book, config->late_per_second))
        return;
    TraceContext late = {0};
    if (record->trace)
        late = *record->trace;
    if (!late.known)
        trace_context_start(&late, &book->loop->random);
    add(book, record, &late);
}

TraceBook *trace_book_open(OtlpExporter *exporter, Loop *loop)
{
    TraceBook *book = calloc(1, sizeof *book);
    CHECK(book);
    book->exporter = exporter;
    book->loop = loop;
    book->timer.fire = on_old;
    telemetry_feed(loop->telemetry, on_call, book);
    return book;
}

void trace_book_close(TraceBook *book)
{
    pass_on(book);
    book->closed = true;
}

void trace_book_free(TraceBook *book)
{
    otlp_batch_send(&book->spans, book->exporter);
    free(book);
}
