#include "gateway/failure/kept.h"

/* ---- Lists in fields ------------------------------------------------------------------------- */

/* Whether a comma-separated list has a member of this name, with or without a parameter. */
static bool lists(Bytes list, const char *name)
{
    for (Bytes member; bytes_split(&list, ',', &member);)
        if (bytes_are_nocase(bytes_trim(bytes_slice(member, 0, bytes_find(member, '='))), name))
            return true;
    return false;
}

/* ---- The key --------------------------------------------------------------------------------- */

/* Parts that may be left out. */
enum {
    PART_AUTHORIZATION = 1,
    PART_COOKIE,
    PART_IDENTITY,
    PART_VERB,
    PART_PATH,
    PART_QUERY,
    PART_TENANT,
    PART_CLASS,
    PART_CLAIM,
    PART_AUTHORITY,
    PART_ORIGIN,
};

typedef enum ForKey {
    NOT_OF_KEY,
    OF_AUTHORIZATION,
    OF_COOKIE,
    OF_ORIGIN,
    OF_CACHE_CONTROL,
} ForKey;

/* Most fields are none of these, which their size says. */
static inline ForKey kind_of(Bytes name)
{
    switch (name.size) {
    case 6:
        if (bytes_are(name, "cookie"))
            return OF_COOKIE;
        return bytes_are(name, "origin") ? OF_ORIGIN : NOT_OF_KEY;
    case 13:
        if (bytes_are(name, "authorization"))
            return OF_AUTHORIZATION;
        return bytes_are(name, "cache-control") ? OF_CACHE_CONTROL : NOT_OF_KEY;
    default: return NOT_OF_KEY;
    }
}

/* `Authorization: Bearer` is what clients without a token send. */
static bool tells_who(Bytes credentials)
{
    Bytes text = bytes_trim(credentials);
    return text.size && !bytes_are_nocase(text, "bearer") && !bytes_are_nocase(text, "basic");
}

static inline void add_if(KeyHash *hash, uint64_t tag, Bytes part)
{
    if (part.size)
        key_add(hash, tag, part);
}

static inline void add_identity(KeyHash *hash, const Identity *identity)
{
    add_if(hash, PART_IDENTITY, identity->name);
    add_if(hash, PART_TENANT, identity->tenant);
    add_if(hash, PART_CLASS, identity->class);
    for (uint32_t i = 0; i < identity->n_claims; i++) {
        key_add(hash, PART_CLAIM, bytes_of(identity->claims[i].name));
        key_add(hash, PART_CLAIM, identity->claims[i].value);
    }
}

static inline void add_credentials(KeyHash *hash, uint64_t tag, Bytes value, KeptPlace *place)
{
    if (!tells_who(value))
        return;
    key_add(hash, tag, value);
    place->has_client = true;
}

/* What tells the client from others, and what services make responses from beside the request. */
static inline void add_client(KeyHash *hash, const FallbackCall *call, KeptPlace *place)
{
    const Fields *fields = &call->call->metadata;
    place->has_client = call->identity->name.size;
    add_identity(hash, call->identity);
    add_if(hash, PART_AUTHORITY, call->call->authority);
    for (uint32_t i = 0; i < fields->n; i++) {
        Bytes value = fields->items[i].value;
        switch (kind_of(fields->items[i].name)) {
        case NOT_OF_KEY: break;
        case OF_AUTHORIZATION: add_credentials(hash, PART_AUTHORIZATION, value, place); break;
        case OF_COOKIE: add_credentials(hash, PART_COOKIE, value, place); break;
        case OF_ORIGIN: key_add(hash, PART_ORIGIN, value); break;
        case OF_CACHE_CONTROL: place->no_store |= lists(value, "no-store"); break;
        }
    }
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

bool kept_place(const FallbackCall *call, const KeySeed *seed, KeptPlace *place_out)
{
    KeyHash hash;
    *place_out = (KeptPlace){.no_store = false};
    key_begin(&hash, seed);
    /* Two contracts that differ by the bits of a shape are as unlikely as two that are equal. */
    key_add_number(&hash, call->method->contract ^ shape_of(call));
    add_client(&hash, call, place_out);
    if (!place_out->has_client && !call->route->stale_public)
        return false;
    if (call->binding) {
        key_add(&hash, PART_VERB, call->call->verb);
        key_add(&hash, PART_PATH, call->call->path);
        key_add(&hash, PART_QUERY, call->call->query);
    }
    key_add(&hash, 0, call->request.bytes);
    place_out->key = key_end(&hash);
    return true;
}

/* ---- What caches are told -------------------------------------------------------------------- */

/* What a response says to caches, of what counts here. `no`: not to be stored, or not to be given
   when it is stale (RFC 9111 section 4.2.4). */
typedef struct ForCaches {
    bool no, private, varies;
} ForCaches;

/* By fields that the key or the codec has, or by compression, which is undone. */
static bool varies_by_known(Bytes list)
{
    static const char *const known[] = {
        "accept", "accept-encoding", "authorization", "cookie",
        "origin", "content-type",    "grpc-encoding", "grpc-accept-encoding"};
    for (Bytes name; bytes_split(&list, ',', &name);) {
        name = bytes_trim(name);
        bool found = !name.size;
        for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
            found = bytes_are_nocase(name, known[i]);
        if (!found)
            return false;
    }
    return true;
}

static bool forbids(Bytes list)
{
    static const char *const words[] = {"no-store", "no-cache", "must-revalidate",
                                        "proxy-revalidate", "s-maxage"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (lists(list, words[i]))
            return true;
    return false;
}

static void read_fields(const Fields *fields, ForCaches *said)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        if (bytes_are(field->name, "cache-control")) {
            said->no |= forbids(field->value);
            said->private |= lists(field->value, "private");
        } else if (bytes_are(field->name, "vary")) {
            said->varies |= !varies_by_known(field->value);
        }
    }
}

bool kept_may_be(const KeptPlace *place, const Fields *head, const Fields *trailers)
{
    ForCaches said = {false};
    read_fields(head, &said);
    read_fields(trailers, &said);
    return !place->no_store && !said.no && !said.varies && (!said.private || place->has_client);
}
