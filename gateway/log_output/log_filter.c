#include "gateway/log_output/log_filter.h"

#include "base/arena.h"
#include "base/call.h"
#include "base/text/json_text.h"
#include "base/text/query.h"

#include <stdlib.h>

static const char *const log_filter_names[LOG_FILTER_KINDS] = {
#define FILTER(name) #name,
    LOG_FILTERS(FILTER)
#undef FILTER
};

/* ---- Reading --------------------------------------------------------------------------------- */

static int find_kind(Bytes name)
{
    for (int kind = 0; kind < LOG_FILTER_KINDS; kind++)
        if (bytes_are(name, log_filter_names[kind]))
            return kind;
    return -1;
}

static Result unknown(Arena *arena, Bytes name)
{
    Buffer names = buffer_in(arena);
    for (int kind = 0; kind < LOG_FILTER_KINDS; kind++)
        buffer_printf(&names, "%s%s", kind ? ", " : "", log_filter_names[kind]);
    return FAIL(arena, FAULT_BAD_VALUE, "there is no filter %.*s: there are %.*s", BYTES_ARGS(name),
                BYTES_ARGS(buffer_bytes(&names)));
}

/* From 0 for "info". -1: it is no level. */
static int rank_of(Bytes level)
{
    return bytes_are(level, "info")      ? 0
           : bytes_are(level, "warning") ? 1
           : bytes_are(level, "error")   ? 2
                                         : -1;
}

/* "not_found" is NOT_FOUND. */
static Result check_code(LogFilter *filter, Arena *arena)
{
    Bytes *wanted = &filter->wanted[LOG_FILTER_code];
    Buffer names = buffer_in(arena);
    for (int code = CODE_OK; code < CODE_COUNT; code++) {
        Bytes name = bytes_of(code_name((Code)code));
        if (bytes_equal_nocase(*wanted, name)) {
            *wanted = name;
            return OK;
        }
        buffer_printf(&names, "%s%.*s", code ? ", " : "", BYTES_ARGS(name));
    }
    return FAIL(arena, FAULT_BAD_VALUE, "there is no code %.*s: there are %.*s",
                BYTES_ARGS(*wanted), BYTES_ARGS(buffer_bytes(&names)));
}

static Result check(LogFilter *filter, Arena *arena)
{
    Bytes level = filter->wanted[LOG_FILTER_level], millis = filter->wanted[LOG_FILTER_min_ms];
    Bytes log = filter->wanted[LOG_FILTER_log];
    uint64_t number;
    if (level.data && rank_of(level) < 0)
        return FAIL(arena, FAULT_BAD_VALUE, "level is info, warning or error");
    if (log.data && !bytes_are(log, "call") && !bytes_are(log, "event"))
        return FAIL(arena, FAULT_BAD_VALUE, "log is call or event");
    if (millis.data && !bytes_to_u64(millis, &number))
        return FAIL(arena, FAULT_BAD_VALUE, "min_ms is a whole number of milliseconds");
    filter->min_ms = millis.data ? (double)number : 0;
    return filter->wanted[LOG_FILTER_code].data ? check_code(filter, arena) : OK;
}

static Result read_one(const QueryPair *pair, Arena *arena, LogFilter *filter)
{
    int kind = find_kind(pair->name);
    if (kind < 0)
        return unknown(arena, pair->name);
    if (filter->wanted[kind].data)
        return FAIL(arena, FAULT_BAD_VALUE, "%s is said twice", log_filter_names[kind]);
    if (!pair->value.size)
        return FAIL(arena, FAULT_BAD_VALUE, "%s has no value", log_filter_names[kind]);
    filter->wanted[kind] = pair->value;
    return OK;
}

Result log_filter_read(Bytes query, Arena *arena, LogFilter *filter_out)
{
    Result r = OK;
    *filter_out = (LogFilter){.min_ms = 0};
    for (QueryPair pair; !failed(r) && query_next(&query, arena, &pair);)
        r = read_one(&pair, arena, filter_out);
    return failed(r) ? r : check(filter_out, arena);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool is(const LogView *view, const char *member, Bytes wanted)
{
    return bytes_equal(log_view_get(view, member), wanted);
}

/* Whether an object of the list has this member. */
static bool is_in(const LogView *view, const char *list, const char *member, Bytes wanted)
{
    JsonCursor elements = json_cursor(log_view_find(view, bytes_of(list)), view->arena);
    Bytes name;
    bool found = false;
    for (bool first = true; !found && json_cursor_element(&elements, &first);) {
        JsonCursor one = json_cursor(json_cursor_skip(&elements), view->arena);
        for (bool begun = true; json_cursor_member(&one, &begun, &name);) {
            Bytes value = json_cursor_skip(&one);
            found |=
                bytes_are(name, member) && bytes_equal(log_value_text(value, view->arena), wanted);
        }
    }
    return found;
}

/* The end of it is enough, from a dot or a slash on. */
static bool is_method(Bytes method, Bytes wanted)
{
    if (method.size <= wanted.size)
        return bytes_equal(method, wanted);
    uint8_t before = method.data[method.size - wanted.size - 1];
    return (before == '.' || before == '/') &&
           bytes_equal(bytes_slice(method, method.size - wanted.size, SIZE_MAX), wanted);
}

static bool lasts(const LogView *view, double millis)
{
    char text[32] = "";
    Bytes total = log_view_get(view, "total_ms");
    if (!total.size || total.size >= sizeof text)
        return false;
    memcpy(text, total.data, total.size);
    return strtod(text, NULL) >= millis;
}

static bool begins(Bytes text, Bytes with)
{
    return bytes_equal(bytes_slice(text, 0, with.size), with);
}

static bool takes(const LogFilter *filter, LogFilterKind kind, const LogView *view)
{
    Bytes wanted = filter->wanted[kind];
    switch (kind) {
    case LOG_FILTER_service: return is(view, "service", wanted);
    case LOG_FILTER_method: return is_method(log_view_get(view, "method"), wanted);
    case LOG_FILTER_client: return is(view, "client", wanted);
    case LOG_FILTER_code: return is(view, "code", wanted);
    case LOG_FILTER_fault:
        return is(view, "degraded", wanted) || is_in(view, "causes", "fault", wanted) ||
               is_in(view, "attempts", "why", wanted);
    case LOG_FILTER_level: return rank_of(log_view_get(view, "level")) >= rank_of(wanted);
    case LOG_FILTER_log: return is(view, "log", wanted);
    case LOG_FILTER_path: return begins(log_view_get(view, "path"), wanted);
    case LOG_FILTER_min_ms: return lasts(view, filter->min_ms);
    case LOG_FILTER_instance:
        return is(view, "instance", wanted) || is_in(view, "attempts", "instance", wanted);
    case LOG_FILTER_version:
        return is(view, "client_version", wanted) || is(view, "served_version", wanted);
    case LOG_FILTER_request_id:
        return is(view, "request_id", wanted) || is(view, "trace_id", wanted);
    case LOG_FILTER_KINDS: break;
    }
    return true;
}

bool log_filter_takes(const LogFilter *filter, const LogView *view)
{
    for (int kind = 0; kind < LOG_FILTER_KINDS; kind++)
        if (filter->wanted[kind].data && !takes(filter, (LogFilterKind)kind, view))
            return false;
    return true;
}
