#include "gateway/idempotency/claim_record.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"

/* Never given another meaning. */
enum { RECORD_PRINT = 1, RECORD_RESPONSE = 2, RECORD_METHOD = 3 };
enum { PRINT_VERSION = 1, PRINT_BYTES = 2 };
enum { FIELD_NAME = 1, FIELD_VALUE = 2 };
enum {
    RESPONSE_VERSION = 1,
    RESPONSE_TOO_LARGE = 2,
    RESPONSE_CODEC = 3,
    RESPONSE_MESSAGE = 4,
    RESPONSE_CODE = 5,
    RESPONSE_SERVICE_CODE = 6,
    RESPONSE_HTTP_STATUS = 7,
    RESPONSE_OF_REST = 8,
    RESPONSE_TEXT = 9,
    RESPONSE_DETAILS = 10,
    RESPONSE_METADATA = 11,
    RESPONSE_TRAILER = 12,
    RESPONSE_AT = 13,
    RESPONSE_JOB = 14,
    RESPONSE_JOB_STATE = 15,
    RESPONSE_RETRY_AFTER = 16,
};

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_fields(const Fields *fields, uint32_t number, Buffer *out)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        uint8_t sizes[2][WIRE_VARINT_MAX];
        size_t size = 2 + (size_t)(wire_put_varint(sizes[0], field->name.size) - sizes[0]) +
                      field->name.size +
                      (size_t)(wire_put_varint(sizes[1], field->value.size) - sizes[1]) +
                      field->value.size;
        wire_add_tag(out, number, WIRE_LENGTH);
        wire_add_varint(out, size);
        wire_add_bytes(out, FIELD_NAME, field->name);
        wire_add_bytes(out, FIELD_VALUE, field->value);
    }
}

static void write_response(const ClaimResponse *response, Buffer *out)
{
    const Status *status = &response->status;
    wire_add_bytes(out, RESPONSE_VERSION, response->version);
    wire_add_number(out, RESPONSE_TOO_LARGE, response->too_large);
    wire_add_number(out, RESPONSE_CODEC, (uint64_t)response->codec);
    wire_add_bytes(out, RESPONSE_MESSAGE, response->message);
    wire_add_number(out, RESPONSE_CODE, (uint64_t)status->code);
    wire_add_number(out, RESPONSE_SERVICE_CODE, status->service_code);
    wire_add_number(out, RESPONSE_HTTP_STATUS, status->http_status);
    wire_add_number(out, RESPONSE_OF_REST, status->of_rest);
    wire_add_bytes(out, RESPONSE_TEXT, status->message);
    wire_add_bytes(out, RESPONSE_DETAILS, status->details);
    wire_add_number(out, RESPONSE_AT, (uint64_t)response->at);
    wire_add_bytes(out, RESPONSE_JOB, response->job);
    wire_add_bytes(out, RESPONSE_JOB_STATE, response->job_state);
    wire_add_number(out, RESPONSE_RETRY_AFTER, response->retry_after);
    write_fields(&response->metadata, RESPONSE_METADATA, out);
    write_fields(&response->trailers, RESPONSE_TRAILER, out);
}

static void write_print(const ClaimPrint *print, Buffer *out)
{
    Buffer text = buffer_in(out->arena);
    wire_add_bytes(&text, PRINT_VERSION, print->version);
    wire_add_bytes(&text, PRINT_BYTES, bytes(print->print.bytes, FINGERPRINT_SIZE));
    out->full |= text.full;
    wire_add_bytes(out, RECORD_PRINT, buffer_bytes(&text));
}

void claim_record_write(const ClaimRecord *record, Buffer *out)
{
    for (uint32_t i = 0; i < record->n_prints; i++)
        write_print(&record->prints[i], out);
    wire_add_bytes(out, RECORD_METHOD, record->method);
    if (!record->response.version.size)
        return;
    Buffer text = buffer_in(out->arena);
    write_response(&record->response, &text);
    out->full |= text.full;
    wire_add_bytes(out, RECORD_RESPONSE, buffer_bytes(&text));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Fields of the two types that are written; any other type is another field. */
static Bytes text_of(const WireField *field)
{
    return field->type == WIRE_LENGTH ? field->bytes : BYTES_NONE;
}

static uint64_t number_of(const WireField *field)
{
    return field->type == WIRE_VARINT ? field->value : 0;
}

static bool read_print(Bytes text, ClaimRecord *record)
{
    Bytes print = wire_find_bytes(text, PRINT_BYTES);
    if (print.size != FINGERPRINT_SIZE || record->n_prints == CLAIM_PRINTS)
        return false;
    ClaimPrint *to = &record->prints[record->n_prints++];
    to->version = wire_find_bytes(text, PRINT_VERSION);
    memcpy(to->print.bytes, print.data, FINGERPRINT_SIZE);
    return to->version.size > 0;
}

static void read_field(Bytes text, Fields *fields)
{
    fields_add(fields, wire_find_bytes(text, FIELD_NAME), wire_find_bytes(text, FIELD_VALUE));
}

static void read_response_field(const WireField *field, ClaimResponse *response)
{
    Status *status = &response->status;
    switch (field->number) {
    case RESPONSE_VERSION: response->version = text_of(field); break;
    case RESPONSE_TOO_LARGE: response->too_large = number_of(field) != 0; break;
    case RESPONSE_CODEC: response->codec = (Codec)number_of(field); break;
    case RESPONSE_MESSAGE: response->message = text_of(field); break;
    case RESPONSE_CODE: status->code = (Code)number_of(field); break;
    case RESPONSE_SERVICE_CODE: status->service_code = (uint32_t)number_of(field); break;
    case RESPONSE_HTTP_STATUS: status->http_status = (uint16_t)number_of(field); break;
    case RESPONSE_OF_REST: status->of_rest = number_of(field) != 0; break;
    case RESPONSE_TEXT: status->message = text_of(field); break;
    case RESPONSE_DETAILS: status->details = text_of(field); break;
    case RESPONSE_METADATA: read_field(text_of(field), &response->metadata); break;
    case RESPONSE_TRAILER: read_field(text_of(field), &response->trailers); break;
    case RESPONSE_AT: response->at = (int64_t)number_of(field); break;
    case RESPONSE_JOB: response->job = text_of(field); break;
    case RESPONSE_JOB_STATE: response->job_state = text_of(field); break;
    case RESPONSE_RETRY_AFTER: response->retry_after = (uint32_t)number_of(field); break;
    default: break;
    }
}

static bool read_response(Bytes text, Arena *arena, ClaimResponse *response)
{
    WireReader reader = wire_reader(text);
    WireField field;
    response->metadata = fields_in(arena);
    response->trailers = fields_in(arena);
    while (wire_next(&reader, &field))
        read_response_field(&field, response);
    uint16_t http = response->status.http_status;
    return !reader.bad && response->version.size && response->codec < CODEC_COUNT &&
           response->status.code < CODE_COUNT && (!http || (http >= 200 && http <= 599));
}

Result claim_record_read(Bytes text, Arena *arena, ClaimRecord *record_out)
{
    WireReader reader = wire_reader(text);
    WireField field;
    bool good = true;
    *record_out = (ClaimRecord){.n_prints = 0};
    while (good && wire_next(&reader, &field)) {
        if (field.number == RECORD_PRINT)
            good = read_print(text_of(&field), record_out);
        else if (field.number == RECORD_METHOD)
            record_out->method = text_of(&field);
        else if (field.number == RECORD_RESPONSE)
            good = read_response(text_of(&field), arena, &record_out->response);
    }
    if (!good || reader.bad || !record_out->n_prints)
        return FAIL(arena, FAULT_STORE_DAMAGED,
                    "the record of an idempotency key, of %zu bytes, is none", text.size);
    const ClaimResponse *response = &record_out->response;
    return response->metadata.full || response->trailers.full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading the response of an idempotency key")
               : OK;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static const Fingerprint *print_in(const ClaimRecord *record, Bytes version)
{
    for (uint32_t i = 0; i < record->n_prints; i++)
        if (bytes_equal(record->prints[i].version, version))
            return &record->prints[i].print;
    return NULL;
}

static RequestLikeness likeness(const Fingerprint *a, const Fingerprint *b)
{
    return memcmp(a->bytes, b->bytes, FINGERPRINT_SIZE) == 0 ? LIKENESS_SAME : LIKENESS_OTHER;
}

RequestLikeness claim_record_compare(const ClaimRecord *record, const ClaimRecord *asked)
{
    const Fingerprint *print = asked->n_prints ? print_in(record, asked->prints[0].version) : NULL;
    if (print)
        return likeness(print, &asked->prints[0].print);
    for (uint32_t i = record->n_prints; i-- > 0;) {
        print = print_in(asked, record->prints[i].version);
        if (print)
            return likeness(print, &record->prints[i].print);
    }
    return LIKENESS_UNKNOWN;
}
