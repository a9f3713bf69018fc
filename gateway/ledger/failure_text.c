#include "gateway/ledger/failure_text.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "gateway/redaction/redaction.h"

#include <stdio.h>
#include <stdlib.h>

enum { SUM_SIZE = 17 /* 16 hexadecimal digits and a space */ };

/* Of times and parts of windows: with room to count on. */
#define TIME_MOST (INT64_MAX / 4)

/* ---- Writing --------------------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *name, Bytes text)
{
    json_text_add_key(out, name);
    json_text_add(out, text);
}

static void add_number(Buffer *out, const char *name, int64_t number)
{
    json_text_add_key(out, name);
    buffer_printf(out, "%lld", (long long)number);
}

static void add_window(Buffer *out, const char *name, const Window *window)
{
    json_text_add_key(out, name);
    buffer_printf(out, "[%lld", (long long)window->latest);
    for (int i = 0; i < WINDOW_PARTS; i++)
        buffer_printf(out, ",%llu", (unsigned long long)window->counts[i]);
    buffer_add_byte(out, ']');
}

static void add_sketch(Buffer *out, const char *name, const Sketch *sketch)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, '"');
    base64_encode(out, bytes(sketch->registers, sizeof sketch->registers), BASE64_STANDARD, true);
    buffer_add_byte(out, '"');
}

static void add_key(Buffer *out, const FailureKey *key)
{
    if (key->attempt)
        add_number(out, "attempt", 1);
    add_number(out, "side", key->side);
    add_text(out, "fault", bytes_of(key->fault->name));
    add_number(out, "code", key->code);
    add_text(out, "route", key->route);
    add_text(out, "method", key->method);
    add_text(out, "client_version", key->client_version);
    add_text(out, "served_version", key->served_version);
    add_text(out, "leg", key->leg);
    add_text(out, "cause", key->cause);
}

static void add_instances(Buffer *out, const FailureInstances *instances)
{
    json_text_open_list(out, "instances");
    for (uint32_t i = 0; i < instances->n; i++) {
        if (i)
            buffer_add_byte(out, ',');
        json_text_add(out, bytes_of(instances->names[i]));
    }
    buffer_add_byte(out, ']');
    json_text_add_key(out, "more_instances");
    buffer_add_text(out, instances->more ? "true" : "false");
}

static void add_samples(Buffer *out, const FailureRow *row, const char *const *redact)
{
    json_text_open_list(out, "samples");
    for (uint32_t i = 0; i < row->n_samples; i++) {
        const FailureSample *sample = &row->samples[i];
        buffer_add_text(out, i ? ",{" : "{");
        add_text(out, "id", bytes_of(sample->id));
        add_number(out, "at", sample->at);
        if (sample->record) {
            json_text_add_key(out, "record");
            redact_record(bytes_of(sample->record), redact, out);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

/* What a row may lack. */
static void add_numbers(Buffer *out, const char *name, const int64_t *numbers, int n)
{
    json_text_add_key(out, name);
    for (int i = 0; i < n; i++)
        buffer_printf(out, "%s%lld", i ? "," : "[", (long long)numbers[i]);
    buffer_add_byte(out, ']');
}

enum { PAUSE_NUMBERS = 2, METHOD_NUMBERS = 3, MUTE_NUMBERS = 4 };

static void add_history(Buffer *out, const FailureRow *row, const FailureMethod *method)
{
    if (row->resumed)
        add_numbers(out, "pause", (int64_t[]){row->pause, row->resumed}, PAUSE_NUMBERS);
    if (row->mute.acknowledged)
        add_numbers(out, "mute",
                    (int64_t[]){row->mute.acknowledged, (int64_t)row->mute.rate,
                                row->mute.instances, row->mute.change},
                    MUTE_NUMBERS);
    if (!method->seen)
        return;
    add_numbers(out, "calls", (int64_t[]){method->process, method->seen, (int64_t)method->clients},
                METHOD_NUMBERS);
    add_window(out, "calls_hour", &method->hour);
}

static void add_row(Buffer *out, const FailureRow *row, const FailureMethod *method,
                    const char *const *redact)
{
    buffer_add_byte(out, '{');
    add_key(out, &row->key);
    add_number(out, "impact", row->impact);
    add_number(out, "count", (int64_t)row->count);
    add_number(out, "degraded", (int64_t)row->degraded);
    add_number(out, "retried", (int64_t)row->retried);
    add_number(out, "first", row->first);
    add_number(out, "last", row->last);
    add_window(out, "minute", &row->minute);
    add_window(out, "hour", &row->hour);
    add_window(out, "day", &row->day);
    add_sketch(out, "clients", &row->clients);
    add_number(out, "clients_hour", row->recent_clients.hour);
    add_sketch(out, "clients_even", &row->recent_clients.halves[0]);
    add_sketch(out, "clients_odd", &row->recent_clients.halves[1]);
    add_instances(out, &row->instances);
    add_history(out, row, method);
    add_samples(out, row, redact);
    buffer_add_byte(out, '}');
}

void failure_text_write(const FailureRow *row, const FailureMethod *method,
                        const char *const *redact, Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer content = buffer_in(arena);
    add_row(&content, row, method, redact);
    buffer_printf(out, "%016llx ", (unsigned long long)bytes_hash(buffer_bytes(&content)));
    buffer_add_bytes(out, buffer_bytes(&content));
    arena_free(arena);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Reads members; `bad` after the first one that is missing or wrong. */
typedef struct Reader {
    Arena *arena;
    const JsonNode *object;
    const char *bad; /* the name of the member; NULL: none yet */
} Reader;

static const JsonNode *take(Reader *r, const char *name, JsonKind kind)
{
    const JsonNode *node = json_member(r->object, name);
    if (node && node->kind == kind)
        return node;
    r->bad = name;
    return NULL;
}

static bool read_number(const JsonNode *node, int64_t most, int64_t *number_out)
{
    uint64_t number = 0;
    bool good =
        node->kind == JSON_NUMBER && bytes_to_u64(node->text, &number) && number <= (uint64_t)most;
    *number_out = (int64_t)number;
    return good;
}

static int64_t take_number(Reader *r, const char *name, int64_t most)
{
    const JsonNode *node = take(r, name, JSON_NUMBER);
    int64_t number = 0;
    if (node && !read_number(node, most, &number))
        r->bad = name;
    return number;
}

static Bytes take_text(Reader *r, const char *name)
{
    const JsonNode *node = take(r, name, JSON_STRING);
    return node ? node->text : BYTES_NONE;
}

static void take_window(Reader *r, const char *name, Window *window)
{
    const JsonNode *list = take(r, name, JSON_ARRAY);
    if (!list || list->count != WINDOW_PARTS + 1 ||
        !read_number(list->first, TIME_MOST, &window->latest)) {
        r->bad = name;
        return;
    }
    const JsonNode *node = list->first->next;
    for (int i = 0; i < WINDOW_PARTS; i++, node = node->next) {
        int64_t count;
        if (!read_number(node, INT64_MAX, &count))
            r->bad = name;
        window->counts[i] = (uint64_t)count;
    }
}

static void take_sketch(Reader *r, const char *name, Sketch *sketch)
{
    Buffer out = buffer_in(r->arena);
    Bytes text = take_text(r, name);
    if (r->bad)
        return;
    if (base64_decode(&out, text) && out.size == sizeof sketch->registers)
        memcpy(sketch->registers, out.data, out.size);
    else
        r->bad = name;
}

static void take_instances(Reader *r, FailureInstances *instances)
{
    const JsonNode *list = take(r, "instances", JSON_ARRAY);
    const JsonNode *more = json_member(r->object, "more_instances");
    for (const JsonNode *node = list ? list->first : NULL; node; node = node->next)
        failure_instances_add(instances, node->text);
    instances->more |= more && more->kind == JSON_TRUE;
}

static void take_samples(Reader *r, FailureRow *row)
{
    const JsonNode *list = take(r, "samples", JSON_ARRAY);
    for (const JsonNode *node = list ? list->first : NULL; node; node = node->next) {
        Reader sample = {.arena = r->arena, .object = node};
        if (node->kind != JSON_OBJECT) {
            r->bad = "samples";
            return;
        }
        Bytes id = take_text(&sample, "id");
        int64_t at = take_number(&sample, "at", TIME_MOST);
        const JsonNode *record = json_member(node, "record");
        bool good = record && record->kind == JSON_OBJECT && record->text.size &&
                    record->text.size <= FAILURE_RECORD_SIZE;
        if (sample.bad)
            r->bad = "samples";
        else
            failure_row_sample(row, id, at, good ? text_copy_bytes(record->text) : NULL);
    }
}

static FailureKey take_key(Reader *r)
{
    FailureKey key = {
        .attempt = json_member(r->object, "attempt") != NULL,
        .side = (FaultSide)take_number(r, "side", SIDE_UPSTREAM),
        .fault = fault_by_name(arena_text(r->arena, take_text(r, "fault"))),
        .code = (Code)take_number(r, "code", CODE_COUNT - 1),
        .route = take_text(r, "route"),
        .method = take_text(r, "method"),
        .client_version = take_text(r, "client_version"),
        .served_version = take_text(r, "served_version"),
        .leg = take_text(r, "leg"),
        .cause = take_text(r, "cause"),
    };
    if (!key.fault)
        r->bad = "fault";
    return key;
}

/* False: the row has no such member, or it is wrong. */
static bool take_numbers(Reader *r, const char *name, int64_t *numbers, uint32_t n)
{
    const JsonNode *list = json_member(r->object, name);
    if (!list)
        return false;
    const JsonNode *node = list->first;
    bool good = list->kind == JSON_ARRAY && list->count == n;
    for (uint32_t i = 0; good && i < n; i++, node = node->next)
        good = read_number(node, TIME_MOST, &numbers[i]);
    if (!good)
        r->bad = name;
    return good;
}

static void take_mute(Reader *r, FailureMute *mute)
{
    int64_t numbers[MUTE_NUMBERS];
    if (!take_numbers(r, "mute", numbers, MUTE_NUMBERS))
        return;
    *mute = (FailureMute){.acknowledged = numbers[0],
                          .rate = (uint64_t)numbers[1],
                          .instances = (uint32_t)numbers[2],
                          .change = (FailureChange)numbers[3]};
    if (!numbers[0] || numbers[2] > FAILURE_INSTANCES + 1 || numbers[3] > FAILURE_CAME_BACK)
        r->bad = "mute";
}

static void take_history(Reader *r, FailureRow *row)
{
    int64_t pause[PAUSE_NUMBERS], method[METHOD_NUMBERS];
    if (take_numbers(r, "pause", pause, PAUSE_NUMBERS)) {
        row->pause = pause[0];
        row->resumed = pause[1];
    }
    if (take_numbers(r, "calls", method, METHOD_NUMBERS)) {
        row->method = (FailureMethod){
            .process = method[0], .seen = method[1], .clients = (uint64_t)method[2]};
        take_window(r, "calls_hour", &row->method.hour);
    }
    take_mute(r, &row->mute);
}

static void take_row(Reader *r, FailureRow *row)
{
    row->impact = (Impact)take_number(r, "impact", IMPACT_CATASTROPHIC);
    row->count = (uint64_t)take_number(r, "count", INT64_MAX);
    row->degraded = (uint64_t)take_number(r, "degraded", INT64_MAX);
    row->retried = (uint64_t)take_number(r, "retried", INT64_MAX);
    row->first = take_number(r, "first", TIME_MOST);
    row->last = take_number(r, "last", TIME_MOST);
    take_window(r, "minute", &row->minute);
    take_window(r, "hour", &row->hour);
    take_window(r, "day", &row->day);
    take_sketch(r, "clients", &row->clients);
    row->recent_clients.hour = take_number(r, "clients_hour", TIME_MOST);
    take_sketch(r, "clients_even", &row->recent_clients.halves[0]);
    take_sketch(r, "clients_odd", &row->recent_clients.halves[1]);
    take_instances(r, &row->instances);
    take_history(r, row);
    take_samples(r, row);
    if (row->count < row->degraded + row->retried)
        r->bad = "count";
}

static bool sum_is_right(Bytes text)
{
    char sum[SUM_SIZE + 1];
    if (text.size < SUM_SIZE)
        return false;
    uint64_t hash = bytes_hash(bytes_slice(text, SUM_SIZE, text.size));
    snprintf(sum, sizeof sum, "%016llx ", (unsigned long long)hash);
    return memcmp(sum, text.data, SUM_SIZE) == 0;
}

Result failure_text_read(Arena *arena, Bytes text, FailureRow **row_out)
{
    JsonNode *root;
    *row_out = NULL;
    if (!sum_is_right(text))
        return FAIL(arena, FAULT_BAD_VALUE, "the checksum of a failure is wrong");
    Result r = json_parse(arena, bytes_slice(text, SUM_SIZE, text.size), &(JsonLimits){0}, &root);
    if (failed(r))
        return FAIL_OVER(arena, r, *r.error->fault, "reading a failure");
    Reader reader = {.arena = arena, .object = root};
    if (root->kind != JSON_OBJECT)
        return FAIL(arena, FAULT_BAD_VALUE, "a failure is no object");
    FailureKey key = take_key(&reader);
    FailureRow *row = reader.bad ? NULL : failure_row_new(&key, failure_fingerprint(&key));
    if (row)
        take_row(&reader, row);
    if (!reader.bad) {
        *row_out = row;
        return OK;
    }
    if (row)
        failure_row_free(row);
    return FAIL(arena, FAULT_BAD_VALUE, "a failure has no right member %s", reader.bad);
}
