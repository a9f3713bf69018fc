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
typedef enum Part {
    PART_NONE,
    PART_AUTHORIZATION,
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
    PART_CANDIDATE,
    PART_METHOD,        /* by which the client has proved its name */
    PART_CACHE_CONTROL, /* not of the key */
} Part;

/* Most fields are none of these, which their size says. */
static inline Part part_of(Bytes name)
{
    switch (name.size) {
    case 6:
        if (bytes_are(name, "cookie"))
            return PART_COOKIE;
        return bytes_are(name, "origin") ? PART_ORIGIN : PART_NONE;
    case 13:
        if (bytes_are(name, "authorization"))
            return PART_AUTHORIZATION;
        return bytes_are(name, "cache-control") ? PART_CACHE_CONTROL : PART_NONE;
    default: return PART_NONE;
    }
}

/* `Authorization: Bearer` is what clients without a token send. Most are longer, and of one piece.
 */
static inline bool tells_who(Bytes credentials)
{
    if (credentials.size > 7 && credentials.data[0] > ' ' && credentials.data[7] > ' ')
        return true;
    Bytes text = bytes_trim(credentials);
    return text.size && !bytes_are_nocase(text, "bearer") && !bytes_are_nocase(text, "basic");
}

static void add_if(KeyHash *hash, Part tag, Bytes part)
{
    if (part.size)
        key_add(hash, tag, part);
}

static void add_identity(KeyHash *hash, const Identity *identity)
{
    add_if(hash, PART_IDENTITY, identity->name);
    add_if(hash, PART_TENANT, identity->tenant);
    add_if(hash, PART_CLASS, identity->class);
    if (identity->by)
        key_add(hash, PART_METHOD, bytes_of(identity->by));
    for (uint32_t i = 0; i < identity->n_claims; i++) {
        key_add(hash, PART_CLAIM, bytes_of(identity->claims[i].name));
        key_add(hash, PART_CLAIM, identity->claims[i].value);
    }
}

static inline void add_field(KeyHash *hash, Part part, Bytes value, KeptPlace *place)
{
    if (part == PART_CACHE_CONTROL) {
        place->no_store |= lists(value, "no-store");
    } else if (part == PART_ORIGIN || tells_who(value)) {
        key_add(hash, part, value);
        place->has_client |= part != PART_ORIGIN;
    }
}

/* What tells the client from others, and what services make responses from beside the request. */
static inline void add_client(KeyHash *hash, const FallbackCall *call, KeptPlace *place)
{
    const Fields *fields = &call->call->metadata;
    place->has_client = call->identity->name.size;
    if (call->identity != &identity_anonymous)
        add_identity(hash, call->identity);
    key_add(hash, PART_AUTHORITY, call->call->authority);
    for (uint32_t i = 0; i < fields->n; i++) {
        Part part = part_of(fields->items[i].name);
        if (part)
            add_field(hash, part, fields->items[i].value, place);
    }
}

/* How the request is written, and how the response looks, beside their schemas. */
static inline uint64_t shape_of(const FallbackCall *call)
{
    return (uint64_t)call->call->codec | (uint64_t)call->call->reply_codec << 2 |
           (uint64_t)call->request.compressed << 7 | (uint64_t)(call->binding != NULL) << 8 |
           (uint64_t)call->call->enums_as_numbers << 9 | (uint64_t)call->call->compression << 16 |
           (uint64_t)call->reply->index << 24 | (uint64_t)call->identity->how << 32;
}

bool kept_place(const FallbackCall *call, const KeySeed *seed, KeptPlace *place_out)
{
    KeyHash hash;
    *place_out = (KeptPlace){.no_store = false};
    key_begin(&hash, seed);
    /* Two contracts that differ by the bits of a shape are as unlikely as two that are equal. */
    key_add_number(&hash, call->method->extras->contract ^ shape_of(call));
    if (call->candidate)
        key_add(&hash, PART_CANDIDATE, BYTES_NONE);
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

static void read_field(const Field *field, ForCaches *said)
{
    if (bytes_are(field->name, "cache-control")) {
        said->no |= forbids(field->value);
        said->private |= lists(field->value, "private");
    } else if (bytes_are(field->name, "vary")) {
        said->varies |= !varies_by_known(field->value);
    }
}

/* Most have names of other sizes. */
static inline void read_fields(const Fields *fields, ForCaches *said)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        size_t size = fields->items[i].name.size;
        if (size == strlen("cache-control") || size == strlen("vary"))
            read_field(&fields->items[i], said);
    }
}

bool kept_may_be(const KeptPlace *place, const Fields *head, const Fields *trailers)
{
    ForCaches said = {false};
    read_fields(head, &said);
    read_fields(trailers, &said);
    return !place->no_store && !said.no && !said.varies && (!said.private || place->has_client);
}
