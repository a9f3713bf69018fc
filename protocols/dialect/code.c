#include "protocols/dialect/code.h"

/* One row for each code, in its order. */
static const struct {
    const char *digits, *connect_name;
    uint16_t http;
} rows[CODE_COUNT] = {
    [CODE_OK] = {"0", "ok", 200},
    [CODE_CANCELLED] = {"1", "canceled", 499},
    [CODE_UNKNOWN] = {"2", "unknown", 500},
    [CODE_INVALID_ARGUMENT] = {"3", "invalid_argument", 400},
    [CODE_DEADLINE_EXCEEDED] = {"4", "deadline_exceeded", 504},
    [CODE_NOT_FOUND] = {"5", "not_found", 404},
    [CODE_ALREADY_EXISTS] = {"6", "already_exists", 409},
    [CODE_PERMISSION_DENIED] = {"7", "permission_denied", 403},
    [CODE_RESOURCE_EXHAUSTED] = {"8", "resource_exhausted", 429},
    [CODE_FAILED_PRECONDITION] = {"9", "failed_precondition", 400},
    [CODE_ABORTED] = {"10", "aborted", 409},
    [CODE_OUT_OF_RANGE] = {"11", "out_of_range", 400},
    [CODE_UNIMPLEMENTED] = {"12", "unimplemented", 501},
    [CODE_INTERNAL] = {"13", "internal", 500},
    [CODE_UNAVAILABLE] = {"14", "unavailable", 503},
    [CODE_DATA_LOSS] = {"15", "data_loss", 500},
    [CODE_UNAUTHENTICATED] = {"16", "unauthenticated", 401},
};

static Code known(Code code)
{
    return code < CODE_COUNT ? code : CODE_UNKNOWN;
}

uint16_t http_of_code(Code code)
{
    return rows[known(code)].http;
}

Code code_inferred_from_http(uint16_t http_status)
{
    switch (http_status) {
    case 400: return CODE_INTERNAL;
    case 401: return CODE_UNAUTHENTICATED;
    case 403: return CODE_PERMISSION_DENIED;
    case 404: return CODE_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return CODE_UNAVAILABLE;
    }
    return CODE_UNKNOWN;
}

const char *code_connect_name(Code code)
{
    return rows[known(code)].connect_name;
}

bool code_by_connect_name(Bytes name, Code *code_out)
{
    for (int i = CODE_CANCELLED; i < CODE_COUNT; i++) { /* an error is never "ok" */
        if (bytes_are(name, rows[i].connect_name)) {
            *code_out = (Code)i;
            return true;
        }
    }
    return false;
}

bool code_by_name(Bytes name, Code *code_out)
{
    for (int i = CODE_OK; i < CODE_COUNT; i++) {
        if (bytes_are(name, code_name((Code)i))) {
            *code_out = (Code)i;
            return true;
        }
    }
    return false;
}

bool status_is_retryable(const Status *status)
{
    bool invites =
        status->error ? status->error->fault->retryable : status->code == CODE_UNAVAILABLE;
    return invites && !status->may_have_effect && !status->told_off;
}

const char *code_digits(Code code)
{
    return rows[known(code)].digits;
}

bool code_read_digits(Bytes text, Code *code_out, uint32_t *service_code_out)
{
    uint64_t number;
    bool good = bytes_to_u64(text, &number) && number <= INT32_MAX;
    *service_code_out = good && number >= CODE_COUNT ? (uint32_t)number : 0;
    *code_out = good && number < CODE_COUNT ? (Code)number : CODE_UNKNOWN;
    return good;
}

/* The HTTP status of a REST service is that of the call, so 404 is NOT_FOUND. (The mapping of gRPC
   clients assumes a status that a proxy set.) If several codes share a status, the result is the
   one that least invites a retry. */
Code rest_code_of_http(uint16_t http_status)
{
    switch (http_status) {
    case 400: return CODE_INVALID_ARGUMENT;
    case 401: return CODE_UNAUTHENTICATED;
    case 402:
    case 403:
    case 451: return CODE_PERMISSION_DENIED;
    case 404:
    case 410: return CODE_NOT_FOUND;
    case 405:
    case 501: return CODE_UNIMPLEMENTED;
    case 408:
    case 504: return CODE_DEADLINE_EXCEEDED;
    case 409: return CODE_ABORTED;
    case 304: /* If-None-Match or If-Modified-Since: the condition is false */
    case 412:
    case 428: return CODE_FAILED_PRECONDITION;
    case 413:
    case 429: return CODE_RESOURCE_EXHAUSTED;
    case 416: return CODE_OUT_OF_RANGE;
    case 499: return CODE_CANCELLED;
    case 500: return CODE_INTERNAL;
    case 502:
    case 503: return CODE_UNAVAILABLE;
    }
    if (http_status >= 200 && http_status < 300)
        return CODE_OK;
    if (http_status >= 400 && http_status < 500)
        return CODE_INVALID_ARGUMENT;
    return CODE_UNKNOWN;
}

uint16_t rest_http_of_code(Code code)
{
    return http_of_code(code);
}
