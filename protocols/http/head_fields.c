#include "protocols/http/head_fields.h"

#include "base/arena.h"
#include "base/text/base64.h"

enum {
    MOST_NAMES = 4,
    LONGEST_NAME = 24,
    ADDED = 8, /* fields that the gateway adds to those of a request: room for them at once */
};

/* By length, so that most names are compared with no more than one or two of these. */
static const struct {
    const char *name;
    FieldRole role;
} names_by_length[LONGEST_NAME + 1][MOST_NAMES] = {
    [2] = {{"te", FIELD_HOP}},
    [4] = {{"host", FIELD_HOP}},
    [6] = {{"accept", FIELD_ACCEPT}, {"expect", FIELD_DROPPED}},
    [7] = {{"upgrade", FIELD_DROPPED}, {"trailer", FIELD_DROPPED}},
    [10] = {{"connection", FIELD_HOP}, {"keep-alive", FIELD_HOP}, {"x-grpc-web", FIELD_DROPPED}},
    [11] = {{"grpc-status", FIELD_GRPC_STATUS}},
    [12] = {{"content-type", FIELD_CONTENT_TYPE},
            {"grpc-timeout", FIELD_GRPC_TIMEOUT},
            {"grpc-message", FIELD_GRPC_MESSAGE}},
    [13] = {{"grpc-encoding", FIELD_GRPC_ENCODING}},
    [14] = {{"content-length", FIELD_HOP}},
    [15] = {{"accept-encoding", FIELD_ACCEPT_ENCODING}},
    [16] = {{"content-encoding", FIELD_CONTENT_ENCODING}, {"proxy-connection", FIELD_HOP}},
    [17] = {{"transfer-encoding", FIELD_HOP}, {"grpc-message-type", FIELD_DROPPED}},
    [18] = {{"connect-timeout-ms", FIELD_CONNECT_TIMEOUT}, {"proxy-authenticate", FIELD_HOP}},
    [19] = {{"proxy-authorization", FIELD_HOP}},
    [20] = {{"grpc-accept-encoding", FIELD_GRPC_ACCEPT_ENCODING}},
    [23] = {{"grpc-status-details-bin", FIELD_GRPC_DETAILS},
            {"connect-accept-encoding", FIELD_CONNECT_ACCEPT_ENCODING}},
    [24] = {{"connect-content-encoding", FIELD_CONNECT_ENCODING},
            {"connect-protocol-version", FIELD_CONNECT_VERSION}},
};

FieldRole field_role(Bytes name)
{
    if (name.size <= LONGEST_NAME) {
        for (size_t i = 0; i < MOST_NAMES && names_by_length[name.size][i].name; i++) {
            if (memcmp(name.data, names_by_length[name.size][i].name, name.size) == 0)
                return names_by_length[name.size][i].role;
        }
    }
    if (name.size > 8 && name.data[0] == 't' && bytes_start_with(name, "trailer-"))
        return FIELD_TRAILER;
    if (name.size > 15 && name.data[0] == 'a' && bytes_start_with(name, "access-control-"))
        return FIELD_CORS;
    return FIELD_METADATA;
}

/* The role of a field on this side. CORS fields of an upstream response are dropped, because the
   gateway writes its own. */
static FieldRole role_on(HeadSide side, Bytes name)
{
    FieldRole role = field_role(name);
    switch (side) {
    case HEAD_OF_REQUEST:
        return role == FIELD_TRAILER || role == FIELD_CORS ? FIELD_METADATA : role;
    case HEAD_OF_ANSWER:
        return role == FIELD_CORS ? FIELD_DROPPED : role == FIELD_TRAILER ? FIELD_METADATA : role;
    case HEAD_OF_CONNECT_ANSWER: return role == FIELD_CORS ? FIELD_DROPPED : role;
    case HEAD_OF_TRAILERS: return role == FIELD_TRAILER ? FIELD_METADATA : role;
    case HEAD_OF_HTTP: return role == FIELD_HOP ? role : FIELD_METADATA;
    }
    return role;
}

/* The role of a name after "trailer-". Framing fields are dropped: a status there is not the status
   of the call. */
static FieldRole role_of_trailer(Bytes name)
{
    return role_on(HEAD_OF_TRAILERS, name) == FIELD_METADATA ? FIELD_METADATA : FIELD_DROPPED;
}

/* Copies all texts into one block, and makes both lists, with room for `more` metadata. False: out
   of memory. */
static bool copy_all(const Fields *fields, uint32_t more, Arena *arena, HeadFields *head)
{
    size_t size = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        size += fields->items[i].name.size + fields->items[i].value.size;
    Field *items = arena_alloc(arena, (2 * fields->n + more) * sizeof(Field));
    uint8_t *text = arena_alloc(arena, size);
    if (!items || !text)
        return false;

    head->all = (Fields){.items = items, .n = fields->n, .capacity = fields->n, .arena = arena};
    head->metadata =
        (Fields){.items = items + fields->n, .capacity = fields->n + more, .arena = arena};
    for (uint32_t i = 0; i < fields->n; i++) {
        Field from = fields->items[i];
        items[i].name = bytes(text, from.name.size);
        text = bytes_put(text, from.name);
        items[i].value = bytes(text, from.value.size);
        text = bytes_put(text, from.value);
    }
    return true;
}

static void note_value(HeadFields *head, FieldRole role, Bytes value, Arena *arena)
{
    Bytes before = head->values[role];
    if (!before.data) {
        head->values[role] = value;
        return;
    }
    Buffer joined = buffer_in(arena);
    buffer_add_bytes(&joined, before);
    buffer_add_text(&joined, ", ");
    buffer_add_bytes(&joined, value);
    if (!joined.full)
        head->values[role] = buffer_bytes(&joined);
}

/* Whether the value can be passed on unchanged: standard alphabet, unpadded. */
static bool is_plain_base64(Bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (base64_value(c) > 63 || c == '-' || c == '_')
            return false;
    }
    return value.size % 4 != 1;
}

/* Normalizes one part of a "-bin" value. False: it is not base64. */
static bool normalize_binary(Bytes *part, Arena *arena)
{
    if (is_plain_base64(*part))
        return true;
    Buffer decoded = buffer_in(arena), encoded = buffer_in(arena);
    if (!base64_decode(&decoded, *part))
        return false;
    base64_encode(&encoded, buffer_bytes(&decoded), BASE64_STANDARD, false);
    *part = buffer_message(&encoded);
    return !encoded.full;
}

static Result add_metadata(Fields *to, Bytes name, Bytes value, HeadSide side, Arena *arena)
{
    bool is_binary = name.size > 4 && memcmp(name.data + name.size - 4, "-bin", 4) == 0;
    if (side == HEAD_OF_HTTP || !is_binary) {
        fields_add(to, name, value);
        return OK;
    }
    Bytes part;
    while (bytes_split(&value, ',', &part)) {
        part = bytes_trim(part);
        if (!part.data)
            part = bytes("", 0);
        if (!normalize_binary(&part, arena) && side == HEAD_OF_REQUEST)
            return FAIL_TELL(arena, FAULT_BAD_REQUEST, "the value of %.*s is not base64",
                             BYTES_ARGS(name));
        fields_add(to, name, part);
    }
    return OK;
}

Result head_fields_read(const Fields *fields, HeadSide side, Arena *arena, HeadFields *head_out)
{
    *head_out = (HeadFields){
        .all = fields_in(arena), .metadata = fields_in(arena), .trailers = fields_in(arena)};
    if (!copy_all(fields, side == HEAD_OF_REQUEST ? ADDED : 0, arena, head_out))
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "copying %u fields of a head", fields->n);

    Result first = OK;
    for (uint32_t i = 0; i < head_out->all.n; i++) {
        Field field = head_out->all.items[i];
        FieldRole role = role_on(side, field.name);
        Fields *to = &head_out->metadata;
        if (role == FIELD_TRAILER) {
            field.name = bytes_slice(field.name, strlen("trailer-"), SIZE_MAX);
            role = role_of_trailer(field.name);
            to = &head_out->trailers;
        }
        Result r = OK;
        if (role == FIELD_METADATA)
            r = add_metadata(to, field.name, field.value, side, arena);
        else if (role > FIELD_TRAILER)
            note_value(head_out, role, field.value, arena);
        if (failed(r) && !failed(first))
            first = r;
        else
            error_ignore(r, "the first one is reported");
    }
    if (head_out->metadata.full || head_out->trailers.full)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "sorting %u fields of a head", fields->n);
    return first;
}
