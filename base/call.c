#include "base/call.h"

const char *dialect_name(Dialect dialect)
{
    static const char *const names[] = {
        "grpc", "grpc-web", "grpc-web-text", "connect", "connect-stream", "rest", "http",
    };
    return names[dialect];
}

const char *codec_name(Codec codec)
{
    return codec == CODEC_JSON ? "json" : "proto";
}

bool code_is_callers(Code code)
{
    switch (code) {
    case CODE_CANCELLED:
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_ALREADY_EXISTS:
    case CODE_PERMISSION_DENIED:
    case CODE_UNAUTHENTICATED:
    case CODE_FAILED_PRECONDITION:
    case CODE_OUT_OF_RANGE: return true;
    default: return false;
    }
}

const char *code_name(Code code)
{
    static const char *const names[CODE_COUNT] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    return code < CODE_COUNT ? names[code] : "UNKNOWN";
}
