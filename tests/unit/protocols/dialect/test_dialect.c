/* How requests are read. */
#include "protocols/dialect/dialect.h"

#include "protocols/http/compression.h"
#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/text/base64.h"

static Arena *arena;
static Call call;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* A head over HTTP/2; `fields` are names and values, ended by NULL. */
static HttpHead head_of(const char *method, const char *path, const char *const *fields)
{
    HttpHead head = {.method = bytes_of(method),
                     .path = bytes_of(path),
                     .authority = bytes_of("shop"),
                     .minor = 2,
                     .content_length = -1,
                     .fields = fields_in(arena)};
    for (; fields[0]; fields += 2)
        fields_add(&head.fields, bytes_of(fields[0]), bytes_of(fields[1]));
    return head;
}

#define HEAD(method, path, ...) head_of(method, path, (const char *const[]){__VA_ARGS__, NULL})

static Result read_head(HttpHead head)
{
    return call_read(&head, dialect_of_request(&head), arena, &call);
}

static Dialect dialect_by_type(const char *content_type)
{
    HttpHead head = HEAD("POST", "/a.B/C", "content-type", content_type);
    return dialect_of_request(&head);
}

static void the_content_type_tells_the_dialect_in_any_case_and_with_parameters(void **state)
{
    assert_int_equal(dialect_by_type("application/grpc"), DIALECT_GRPC);
    assert_int_equal(dialect_by_type("Application/GRPC+Proto"), DIALECT_GRPC);
    assert_int_equal(dialect_by_type("application/grpc+json; charset=utf-8"), DIALECT_GRPC);
    assert_int_equal(dialect_by_type("application/grpc;foo=bar"), DIALECT_GRPC);
    assert_int_equal(dialect_by_type("application/grpc-web"), DIALECT_GRPC_WEB);
    assert_int_equal(dialect_by_type("application/grpc-web+json"), DIALECT_GRPC_WEB);
    assert_int_equal(dialect_by_type("application/grpc-web-text"), DIALECT_GRPC_WEB_TEXT);
    assert_int_equal(dialect_by_type("application/grpc-web-text+proto"), DIALECT_GRPC_WEB_TEXT);
    assert_int_equal(dialect_by_type("application/connect+proto"), DIALECT_CONNECT_STREAM);
    assert_int_equal(dialect_by_type("application/proto"), DIALECT_CONNECT);
    assert_int_equal(dialect_by_type("application/json; charset=utf-8"), DIALECT_CONNECT);
    assert_int_equal(dialect_by_type("application/grpcfoo"), DIALECT_REST);
    assert_int_equal(dialect_by_type("application/vnd.shop.v2+json"), DIALECT_REST);
    assert_int_equal(dialect_by_type("text/plain"), DIALECT_REST);
}

static void only_connect_unary_waits_for_the_path_to_be_told_apart(void **state)
{
    HttpHead grpc = HEAD("POST", "/a.B/C", "content-type", "application/grpc");
    HttpHead json = HEAD("POST", "/a.B/C", "content-type", "application/json");
    HttpHead get = HEAD("GET", "/a.B/C?encoding=json&message=%7B%7D", "accept", "*/*");
    HttpHead plain = HEAD("GET", "/v1/orders?message=hi", "accept", "*/*");
    assert_int_equal(request_kind(&grpc), REQUEST_RPC);
    assert_int_equal(request_kind(&json), REQUEST_CONNECT);
    assert_int_equal(request_kind(&get), REQUEST_CONNECT);
    assert_int_equal(request_kind(&plain), REQUEST_PLAIN);
}

static void a_client_of_connect_is_one_also_where_its_path_names_nothing(void **state)
{
    HttpHead connects[] = {
        HEAD("POST", "/a.B/C", "content-type", "application/json"),
        HEAD("POST", "/a.B/C?x=1", "content-type", "application/json"),
        HEAD("POST", "/v1/orders", "content-type", "application/json", "connect-protocol-version",
             "1"),
        HEAD("POST", "/v1/orders", "content-type", "application/proto"),
        HEAD("GET", "/a.B/C?connect=v1&encoding=json", "accept", "*/*"),
    };
    HttpHead others[] = {
        HEAD("POST", "/v1/orders", "content-type", "application/json"),
        HEAD("POST", "/a.B", "content-type", "application/json"),
        HEAD("POST", "/a.B/", "content-type", "application/json"),
        HEAD("POST", "/a.B/C/D", "content-type", "application/json"),
        HEAD("POST", "/B/C.d", "content-type", "application/json"),
        HEAD("POST", "*", "content-type", "application/json"),
        HEAD("POST", "/a.B/C", "content-type", "text/plain"),
        HEAD("GET", "/a.B/C", "accept", "*/*"),
        HEAD("POST", "/a.B/C", "content-type", "application/grpc"),
    };
    for (size_t i = 0; i < sizeof connects / sizeof *connects; i++)
        assert_true(request_is_connect(&connects[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(request_is_connect(&others[i]));
}

static void a_grpc_request_is_read(void **state)
{
    assert_ok(arena, read_head(HEAD("POST", "/shop.Orders/Get?x=1", "content-type",
                                    "application/grpc", "te", "trailers", "grpc-timeout", "250m",
                                    "grpc-encoding", "gzip", "grpc-accept-encoding",
                                    "gzip, br,identity", "authorization", "Bearer t", "x-trace",
                                    "1", "x-trace", "2", "user-agent", "grpc-c/1")));
    assert_int_equal(call.dialect, DIALECT_GRPC);
    assert_int_equal(call.codec, CODEC_PROTO);
    assert_int_equal(call.reply_codec, CODEC_PROTO);
    assert_int_equal(call.compression, COMPRESSION_GZIP);
    assert_int_equal(call.accepts, COMPRESSION_GZIP | COMPRESSION_BR);
    assert_true(call.timeout == 250 * MILLISECOND);
    assert_bytes(call.path, "/shop.Orders/Get");
    assert_bytes(call.query, "x=1");
    assert_bytes(call.verb, "POST");
    assert_bytes(call.authority, "shop");
    assert_int_equal(call.metadata.n, 4);
    assert_bytes(call.metadata.items[0].name, "authorization");
    assert_bytes(fields_joined(&call.metadata, "x-trace"), "1, 2");
    assert_bytes(fields_get(call.head, "te"), "trailers");
}

static void without_a_timeout_there_is_none(void **state)
{
    assert_ok(arena, read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc+json")));
    assert_true(call.timeout == NO_TIMEOUT);
    assert_int_equal(call.codec, CODEC_JSON);
    assert_int_equal(call.accepts, 0);
}

static void what_a_head_gets_wrong_is_told_by_its_fault(void **state)
{
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc+thrift")),
                 FAULT_UNSUPPORTED_MEDIA);
    assert_fault(read_head(HEAD("GET", "/a.B/C", "content-type", "application/grpc")),
                 FAULT_METHOD_NOT_ALLOWED);
    assert_fault(
        read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc", "grpc-timeout", "1x")),
        FAULT_BAD_REQUEST);
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc",
                                "grpc-encoding", "lz4")),
                 FAULT_UNSUPPORTED_ENCODING);
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/connect+xml")),
                 FAULT_UNSUPPORTED_MEDIA);
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/json",
                                "connect-timeout-ms", "-1")),
                 FAULT_BAD_REQUEST);
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/json",
                                "connect-protocol-version", "2")),
                 FAULT_BAD_REQUEST);
    assert_fault(
        read_head(HEAD("POST", "/a.B/C", "content-type", "application/json;charset=utf-16")),
        FAULT_UNSUPPORTED_MEDIA);
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/xml",
                                "connect-protocol-version", "1")),
                 FAULT_UNSUPPORTED_MEDIA);
    assert_fault(read_head(HEAD("PUT", "/a.B/C", "content-type", "application/proto")),
                 FAULT_METHOD_NOT_ALLOWED);
}

static void what_is_accepted_is_told_with_what_is_not(void **state)
{
    static const char *const cases[][2] = {
        {"application/grpc+thrift", "application/grpc and application/grpc+json are accepted"},
        {"application/grpc-web-text+xml",
         "application/grpc-web-text+proto and application/grpc-web-text+json are accepted"},
        {"application/connect+xml",
         "application/connect+proto and application/connect+json are accepted"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Result r = read_head(HEAD("POST", "/a.B/C", "content-type", cases[i][0]));
        assert_fault(r, FAULT_UNSUPPORTED_MEDIA);
        assert_non_null(strstr(error_text(arena, r), cases[i][1]));
    }
}

static void grpc_needs_http_2(void **state)
{
    HttpHead head = HEAD("POST", "/a.B/C", "content-type", "application/grpc");
    head.minor = 1;
    assert_fault(read_head(head), FAULT_UNSUPPORTED_MEDIA);
    head = HEAD("POST", "/a.B/C", "content-type", "application/grpc-web");
    head.minor = 1;
    assert_ok(arena, read_head(head));
}

static void a_call_is_filled_in_though_its_head_is_wrong(void **state)
{
    assert_fault(read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc+json",
                                "grpc-timeout", "", "x-a", "1")),
                 FAULT_BAD_REQUEST);
    assert_int_equal(call.dialect, DIALECT_GRPC);
    assert_int_equal(call.reply_codec, CODEC_JSON);
    assert_bytes(call.path, "/a.B/C");
    assert_bytes(fields_get(&call.metadata, "x-a"), "1");
}

static void binary_metadata_goes_on_split_and_unpadded(void **state)
{
    assert_ok(arena, read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc", "a-bin",
                                    "Zg==", "b-bin", "Zg,Zm8= , Zm9v", "c-bin", "-_8", "d-bin", "",
                                    "x", "a,b")));
    static const char *const expected[][2] = {
        {"a-bin", "Zg"},  {"b-bin", "Zg"}, {"b-bin", "Zm8"}, {"b-bin", "Zm9v"},
        {"c-bin", "+/8"}, {"d-bin", ""},   {"x", "a,b"},
    };
    assert_int_equal(call.metadata.n, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_bytes(call.metadata.items[i].name, expected[i][0]);
        assert_bytes(call.metadata.items[i].value, expected[i][1]);
    }
    assert_fault(
        read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc", "a-bin", "Z")),
        FAULT_BAD_REQUEST);
}

static void framing_and_hop_by_hop_fields_are_no_metadata(void **state)
{
    assert_ok(arena,
              read_head(HEAD("POST", "/a.B/C", "content-type", "application/grpc-web+proto",
                             "x-grpc-web", "1", "te", "trailers", "connection", "close",
                             "grpc-accept-encoding", "gzip", "content-length", "5", "host", "h",
                             "accept", "*/*", "accept-encoding", "br", "connect-protocol-version",
                             "1", "traceparent", "00-1", "grpc-trace-bin", "AA")));
    assert_int_equal(call.metadata.n, 2);
    assert_bytes(call.metadata.items[0].name, "traceparent");
    assert_bytes(call.metadata.items[1].name, "grpc-trace-bin");
}

static void connect_unary_reads_http_compression_and_its_own_timeout(void **state)
{
    assert_ok(arena, read_head(HEAD("POST", "/a.B/C", "content-type", "application/json",
                                    "content-encoding", "br", "accept-encoding",
                                    "gzip;q=1.0, br;q=0, zstd;q=0.5", "connect-timeout-ms", "1500",
                                    "connect-protocol-version", "1")));
    assert_int_equal(call.dialect, DIALECT_CONNECT);
    assert_int_equal(call.codec, CODEC_JSON);
    assert_int_equal(call.compression, COMPRESSION_BR);
    assert_int_equal(call.accepts, COMPRESSION_GZIP | COMPRESSION_ZSTD);
    assert_true(call.timeout == 1500 * MILLISECOND);
    assert_int_equal(call.metadata.n, 0);
}

static void connect_streams_have_compression_fields_of_their_own(void **state)
{
    assert_ok(arena, read_head(HEAD("POST", "/a.B/C", "content-type", "application/connect+json",
                                    "connect-content-encoding", "zstd", "connect-accept-encoding",
                                    "gzip", "accept-encoding", "br", "content-encoding", "gzip")));
    assert_int_equal(call.dialect, DIALECT_CONNECT_STREAM);
    assert_int_equal(call.codec, CODEC_JSON);
    assert_int_equal(call.compression, COMPRESSION_ZSTD);
    assert_int_equal(call.accepts, COMPRESSION_GZIP);
}

static void a_connect_get_has_its_message_in_the_query(void **state)
{
    assert_ok(arena, read_head(HEAD(
                         "GET", "/a.B/C?connect=v1&encoding=json&message=%7B%22a%22%3A1%7D&foo=bar",
                         "connect-timeout-ms", "9")));
    assert_true(call.is_get);
    assert_int_equal(call.codec, CODEC_JSON);
    assert_bytes(call.get_message, "{\"a\":1}");
    assert_true(call.timeout == 9 * MILLISECOND);

    assert_ok(arena, read_head(HEAD("GET", "/a.B/C?message=-_8&base64=1&encoding=proto", "accept",
                                    "*/*")));
    assert_int_equal(call.codec, CODEC_PROTO);
    assert_bytes(call.get_message, "\xfb\xff");

    assert_ok(arena, read_head(HEAD("GET", "/a.B/C?message=&encoding=proto&compression=gzip",
                                    "accept", "*/*")));
    assert_int_equal(call.get_message.size, 0);
    assert_non_null(call.get_message.data);
}

static void a_connect_get_may_be_compressed(void **state)
{
    Buffer gzip = buffer_in(arena), path = buffer_in(arena);
    assert_ok(arena,
              compress_message(arena, COMPRESSION_GZIP, bytes_of("{\"hello\":true}"), &gzip));
    buffer_add_text(&path, "/a.B/C?connect=v1&encoding=json&compression=gzip&base64=1&message=");
    base64_encode(&path, buffer_bytes(&gzip), BASE64_URL, false);
    assert_ok(arena,
              read_head(HEAD("GET", arena_text(arena, buffer_bytes(&path)), "accept", "*/*")));
    assert_bytes(call.get_message, "{\"hello\":true}");
    assert_int_equal(call.compression, COMPRESSION_IDENTITY);
}

static void a_connect_get_that_lacks_or_twists_something_is_refused(void **state)
{
    assert_fault(read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=json", "accept", "*/*")),
                 FAULT_BAD_REQUEST);
    assert_fault(
        read_head(HEAD("GET", "/a.B/C?encoding=json&message=x&message=y", "accept", "*/*")),
        FAULT_BAD_REQUEST);
    assert_fault(read_head(HEAD("GET", "/a.B/C?connect=v1&message=x", "accept", "*/*")),
                 FAULT_BAD_REQUEST);
    assert_fault(
        read_head(HEAD("GET", "/a.B/C?connect=v2&encoding=json&message=x", "accept", "*/*")),
        FAULT_BAD_REQUEST);
    assert_fault(
        read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=xml&message=x", "accept", "*/*")),
        FAULT_UNSUPPORTED_MEDIA);
    assert_fault(read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=json&message=x&compression=lz4",
                                "accept", "*/*")),
                 FAULT_UNSUPPORTED_ENCODING);
    assert_fault(read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=json&message=!&base64=1",
                                "accept", "*/*")),
                 FAULT_BAD_REQUEST);
    assert_fault(
        read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=json&message=%zz", "accept", "*/*")),
        FAULT_BAD_REQUEST);
    assert_fault(read_head(HEAD("GET", "/a.B/C?connect=v1&encoding=json&message=x&compression=gzip",
                                "accept", "*/*")),
                 FAULT_BAD_REQUEST);
}

static Result read_rest(HttpHead head)
{
    return call_read(&head, DIALECT_REST, arena, &call);
}

static void rest_takes_json_and_what_is_like_it(void **state)
{
    assert_ok(arena, read_rest(HEAD("POST", "/v1/orders", "content-type",
                                    "application/vnd.shop.v2+json")));
    assert_int_equal(call.codec, CODEC_JSON);
    assert_ok(arena, read_rest(HEAD("POST", "/v1/orders", "content-encoding", "gzip",
                                    "accept-encoding", "*;q=0.1, br;q=0")));
    assert_int_equal(call.compression, COMPRESSION_GZIP);
    assert_int_equal(call.accepts, COMPRESSION_ALL & ~COMPRESSION_BR);
    assert_fault(read_rest(HEAD("POST", "/v1/orders", "content-encoding", "compress")),
                 FAULT_UNSUPPORTED_ENCODING);
}

static void a_body_that_rest_does_not_read_is_left_to_its_caller_to_refuse(void **state)
{
    static const struct {
        const char *content_type;
        bool foreign;
    } rows[] = {
        {"application/json", false},
        {"Application/JSON;charset=UTF-8", false},
        {"application/vnd.shop.v2+json", false},
        {"application/x-www-form-urlencoded", true},
        {"multipart/form-data; boundary=x", true},
        {"text/plain", true},
        {"text/plain; a=application/json", true},
        {"text/plain;+json", true},
        {"text/plain, application/json", true},
        {"application/x-www-form-urlencoded; x=+json", true},
        {"application/json; charset=latin1", true},
        {"application/proto", true},
        {"text/json", true},
        {"", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(arena,
                  read_rest(HEAD("POST", "/v1/orders", "content-type", rows[i].content_type)));
        assert_int_equal(call.foreign_media, rows[i].foreign);
    }
    assert_ok(arena, read_rest(HEAD("POST", "/v1/orders", "accept", "*/*")));
    assert_true(call.foreign_media);
}

static void a_connect_body_that_says_no_type_is_json_if_it_is_taken_at_all(void **state)
{
    HttpHead head = HEAD("POST", "/a.B/C", "accept", "*/*");
    assert_ok(arena, call_read(&head, DIALECT_CONNECT, arena, &call));
    assert_true(call.foreign_media && call.codec == CODEC_JSON && call.reply_codec == CODEC_JSON);
    head = HEAD("POST", "/a.B/C", "content-type", "application/json");
    assert_ok(arena, call_read(&head, DIALECT_CONNECT, arena, &call));
    assert_false(call.foreign_media);
    head = HEAD("POST", "/a.B/C", "content-type", "text/plain; a=application/json");
    assert_fault(call_read(&head, DIALECT_CONNECT, arena, &call), FAULT_UNSUPPORTED_MEDIA);
    head = HEAD("PUT", "/a.B/C", "accept", "*/*");
    assert_fault(call_read(&head, DIALECT_CONNECT, arena, &call), FAULT_METHOD_NOT_ALLOWED);
}

static void opaque_http_keeps_its_fields(void **state)
{
    HttpHead head = HEAD("PUT", "/files/1?a=b", "content-type", "text/plain", "content-encoding",
                         "lz4", "accept", "*/*", "connection", "close", "x-grpc-web", "1",
                         "upgrade", "websocket", "x-bin", "raw!");
    assert_ok(arena, call_read(&head, DIALECT_HTTP, arena, &call));
    assert_int_equal(call.metadata.n, 6);
    assert_bytes(fields_get(&call.metadata, "x-bin"), "raw!");
    assert_null(fields_get(&call.metadata, "connection").data);
}

static void nothing_of_a_call_points_into_the_head_that_it_was_read_from(void **state)
{
    char path[] = "/a.B/C?q", value[] = "v1";
    HttpHead head = {
        .method = bytes_of("POST"), .path = bytes_of(path), .minor = 2, .fields = fields_in(arena)};
    fields_add(&head.fields, bytes_of("content-type"), bytes_of("application/grpc"));
    fields_add(&head.fields, bytes_of("x-a"), bytes_of(value));
    assert_ok(arena, read_head(head));
    memset(path, '!', sizeof path - 1);
    memset(value, '!', sizeof value - 1);
    memset(head.fields.items, 0, head.fields.n * sizeof(Field));
    assert_bytes(call.path, "/a.B/C");
    assert_bytes(call.query, "q");
    assert_bytes(call.metadata.items[0].value, "v1");
    assert_bytes(fields_get(call.head, "content-type"), "application/grpc");
}

static void a_head_too_large_for_its_arena_is_a_fault_and_no_crash(void **state)
{
    Arena *small = arena_new(8 * 1024);
    HttpHead head = HEAD("POST", "/a.B/C", "content-type", "application/grpc");
    for (int i = 0; i < 500; i++)
        fields_add(&head.fields, bytes_of("x-filler"), bytes_of("0123456789"));
    Call small_call;
    assert_fault(call_read(&head, DIALECT_GRPC, small, &small_call), FAULT_OUT_OF_MEMORY);
    assert_int_equal(small_call.dialect, DIALECT_GRPC);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_content_type_tells_the_dialect_in_any_case_and_with_parameters),
        cmocka_unit_test(only_connect_unary_waits_for_the_path_to_be_told_apart),
        cmocka_unit_test(a_client_of_connect_is_one_also_where_its_path_names_nothing),
        cmocka_unit_test(a_grpc_request_is_read),
        cmocka_unit_test(without_a_timeout_there_is_none),
        cmocka_unit_test(what_a_head_gets_wrong_is_told_by_its_fault),
        cmocka_unit_test(what_is_accepted_is_told_with_what_is_not),
        cmocka_unit_test(grpc_needs_http_2),
        cmocka_unit_test(a_call_is_filled_in_though_its_head_is_wrong),
        cmocka_unit_test(binary_metadata_goes_on_split_and_unpadded),
        cmocka_unit_test(framing_and_hop_by_hop_fields_are_no_metadata),
        cmocka_unit_test(connect_unary_reads_http_compression_and_its_own_timeout),
        cmocka_unit_test(connect_streams_have_compression_fields_of_their_own),
        cmocka_unit_test(a_connect_get_has_its_message_in_the_query),
        cmocka_unit_test(a_connect_get_may_be_compressed),
        cmocka_unit_test(a_connect_get_that_lacks_or_twists_something_is_refused),
        cmocka_unit_test(rest_takes_json_and_what_is_like_it),
        cmocka_unit_test(a_body_that_rest_does_not_read_is_left_to_its_caller_to_refuse),
        cmocka_unit_test(a_connect_body_that_says_no_type_is_json_if_it_is_taken_at_all),
        cmocka_unit_test(opaque_http_keeps_its_fields),
        cmocka_unit_test(nothing_of_a_call_points_into_the_head_that_it_was_read_from),
        cmocka_unit_test(a_head_too_large_for_its_arena_is_a_fault_and_no_crash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
