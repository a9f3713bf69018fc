#include "gateway/authz/authz_request.h"

#include "adapters/schema/wire.h"
#include "base/clock.h"
#include "base/text/utf8.h"
#include "gateway/access/access.h"

/* Numbers of fields: gateway/authz/proto has them with their names. */
enum {
    CHECK_ATTRIBUTES = 1,
    ATTRIBUTES_SOURCE = 1,
    ATTRIBUTES_DESTINATION = 2,
    ATTRIBUTES_REQUEST = 4,
    ATTRIBUTES_CONTEXT = 10,
    ATTRIBUTES_METADATA = 11,
    PEER_ADDRESS = 1,
    PEER_PRINCIPAL = 4,
    ADDRESS_SOCKET = 1,
    ADDRESS_PIPE = 2,
    SOCKET_ADDRESS = 2,
    SOCKET_PORT = 3,
    PIPE_PATH = 1,
    REQUEST_TIME = 1,
    REQUEST_HTTP = 2,
    TIME_SECONDS = 1,
    TIME_NANOS = 2,
    ASKED_ID = 1,
    ASKED_METHOD = 2,
    ASKED_HEADERS = 3,
    ASKED_PATH = 4,
    ASKED_HOST = 5,
    ASKED_SCHEME = 6,
    ASKED_SIZE = 9,
    ASKED_PROTOCOL = 10,
    ASKED_BODY = 11,
    ASKED_RAW_BODY = 12,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    METADATA_FILTERS = 1,
    STRUCT_FIELDS = 1,
    VALUE_TEXT = 3,
    VALUE_STRUCT = 5,
};

/* In Envoy's name: policies look for it. */
#define PARTIAL_BODY "x-envoy-auth-partial-body"

/* ---- Writing --------------------------------------------------------------------------------- */

static void add_message(Buffer *out, uint32_t number, const Buffer *message)
{
    wire_add_bytes(out, number, buffer_bytes(message));
    out->full |= message->full;
}

static void add_text(Buffer *out, uint32_t number, Bytes text)
{
    Buffer repaired = buffer_in(out->arena);
    if (!text.size)
        return;
    if (utf8_valid(text)) {
        wire_add_bytes(out, number, text);
        return;
    }
    utf8_add_repaired(&repaired, text);
    add_message(out, number, &repaired);
}

/* Of a map of texts. */
static void add_entry(Buffer *out, uint32_t number, Bytes key, Bytes value)
{
    Buffer entry = buffer_in(out->arena);
    add_text(&entry, ENTRY_KEY, key);
    add_text(&entry, ENTRY_VALUE, value);
    add_message(out, number, &entry);
}

/* ---- The head -------------------------------------------------------------------------------- */

static bool is_sent(const PolicyServer *server, Bytes name)
{
    for (const char *const *pattern = server->headers; pattern && *pattern; pattern++)
        if (access_matches(*pattern, name))
            return true;
    return !server->headers;
}

static bool is_first(const Fields *fields, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (bytes_equal(fields->items[i].name, fields->items[at].name))
            return false;
    return true;
}

/* Each name once, since they are keys of a map. */
static void add_headers(Buffer *out, const PolicyServer *server, const Fields *fields)
{
    Fields joined = fields_copy(out->arena, fields, 0);
    for (uint32_t i = 0; i < joined.n; i++) {
        Bytes name = joined.items[i].name;
        bool is_own = bytes_are(name, PARTIAL_BODY);
        if (is_sent(server, name) && is_first(&joined, i) && !is_own)
            add_entry(out, ASKED_HEADERS, name, fields_join(&joined, name));
    }
    out->full |= joined.full;
}

static const char *protocol_of(const HttpHead *head)
{
    static const char *const names[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
    return names[head->minor < 2 ? head->minor : 2];
}

void authz_add_head(Buffer *out, const PolicyServer *server, const AuthzHead *asked)
{
    const HttpHead *head = asked->head;
    Bytes scheme = bytes_of(asked->secure ? "https" : "http");
    add_text(out, ASKED_ID, asked->id);
    add_text(out, ASKED_METHOD, head->method);
    add_entry(out, ASKED_HEADERS, bytes_of(":method"), head->method);
    add_entry(out, ASKED_HEADERS, bytes_of(":path"), asked->path);
    add_entry(out, ASKED_HEADERS, bytes_of(":authority"), asked->authority);
    add_entry(out, ASKED_HEADERS, bytes_of(":scheme"), scheme);
    add_headers(out, server, &head->fields);
    add_text(out, ASKED_PATH, asked->path);
    add_text(out, ASKED_HOST, asked->authority);
    add_text(out, ASKED_SCHEME, scheme);
    wire_add_number(out, ASKED_SIZE, (uint64_t)head->content_length); /* -1: unknown */
    add_text(out, ASKED_PROTOCOL, bytes_of(protocol_of(head)));
}

/* ---- Peers ----------------------------------------------------------------------------------- */

/* What is behind the last colon, if that is not one of an IPv6 address. */
static Bytes port_of(Bytes address)
{
    size_t at = address.size;
    while (at && address.data[at - 1] >= '0' && address.data[at - 1] <= '9')
        at--;
    bool has_one = at > 1 && address.data[at - 1] == ':' &&
                   (address.data[at - 2] == ']' || bytes_find(address, ':') == at - 1);
    return has_one ? bytes_slice(address, at, SIZE_MAX) : BYTES_NONE;
}

static Bytes host_of(Bytes address, Bytes port)
{
    Bytes host = port.data ? bytes_slice(address, 0, address.size - port.size - 1) : address;
    bool bracketed = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    return bracketed ? bytes_slice(host, 1, host.size - 2) : host;
}

static void add_address(Buffer *out, Bytes address)
{
    Buffer inner = buffer_in(out->arena), outer = buffer_in(out->arena);
    Bytes port = port_of(address);
    uint64_t number = 0;
    bool is_unix = bytes_start_with(address, "unix");
    if (is_unix) {
        add_text(&inner, PIPE_PATH, bytes_slice(address, strlen("unix:"), SIZE_MAX));
    } else {
        add_text(&inner, SOCKET_ADDRESS, host_of(address, port));
        wire_add_number(&inner, SOCKET_PORT, bytes_to_u64(port, &number) ? number : 0);
    }
    add_message(&outer, is_unix ? ADDRESS_PIPE : ADDRESS_SOCKET, &inner);
    add_message(out, PEER_ADDRESS, &outer);
}

/* As Envoy does: a URI comes first, then a DNS name, then the subject. */
static Bytes principal_of(const CertificateNames *names)
{
    static const CertificateName order[] = {CERTIFICATE_URI, CERTIFICATE_DNS, CERTIFICATE_SUBJECT};
    for (size_t i = 0; names && i < sizeof order / sizeof *order; i++)
        if (names->names[order[i]])
            return bytes_of(names->names[order[i]]);
    return BYTES_NONE;
}

static void add_peer(Buffer *out, uint32_t number, Bytes address, const CertificateNames *names)
{
    Buffer peer = buffer_in(out->arena);
    if (address.size)
        add_address(&peer, address);
    add_text(&peer, PEER_PRINCIPAL, principal_of(names));
    add_message(out, number, &peer);
}

/* ---- The request ----------------------------------------------------------------------------- */

static void add_body(Buffer *out, const AuthzAttributes *a)
{
    if (!a->body.data)
        return;
    if (a->server->raw_body)
        wire_add_bytes(out, ASKED_RAW_BODY, a->body);
    else
        add_text(out, ASKED_BODY, a->body);
    if (!a->is_cut)
        wire_add_number(out, ASKED_SIZE, a->body.size); /* of what is there twice the last counts */
    add_entry(out, ASKED_HEADERS, bytes_of(PARTIAL_BODY), bytes_of(a->is_cut ? "true" : "false"));
}

static void add_http_request(Buffer *out, const AuthzAttributes *a)
{
    Buffer time = buffer_in(out->arena), http = buffer_in(out->arena),
           request = buffer_in(out->arena);
    wire_add_number(&time, TIME_SECONDS, (uint64_t)(a->wall / SECOND));
    wire_add_number(&time, TIME_NANOS, (uint64_t)(a->wall % SECOND));
    add_message(&request, REQUEST_TIME, &time);
    buffer_add_bytes(&http, a->http);
    add_body(&http, a);
    add_message(&request, REQUEST_HTTP, &http);
    add_message(out, ATTRIBUTES_REQUEST, &request);
}

/* ---- What the gateway knows ------------------------------------------------------------------ */

static void add_value(Buffer *out, const char *name, Bytes text)
{
    Buffer value = buffer_in(out->arena), entry = buffer_in(out->arena);
    if (!text.size)
        return;
    add_text(&value, VALUE_TEXT, text);
    add_text(&entry, ENTRY_KEY, bytes_of(name));
    add_message(&entry, ENTRY_VALUE, &value);
    add_message(out, STRUCT_FIELDS, &entry);
}

static void add_claims(Buffer *out, const Identity *identity)
{
    Buffer claims = buffer_in(out->arena), value = buffer_in(out->arena),
           entry = buffer_in(out->arena);
    for (uint32_t i = 0; i < identity->n_claims; i++)
        add_value(&claims, identity->claims[i].name, identity->claims[i].value);
    if (!claims.size)
        return;
    add_message(&value, VALUE_STRUCT, &claims);
    add_text(&entry, ENTRY_KEY, bytes_of("claims"));
    add_message(&entry, ENTRY_VALUE, &value);
    add_message(out, STRUCT_FIELDS, &entry);
}

static void add_metadata(Buffer *out, const AuthzAttributes *a)
{
    Buffer known = buffer_in(out->arena), entry = buffer_in(out->arena),
           metadata = buffer_in(out->arena);
    add_value(&known, "client", a->identity->name);
    add_value(&known, "tenant", a->identity->tenant);
    add_value(&known, "class", a->identity->class);
    add_value(&known, "proof", bytes_of(identity_how(a->identity)));
    add_claims(&known, a->identity);
    add_value(&known, "service", bytes_of(a->service));
    add_value(&known, "version", bytes_of(a->version));
    add_value(&known, "method", bytes_of(a->method));
    add_value(&known, "route", bytes_of(a->route));
    add_text(&entry, ENTRY_KEY, bytes_of("passerelle"));
    add_message(&entry, ENTRY_VALUE, &known);
    add_message(&metadata, METADATA_FILTERS, &entry);
    add_message(out, ATTRIBUTES_METADATA, &metadata);
}

void authz_add_request(Buffer *out, const AuthzAttributes *a)
{
    Buffer attributes = buffer_in(out->arena);
    add_peer(&attributes, ATTRIBUTES_SOURCE, a->source, a->certificate);
    add_peer(&attributes, ATTRIBUTES_DESTINATION, a->destination, NULL);
    add_http_request(&attributes, a);
    for (uint32_t i = 0; i < a->n_context; i++)
        add_entry(&attributes, ATTRIBUTES_CONTEXT, bytes_of(a->context[i].name),
                  bytes_of(a->context[i].value));
    add_metadata(&attributes, a);
    add_message(out, CHECK_ATTRIBUTES, &attributes);
}
