#include "gateway/failure/kept.h"

#include <string.h>

/* ---- Lists in fields ------------------------------------------------------------------------- */

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

/* ---- The key --------------------------------------------------------------------------------- */

/* Parts that may be left out. */
enum { PART_AUTHORIZATION = 1, PART_COOKIE, PART_IDENTITY, PART_VERB, PART_PATH, PART_QUERY };

/* Most fields are none of these, which their size says. */
static inline bool is_field(const Field *field, size_t size, const char *name)
{
    return field->name.size == size && memcmp(field->name.data, name, size) == 0;
}

typedef enum ForKey { NOT_OF_KEY, OF_AUTHORIZATION, OF_COOKIE, OF_CACHE_CONTROL } ForKey;

static inline ForKey kind_of(const Field *field)
{
    switch (field->name.size) {
    case 6: return memcmp(field->name.data, "cookie", 6) == 0 ? OF_COOKIE : NOT_OF_KEY;
    case 13:
        if (memcmp(field->name.data, "authorization", 13) == 0)
            return OF_AUTHORIZATION;
        return memcmp(field->name.data, "cache-control", 13) == 0 ? OF_CACHE_CONTROL : NOT_OF_KEY;
    default: return NOT_OF_KEY;
    }
}

static bool has_client(const FallbackCall *call)
{
    const Fields *fields = &call->call->metadata;
    bool found = call->identity->name.size;
    for (uint32_t i = 0; i < fields->n && !found; i++)
        found = kind_of(&fields->items[i]) == OF_AUTHORIZATION ||
                kind_of(&fields->items[i]) == OF_COOKIE;
    return found;
}

/* False: nothing tells the client from others, or nothing of its request may be stored. */
static inline bool add_client(KeyHash *hash, const FallbackCall *call)
{
    const Fields *fields = &call->call->metadata;
    bool has_own = call->identity->name.size || call->route->stale_public;
    if (call->identity->name.size)
        key_add(hash, PART_IDENTITY, call->identity->name);
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        ForKey kind = kind_of(field);
        if (kind == NOT_OF_KEY)
            continue;
        if (kind == OF_CACHE_CONTROL) {
            if (lists(field->value, "no-store"))
                return false;
            continue;
        }
        key_add(hash, kind == OF_COOKIE ? PART_COOKIE : PART_AUTHORIZATION, field->value);
        has_own = true;
    }
    return has_own;
}

/* How the request is written, and how the response looks, beside their schemas. */
static inline uint64_t shape_of(const FallbackCall *call)
{
    const Route *route = call->route;
    return (uint64_t)call->call->codec | (uint64_t)call->call->reply_codec << 2 |
           (uint64_t)route->emit_defaults << 4 | (uint64_t)route->proto_names << 5 |
           (uint64_t)route->enums_as_numbers << 6 | (uint64_t)call->request.compressed << 7 |
           (uint64_t)(call->binding != NULL) << 8 | (uint64_t)call->call->compression << 16 |
           (uint64_t)call->reply->index << 24 | (uint64_t)call->identity->how << 32;
}

bool kept_key(const FallbackCall *call, const KeySeed *seed, ResponseKey *key_out)
{
    KeyHash hash;
    key_begin(&hash, seed);
    /* Two contracts that differ by the bits of a shape are as unlikely as two that are equal. */
    key_add_number(&hash, call->method->contract ^ shape_of(call));
    if (!add_client(&hash, call))
        return false;
    if (call->binding) {
        key_add(&hash, PART_VERB, call->call->verb);
        key_add(&hash, PART_PATH, call->call->path);
        key_add(&hash, PART_QUERY, call->call->query);
    }
    key_add(&hash, 0, call->request.bytes);
    *key_out = key_end(&hash);
    return true;
}

/* ---- What caches are told -------------------------------------------------------------------- */

/* What a head says to caches, of what counts here. */
typedef struct ForCaches {
    bool no_store, private, varies;
} ForCaches;

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

static ForCaches for_caches(const Fields *fields)
{
    ForCaches said = {false};
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        if (is_field(field, 13, "cache-control")) {
            said.no_store |= lists(field->value, "no-store");
            said.private |= lists(field->value, "private");
        } else if (is_field(field, 4, "vary")) {
            said.varies |= !varies_by_known(field->value);
        }
    }
    return said;
}

bool kept_may_be(const FallbackCall *call, const Fields *response)
{
    ForCaches said = for_caches(response);
    return !said.no_store && !said.varies && (!said.private || has_client(call));
}
