#include "gateway/authz/authz_request.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/clock.h"
#include "tests/unit/check.h"

static const PolicyServer all = {.name = "opa"};

/* The message or text at a path of numbers, which ends with 0. */
static Bytes at(Bytes message, const uint32_t *path)
{
    for (; *path; path++)
        message = wire_find_bytes(message, *path);
    return message;
}

#define AT(message, ...) at((message), (const uint32_t[]){__VA_ARGS__, 0})

static uint64_t number_at(Bytes message, uint32_t number)
{
    uint64_t value = 0;
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == number && field.type == WIRE_VARINT)
            value = field.value;
    assert_false(reader.bad);
    return value;
}

/* The value of a map of texts; data NULL: there is none. */
static Bytes entry(Bytes message, uint32_t number, const char *key)
{
    Bytes value = BYTES_NONE;
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == number && bytes_are(wire_find_bytes(field.bytes, 1), key))
            value = wire_find_bytes(field.bytes, 2);
    return value;
}

static Bytes head_for(Arena *arena, const PolicyServer *server, const HttpHead *head)
{
    AuthzHead asked = {.head = head,
                       .path = head->path,
                       .authority = bytes_of("shop.example"),
                       .id = bytes_of("r1"),
                       .secure = true};
    Buffer out = buffer_in(arena);
    authz_add_head(&out, server, &asked);
    return buffer_bytes(&out);
}

static HttpHead example(Arena *arena)
{
    HttpHead head = {.method = bytes_of("POST"),
                     .path = bytes_of("/a?b=c"),
                     .minor = 2,
                     .content_length = -1,
                     .fields = fields_in(arena)};
    fields_add(&head.fields, bytes_of("authorization"), bytes_of("Bearer t"));
    fields_add(&head.fields, bytes_of("x-a"), bytes_of("1"));
    fields_add(&head.fields, bytes_of("x-b"), bytes_of("caf\xe9"));
    fields_add(&head.fields, bytes_of("x-a"), bytes_of("2"));
    return head;
}

static void the_head_is_told_as_envoy_does(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HttpHead head = example(arena);
    Bytes http = head_for(arena, &all, &head);
    assert_bytes(AT(http, 1), "r1");
    assert_bytes(AT(http, 2), "POST");
    assert_bytes(AT(http, 4), "/a?b=c");
    assert_bytes(AT(http, 5), "shop.example");
    assert_bytes(AT(http, 6), "https");
    assert_true(number_at(http, 9) == UINT64_MAX); /* -1 */
    assert_bytes(AT(http, 10), "HTTP/2");
    assert_bytes(entry(http, 3, ":method"), "POST");
    assert_bytes(entry(http, 3, ":path"), "/a?b=c");
    assert_bytes(entry(http, 3, ":authority"), "shop.example");
    assert_bytes(entry(http, 3, "authorization"), "Bearer t");
    assert_bytes(entry(http, 3, "x-a"), "1, 2");
    assert_bytes(entry(http, 3, "x-b"), "caf\xef\xbf\xbd");
    arena_free(arena);
}

static void only_the_fields_that_the_config_names_are_told(void **state)
{
    static const char *const some[] = {"x-*", NULL}, *const none[] = {NULL};
    const PolicyServer by_pattern = {.headers = some}, without = {.headers = none};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HttpHead head = example(arena);
    Bytes http = head_for(arena, &by_pattern, &head);
    assert_null(entry(http, 3, "authorization").data);
    assert_bytes(entry(http, 3, "x-a"), "1, 2");
    http = head_for(arena, &without, &head);
    assert_null(entry(http, 3, "x-a").data);
    assert_bytes(entry(http, 3, ":path"), "/a?b=c");
    arena_free(arena);
}

static Bytes request_of(Arena *arena, AuthzAttributes *attributes)
{
    Buffer out = buffer_in(arena);
    if (!attributes->server)
        attributes->server = &all;
    if (!attributes->identity)
        attributes->identity = &identity_anonymous;
    authz_add_request(&out, attributes);
    return AT(buffer_bytes(&out), 1);
}

static void addresses_are_told_with_their_ports(void **state)
{
    static const struct {
        const char *text, *host;
        uint32_t port;
        const char *pipe;
    } cases[] = {
        {"192.0.2.1:80", "192.0.2.1", 80, NULL},         {"192.0.2.1", "192.0.2.1", 0, NULL},
        {"[2001:db8::1]:443", "2001:db8::1", 443, NULL}, {"[2001:db8::1]", "2001:db8::1", 0, NULL},
        {"2001:db8::1", "2001:db8::1", 0, NULL},         {"::1", "::1", 0, NULL},
        {"unix:/run/a.sock", NULL, 0, "/run/a.sock"},    {"unix", NULL, 0, ""},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AuthzAttributes attributes = {.source = bytes_of(cases[i].text),
                                      .destination = bytes_of(cases[i].text)};
        Bytes request = request_of(arena, &attributes);
        for (uint32_t peer = 1; peer <= 2; peer++) {
            Bytes socket = AT(request, peer, 1, 1), pipe = AT(request, peer, 1, 2);
            assert_int_equal(socket.data != NULL, cases[i].host != NULL);
            assert_int_equal(pipe.data != NULL, cases[i].pipe != NULL);
            assert_bytes(AT(socket, 2), cases[i].host);
            assert_int_equal(number_at(socket, 3), cases[i].port);
            assert_bytes(AT(pipe, 1), cases[i].pipe);
        }
    }
    arena_free(arena);
}

static void the_principal_is_a_uri_before_a_name_before_the_subject(void **state)
{
    const CertificateNames uri = {{"CN=a", "a", "a.example", "spiffe://a", "a@b"}},
                           dns = {{"CN=a", "a", "a.example", NULL, "a@b"}},
                           subject = {{"CN=a", "a", NULL, NULL, "a@b"}};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzAttributes attributes = {.certificate = &uri};
    assert_bytes(AT(request_of(arena, &attributes), 1, 4), "spiffe://a");
    attributes.certificate = &dns;
    assert_bytes(AT(request_of(arena, &attributes), 1, 4), "a.example");
    attributes.certificate = &subject;
    assert_bytes(AT(request_of(arena, &attributes), 1, 4), "CN=a");
    attributes.certificate = NULL;
    assert_null(AT(request_of(arena, &attributes), 1, 4).data);
    arena_free(arena);
}

static void a_body_is_text_or_bytes_and_tells_whether_it_is_cut(void **state)
{
    const PolicyServer raw = {.name = "opa", .body = 3, .raw_body = true};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    HttpHead head = example(arena);
    AuthzAttributes attributes = {.http = head_for(arena, &all, &head), .body = bytes_of("a\xff")};
    Bytes http = AT(request_of(arena, &attributes), 4, 2);
    assert_bytes(AT(http, 2), "POST");
    assert_bytes(AT(http, 11), "a\xef\xbf\xbd");
    assert_int_equal(number_at(http, 9), 2);
    assert_bytes(entry(http, 3, "x-envoy-auth-partial-body"), "false");
    attributes.server = &raw;
    attributes.is_cut = true;
    http = AT(request_of(arena, &attributes), 4, 2);
    assert_null(AT(http, 11).data);
    assert_bytes(AT(http, 12), "a\xff");
    assert_true(number_at(http, 9) == UINT64_MAX);
    assert_bytes(entry(http, 3, "x-envoy-auth-partial-body"), "true");
    attributes.body = BYTES_NONE;
    http = AT(request_of(arena, &attributes), 4, 2);
    assert_null(AT(http, 12).data);
    assert_null(entry(http, 3, "x-envoy-auth-partial-body").data);
    arena_free(arena);
}

static void what_the_gateway_knows_goes_along(void **state)
{
    static const Claim claims[] = {{.name = "scope", .value = {(const uint8_t *)"a b", 3}}};
    static const PolicyContext context[] = {{"area", "orders"}, {"level", "high"}};
    const Identity ada = {.name = bytes_of("ada"),
                          .class = bytes_of("staff"),
                          .claims = claims,
                          .n_claims = 1,
                          .how = PROOF_TOKEN};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AuthzAttributes attributes = {.context = context,
                                  .n_context = 2,
                                  .wall = 7 * SECOND + 5,
                                  .identity = &ada,
                                  .service = "orders",
                                  .version = "v3",
                                  .method = "/shop.orders.v3.Orders/Get",
                                  .route = "orders"};
    Bytes request = request_of(arena, &attributes);
    assert_int_equal(number_at(AT(request, 4, 1), 1), 7);
    assert_int_equal(number_at(AT(request, 4, 1), 2), 5);
    assert_bytes(entry(request, 10, "area"), "orders");
    assert_bytes(entry(request, 10, "level"), "high");
    Bytes known = entry(AT(request, 11), 1, "passerelle");
    assert_bytes(AT(entry(known, 1, "client"), 3), "ada");
    assert_bytes(AT(entry(known, 1, "class"), 3), "staff");
    assert_null(entry(known, 1, "tenant").data);
    assert_bytes(AT(entry(known, 1, "proof"), 3), "token");
    assert_bytes(AT(entry(AT(entry(known, 1, "claims"), 5), 1, "scope"), 3), "a b");
    assert_bytes(AT(entry(known, 1, "service"), 3), "orders");
    assert_bytes(AT(entry(known, 1, "version"), 3), "v3");
    assert_bytes(AT(entry(known, 1, "method"), 3), "/shop.orders.v3.Orders/Get");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_told_as_envoy_does),
        cmocka_unit_test(only_the_fields_that_the_config_names_are_told),
        cmocka_unit_test(addresses_are_told_with_their_ports),
        cmocka_unit_test(the_principal_is_a_uri_before_a_name_before_the_subject),
        cmocka_unit_test(a_body_is_text_or_bytes_and_tells_whether_it_is_cut),
        cmocka_unit_test(what_the_gateway_knows_goes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
