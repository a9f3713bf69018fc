#include "gateway/log_output/log_members.h"

#include "base/arena.h"
#include "base/problem.h"

static const char *const member_names[] = {
    "age_s",
    "arm",
    "attempts",
    "baggage",
    "build",
    "bytes_in",
    "bytes_out",
    "causes",
    "claims",
    "class",
    "client",
    "client_by",
    "client_version",
    "code",
    "codec",
    "degraded",
    "degraded_by",
    "detail_causes",
    "dialect",
    "failed_leg",
    "failure_mode",
    "fields",
    "forwarded_for",
    "http_status",
    "idempotency",
    "impact",
    "instance",
    "job",
    "joined",
    "leg",
    "legs",
    "level",
    "listener",
    "log",
    "losses",
    "messages_in",
    "messages_out",
    "method",
    "node",
    "operation",
    "operation_state",
    "path",
    "peer",
    "protocol",
    "referer",
    "request_id",
    "response_version",
    "retry_refused",
    "route",
    "rule",
    "sampled",
    "served_version",
    "served_why",
    "service",
    "span_id",
    "spilled",
    "status_code",
    "tenant",
    "time",
    "to_upstream_ms",
    "total_ms",
    "trace_id",
    "unknown",
    "upstream_head_ms",
    "user_agent",
    "verb",
};

enum { N_MEMBERS = sizeof member_names / sizeof *member_names, WITHIN_MOST = 4 };

/* What is within a member. */
typedef struct Inside {
    const char *name;
    const char *within[WITHIN_MOST + 1]; /* of each object of a list; none: any name */
} Inside;

static const Inside insides[] = {
    {"attempts", {"instance", "code", "ms", "why"}},
    {"causes", {"fault", "doing", "field", "at"}},
    {"detail_causes", {"fault", "doing", "field", "at"}},
    {"baggage", {NULL}},
    {"claims", {NULL}},
    {"fields", {NULL}},
};

const char *const *log_members(size_t *n_out)
{
    *n_out = N_MEMBERS;
    return member_names;
}

static bool is_member(Bytes name)
{
    for (size_t i = 0; i < N_MEMBERS; i++)
        if (bytes_are(name, member_names[i]))
            return true;
    return false;
}

static const Inside *inside_of(Bytes name)
{
    for (size_t i = 0; i < sizeof insides / sizeof *insides; i++)
        if (bytes_are(name, insides[i].name))
            return &insides[i];
    return NULL;
}

/* "0", "0.fault" */
static bool is_of_list(const Inside *inside, Bytes rest)
{
    size_t dot = bytes_find(rest, '.');
    Bytes name = bytes_slice(rest, dot + 1, SIZE_MAX);
    uint64_t number;
    if (!bytes_to_u64(bytes_slice(rest, 0, dot), &number))
        return false;
    for (size_t i = 0; inside->within[i]; i++)
        if (bytes_are(name, inside->within[i]))
            return true;
    return dot == rest.size;
}

bool log_member_exists(Bytes name)
{
    size_t dot = bytes_find(name, '.');
    Bytes outer = bytes_slice(name, 0, dot), rest = bytes_slice(name, dot + 1, SIZE_MAX);
    if (dot == name.size)
        return is_member(name);
    const Inside *inside = inside_of(outer);
    return inside && (inside->within[0] ? is_of_list(inside, rest) : rest.size > 0);
}

const char *log_member_near(Arena *arena, Bytes name)
{
    Bytes outer = bytes_slice(name, 0, bytes_find(name, '.'));
    const Inside *inside = inside_of(outer);
    if (!is_member(outer))
        return nearest_word(outer, member_names, N_MEMBERS);
    if (!inside)
        return arena_text(arena, outer);
    return arena_printf(arena, "%s.%s%s", inside->name, inside->within[0] ? "0." : "NAME",
                        inside->within[0] ? inside->within[0] : "");
}
