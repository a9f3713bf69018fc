#include "gateway/headers/forwarding.h"

#include "base/arena.h"
#include "gateway/headers/request_id.h"

enum { REQUEST_ID_MOST = 128, NAME_MOST = 64 /* no name that matters here is longer */ };

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

/* ---- Reading
 * ------------------------------------------------------------------------------------- */

typedef enum Role {
    ROLE_NONE, /* about something else */
    ROLE_FOR,
    ROLE_HOST,
    ROLE_PROTO,
    ROLE_FORWARDED,
    ROLE_REQUEST_ID,
    ROLE_VIA,
    ROLE_HOPS,
    ROLE_OTHER, /* believed by some service: goes on as it is, when the peer is trusted */
} Role;

static Role role_of(Bytes name)
{
    switch (name.size) {
    case 3: return bytes_are(name, "via") ? ROLE_VIA : ROLE_NONE;
    case 5: return bytes_are(name, "proxy") ? ROLE_OTHER : ROLE_NONE; /* CVE-2016-5385 */
    case 9:
        return bytes_are(name, "forwarded")   ? ROLE_FORWARDED
               : bytes_are(name, "x-real-ip") ? ROLE_OTHER
                                              : ROLE_NONE;
    case 11: return bytes_are(name, "x-client-ip") ? ROLE_OTHER : ROLE_NONE;
    case 12: return bytes_are(name, "x-request-id") ? ROLE_REQUEST_ID : ROLE_NONE;
    case 13: return bytes_are(name, "x-rewrite-url") ? ROLE_OTHER : ROLE_NONE;
    case 14:
        if (bytes_are(name, "x-original-url") || bytes_are(name, "true-client-ip"))
            return ROLE_OTHER;
        break;
    case 15:
        if (bytes_are(name, "x-forwarded-for"))
            return ROLE_FOR;
        if (bytes_are(name, HOPS_FIELD))
            return ROLE_HOPS;
        if (bytes_are(name, "x-original-host"))
            return ROLE_OTHER;
        break;
    case 16:
        if (bytes_are(name, "x-forwarded-host"))
            return ROLE_HOST;
        break;
    case 17:
        if (bytes_are(name, "x-forwarded-proto"))
            return ROLE_PROTO;
        break;
    case 19:
        if (bytes_are(name, "x-cluster-client-ip"))
            return ROLE_OTHER;
        break;
    default: break;
    }
    return bytes_start_with(name, "x-forwarded-") || bytes_start_with(name, "passerelle-")
               ? ROLE_OTHER
               : ROLE_NONE;
}

/* What a service makes a variable of cannot tell "_" from "-" (RFC 3875 section 4.1.18). */
static Bytes with_hyphens(Bytes name, char text[NAME_MOST])
{
    if (name.size > NAME_MOST || !memchr(name.data, '_', name.size))
        return name;
    for (size_t i = 0; i < name.size; i++)
        text[i] = (char)(name.data[i] == '_' ? '-' : name.data[i]);
    return bytes(text, name.size);
}

/* As role_of; whoever collides with a name of these stands for ROLE_OTHER, from nobody. */
static Role role_of_field(Bytes name, const char *identity_header, bool *collides_out)
{
    char text[NAME_MOST], identity_text[NAME_MOST];
    Bytes spelled = with_hyphens(name, text);
    Role role = role_of(spelled);
    *collides_out = spelled.data != name.data && role != ROLE_NONE;
    if (!identity_header || role != ROLE_NONE || spelled.size != strlen(identity_header))
        return role;
    if (!bytes_equal(spelled, with_hyphens(bytes_of(identity_header), identity_text)))
        return ROLE_NONE;
    *collides_out = !bytes_are(name, identity_header);
    return ROLE_OTHER;
}

/*
 * Counts gateways in a list of hops. Those of Via have the protocol before the name (RFC 9110
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

Result forwarding_read(Forwarding *forwarding, const Fields *fields, const char *identity_header,
                       Arena *arena, Fields *rest_out)
{
    *rest_out = (Fields){.items = arena_alloc(arena, fields->n * sizeof(Field)),
                         .capacity = fields->n,
                         .arena = arena};
    bool full = !rest_out->items && fields->n;
    uint32_t n_ids = 0;
    for (uint32_t i = 0; i < fields->n && !full; i++) {
        Field field = fields->items[i];
        bool collides;
        Role role = role_of_field(field.name, identity_header, &collides);
        if (role == ROLE_NONE || (role == ROLE_OTHER && forwarding->trusted && !collides))
            fields_add(rest_out, field.name, field.value);
        if (collides)
            continue;
        if (role == ROLE_VIA)
            join(&forwarding->via, field.value, arena, &full);
        else if (role == ROLE_HOPS)
            join(&forwarding->passed, field.value, arena, &full);
        if (!forwarding->trusted)
            continue;
        if (role == ROLE_FOR)
            join(&forwarding->forwarded_for, field.value, arena, &full);
        else if (role == ROLE_HOST)
            join(&forwarding->forwarded_host, field.value, arena, &full);
        else if (role == ROLE_PROTO)
            join(&forwarding->forwarded_proto, field.value, arena, &full);
        else if (role == ROLE_FORWARDED)
            join(&forwarding->forwarded, field.value, arena, &full);
        else if (role == ROLE_REQUEST_ID && n_ids++ == 0 && request_id_is_good(field.value))
            join(&forwarding->request_id, field.value, arena, &full);
    }
    if (n_ids > 1)
        forwarding->request_id = BYTES_NONE; /* which of them, nobody can say */
    count_hops(forwarding, forwarding->via, true);
    count_hops(forwarding, forwarding->passed, false);
    return full || rest_out->full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading who sent a head of %u fields", fields->n)
               : OK;
}

/* ---- Writing
 * ------------------------------------------------------------------------------------- */

/* "10.0.0.7:4711", "[::1]:4711" or "unix", without the port and brackets. */
static Bytes host_of(Bytes peer)
{
    if (bytes_start_with(peer, "["))
        return bytes_slice(peer, 1, bytes_find(peer, ']') - 1);
    size_t colon = bytes_find(peer, ':');
    bool one = colon < peer.size && !memchr(peer.data + colon + 1, ':', peer.size - colon - 1);
    return one ? bytes_slice(peer, 0, colon) : peer;
}

static void add_joined(Fields *fields, const char *name, Bytes before, Bytes value)
{
    if (before.size)
        join(&before, value, fields->arena, &fields->full);
    fields_add(fields, bytes_of(name), before.size ? before : value);
}

/* RFC 7239 sections 4 to 6: an IPv6 address has brackets, and what has a colon is quoted. */
static Bytes forwarded_element(const Forwarding *forwarding, Bytes peer, Bytes authority,
                               Fields *fields)
{
    bool is_ipv6 = memchr(peer.data, ':', peer.size);
    Buffer element = buffer_in(fields->arena);
    buffer_add_text(&element, is_ipv6 ? "for=\"[" : "for=");
    buffer_add_bytes(&element, bytes_are(peer, "unix") ? bytes_of("unknown") : peer);
    buffer_add_text(&element, is_ipv6 ? "]\";host=\"" : ";host=\"");
    buffer_add_bytes(&element, authority);
    buffer_add_text(&element, forwarding->secure ? "\";proto=https" : "\";proto=http");
    fields->full |= element.full;
    return buffer_bytes(&element);
}

/* This hop, as Via names it. */
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
        add_joined(fields, "via", forwarding->via, via_of(forwarding, minor, fields));
    else
        add_joined(fields, HOPS_FIELD, forwarding->passed, bytes_of(forwarding->self));
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
    add_joined(fields, "x-forwarded-for", forwarding->forwarded_for, peer);
    if (host.size || authority.size)
        fields_add(fields, bytes_of("x-forwarded-host"), host.size ? host : authority);
    fields_add(fields, bytes_of("x-forwarded-proto"),
               proto.size ? proto : bytes_of(forwarding->secure ? "https" : "http"));
    if (forwarding->forwarded.size)
        add_joined(fields, "forwarded", forwarding->forwarded,
                   forwarded_element(forwarding, peer, authority, fields));
    add_hops(forwarding, kind, minor, fields);
    fields_add(fields, bytes_of("x-request-id"), request_id);
}

/* Without a port and brackets, or nothing: "192.0.2.1:80", "[2001:db8::1]:443", "unknown". */
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
            break; /* who is before somebody without a name cannot be known */
        client = text;
        if (!trusted_peers_have(trusted, &address))
            break;
        list = bytes_slice(list, 0, last ? last - 1 : 0);
    }
    return client;
}
