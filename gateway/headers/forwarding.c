#include "gateway/headers/forwarding.h"

#include "base/arena.h"
#include "gateway/headers/baggage.h"
#include "gateway/headers/request_id.h"
#include "protocols/http/head_fields.h"

enum { REQUEST_ID_MOST = 128, NAME_MOST = 64 /* all names compared here are shorter */ };

#define HOPS_FIELD "passerelle-hops"
#define HOP_PREFIX "passerelle-"

bool request_id_is_good(Bytes id)
{
    for (size_t i = 0; i < id.size; i++) {
        uint8_t c = id.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (!c || !strchr("._:/+=-", c)))
            return false;
    }
    return id.size >= 1 && id.size <= REQUEST_ID_MOST;
}

HopName hop_name_new(Random *random)
{
    HopName name = {HOP_PREFIX};
    random_hex(random, name.text + strlen(HOP_PREFIX), HOP_NAME_SIZE - strlen(HOP_PREFIX));
    return name;
}

Result forwarding_check(const Forwarding *forwarding, uint32_t most, Arena *arena)
{
    if (forwarding->hops >= most)
        return FAIL(arena, FAULT_LOOP_DETECTED,
                    "it has passed %u gateways, and limits.max_hops is %u", forwarding->hops, most);
    if (forwarding->passed_us)
        return FAIL(arena, FAULT_LOOP_DETECTED, "it has passed this gateway, %s, before",
                    forwarding->self);
    return OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef enum Role {
    ROLE_NONE, /* about something else */
    ROLE_FOR,
    ROLE_HOST,
    ROLE_PROTO,
    ROLE_FORWARDED,
    ROLE_REQUEST_ID,
    ROLE_VIA,
    ROLE_HOPS,
    ROLE_ATTEMPTS,
    ROLE_BAGGAGE, /* kept as far as there is room, of others than trusted peers without the
                     gateway's member */
    ROLE_OTHER,   /* trusted by some services: passed on unchanged if the peer is trusted */
} Role;

enum { MOST_NAMES = 5, LONGEST_NAME = 26 };

/* By length, so that most names are compared with few of these. */
static const struct {
    const char *name;
    Role role;
} names_by_length[LONGEST_NAME + 1][MOST_NAMES + 1] = {
    [3] = {{"via", ROLE_VIA}},
    [5] = {{"proxy", ROLE_OTHER}}, /* CVE-2016-5385 */
    [7] = {{BAGGAGE_FIELD, ROLE_BAGGAGE}},
    [9] = {{"forwarded", ROLE_FORWARDED}, {"x-real-ip", ROLE_OTHER}},
    [11] = {{"x-client-ip", ROLE_OTHER}, {"x-forwarded", ROLE_OTHER}},
    [12] = {{"x-request-id", ROLE_REQUEST_ID}, {"x-url-scheme", ROLE_OTHER}},
    [13] = {{"forwarded-for", ROLE_OTHER}, {"x-rewrite-url", ROLE_OTHER}},
    [14] = {{"true-client-ip", ROLE_OTHER}, {"x-original-url", ROLE_OTHER}},
    [15] = {{"x-forwarded-for", ROLE_FOR},
            {HOPS_FIELD, ROLE_HOPS},
            {"front-end-https", ROLE_OTHER},
            {"x-original-host", ROLE_OTHER}},
    [16] = {{"x-forwarded-host", ROLE_HOST},
            {"cf-connecting-ip", ROLE_OTHER},
            {"fastly-client-ip", ROLE_OTHER}},
    [17] = {{"x-forwarded-proto", ROLE_PROTO}},
    [19] = {{"x-cluster-client-ip", ROLE_OTHER}},
    [24] = {{"x-envoy-external-address", ROLE_OTHER}},
    [26] = {{"grpc-previous-rpc-attempts", ROLE_ATTEMPTS}},
};

static Role role_of(Bytes name)
{
    static const char *const prefixes[] = {"x-forwarded-", "passerelle-", "ssl-client-",
                                           "x-ssl-client-"};
    for (size_t i = 0; name.size <= LONGEST_NAME && names_by_length[name.size][i].name; i++) {
        if (memcmp(name.data, names_by_length[name.size][i].name, name.size) == 0)
            return names_by_length[name.size][i].role;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        /* Most names differ in the first byte already. */
        if (name.size && name.data[0] == (uint8_t)prefixes[i][0] &&
            bytes_start_with(name, prefixes[i]))
            return ROLE_OTHER;
    }
    return ROLE_NONE;
}

/* CGI and its successors turn "-" of a field name into "_" (RFC 3875 section 4.1.18). */
static Bytes with_hyphens(Bytes name, char text[NAME_MOST])
{
    if (name.size > NAME_MOST || bytes_find(name, '_') == name.size)
        return name;
    for (size_t i = 0; i < name.size; i++)
        text[i] = (char)(name.data[i] == '_' ? '-' : name.data[i]);
    return bytes(text, name.size);
}

static bool is_identity(Bytes name, const char *const *identity)
{
    for (; *identity; identity++)
        if (bytes_are(name, *identity))
            return true;
    return false;
}

/* The same with "_" in place of "-", as far as a service could tell. */
static bool looks_like_identity(Bytes spelled, const char *const *identity)
{
    char text[NAME_MOST];
    for (; *identity; identity++)
        if (bytes_equal(spelled, with_hyphens(bytes_of(*identity), text)))
            return true;
    return false;
}

/* Whether the name, with "-" for "_", is one of these or of a field that frames a message. Such
   fields have no legitimate use and are dropped, even from trusted peers. */
static bool collides(Bytes name, const char *const *identity)
{
    char text[NAME_MOST];
    Bytes spelled = with_hyphens(name, text);
    if (spelled.data == name.data)
        return false;
    return role_of(spelled) != ROLE_NONE || field_role(spelled) != FIELD_METADATA ||
           (identity && looks_like_identity(spelled, identity));
}

/* Counts the gateways in a list of hops. Those in Via have the protocol before the name (RFC 9110
 * section 7.6.3): "1.1 fred, 2 passerelle-0123456789abcdef (comment)".
 */
static void count_hops(Forwarding *forwarding, Bytes list, bool with_protocol)
{
    Bytes member, name;
    while (bytes_split(&list, ',', &member)) {
        member = bytes_trim(member);
        if (with_protocol)
            member = bytes_trim(bytes_slice(member, bytes_find(member, ' '), SIZE_MAX));
        name = bytes_slice(member, 0, bytes_find(member, ' '));
        forwarding->hops += name.size == HOP_NAME_SIZE && bytes_start_with(name, HOP_PREFIX);
        forwarding->passed_us |= bytes_are(name, forwarding->self);
    }
}

static void join(Bytes *list, Bytes value, Arena *arena, bool *full)
{
    Buffer joined = buffer_in(arena);
    buffer_add_bytes(&joined, *list);
    if (list->size && value.size)
        buffer_add_text(&joined, ", ");
    buffer_add_bytes(&joined, value);
    *list = buffer_bytes(&joined);
    *full |= joined.full;
}

/* Whether the field stays among the others. */
static bool is_kept(const Field *field, Role role, bool trusted, const char *const *identity)
{
    if (role == ROLE_NONE && !(identity && is_identity(field->name, identity)))
        return true;
    return trusted && (role == ROLE_NONE || role == ROLE_OTHER);
}

static void take(Forwarding *forwarding, Role role, Bytes value, Arena *arena, bool *full)
{
    Bytes *into = NULL;
    switch (role) {
    case ROLE_VIA: into = &forwarding->via; break;
    case ROLE_HOPS: into = &forwarding->passed; break;
    case ROLE_ATTEMPTS: into = &forwarding->attempts; break;
    case ROLE_FOR: into = &forwarding->forwarded_for; break;
    case ROLE_HOST: into = &forwarding->forwarded_host; break;
    case ROLE_PROTO: into = &forwarding->forwarded_proto; break;
    case ROLE_FORWARDED: into = &forwarding->forwarded; break;
    case ROLE_REQUEST_ID: into = &forwarding->request_id; break;
    case ROLE_NONE:
    case ROLE_BAGGAGE:
    case ROLE_OTHER: return;
    }
    bool any_peer = role == ROLE_VIA || role == ROLE_HOPS || role == ROLE_ATTEMPTS;
    if (forwarding->trusted || any_peer)
        join(into, value, arena, full);
}

/* Whoever is no trusted peer does not say which candidates it has. */
static void take_baggage(Forwarding *forwarding, Bytes value, BaggageRoom *room, Fields *rest,
                         bool *full)
{
    if (!forwarding->trusted) {
        Bytes others = baggage_without(value, BAGGAGE_CANDIDATES, rest->arena);
        *full |= value.size && !others.data;
        value = others;
    }
    Bytes kept = baggage_within(value, room);
    if (kept.size < value.size)
        forwarding->baggage = BAGGAGE_CUT;
    if (!kept.size)
        return;
    if (!forwarding->baggage)
        forwarding->baggage = BAGGAGE_WHOLE;
    fields_add(rest, bytes_of(BAGGAGE_FIELD), kept);
}

/* Several identity fields contradict each other: all are dropped. */
static void drop_contradiction(Fields *fields, const char *name)
{
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        n += bytes_are(fields->items[i].name, name);
    for (uint32_t i = 0; n > 1 && i < fields->n; i++) {
        if (!bytes_are(fields->items[i].name, name))
            fields->items[kept++] = fields->items[i];
    }
    if (n > 1)
        fields->n = kept;
}

/* Whether a quoted string is not closed: it would include what is appended. */
static bool has_open_quote(Bytes value)
{
    bool open = false;
    for (size_t i = 0; i < value.size; i++) {
        if (open && value.data[i] == '\\')
            i++;
        else if (value.data[i] == '"')
            open = !open;
    }
    return open;
}

Result forwarding_read(Forwarding *forwarding, const Fields *fields, const char *const *identity,
                       const BaggageConfig *baggage, Arena *arena, Arena *of_rest, Fields *rest_out)
{
    BaggageRoom room = {baggage->members, baggage->bytes};
    *rest_out = (Fields){.items = arena_alloc(of_rest, fields->n * sizeof(Field)),
                         .capacity = fields->n,
                         .arena = of_rest};
    bool full = !rest_out->items && fields->n;
    for (uint32_t i = 0; i < fields->n && !full; i++) {
        const Field *field = &fields->items[i];
        if (collides(field->name, identity))
            continue;
        Role role = role_of(field->name);
        take(forwarding, role, field->value, arena, &full);
        if (is_kept(field, role, forwarding->trusted, identity))
            fields_add(rest_out, field->name, field->value);
        else if (role == ROLE_BAGGAGE && (forwarding->trusted || baggage->strangers))
            take_baggage(forwarding, field->value, &room, rest_out, &full);
    }
    for (; identity && *identity; identity++)
        drop_contradiction(rest_out, *identity);
    if (!request_id_is_good(
            forwarding->request_id)) /* several were joined by ", ", which is not valid */
        forwarding->request_id = BYTES_NONE;
    if (has_open_quote(forwarding->forwarded))
        forwarding->forwarded = BYTES_NONE;
    if (forwarding->via.size)
        count_hops(forwarding, forwarding->via, true);
    if (forwarding->passed.size)
        count_hops(forwarding, forwarding->passed, false);
    return full || rest_out->full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY,
                      "reading the forwarding fields of a head of %u fields", fields->n)
               : OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* "10.0.0.7:4711", "[::1]:4711" or "unix", without the port and brackets. */
static Bytes host_of(Bytes peer)
{
    if (bytes_start_with(peer, "["))
        return bytes_slice(peer, 1, bytes_find(peer, ']') - 1);
    size_t colon = bytes_find(peer, ':');
    bool one = colon < peer.size && !memchr(peer.data + colon + 1, ':', peer.size - colon - 1);
    return one ? bytes_slice(peer, 0, colon) : peer;
}

static void add_joined(Fields *fields, Bytes name, Bytes before, Bytes value)
{
    if (before.size)
        join(&before, value, fields->arena, &fields->full);
    fields_add(fields, name, before.size ? before : value);
}

/* RFC 7239 sections 4 to 6: an IPv6 address is in brackets, and values with a colon are quoted. */
static Bytes forwarded_element(const Forwarding *forwarding, Bytes peer, Bytes authority,
                               Fields *fields)
{
    bool is_ipv6 = bytes_find(peer, ':') < peer.size;
    Buffer element = buffer_in(fields->arena);
    buffer_add_text(&element, is_ipv6 ? "for=\"[" : "for=");
    buffer_add_bytes(&element, bytes_are(peer, "unix") ? bytes_of("unknown") : peer);
    buffer_add_text(&element, is_ipv6 ? "]\";host=\"" : ";host=\"");
    buffer_add_bytes(&element, authority);
    buffer_add_text(&element, forwarding->secure ? "\";proto=https" : "\";proto=http");
    fields->full |= element.full;
    return buffer_bytes(&element);
}

/* The member of Via for this hop. */
static Bytes via_of(const Forwarding *forwarding, uint8_t minor, Fields *fields)
{
    static const char *const versions[] = {"1.0 ", "1.1 ", "2 "};
    Buffer via = buffer_in(fields->arena);
    buffer_add_text(&via, versions[minor]);
    buffer_add_text(&via, forwarding->self);
    fields->full |= via.full;
    return buffer_bytes(&via);
}

static void add_hops(const Forwarding *forwarding, ForwardingKind kind, uint8_t minor,
                     Fields *fields)
{
    if (kind == FORWARDING_HTTP)
        add_joined(fields, bytes_of("via"), forwarding->via, via_of(forwarding, minor, fields));
    else
        add_joined(fields, bytes_of(HOPS_FIELD), forwarding->passed, bytes_of(forwarding->self));
    if (kind == FORWARDING_HTTP && forwarding->passed.size)
        fields_add(fields, bytes_of(HOPS_FIELD), forwarding->passed);
    else if (kind == FORWARDING_RPC && forwarding->via.size)
        fields_add(fields, bytes_of("via"), forwarding->via);
}

void forwarding_write(const Forwarding *forwarding, ForwardingKind kind, Bytes authority,
                      uint8_t minor, Bytes request_id, Fields *fields)
{
    Bytes peer = host_of(bytes_of(forwarding->peer)), host = forwarding->forwarded_host,
          proto = forwarding->forwarded_proto;
    add_joined(fields, bytes_of("x-forwarded-for"), forwarding->forwarded_for, peer);
    if (host.size || authority.size)
        fields_add(fields, bytes_of("x-forwarded-host"), host.size ? host : authority);
    fields_add(fields, bytes_of("x-forwarded-proto"),
               proto.size ? proto : bytes_of(forwarding->secure ? "https" : "http"));
    if (forwarding->forwarded.size)
        add_joined(fields, bytes_of("forwarded"), forwarding->forwarded,
                   forwarded_element(forwarding, peer, authority, fields));
    add_hops(forwarding, kind, minor, fields);
    fields_add(fields, bytes_of("x-request-id"), request_id);
}

/* The address in "192.0.2.1:80" or "[2001:db8::1]:443". False: none, as in "unknown". */
static bool read_member(Bytes member, Bytes *text_out, IpAddress *address_out)
{
    *text_out = host_of(bytes_trim(member));
    return ip_read(*text_out, address_out);
}

Bytes forwarding_client(const Forwarding *forwarding, const TrustedPeers *trusted)
{
    Bytes client = host_of(bytes_of(forwarding->peer)), list = forwarding->forwarded_for, text;
    IpAddress address;
    while (list.size) {
        size_t last = list.size;
        while (last > 0 && list.data[last - 1] != ',')
            last--;
        if (!read_member(bytes_slice(list, last, SIZE_MAX), &text, &address))
            break; /* members before one without an address cannot be trusted */
        client = text;
        if (!trusted_peers_have(trusted, &address))
            break;
        list = bytes_slice(list, 0, last ? last - 1 : 0);
    }
    return client;
}
