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
    if (key->attempt)
        hash = join(hash, bytes_of("attempt"));
    return join(hash, bytes_slice(key->cause, 0, CAUSE_SIZE));
}

static uint64_t group_hash(const FailureKey *key)
{
    uint64_t hash = (uint64_t)key->side + 1;
    hash = join(hash, bytes_of(key->fault->name));
    hash = join(hash, bytes_of(code_name(key->code)));
    return join(hash, cut(key->route));
}

static uint64_t cause_hash(const FailureKey *key)
{
    return bytes_hash(bytes_slice(key->cause, 0, CAUSE_SIZE));
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
        .attempt = key->attempt,
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

/* Whether there was nothing for an hour between two rows. */
static void notice_pause(FailureRow *into, const FailureRow *from)
{
    bool behind = from->first > into->last;
    int64_t resumed = behind ? from->first : into->first;
    int64_t pause = resumed - (behind ? into->last : from->last);
    if (from->resumed > into->resumed) {
        into->resumed = from->resumed;
        into->pause = from->pause;
    }
    if (pause < WINDOW_HOUR || resumed < into->resumed)
        return;
    into->resumed = resumed;
    into->pause = pause;
}

/* The records of the samples go over. */
static void merge(FailureRow *into, FailureRow *from)
{
    if (into->count)
        notice_pause(into, from);
    else {
        into->pause = from->pause;
        into->resumed = from->resumed;
    }
    if (from->method.seen > into->method.seen)
        into->method = from->method;
    if (from->mute.acknowledged > into->mute.acknowledged)
        into->mute = from->mute;
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

/* ---- Groups ---------------------------------------------------------------------------------- */

static bool is_other(const FailureKey *key)
{
    return bytes_are(key->cause, FAILURE_OTHER);
}

/* Where the group is, or would be. */
static FailureGroup **group_at(FailureTable *table, uint64_t hash)
{
    FailureGroup **at = &table->groups[hash % FAILURE_BUCKETS];
    while (*at && (*at)->hash != hash)
        at = &(*at)->next;
    return at;
}

/* The place of the cause; group->n: it has none. */
static uint32_t cause_at(const FailureGroup *group, uint64_t cause)
{
    uint32_t i = 0;
    while (i < group->n && group->causes[i].cause != cause)
        i++;
    return i;
}

static void join_group(FailureTable *table, const FailureKey *key)
{
    if (is_other(key))
        return;
    FailureGroup **at = group_at(table, group_hash(key));
    if (!*at) {
        *at = calloc(1, sizeof **at);
        CHECK(*at);
        (*at)->hash = group_hash(key);
    }
    FailureGroup *group = *at;
    uint32_t i = cause_at(group, cause_hash(key));
    if (i == group->n) {
        CHECK(group->n < FAILURE_CAUSES);
        group->causes[group->n++].cause = cause_hash(key);
        group->causes[i].rows = 0;
    }
    group->causes[i].rows++;
}

static void leave_group(FailureTable *table, const FailureKey *key)
{
    if (is_other(key))
        return;
    FailureGroup **at = group_at(table, group_hash(key)), *group = *at;
    uint32_t i = cause_at(group, cause_hash(key));
    if (--group->causes[i].rows)
        return;
    group->causes[i] = group->causes[--group->n];
    if (group->n)
        return;
    *at = group->next;
    free(group);
}

static void clear_groups(FailureTable *table)
{
    for (uint32_t i = 0; i < FAILURE_BUCKETS; i++)
        for (FailureGroup *next, *group = table->groups[i]; group; group = next) {
            next = group->next;
            free(group);
        }
}

bool failure_table_admits(const FailureTable *table, const FailureKey *key)
{
    const FailureGroup *group = *group_at((FailureTable *)table, group_hash(key));
    return !group || group->n < FAILURE_CAUSES || is_other(key) ||
           cause_at(group, cause_hash(key)) < group->n;
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

/* Of those that are stored as they are; table->n: there is none. */
static uint32_t least_stored_row(const FailureTable *table, int64_t wall)
{
    uint32_t least = table->n;
    for (uint32_t i = 0; i < table->n; i++)
        if (!table->rows[i]->changed && table->rows[i]->stored == STORED_KNOWN &&
            (least == table->n || matters_less(table->rows[i], table->rows[least], wall)))
            least = i;
    return least;
}

/* What has not changed is stored as it is, and not lost. */
static void count_evicted(FailureTable *table, const FailureRow *row)
{
    table->evicted += row->changed;
    table->evicted_failures += row->changed ? row->count : 0;
}

static void evict(FailureTable *table, uint32_t index)
{
    FailureRow *row = table->rows[index];
    FailureRow **at = bucket_of(table, row->fingerprint);
    while (*at != row)
        at = &(*at)->next;
    *at = row->next;
    leave_group(table, &row->key);
    table->rows[index] = table->rows[--table->n];
    count_evicted(table, row);
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
    join_group(table, &row->key);
    return row;
}

/* Evicts the rows of the group that were not seen for a day. To look at all rows once a minute is
   often enough. */
static void clean_group(FailureTable *table, uint64_t hash, int64_t wall)
{
    FailureGroup *group = *group_at(table, hash);
    if (wall - group->cleaned < WINDOW_MINUTE)
        return;
    group->cleaned = wall;
    for (uint32_t i = table->n; i > 0; i--) {
        const FailureRow *row = table->rows[i - 1];
        if (wall - row->last > WINDOW_DAY && group_hash(&row->key) == hash)
            evict(table, i - 1);
    }
}

/* The key of the row that counts failures with this one: its own, or that of other causes. */
static FailureKey admitted(FailureTable *table, const FailureKey *key, int64_t wall)
{
    FailureKey counted = *key;
    if (!failure_table_admits(table, key))
        clean_group(table, group_hash(key), wall);
    if (!failure_table_admits(table, key))
        counted.cause = bytes_of(FAILURE_OTHER);
    return counted;
}

static FailureRow *row_for(FailureTable *table, const Failure *failure)
{
    uint64_t fingerprint = failure_fingerprint(&failure->key);
    FailureRow *row = failure_table_find(table, fingerprint);
    if (row)
        return row;
    FailureKey key = admitted(table, &failure->key, failure->at);
    fingerprint = failure_fingerprint(&key);
    row = failure_table_find(table, fingerprint);
    if (row)
        return row;
    if (table->n >= table->limit)
        evict(table, least_row(table, failure->at));
    return insert(table, &key, fingerprint);
}

void failure_table_add(FailureTable *table, const Failure *failure)
{
    count(row_for(table, failure), failure);
}

void failure_table_merge(FailureTable *table, FailureRow *from)
{
    FailureRow *row = failure_table_find(table, from->fingerprint);
    FailureKey key = from->key;
    uint64_t fingerprint = from->fingerprint;
    if (!row) {
        key = admitted(table, &from->key, from->last);
        fingerprint = failure_fingerprint(&key);
        row = failure_table_find(table, fingerprint);
    }
    if (!row && table->n >= table->limit) {
        uint32_t least = least_row(table, from->last);
        if (matters_less(from, table->rows[least], from->last)) {
            count_evicted(table, from);
            return;
        }
        evict(table, least);
    }
    if (!row)
        row = insert(table, &key, fingerprint);
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

void failure_table_trim_stored(FailureTable *table, uint32_t rows, int64_t wall)
{
    uint32_t least = 0;
    while (table->n > rows && (least = least_stored_row(table, wall)) < table->n)
        evict(table, least);
}

void failure_table_clear(FailureTable *table)
{
    for (uint32_t i = 0; i < table->n; i++)
        failure_row_free(table->rows[i]);
    clear_groups(table);
    free(table->rows);
    *table = (FailureTable){.limit = table->limit};
}
