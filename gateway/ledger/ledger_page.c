#include "gateway/ledger/ledger_internal.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/ledger/muting.h"
#include "gateway/redaction/redaction.h"
#include "gateway/telemetry/log_line.h"

#include <math.h>
#include <stdlib.h>

/* ---- Records --------------------------------------------------------------------------------- */

static void add_attempt(Buffer *out, const AttemptRecord *a)
{
    log_line_text(out, bytes_of("{\"instance\":"), bytes_of(a->instance->address.text));
    if (a->asked)
        log_line_millis(out, LOG_KEY("sent_ms"), a->asked - a->began);
    if (a->headed)
        log_line_millis(out, LOG_KEY("head_ms"), a->headed - a->began);
    log_line_millis(out, LOG_KEY("end_ms"), a->ended - a->began);
    log_line_word(out, LOG_KEY("code"), code_name(a->code));
    log_line_causes(out, LOG_KEY("causes"), a->why);
    buffer_add_byte(out, '}');
}

static void add_attempts(Buffer *out, const CallRecord *record)
{
    const char *between = ",\"tries\":[";
    for (const AttemptRecord *a = record->attempts; a; a = a->next) {
        buffer_add_text(out, between);
        add_attempt(out, a);
        between = ",";
    }
    buffer_add_byte(out, ']');
}

/* What the line of the log leaves out, because it would be too long for each call. */
Bytes ledger_write_record(const CallRecord *record, Bytes line, Buffer *out)
{
    out->size = 0;
    buffer_add_bytes(out, bytes_slice(line, 0, line.size - 1));
    log_line_text(out, LOG_KEY("lost"), record->lost);
    if (record->attempts)
        add_attempts(out, record);
    buffer_add_byte(out, '}');
    return buffer_bytes(out);
}

/* ---- The order of rows ----------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const LedgerRank *one = a, *other = b;
    if (one->muted != other->muted)
        return one->muted ? 1 : -1;
    if (one->row->key.attempt != other->row->key.attempt)
        return one->row->key.attempt ? 1 : -1;
    if (one->criticality.value != other->criticality.value)
        return one->criticality.value > other->criticality.value ? -1 : 1;
    if (one->row->last != other->row->last)
        return one->row->last > other->row->last ? -1 : 1;
    return one->row->fingerprint < other->row->fingerprint ? -1 : 1;
}

LedgerRank *ledger_rank(Arena *arena, const LedgerPage *page, const FailureTable *table)
{
    LedgerRank *ranks = arena_array(arena, LedgerRank, table->n + 1);
    for (uint32_t i = 0; i < table->n; i++) {
        const FailureRow *row = table->rows[i];
        LedgerRank *rank = &ranks[i];
        rank->row = row;
        rank->criticality = criticality_of(row, tally_use(page->all, row->series), page->wall);
        rank->annotation = annotations_find(page->annotations, row->fingerprint);
        rank->muted = muting_is_muted(row, rank->annotation);
    }
    qsort(ranks, table->n, sizeof *ranks, compare);
    return ranks;
}

/* ---- The page -------------------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *name, Bytes text)
{
    json_text_add_key(out, name);
    json_text_add(out, text);
}

static void add_said(Buffer *out, const char *name, Bytes text)
{
    if (text.size)
        add_text(out, name, text);
}

static void add_number(Buffer *out, const char *name, uint64_t number)
{
    json_text_add_key(out, name);
    buffer_printf(out, "%llu", (unsigned long long)number);
}

static void add_share(Buffer *out, const char *name, double share)
{
    json_text_add_key(out, name);
    buffer_printf(out, "%.4f", share);
}

void ledger_add_time(Buffer *out, const char *name, int64_t wall)
{
    json_text_add_time(out, name, wall / SECOND, 0);
}

static void add_key(Buffer *out, const FailureKey *key)
{
    static const char *const sides[] = {"client", "gateway", "upstream"};
    add_text(out, "of", bytes_of(key->attempt ? "attempt" : "call"));
    add_text(out, "fault", bytes_of(key->fault->name));
    add_text(out, "code", bytes_of(code_name(key->code)));
    add_text(out, "side", bytes_of(sides[key->side]));
    add_said(out, "route", key->route);
    add_said(out, "method", key->method);
    add_said(out, "client_version", key->client_version);
    add_said(out, "served_version", key->served_version);
    add_said(out, "leg", key->leg);
    add_said(out, "cause", key->cause);
}

static void add_counts(Buffer *out, const FailureRow *row, int64_t wall)
{
    add_number(out, "count", row->count);
    add_number(out, "degraded", row->degraded);
    add_number(out, "retried", row->retried);
    ledger_add_time(out, "first", row->first);
    ledger_add_time(out, "last", row->last);
    add_number(out, "last_minute", window_count(&row->minute, WINDOW_MINUTE, wall));
    add_number(out, "last_hour", window_count(&row->hour, WINDOW_HOUR, wall));
    add_number(out, "last_day", window_count(&row->day, WINDOW_DAY, wall));
    add_number(out, "clients", (uint64_t)llround(sketch_count(&row->clients)));
}

static void add_instances(Buffer *out, const FailureInstances *instances)
{
    json_text_add_key(out, "instances");
    for (uint32_t i = 0; i < instances->n; i++) {
        buffer_add_byte(out, i ? ',' : '[');
        json_text_add(out, bytes_of(instances->names[i]));
    }
    buffer_add_text(out, instances->n ? "]" : "[]");
    json_text_add_key(out, "more_instances");
    buffer_add_text(out, instances->more ? "true" : "false");
}

/* Newest first. */
static void add_samples(Buffer *out, const LedgerPage *page, const FailureRow *row)
{
    json_text_open_list(out, "samples");
    for (uint32_t i = row->n_samples; i > 0; i--) {
        const FailureSample *sample = &row->samples[i - 1];
        if (i < row->n_samples)
            buffer_add_byte(out, ',');
        buffer_add_byte(out, '{');
        add_text(out, "request_id", bytes_of(sample->id));
        ledger_add_time(out, "at", sample->at);
        if (sample->record) {
            json_text_add_key(out, "record");
            redact_record(bytes_of(sample->record), page->redact, out);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_annotation(Buffer *out, const LedgerRank *rank)
{
    const Annotation *a = rank->annotation;
    json_text_add_key(out, "annotation");
    buffer_add_byte(out, '{');
    add_said(out, "owner", a->owner);
    add_said(out, "cause", a->cause);
    add_said(out, "ticket", a->ticket);
    json_text_add_key(out, "acknowledged");
    buffer_add_text(out, a->acknowledged ? "true" : "false");
    json_text_add_key(out, "muted");
    buffer_add_text(out, rank->muted ? "true" : "false");
    add_said(out, "changed", bytes_of(muting_change(rank->row, a)));
    if (a->closed)
        add_text(out, "failure",
                 bytes_of("its texts are sealed with a key that is not in store.keys"));
    add_text(out, "who", a->who);
    add_said(out, "why", a->why);
    ledger_add_time(out, "at", a->at);
    buffer_add_byte(out, '}');
}

static void add_complaints(Buffer *out, const LedgerPage *page, const FailureRow *row)
{
    uint64_t n = page->complaints ? page->complaints(page->complaints_owner, row->fingerprint) : 0;
    if (n)
        add_number(out, "complaints", n);
}

void ledger_row_write(const LedgerPage *page, const LedgerRank *rank, Buffer *out)
{
    const FailureRow *row = rank->row;
    buffer_add_byte(out, '{');
    json_text_add_key(out, "fingerprint");
    buffer_printf(out, "\"%016llx\"", (unsigned long long)row->fingerprint);
    add_share(out, "criticality", rank->criticality.value);
    add_text(out, "impact", bytes_of(impact_name(row->impact)));
    add_share(out, "share_of_calls", rank->criticality.calls);
    add_share(out, "share_of_clients", rank->criticality.clients);
    add_key(out, &row->key);
    add_counts(out, row, page->wall);
    add_complaints(out, page, row);
    add_instances(out, &row->instances);
    if (rank->annotation)
        add_annotation(out, rank);
    add_samples(out, page, row);
    buffer_add_byte(out, '}');
}

static void add_rows(Buffer *out, const char *name, const LedgerPage *page,
                     const FailureTable *table)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const LedgerRank *ranks = ledger_rank(arena, page, table);
    json_text_open_list(out, name);
    for (uint32_t i = 0; i < table->n; i++) {
        if (i)
            buffer_add_byte(out, ',');
        ledger_row_write(page, &ranks[i], out);
    }
    buffer_add_byte(out, ']');
    arena_free(arena);
}

static void add_evicted(Buffer *out, const char *name, const FailureTable *table)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, '{');
    add_number(out, "rows", table->evicted);
    add_number(out, "count", table->evicted_failures);
    buffer_add_byte(out, '}');
}

void ledger_page_write(const LedgerPage *page, Buffer *out)
{
    buffer_add_byte(out, '{');
    add_text(out, "node", bytes_of(page->node));
    ledger_add_time(out, "as_of", page->wall);
    add_rows(out, "failures", page, &page->all->failures);
    add_rows(out, "mistakes", page, &page->all->mistakes);
    add_evicted(out, "evicted_failures", &page->all->failures);
    add_evicted(out, "evicted_mistakes", &page->all->mistakes);
    buffer_add_byte(out, '}');
}
