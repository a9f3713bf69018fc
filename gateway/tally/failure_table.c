#include "gateway/tally/failure_table.h"

#include <stdlib.h>

/* ---- Fingerprints ---------------------------------------------------------------------------- */

static uint64_t join(uint64_t hash, Bytes text)
{
    return (hash << 7 | hash >> 57) * UINT64_C(0x9e3779b97f4a7c15) ^ bytes_hash(text);
}

static Bytes cut(Bytes text)
{
    return bytes_slice(text, 0, FAILURE_TEXT_SIZE);
}

/* By names, not by addresses and numbers: the next build may have others. */
uint64_t failure_fingerprint(const FailureKey *key)
{
    uint64_t hash = (uint64_t)key->side + 1;
    hash = join(hash, bytes_of(key->fault->name));
    hash = join(hash, bytes_of(code_name(key->code)));
    hash = join(hash, cut(key->route));
    hash = join(hash, cut(key->method));
    hash = join(hash, cut(key->client_version));
    hash = join(hash, cut(key->served_version));
    hash = join(hash, cut(key->leg));
    return join(hash, bytes_slice(key->cause, 0, CAUSE_SIZE));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

uint32_t impact_weight(Impact impact)
{
    static const uint32_t weights[] = {1, 10, 100};
    return weights[impact];
}

static Bytes keep_text(char **at, Bytes text)
{
    Bytes kept = bytes(*at, text.size);
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

FailureRow *failure_row_new(const FailureKey *key, uint64_t fingerprint)
{
    FailureRow *row = calloc(1, sizeof *row);
    CHECK(row);
    char *at = row->text;
    row->fingerprint = fingerprint;
    row->key = (FailureKey){
        .side = key->side,
        .fault = key->fault,
        .code = key->code,
        .route = keep_text(&at, cut(key->route)),
        .method = keep_text(&at, cut(key->method)),
        .client_version = keep_text(&at, cut(key->client_version)),
        .served_version = keep_text(&at, cut(key->served_version)),
        .leg = keep_text(&at, cut(key->leg)),
        .cause = keep_text(&at, bytes_slice(key->cause, 0, CAUSE_SIZE)),
    };
    return row;
}

void failure_row_free(FailureRow *row)
{
    for (uint32_t i = 0; i < row->n_samples; i++)
        free(row->samples[i].record);
    free(row);
}

void failure_instances_add(FailureInstances *instances, Bytes name)
{
    name = bytes_slice(name, 0, FAILURE_NAME_SIZE - 1);
    if (!name.size)
        return;
    for (uint32_t i = 0; i < instances->n; i++)
        if (bytes_are(name, instances->names[i]))
            return;
    if (instances->n == FAILURE_INSTANCES) {
        instances->more = true;
        return;
    }
    memcpy(instances->names[instances->n++], name.data, name.size); /* the rest is zeros */
}

/* Samples are in the order of their time, oldest first. */
void failure_row_sample(FailureRow *row, Bytes id, int64_t at, char *record)
{
    uint32_t place = row->n_samples;
    while (place && row->samples[place - 1].at > at)
        place--;
    if (row->n_samples == FAILURE_SAMPLES) {
        if (place == 0) {
            free(record);
            return;
        }
        free(row->samples[0].record);
        place--;
        memmove(&row->samples[0], &row->samples[1], place * sizeof *row->samples);
    } else {
        memmove(&row->samples[place + 1], &row->samples[place],
                (row->n_samples - place) * sizeof *row->samples);
        row->n_samples++;
    }
    FailureSample *sample = &row->samples[place];
    *sample = (FailureSample){.at = at, .record = record};
    id = bytes_slice(id, 0, sizeof sample->id - 1);
    if (id.size)
        memcpy(sample->id, id.data, id.size);
}

static char *copy_record(Bytes record)
{
    if (!record.size || record.size > FAILURE_RECORD_SIZE)
        return NULL;
    char *copy = malloc(record.size + 1);
    CHECK(copy);
    memcpy(copy, record.data, record.size);
    copy[record.size] = '\0';
    return copy;
}

static void count(FailureRow *row, const Failure *failure)
{
    if (!row->count || failure->at < row->first)
        row->first = failure->at;
    if (failure->at > row->last)
        row->last = failure->at;
    row->count++;
    row->degraded += failure->outcome == FAILURE_DEGRADED;
    row->retried += failure->outcome == FAILURE_RETRIED;
    row->impact = failure->impact;
    row->series = failure->series;
    row->changed = true;
    window_add(&row->minute, WINDOW_MINUTE, failure->at, 1);
    window_add(&row->hour, WINDOW_HOUR, failure->at, 1);
    window_add(&row->day, WINDOW_DAY, failure->at, 1);
    sketch_add(&row->clients, failure->client);
    recent_clients_add(&row->recent_clients, failure->at, failure->client);
    failure_instances_add(&row->instances, failure->instance);
    if (failure->request_id.size && row->n_samples < FAILURE_SAMPLES)
        failure_row_sample(row, failure->request_id, failure->at, copy_record(failure->record));
}

/* The records of the samples go over. */
static void merge(FailureRow *into, FailureRow *from)
{
    if (!into->count || from->first < into->first)
        into->first = from->first;
    if (!into->count || from->last > into->last) {
        into->last = from->last;
        into->impact = from->impact;
    }
    if (from->series)
        into->series = from->series;
    into->count += from->count;
    into->degraded += from->degraded;
    into->retried += from->retried;
    into->changed = true;
    window_merge(&into->minute, &from->minute);
    window_merge(&into->hour, &from->hour);
    window_merge(&into->day, &from->day);
    sketch_merge(&into->clients, &from->clients);
    recent_clients_merge(&into->recent_clients, &from->recent_clients);
    for (uint32_t i = 0; i < from->instances.n; i++)
        failure_instances_add(&into->instances, bytes_of(from->instances.names[i]));
    into->instances.more |= from->instances.more;
    for (uint32_t i = 0; i < from->n_samples; i++)
        failure_row_sample(into, bytes_of(from->samples[i].id), from->samples[i].at,
                           from->samples[i].record);
    from->n_samples = 0;
}

/* ---- The table ------------------------------------------------------------------------------- */

static FailureRow **bucket_of(FailureTable *table, uint64_t fingerprint)
{
    return &table->buckets[fingerprint % FAILURE_BUCKETS];
}

FailureRow *failure_table_find(const FailureTable *table, uint64_t fingerprint)
{
    FailureRow *row = table->buckets[fingerprint % FAILURE_BUCKETS];
    while (row && row->fingerprint != fingerprint)
        row = row->next;
    return row;
}

/* Whether `a` is to give way rather than `b`. */
static bool matters_less(const FailureRow *a, const FailureRow *b, int64_t wall)
{
    uint64_t weight_a = window_count(&a->hour, WINDOW_HOUR, wall) * impact_weight(a->impact);
    uint64_t weight_b = window_count(&b->hour, WINDOW_HOUR, wall) * impact_weight(b->impact);
    return weight_a != weight_b ? weight_a < weight_b : a->last < b->last;
}

static uint32_t least_row(const FailureTable *table, int64_t wall)
{
    uint32_t least = 0;
    for (uint32_t i = 1; i < table->n; i++)
        if (matters_less(table->rows[i], table->rows[least], wall))
            least = i;
    return least;
}

static void evict(FailureTable *table, uint32_t index)
{
    FailureRow *row = table->rows[index];
    FailureRow **at = bucket_of(table, row->fingerprint);
    while (*at != row)
        at = &(*at)->next;
    *at = row->next;
    table->rows[index] = table->rows[--table->n];
    table->evicted++;
    table->evicted_failures += row->count;
    failure_row_free(row);
}

static FailureRow *insert(FailureTable *table, const FailureKey *key, uint64_t fingerprint)
{
    if (table->n == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 16;
        table->rows = realloc(table->rows, table->capacity * sizeof *table->rows);
        CHECK(table->rows);
    }
    FailureRow *row = failure_row_new(key, fingerprint);
    FailureRow **bucket = bucket_of(table, fingerprint);
    row->next = *bucket;
    *bucket = row;
    table->rows[table->n++] = row;
    return row;
}

void failure_table_add(FailureTable *table, const Failure *failure)
{
    uint64_t fingerprint = failure_fingerprint(&failure->key);
    FailureRow *row = failure_table_find(table, fingerprint);
    if (!row) {
        if (table->n >= table->limit)
            evict(table, least_row(table, failure->at));
        row = insert(table, &failure->key, fingerprint);
    }
    count(row, failure);
}

void failure_table_merge(FailureTable *table, FailureRow *from)
{
    FailureRow *row = failure_table_find(table, from->fingerprint);
    if (!row && table->n >= table->limit) {
        uint32_t least = least_row(table, from->last);
        if (matters_less(from, table->rows[least], from->last)) {
            table->evicted++;
            table->evicted_failures += from->count;
            return;
        }
        evict(table, least);
    }
    if (!row)
        row = insert(table, &from->key, from->fingerprint);
    merge(row, from);
}

void failure_table_take(FailureTable *table, FailureTable *from)
{
    for (uint32_t i = 0; i < from->n; i++)
        failure_table_merge(table, from->rows[i]);
    table->evicted += from->evicted;
    table->evicted_failures += from->evicted_failures;
    failure_table_clear(from);
}

void failure_table_trim(FailureTable *table, int64_t wall)
{
    while (table->n > table->limit)
        evict(table, least_row(table, wall));
}

void failure_table_clear(FailureTable *table)
{
    for (uint32_t i = 0; i < table->n; i++)
        failure_row_free(table->rows[i]);
    free(table->rows);
    *table = (FailureTable){.limit = table->limit};
}
