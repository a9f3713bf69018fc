#include "gateway/headers/cors.h"

#include "base/arena.h"
#include "protocols/http/http_rules.h"

bool cors_is_preflight(const HttpHead *head)
{
    return bytes_are(head->method, "OPTIONS") && fields_get(&head->fields, "origin").data &&
           fields_get(&head->fields, "access-control-request-method").data;
}

/* "*" matches one or more characters. */
static bool origin_matches(Bytes origin, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return bytes_are_nocase(origin, pattern);
    Bytes before = bytes(pattern, (size_t)(star - pattern)), after = bytes_of(star + 1);
    return origin.size > before.size + after.size &&
           bytes_equal_nocase(bytes_slice(origin, 0, before.size), before) &&
           bytes_equal_nocase(bytes_slice(origin, origin.size - after.size, after.size), after);
}

static bool is_allowed(const Cors *cors, Bytes origin)
{
    for (uint32_t i = 0; i < cors->n_origins && origin.size; i++) {
        if (strcmp(cors->origins[i], "*") == 0 || origin_matches(origin, cors->origins[i]))
            return true;
    }
    return false;
}

static bool allows_all(const Cors *cors)
{
    return cors->n_origins == 1 && strcmp(cors->origins[0], "*") == 0 && !cors->credentials;
}

/* If the response depends on the origin, it names the origin instead of "*", and has Vary for
   caches. */
static bool add_origin(const Cors *cors, Bytes origin, Fields *out)
{
    if (!allows_all(cors))
        fields_add(out, bytes_of("vary"), bytes_of("origin"));
    if (!is_allowed(cors, origin))
        return false;
    fields_add_copy(out, "access-control-allow-origin", allows_all(cors) ? bytes_of("*") : origin);
    if (cors->credentials)
        fields_add(out, bytes_of("access-control-allow-credentials"), bytes_of("true"));
    return true;
}

/* The usual methods, those of the schemas and, if the config accepts any, the requested one: "*"
   has no meaning with credentials. */
static Bytes verbs_for(const Cors *cors, const HttpHead *head, Arena *arena)
{
    Bytes wanted = fields_get(&head->fields, "access-control-request-method");
    Buffer verbs = buffer_in(arena);
    buffer_printf(&verbs, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS%s",
                  cors->verbs ? cors->verbs : "");
    if (cors->any_verb && http_is_token(wanted) &&
        !http_list_has(buffer_bytes(&verbs), arena_text(arena, wanted))) {
        buffer_add_text(&verbs, ", ");
        buffer_add_bytes(&verbs, wanted);
    }
    return buffer_bytes(&verbs);
}

void cors_answer_preflight(const Cors *cors, const HttpHead *head, Fields *out)
{
    if (!add_origin(cors, fields_get(&head->fields, "origin"), out))
        return;
    fields_add(out, bytes_of("access-control-allow-methods"), verbs_for(cors, head, out->arena));
    /* Services decide which fields they accept, so all requested ones are allowed, by name, because
       "*" has no meaning with credentials. */
    Bytes wanted = fields_joined(&head->fields, "access-control-request-headers");
    if (wanted.size)
        fields_add_copy(out, "access-control-allow-headers", wanted);
    fields_add(out, bytes_of("vary"),
               bytes_of("access-control-request-method, access-control-request-headers"));
    fields_add_number(out, "access-control-max-age", cors->max_age_seconds);
}

/* Pages may read these in any case (Fetch, "CORS-safelisted response-header name"). */
static bool is_safelisted(Bytes name)
{
    static const char *const names[] = {
        "cache-control", "content-language", "content-length", "content-type",
        "expires",       "last-modified",    "pragma",         "vary"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (bytes_are(name, names[i]))
            return true;
    }
    return bytes_start_with(name, "access-control-");
}

void cors_add(const Cors *cors, Bytes origin, Fields *fields)
{
    if (!cors->n_origins)
        return;
    uint32_t n_own = fields->n;
    if (!add_origin(cors, origin, fields))
        return;
    Buffer exposed = buffer_in(fields->arena);
    buffer_add_text(&exposed, "grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding, "
                              "content-encoding, connect-content-encoding, retry-after");
    for (uint32_t i = 0; i < n_own; i++) {
        if (is_safelisted(fields->items[i].name))
            continue;
        buffer_add_text(&exposed, ", ");
        buffer_add_bytes(&exposed, fields->items[i].name);
    }
    fields->full |= exposed.full;
    fields_add(fields, bytes_of("access-control-expose-headers"), buffer_bytes(&exposed));
}
