#include "protocols/error_details.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "base/utf8.h"
#include "protocols/rpc_status.pb-c.h"

#define TYPE_PREFIX "type.googleapis.com/google.rpc."

enum {
    LONGEST_MESSAGE = 1024, /* of our own errors; they may quote what a peer sent */
    MOST_CAUSES = 8,
    MOST_INFO = 5,    /* entries of ErrorInfo.metadata */
    MOST_DETAILS = 4, /* that we make */
};

/* ---- protobuf-c in an arena -------------------------------------------------------------------------- */

static void *alloc_in_arena(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void free_in_arena(void *arena, void *memory)
{
    (void)arena; /* goes with the arena */
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

/* The copy ends with NUL, as protobuf-c wants it, and is UTF-8, as protobuf wants it. */
static char *text_of(Bytes text, Arena *arena)
{
    Buffer copy = buffer_in(arena);
    utf8_add_repaired(&copy, text);
    buffer_add_byte(&copy, '\0');
    static char nothing[1];
    return copy.full ? nothing : (char *)copy.data;
}

/* ---- google.rpc.Status --------------------------------------------------------------------------------- */

ErrorDetails error_details_read(Bytes status, Arena *arena)
{
    ErrorDetails details = {0};
    ProtobufCAllocator allocator = allocator_of(arena);
    Rpc__Status *read = status.size ? rpc__status__unpack(&allocator, status.size, status.data) : NULL;
    if (!read || read->n_details == 0)
        return details;
    details.items = arena_array(arena, ErrorDetail, read->n_details);
    if (!details.items)
        return details;
    for (size_t i = 0; i < read->n_details; i++) {
        const Rpc__Any *any = read->details[i];
        details.items[details.n++] =
            (ErrorDetail){bytes_of(any->type_url), bytes(any->value.data, any->value.len)};
    }
    return details;
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

/* ---- Our own errors ------------------------------------------------------------------------------------ */

static void add_link(Buffer *text, const Error *link, const char *before)
{
    if (link->doing[0]) {
        buffer_add_text(text, before);
        buffer_add_text(text, link->doing);
    }
}

/* Cut so that no character is broken. */
static Bytes shortened(Bytes text)
{
    if (text.size <= LONGEST_MESSAGE)
        return text;
    text.size = LONGEST_MESSAGE;
    while (text.size > LONGEST_MESSAGE - 4 && (text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

/* Whether the caller may read this link. */
static bool is_shown(const Error *link, bool hide_internals)
{
    return !hide_internals || link->fault->side == SIDE_CLIENT;
}

Bytes error_message(const Error *error, bool hide_internals, Arena *arena)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, error->fault->text);
    const char *before = ": ";
    for (const Error *link = error; link && is_shown(link, hide_internals); link = link->cause) {
        add_link(&text, link, before);
        before = "; because ";
    }
    return text.full ? bytes_of(error->fault->text) : shortened(buffer_bytes(&text));
}

static bool add_detail(ErrorDetails *details, const char *type_url, const ProtobufCMessage *message,
                       Arena *arena)
{
    ErrorDetail *detail = &details->items[details->n];
    if (!pack(message, arena, &detail->value))
        return false;
    detail->type_url = bytes_of(type_url);
    details->n++;
    return true;
}

static void add_info(Rpc__ErrorInfo *info, Rpc__ErrorInfo__MetadataEntry *entries, const char *key,
                     Bytes value, Arena *arena)
{
    if (value.size == 0)
        return;
    Rpc__ErrorInfo__MetadataEntry *entry = &entries[info->n_metadata];
    rpc__error_info__metadata_entry__init(entry);
    entry->key = (char *)(uintptr_t)key; /* only read */
    entry->value = text_of(value, arena);
    info->metadata[info->n_metadata++] = entry;
}

static bool add_error_info(ErrorDetails *details, const Error *error, const ReplyOptions *options,
                           Arena *arena)
{
    Rpc__ErrorInfo info = RPC__ERROR_INFO__INIT;
    Rpc__ErrorInfo__MetadataEntry entries[MOST_INFO], *list[MOST_INFO];
    static char domain[] = "passerelle";
    info.metadata = list;
    info.reason = (char *)(uintptr_t)error->fault->name; /* only read */
    info.domain = domain;
    add_info(&info, entries, "request_id", options->request_id, arena);
    add_info(&info, entries, "service", options->service, arena);
    add_info(&info, entries, "version", options->version, arena);
    if (!options->hide_internals)
        add_info(&info, entries, "instance", options->instance, arena);
    add_info(&info, entries, "retryable", bytes_of(error->fault->retryable ? "true" : "false"), arena);
    return add_detail(details, TYPE_PREFIX "ErrorInfo", &info.base, arena);
}

bool error_info_write(Bytes reason, Bytes domain, const Fields *metadata, Arena *arena, Bytes *info_out)
{
    Rpc__ErrorInfo info = RPC__ERROR_INFO__INIT;
    Rpc__ErrorInfo__MetadataEntry *entries =
        arena_array(arena, Rpc__ErrorInfo__MetadataEntry, metadata->n);
    info.metadata = arena_array(arena, Rpc__ErrorInfo__MetadataEntry *, metadata->n);
    if (!entries || !info.metadata)
        return false;
    info.reason = text_of(reason, arena);
    info.domain = text_of(domain, arena);
    for (uint32_t i = 0; i < metadata->n; i++) {
        rpc__error_info__metadata_entry__init(&entries[i]);
        entries[i].key = text_of(metadata->items[i].name, arena);
        entries[i].value = text_of(metadata->items[i].value, arena);
        info.metadata[info.n_metadata++] = &entries[i];
    }
    return pack(&info.base, arena, info_out);
}

static bool add_bad_request(ErrorDetails *details, const Error *with_field, Arena *arena)
{
    Rpc__BadRequest request = RPC__BAD_REQUEST__INIT;
    Rpc__BadRequest__FieldViolation violation = RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Rpc__BadRequest__FieldViolation *list[] = {&violation};
    violation.field = text_of(bytes_of(with_field->field), arena);
    violation.description = text_of(shortened(bytes_of(with_field->doing)), arena);
    violation.reason = (char *)(uintptr_t)with_field->fault->name; /* only read */
    request.n_field_violations = 1;
    request.field_violations = list;
    return add_detail(details, TYPE_PREFIX "BadRequest", &request.base, arena);
}

static bool add_retry_info(ErrorDetails *details, Bytes retry_after, Arena *arena)
{
    Rpc__RetryInfo info = RPC__RETRY_INFO__INIT;
    Rpc__RetryInfo__Duration delay = RPC__RETRY_INFO__DURATION__INIT;
    uint64_t seconds;
    if (!bytes_to_u64(retry_after, &seconds) || seconds > INT32_MAX) /* a date is not for here */
        return true;
    delay.has_seconds = true;
    delay.seconds = (int64_t)seconds;
    info.retry_delay = &delay;
    return add_detail(details, TYPE_PREFIX "RetryInfo", &info.base, arena);
}

static bool add_debug_info(ErrorDetails *details, const Error *error, Arena *arena)
{
    Rpc__DebugInfo info = RPC__DEBUG_INFO__INIT;
    char *entries[MOST_CAUSES];
    for (const Error *link = error; link && info.n_stack_entries < MOST_CAUSES; link = link->cause) {
        Bytes text = bytes_of(arena_printf(arena, "%s: %s", link->fault->name, link->doing));
        entries[info.n_stack_entries++] = text_of(shortened(text), arena);
    }
    info.stack_entries = entries;
    info.detail = entries[info.n_stack_entries - 1];
    return add_detail(details, TYPE_PREFIX "DebugInfo", &info.base, arena);
}

Result error_details_make(const Error *error, const ReplyOptions *options, Bytes retry_after,
                          Arena *arena, ErrorDetails *details_out)
{
    *details_out = (ErrorDetails){.items = arena_array(arena, ErrorDetail, MOST_DETAILS)};
    const Error *with_field = error_with_field((Result){error});
    bool good = details_out->items && add_error_info(details_out, error, options, arena);
    if (good && with_field)
        good = add_bad_request(details_out, with_field, arena);
    if (good && retry_after.size)
        good = add_retry_info(details_out, retry_after, arena);
    if (good && !options->hide_internals)
        good = add_debug_info(details_out, error, arena);
    if (!good)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "making the details of %s", error->fault->name);
    return OK;
}

/* ---- As JSON --------------------------------------------------------------------------------------------- */

static void add_text(Buffer *out, const char *key, const char *value)
{
    if (value && value[0]) {
        json_text_add_key(out, key);
        json_text_add(out, bytes_of(value));
    }
}

static void error_info_to_json(const Rpc__ErrorInfo *info, Buffer *out)
{
    add_text(out, "reason", info->reason);
    add_text(out, "domain", info->domain);
    if (info->n_metadata == 0)
        return;
    json_text_add_key(out, "metadata");
    buffer_add_byte(out, '{');
    for (size_t i = 0; i < info->n_metadata; i++) {
        json_text_add_key(out, info->metadata[i]->key ? info->metadata[i]->key : "");
        json_text_add(out, bytes_of(info->metadata[i]->value));
    }
    buffer_add_byte(out, '}');
}

static void bad_request_to_json(const Rpc__BadRequest *request, Buffer *out)
{
    json_text_add_key(out, "fieldViolations");
    buffer_add_byte(out, '[');
    for (size_t i = 0; i < request->n_field_violations; i++) {
        const Rpc__BadRequest__FieldViolation *violation = request->field_violations[i];
        buffer_add_text(out, i ? ",{" : "{");
        add_text(out, "field", violation->field);
        add_text(out, "description", violation->description);
        add_text(out, "reason", violation->reason);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void retry_info_to_json(const Rpc__RetryInfo *info, Buffer *out)
{
    if (!info->retry_delay)
        return;
    json_text_add_key(out, "retryDelay");
    buffer_printf(out, "\"%lld", (long long)info->retry_delay->seconds);
    if (info->retry_delay->nanos > 0)
        buffer_printf(out, ".%09d", (int)info->retry_delay->nanos);
    buffer_add_text(out, "s\"");
}

static void debug_info_to_json(const Rpc__DebugInfo *info, Buffer *out)
{
    json_text_add_key(out, "stackEntries");
    buffer_add_byte(out, '[');
    for (size_t i = 0; i < info->n_stack_entries; i++) {
        if (i)
            buffer_add_byte(out, ',');
        json_text_add(out, bytes_of(info->stack_entries[i]));
    }
    buffer_add_byte(out, ']');
    add_text(out, "detail", info->detail);
}

/* The fields behind "@type" for the types of rpc_status.proto. */
static bool known_to_json(const ErrorDetail *detail, Arena *arena, Buffer *out)
{
    static const struct {
        const char *type_url;
        const ProtobufCMessageDescriptor *descriptor;
    } known[] = {
        {TYPE_PREFIX "ErrorInfo", &rpc__error_info__descriptor},
        {TYPE_PREFIX "BadRequest", &rpc__bad_request__descriptor},
        {TYPE_PREFIX "RetryInfo", &rpc__retry_info__descriptor},
        {TYPE_PREFIX "DebugInfo", &rpc__debug_info__descriptor},
    };
    size_t i = 0;
    while (i < 4 && !bytes_are(detail->type_url, known[i].type_url))
        i++;
    if (i == 4)
        return false;
    ProtobufCAllocator allocator = allocator_of(arena);
    ProtobufCMessage *message = protobuf_c_message_unpack(known[i].descriptor, &allocator,
                                                          detail->value.size, detail->value.data);
    if (!message)
        return false;
    switch (i) {
    case 0: error_info_to_json((const Rpc__ErrorInfo *)message, out); break;
    case 1: bad_request_to_json((const Rpc__BadRequest *)message, out); break;
    case 2: retry_info_to_json((const Rpc__RetryInfo *)message, out); break;
    case 3: debug_info_to_json((const Rpc__DebugInfo *)message, out); break;
    }
    return true;
}

bool error_detail_to_json(const ErrorDetail *detail, const ReplyOptions *options, Arena *arena,
                          Buffer *out)
{
    size_t before = out->size;
    if (options->detail_to_json &&
        options->detail_to_json(options->owner, detail->type_url, detail->value, arena, out))
        return true;
    out->size = before;
    buffer_add_text(out, "{\"@type\":");
    json_text_add(out, detail->type_url);
    bool known = known_to_json(detail, arena, out);
    if (!known) {
        buffer_add_text(out, ",\"value\":\"");
        base64_encode(out, detail->value, BASE64_STANDARD, true);
        buffer_add_byte(out, '"');
    }
    buffer_add_byte(out, '}');
    return known;
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
