#include "gateway/failure/kept.h"

/* ---- Whose it is ----------------------------------------------------------------------------- */

/* Each value under the name, also if there are several. */
static bool add_values(KeyHash *hash, const Fields *fields, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!bytes_are(fields->items[i].name, name))
            continue;
        key_add(hash, fields->items[i].value);
        n++;
    }
    key_add_number(hash, n);
    return n;
}

static bool add_client(KeyHash *hash, const FallbackCall *call)
{
    const Identity *identity = call->identity;
    key_add_number(hash, identity->how);
    key_add(hash, identity->name);
    bool authorized = add_values(hash, &call->call->metadata, "authorization");
    bool has_cookie = add_values(hash, &call->call->metadata, "cookie");
    return identity->name.size || authorized || has_cookie;
}

static bool has_client(const FallbackCall *call)
{
    return call->identity->name.size || fields_get(&call->call->metadata, "authorization").data ||
           fields_get(&call->call->metadata, "cookie").data;
}

/* ---- What it answers ------------------------------------------------------------------------- */

/* How a response looks, beside its schema. */
static uint64_t shape_of(const FallbackCall *call)
{
    const Route *route = call->route;
    return (uint64_t)call->call->codec | (uint64_t)call->call->reply_codec << 8 |
           (uint64_t)route->emit_defaults << 16 | (uint64_t)route->proto_names << 17 |
           (uint64_t)route->enums_as_numbers << 18 | (uint64_t)call->request.compressed << 19 |
           (uint64_t)(call->binding != NULL) << 20 | (uint64_t)call->call->compression << 24;
}

static void add_request(KeyHash *hash, const FallbackCall *call)
{
    const Method *method = call->method;
    key_add_number(hash, call->config->contracts);
    key_add_number(hash, shape_of(call));
    key_add(hash, bytes_of(method->type->path));
    key_add(hash, bytes_of(method->version->name));
    key_add(hash, bytes_of(call->reply->name));
    key_add(hash, bytes_of(method->version->service->name));
    if (call->binding) {
        key_add(hash, call->call->verb);
        key_add(hash, call->call->path);
        key_add(hash, call->call->query);
    }
    key_add(hash, call->request.bytes);
}

bool kept_key(const FallbackCall *call, const KeySeed *seed, ResponseKey *key_out)
{
    KeyHash hash;
    key_begin(&hash, seed);
    if (!add_client(&hash, call) && !call->route->stale_public)
        return false;
    add_request(&hash, call);
    *key_out = key_end(&hash);
    return true;
}

/* ---- What caches are told -------------------------------------------------------------------- */

static bool is_like(Bytes text, const char *word)
{
    if (text.size != strlen(word))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (ascii_lower(text.data[i]) != (uint8_t)word[i])
            return false;
    return true;
}

static Bytes trimmed(Bytes text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_slice(text, 1, text.size);
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* The next member of a comma-separated list, without parameters; false: there is none. */
static bool next_member(Bytes *list, Bytes *member_out)
{
    if (!list->size)
        return false;
    size_t end = bytes_find(*list, ',');
    Bytes member = trimmed(bytes_slice(*list, 0, end));
    *list = end < list->size ? bytes_slice(*list, end + 1, list->size) : BYTES_NONE;
    *member_out = trimmed(bytes_slice(member, 0, bytes_find(member, '=')));
    return true;
}

static bool lists(Bytes list, const char *word)
{
    for (Bytes member; next_member(&list, &member);)
        if (is_like(member, word))
            return true;
    return false;
}

static bool says(const Fields *fields, const char *name, const char *word)
{
    for (uint32_t i = 0; i < fields->n; i++)
        if (bytes_are(fields->items[i].name, name) && lists(fields->items[i].value, word))
            return true;
    return false;
}

/* By fields that the key or the codec has, or by compression, which is undone. */
static bool varies_by_known(Bytes list)
{
    static const char *const known[] = {
        "accept", "accept-encoding", "authorization", "cookie",
        "origin", "content-type",    "grpc-encoding", "grpc-accept-encoding"};
    for (Bytes member; next_member(&list, &member);) {
        bool found = !member.size;
        for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
            found = is_like(member, known[i]);
        if (!found)
            return false;
    }
    return true;
}

static bool varies(const Fields *response)
{
    for (uint32_t i = 0; i < response->n; i++)
        if (bytes_are(response->items[i].name, "vary") &&
            !varies_by_known(response->items[i].value))
            return true;
    return false;
}

bool kept_may_be(const FallbackCall *call, const Fields *response)
{
    if (says(response, "cache-control", "no-store") ||
        says(&call->call->metadata, "cache-control", "no-store"))
        return false;
    if (says(response, "cache-control", "private") && !has_client(call))
        return false;
    return !varies(response);
}
