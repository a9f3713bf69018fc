#include "protocols/dialect/error_details.h"

#include "protocols/dialect/code.h"

#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "base/text/utf8.h"
#include "protocols/dialect/rpc_status.pb-c.h"

#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/google.rpc."

enum {
    /* Limits in bytes for errors of our own, which may quote what a peer sent. With base64 and
       percent-encoding all of them together stay below 8 KiB: many gRPC clients fail on a larger
       head and lose the error. */
    LONGEST_MESSAGE = 1024,
    LONGEST_DESCRIPTION = 512,
    LONGEST_FIELD = 256,
    LONGEST_ENTRY = 128,
    LONGEST_VIOLATIONS = 640, /* all but the first */
    LONGEST_OF_PEER = 500,    /* in an error about a call of our own */
    MOST_VIOLATIONS = 16,
    MOST_CAUSES = 8,
    MOST_MADE =
        7, /* ErrorInfo, BadRequest, QuotaFailure, RetryInfo, RequestInfo, Help, DebugInfo */
};

/* ---- protobuf-c in an arena ------------------------------------------------------------------ */

static void *alloc_in_arena(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void free_in_arena(void *arena, void *memory)
{
    (void)arena; /* freed with the arena */
    (void)memory;
}

static ProtobufCAllocator allocator_of(Arena *arena)
{
    return (ProtobufCAllocator){alloc_in_arena, free_in_arena, arena};
}

static bool pack(const ProtobufCMessage *message, Arena *arena, Bytes *packed_out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = arena_alloc(arena, size);
    if (!data)
        return false;
    *packed_out = bytes(data, protobuf_c_message_pack(message, data));
    return true;
}

/* A copy with a terminating NUL (for protobuf-c) and in valid UTF-8 (for protobuf). */
static char *text_of(Bytes text, Arena *arena)
{
    Buffer copy = buffer_in(arena);
    utf8_add_repaired(&copy, text);
    buffer_add_byte(&copy, '\0');
    static char nothing[1];
    return copy.full ? nothing : (char *)copy.data;
}

/* ---- google.rpc.Status ----------------------------------------------------------------------- */

ErrorDetails error_details_in(Arena *arena, size_t capacity)
{
    ErrorDetail *items = arena_array(arena, ErrorDetail, capacity);
    return (ErrorDetails){.items = items, .capacity = items ? capacity : 0};
}

bool error_details_add(ErrorDetails *details, ErrorDetail detail)
{
    if (details->n >= details->capacity)
        return false;
    details->items[details->n++] = detail;
    return true;
}

static ErrorDetail detail_of(const Rpc__Any *any)
{
    return (ErrorDetail){bytes_of(any->type_url), bytes(any->value.data, any->value.len)};
}

ErrorDetails error_details_read(Bytes status, Arena *arena)
{
    ProtobufCAllocator allocator = allocator_of(arena);
    const Rpc__Status *read =
        status.size ? rpc__status__unpack(&allocator, status.size, status.data) : NULL;
    if (!read || read->n_details == 0)
        return (ErrorDetails){0};
    ErrorDetails details = error_details_in(arena, read->n_details);
    for (size_t i = 0; i < read->n_details; i++)
        error_details_add(&details, detail_of(read->details[i]));
    return details;
}

bool error_detail_read(Bytes any, Arena *arena, ErrorDetail *detail_out)
{
    ProtobufCAllocator allocator = allocator_of(arena);
    const Rpc__Any *read = rpc__any__unpack(&allocator, any.size, any.data);
    if (!read)
        return false;
    *detail_out = detail_of(read);
    return true;
}

Result error_details_write(Code code, Bytes message, ErrorDetails details, Arena *arena,
                           Bytes *status_out)
{
    Rpc__Status status = RPC__STATUS__INIT;
    Rpc__Any *anys = arena_array(arena, Rpc__Any, details.n);
    status.details = arena_array(arena, Rpc__Any *, details.n);
    if (!anys || !status.details)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "writing %zu error details", details.n);
    status.has_code = true;
    status.code = (int32_t)code;
    status.message = text_of(message, arena);
    for (size_t i = 0; i < details.n; i++) {
        rpc__any__init(&anys[i]);
        anys[i].type_url = text_of(details.items[i].type_url, arena);
        anys[i].has_value = true;
        anys[i].value.data = (uint8_t *)(uintptr_t)details.items[i].value.data; /* only read */
        anys[i].value.len = details.items[i].value.size;
        status.details[status.n_details++] = &anys[i];
    }
    if (!pack(&status.base, arena, status_out))
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "writing %zu error details", details.n);
    return OK;
}

/* ---- Our own errors -------------------------------------------------------------------------- */

static void add_link(Buffer *text, const Error *link, const char *before)
{
    if (link->doing[0]) {
        buffer_add_text(text, before);
        buffer_add_text(text, link->doing);
    }
    unsigned n_more = 0;
    for (const Error *other = link->also; other; other = other->also)
        n_more++;
    if (n_more) /* reading ends with so many */
        buffer_printf(text, " (and %s%u more invalid field%s)",
                      n_more + 1 < MOST_VIOLATIONS ? "" : "at least ", n_more,
                      n_more > 1 ? "s" : "");
}

/* The link whose text the caller may see, or NULL. Causes beneath a fault of the gateway or the
   service are not shown, even if they are marked as told: the code that reads messages marks its
   errors for messages of callers and services alike. So no message field of a fault of the service
   is shown either. */
static const Error *told_link(const Error *error)
{
    while (error && !error->told && error->fault->side == SIDE_CLIENT)
        error = error->cause;
    bool of_service = error && error->fault->side == SIDE_UPSTREAM && error->field;
    return error && error->told && !of_service ? error : NULL;
}

Bytes error_message(const Error *error, bool full, Arena *arena)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, error->fault->text);
    const char *before = ": ";
    for (const Error *link = full ? error : told_link(error); link;
         link = full ? link->cause : NULL) {
        add_link(&text, link, before);
        before = "; because ";
    }
    return text.full ? bytes_of(error->fault->text)
                     : bytes_cut_text(buffer_bytes(&text), LONGEST_MESSAGE);
}

Status status_of_error(Arena *arena, Result why)
{
    const Fault *fault = why.error->fault;
    return (Status){
        .code = (Code)fault->grpc_status,
        .http_status = fault->http_status,
        .message = error_message(why.error, true, arena),
        .error = why.error,
    };
}

Result status_failure(Arena *arena, const Status *status)
{
    if (status->error)
        return error_copy(arena, (Result){status->error});
    return FAIL(arena, FAULT_UPSTREAM_STATUS, "it returned %s: %.*s", code_name(status->code),
                BYTES_ARGS(bytes_cut_text(status->message, LONGEST_OF_PEER)));
}

static bool add_detail(ErrorDetails *details, const char *type_url, const ProtobufCMessage *message,
                       Arena *arena)
{
    ErrorDetail detail = {.type_url = bytes_of(type_url)};
    return pack(message, arena, &detail.value) && error_details_add(details, detail);
}

typedef struct InfoEntry {
    const char *key;
    Bytes value; /* empty: the entry is left out */
} InfoEntry;

static bool add_info(ErrorDetails *details, const char *reason, const InfoEntry *rows, size_t n,
                     Arena *arena)
{
    enum { MOST_ROWS = 8 };
    Rpc__ErrorInfo__MetadataEntry entries[MOST_ROWS], *list[MOST_ROWS];
    Rpc__ErrorInfo info = RPC__ERROR_INFO__INIT;
    static char domain[] = "passerelle";
    CHECK(n <= MOST_ROWS);
    info.metadata = list;
    info.reason = (char *)(uintptr_t)reason; /* only read */
    info.domain = domain;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].value.size == 0)
            continue;
        rpc__error_info__metadata_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)rows[i].key; /* only read */
        entries[i].value = text_of(rows[i].value, arena);
        list[info.n_metadata++] = &entries[i];
    }
    return add_detail(details, TYPE_PREFIX "ErrorInfo", &info.base, arena);
}

/* The name of the limit that refuses; empty: none does. */
static Bytes limit_of(const Error *error)
{
    const Error *told = told_link(error);
    bool limits = told && told->fault == &FAULT_RATE_LIMITED;
    Bytes text = limits ? bytes_of(told->doing) : BYTES_NONE;
    size_t end = bytes_find(text, ':');
    return end < text.size ? bytes_slice(text, 0, end) : BYTES_NONE;
}

static bool add_error_info(ErrorDetails *details, const Status *status, const ReplyOptions *options,
                           Arena *arena)
{
    const InfoEntry rows[] = {
        {"request_id", options->request_id},
        {"service", options->service},
        {"version", options->version},
        {"leg", options->leg},
        {"limit", limit_of(status->error)},
        {"instance", options->full ? options->instance : BYTES_NONE},
        {"retryable", bytes_of(status_is_retryable(status) ? "true" : "false")},
    };
    return add_info(details, status->error->fault->name, rows, sizeof rows / sizeof *rows, arena);
}

static void write_violation(const Error *mistake, Arena *arena,
                            Rpc__BadRequest__FieldViolation *violation_out)
{
    Bytes field = bytes_cut_text(bytes_of(mistake->field), LONGEST_FIELD);
    rpc__bad_request__field_violation__init(violation_out);
    violation_out->field = text_of(field, arena);
    violation_out->description =
        text_of(bytes_cut_text(bytes_of(mistake->doing), LONGEST_DESCRIPTION), arena);
    violation_out->reason = (char *)(uintptr_t)mistake->fault->name; /* only read */
}

/* The first mistake, and those beside it as long as there is room. */
static bool add_bad_request(ErrorDetails *details, const Error *with_field, Arena *arena)
{
    Rpc__BadRequest request = RPC__BAD_REQUEST__INIT;
    Rpc__BadRequest__FieldViolation violations[MOST_VIOLATIONS], *list[MOST_VIOLATIONS];
    size_t left = LONGEST_VIOLATIONS;
    request.field_violations = list;
    for (const Error *mistake = with_field; mistake && request.n_field_violations < MOST_VIOLATIONS;
         mistake = mistake->also) {
        size_t n = request.n_field_violations;
        write_violation(mistake, arena, &violations[n]);
        size_t size = protobuf_c_message_get_packed_size(&violations[n].base);
        if (n > 0 && size > left)
            break;
        left -= n > 0 ? size : 0;
        list[n] = &violations[n];
        request.n_field_violations++;
    }
    return add_detail(details, TYPE_PREFIX "BadRequest", &request.base, arena);
}

/* `told`: "NAME: 100 calls per second, 200 at once", as limits tell it. */
static bool add_quota_failure(ErrorDetails *details, const Error *told, Arena *arena)
{
    Rpc__QuotaFailure failure = RPC__QUOTA_FAILURE__INIT;
    Rpc__QuotaFailure__Violation violation = RPC__QUOTA_FAILURE__VIOLATION__INIT,
                                 *list[] = {&violation};
    Bytes name = limit_of(told), text = bytes_of(told->doing);
    size_t begin = name.size ? name.size + 1 : 0;
    violation.subject = text_of(name, arena);
    violation.description = text_of(bytes_trim(bytes_slice(text, begin, SIZE_MAX)), arena);
    failure.n_violations = 1;
    failure.violations = list;
    return add_detail(details, TYPE_PREFIX "QuotaFailure", &failure.base, arena);
}

static bool add_retry_info(ErrorDetails *details, Bytes retry_after, Arena *arena)
{
    Rpc__RetryInfo info = RPC__RETRY_INFO__INIT;
    Rpc__RetryInfo__Duration delay = RPC__RETRY_INFO__DURATION__INIT;
    uint64_t seconds;
    if (!bytes_to_u64(retry_after, &seconds) || seconds > INT32_MAX) /* a date: no RetryInfo */
        return true;
    delay.has_seconds = true;
    delay.seconds = (int64_t)seconds;
    info.retry_delay = &delay;
    return add_detail(details, TYPE_PREFIX "RetryInfo", &info.base, arena);
}

static bool add_request_info(ErrorDetails *details, Bytes request_id, Arena *arena)
{
    Rpc__RequestInfo info = RPC__REQUEST_INFO__INIT;
    info.request_id = text_of(request_id, arena);
    return add_detail(details, TYPE_PREFIX "RequestInfo", &info.base, arena);
}

Bytes error_help(const Fault *fault, const ReplyOptions *options, Arena *arena)
{
    static const char place[] = "{reason}";
    const char *at = options->help ? strstr(options->help, place) : NULL;
    if (!at)
        return bytes_of(options->help);
    return bytes_of(arena_printf(arena, "%.*s%s%s", (int)(at - options->help), options->help,
                                 fault->name, at + strlen(place)));
}

static bool add_help(ErrorDetails *details, const Fault *fault, Bytes url, Arena *arena)
{
    Rpc__Help help = RPC__HELP__INIT;
    Rpc__Help__Link link = RPC__HELP__LINK__INIT, *list[] = {&link};
    link.description = (char *)(uintptr_t)fault->text; /* only read */
    link.url = text_of(url, arena);
    help.n_links = 1;
    help.links = list;
    return add_detail(details, TYPE_PREFIX "Help", &help.base, arena);
}

static bool add_debug_info(ErrorDetails *details, const Error *error, Arena *arena)
{
    Rpc__DebugInfo info = RPC__DEBUG_INFO__INIT;
    char *entries[MOST_CAUSES] = {NULL};
    CHECK(error);
    for (const Error *link = error; link && info.n_stack_entries < MOST_CAUSES;
         link = link->cause) {
        Bytes text = bytes_of(arena_printf(arena, "%s: %s", link->fault->name, link->doing));
        entries[info.n_stack_entries++] = text_of(bytes_cut_text(text, LONGEST_ENTRY), arena);
    }
    info.stack_entries = entries;
    info.detail = entries[info.n_stack_entries - 1];
    return add_detail(details, TYPE_PREFIX "DebugInfo", &info.base, arena);
}

Result error_details_make(const Status *status, const ReplyOptions *options, Bytes retry_after,
                          Arena *arena, ErrorDetails *details_out)
{
    const Error *error = status->error;
    *details_out = error_details_in(arena, MOST_MADE);
    const Error *with_field = options->full ? error_with_field((Result){error}) : told_link(error);
    bool by_caller = error->fault->side == SIDE_CLIENT;
    bool good = add_error_info(details_out, status, options, arena);
    if (good && by_caller && with_field && with_field->field)
        good = add_bad_request(details_out, with_field, arena);
    const Error *told = told_link(error);
    if (good && told && told->fault == &FAULT_RATE_LIMITED)
        good = add_quota_failure(details_out, told, arena);
    if (good && retry_after.size)
        good = add_retry_info(details_out, retry_after, arena);
    if (good && options->request_id.size)
        good = add_request_info(details_out, options->request_id, arena);
    Bytes help = error_help(error->fault, options, arena);
    if (good && help.size)
        good = add_help(details_out, error->fault, help, arena);
    if (good && options->full)
        good = add_debug_info(details_out, error, arena);
    if (!good)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "making the details of %s", error->fault->name);
    return OK;
}

/* ---- A service's errors ---------------------------------------------------------------------- */

/* NULL: there is none. */
static ErrorDetail *find_error_info(const ErrorDetails *details)
{
    for (size_t i = 0; i < details->n; i++) {
        if (bytes_are(details->items[i].type_url, TYPE_PREFIX "ErrorInfo"))
            return &details->items[i];
    }
    return NULL;
}

/* An ErrorInfo that cannot be read, or says something of this name itself, stays as it is. */
static bool add_leg(ErrorDetail *detail, Bytes leg, Arena *arena)
{
    ProtobufCAllocator allocator = allocator_of(arena);
    Rpc__ErrorInfo *info =
        rpc__error_info__unpack(&allocator, detail->value.size, detail->value.data);
    static char key[] = "leg";
    for (size_t i = 0; info && i < info->n_metadata; i++)
        if (strcmp(info->metadata[i]->key, key) == 0)
            return true;
    if (!info)
        return true;
    Rpc__ErrorInfo__MetadataEntry entry = RPC__ERROR_INFO__METADATA_ENTRY__INIT;
    Rpc__ErrorInfo__MetadataEntry **entries =
        arena_array(arena, Rpc__ErrorInfo__MetadataEntry *, info->n_metadata + 1);
    if (!entries)
        return false;
    for (size_t i = 0; i < info->n_metadata; i++)
        entries[i] = info->metadata[i];
    entry.key = key;
    entry.value = text_of(leg, arena);
    entries[info->n_metadata++] = &entry;
    info->metadata = entries;
    return pack(&info->base, arena, &detail->value);
}

/* Connect clients and those of gRPC retry UNAVAILABLE, where their own policy says so. */
static bool forbids_retry(const Status *status)
{
    return status->code == CODE_UNAVAILABLE && !status_is_retryable(status);
}

Result error_details_of(const Status *status, bool rpc, Bytes leg, Arena *arena,
                        ErrorDetails *details_out)
{
    *details_out = error_details_read(status->details, arena);
    ErrorDetail *info = find_error_info(details_out);
    bool by_service = status->service_code != 0;
    bool may_add = rpc && !info;
    bool by_http = may_add && status->of_rest, forbidding = may_add && forbids_retry(status);
    bool of_leg = may_add && leg.size;
    if (rpc && info && leg.size && !add_leg(info, leg, arena))
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "adding the leg %.*s to an error", BYTES_ARGS(leg));
    if (!by_service && !by_http && !forbidding && !of_leg)
        return OK;
    unsigned number = by_service ? status->service_code : status->http_status;
    Bytes digits = bytes_of(arena_printf(arena, "%u", number));
    ErrorDetails more = error_details_in(arena, details_out->n + 1);
    const InfoEntry rows[] = {
        {"status_code", by_service ? digits : BYTES_NONE},
        {"http_status", !by_service && by_http ? digits : BYTES_NONE},
        {"retryable", forbidding ? bytes_of("false") : BYTES_NONE},
        {"leg", of_leg ? leg : BYTES_NONE},
    };
    const char *reason = by_service ? "SERVICE_STATUS_CODE"
                         : by_http  ? "HTTP_STATUS"
                                    : FAULT_UPSTREAM_STATUS.name;
    for (size_t i = 0; i < details_out->n; i++)
        error_details_add(&more, details_out->items[i]);
    if (!add_info(&more, reason, rows, sizeof rows / sizeof *rows, arena))
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "adding an ErrorInfo to %zu error details",
                    details_out->n);
    *details_out = more;
    return OK;
}

/* ---- As JSON --------------------------------------------------------------------------------- */

/* Serializes the detail as google.protobuf.Any, for DetailJson. */
static Bytes write_any(const ErrorDetail *detail, Arena *arena)
{
    Rpc__Any any = RPC__ANY__INIT;
    Bytes packed = BYTES_NONE;
    any.type_url = text_of(detail->type_url, arena);
    any.has_value = true;
    any.value.data = (uint8_t *)(uintptr_t)detail->value.data; /* only read */
    any.value.len = detail->value.size;
    return pack(&any.base, arena, &packed) ? packed : BYTES_NONE;
}

void error_detail_to_json(const ErrorDetail *detail, const DetailJson *by, Arena *arena,
                          Buffer *out)
{
    Bytes any = by ? write_any(detail, arena) : BYTES_NONE;
    if (any.data && by->write(by->owner, any, arena, out))
        return;
    buffer_add_text(out, "{\"@type\":");
    json_text_add(out, detail->type_url);
    buffer_add_text(out, ",\"value\":\"");
    base64_encode(out, detail->value, BASE64_STANDARD, true);
    buffer_add_text(out, "\"}");
}

Bytes error_details_reason(ErrorDetails details, Arena *arena)
{
    ProtobufCAllocator allocator = allocator_of(arena);
    for (size_t i = 0; i < details.n; i++) {
        const ErrorDetail *detail = &details.items[i];
        if (!bytes_are(detail->type_url, TYPE_PREFIX "ErrorInfo"))
            continue;
        const Rpc__ErrorInfo *info =
            rpc__error_info__unpack(&allocator, detail->value.size, detail->value.data);
        if (info)
            return bytes_of(info->reason);
    }
    return BYTES_NONE;
}
