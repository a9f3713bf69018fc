#include "gateway/feedback/feedback_context.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/json_text.h"

/* What is taken of a record. */
static const char *const texts[] = {
    "time",           "request_id", "service", "method",   "client_version",
    "served_version", "arm",        "code",    "degraded", NULL};

static int64_t time_of(const JsonNode *record)
{
    int64_t seconds;
    int32_t nanos;
    Bytes time = json_member_text(record, "time");
    bool good =
        date_read_rfc3339(time, &seconds, &nanos) && seconds > 0 && seconds < INT64_MAX / SECOND;
    return good ? seconds * SECOND : 0;
}

static bool is_within(const JsonNode *record, int64_t at, int64_t window)
{
    int64_t time = time_of(record);
    return time >= at - window - SECOND && time <= at + window;
}

static bool is_bad(const JsonNode *record)
{
    Bytes code = json_member_text(record, "code");
    return (code.size && !bytes_are(code, "OK")) || json_member_text(record, "degraded").size ||
           json_member_number(record, "losses") > 0;
}

/* The outermost fault. */
static Bytes fault_of(const JsonNode *record)
{
    const JsonNode *causes = json_member(record, "causes");
    bool any = causes && causes->kind == JSON_ARRAY && causes->first;
    return any ? json_member_text(causes->first, "fault") : BYTES_NONE;
}

static void show(const JsonNode *record, Buffer *out)
{
    Bytes fault = fault_of(record);
    json_text_open_item(out);
    for (int i = 0; texts[i]; i++) {
        Bytes text = json_member_text(record, texts[i]);
        if (text.size)
            json_text_add_member(out, texts[i], text);
    }
    if (fault.size)
        json_text_add_member(out, "fault", fault);
    if (json_member_number(record, "losses") > 0)
        json_text_add_number(out, "losses", (uint64_t)json_member_number(record, "losses"));
    buffer_add_byte(out, '}');
}

static void note_kind(FeedbackContext *context, uint64_t kind)
{
    for (uint32_t i = 0; i < context->n_kinds; i++)
        if (context->kinds[i] == kind)
            return;
    if (kind)
        context->kinds[context->n_kinds++] = kind;
}

static FeedbackCall call_of(const JsonNode *record)
{
    return (FeedbackCall){.request = json_member_text(record, "request_id"),
                          .method = json_member_text(record, "method"),
                          .code = json_member_text(record, "code"),
                          .client_version = json_member_text(record, "client_version"),
                          .served_version = json_member_text(record, "served_version")};
}

/* The first of the records, for a query answers with the newest ones first. */
static const JsonNode *first_of(const JsonNode *root)
{
    const JsonNode *list = root ? json_member(root, "requests") : NULL;
    return list ? list->first : json_member(root, "request_id") ? root : NULL;
}

static const JsonNode *parse(Bytes requests, Arena *arena)
{
    JsonNode *root = NULL;
    if (!requests.size)
        return NULL;
    Result r = json_parse(arena, requests, &(JsonLimits){.elements = 1000000}, &root);
    error_ignore(r, "the gateway's own records; there are none then");
    return failed(r) || root->kind != JSON_OBJECT ? NULL : root;
}

static void begin(const JsonNode *newest, Buffer *out)
{
    Bytes version = json_member_text(newest, "client_version"),
          arm = json_member_text(newest, "arm");
    buffer_add_byte(out, '{');
    if (version.size)
        json_text_add_member(out, "version", version);
    if (arm.size)
        json_text_add_member(out, "arm", arm);
    json_text_open_list(out, "bad");
}

Bytes feedback_client_of(Bytes requests, Arena *arena)
{
    const JsonNode *root = parse(requests, arena), *newest = root ? first_of(root) : NULL;
    return newest ? json_member_text(newest, "client") : BYTES_NONE;
}

void feedback_context_make(Bytes requests, int64_t at, int64_t window, FeedbackKindOf *kind_of,
                           void *owner, Arena *arena, FeedbackContext *context_out)
{
    const JsonNode *root = parse(requests, arena), *record = root ? first_of(root) : NULL;
    Buffer out = buffer_in(arena);
    uint32_t shown = 0;
    *context_out = (FeedbackContext){.n_calls = 0};
    for (; record; record = record->next) {
        if (!is_within(record, at, window))
            continue;
        if (context_out->n_calls++ == 0)
            begin(record, &out);
        if (!is_bad(record))
            continue;
        FeedbackCall call = call_of(record);
        if (context_out->n_kinds < FEEDBACK_KINDS)
            note_kind(context_out, kind_of(owner, &call));
        if (shown++ < FEEDBACK_CALLS)
            show(record, &out);
    }
    if (!context_out->n_calls)
        return;
    buffer_add_byte(&out, ']');
    json_text_add_number(&out, "calls", context_out->n_calls);
    buffer_add_byte(&out, '}');
    context_out->shown = buffer_bytes(&out);
}
