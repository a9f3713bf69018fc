/* How answers and errors are spelled to clients. */
#include "protocols/dialect/dialect.h"

#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"
#include "protocols/dialect/envelope.h"
#include "protocols/dialect/error_details.h"
#include "protocols/http/compression.h"
#include "protocols/rest/rest.h"
#include "tests/unit/check.h"
#include "tests/unit/protocols/dialect/detail_json.h"

static Arena *arena;
static ReplyEnd end;
static Fields metadata, trailers;

static const ReplyOptions full_options = {
    .full = true,
    .request_id = {(const uint8_t *)"req-1", 5},
    .service = {(const uint8_t *)"orders", 6},
    .version = {(const uint8_t *)"v2", 2},
    .instance = {(const uint8_t *)"10.0.0.7:443", 12},
};
static const ReplyOptions public_options = {
    .request_id = {(const uint8_t *)"req-1", 5},
    .instance = {(const uint8_t *)"10.0.0.7:443", 12},
};

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

static int begin(void **state)
{
    metadata = fields_in(arena);
    trailers = fields_in(arena);
    return 0;
}

static const Fields no_fields;

static Call call_in(Dialect dialect, Codec codec)
{
    return (Call){.dialect = dialect,
                  .codec = codec,
                  .reply_codec = codec,
                  .verb = bytes_of("POST"),
                  .head = &no_fields,
                  .timeout = NO_TIMEOUT};
}

static void write_end(Call call, Status status, bool head_sent, const ReplyOptions *options)
{
    assert_ok(arena, reply_write_end(&call, &status, &metadata, &trailers, head_sent, options,
                                     arena, &end));
}

static Status said(Code code, const char *message)
{
    return (Status){.code = code, .message = bytes_of(message)};
}

static Status ours(const Fault *fault)
{
    Result deep = FAIL_FIELD(arena, *fault, "order.region", "reading field order.region");
    return status_of_error(arena, FAIL_OVER(arena, deep, *fault, "asking 10.0.0.7:443"));
}

static Bytes head_field(const char *name)
{
    return fields_get(&end.head.fields, name);
}

static bool has(Bytes text, const char *part)
{
    return text.data && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (!has(text, part))                                                                      \
            fail_msg("\"%s\" is not in %.*s", part, BYTES_ARGS(text));                             \
    } while (0)

static void assert_json(Bytes text)
{
    JsonCursor cursor = json_cursor(text, arena);
    json_cursor_skip(&cursor);
    if (!json_cursor_finish(&cursor))
        fail_msg("not JSON: %.*s", BYTES_ARGS(text));
}

/* The payload of the only frame in a body, which has these flags. */
static Bytes framed(Bytes body, uint8_t flags)
{
    assert_true(body.size >= ENVELOPE_HEAD);
    assert_int_equal(body.data[0], flags);
    assert_int_equal(envelope_size(body.data), body.size - ENVELOPE_HEAD);
    return bytes(body.data + ENVELOPE_HEAD, body.size - ENVELOPE_HEAD);
}

/* A google.rpc.Status with one detail. */
static Bytes status_with(const char *type_url, const char *value)
{
    Bytes packed;
    ErrorDetail detail = {bytes_of(type_url), bytes_of(value)};
    assert_ok(arena, error_details_write(CODE_ABORTED, bytes_of("m"), (ErrorDetails){&detail, 1},
                                         arena, &packed));
    return packed;
}

/* ---- gRPC ------------------------------------------------------------------------------------ */

static void a_grpc_head_is_200_with_type_and_encoding(void **state)
{
    HttpHead head;
    Call call = call_in(DIALECT_GRPC, CODEC_JSON);
    fields_add_text(&metadata, "x-a", "1");
    reply_write_head(&call, &metadata, COMPRESSION_GZIP, -1, arena, &head);
    assert_int_equal(head.status, 200);
    assert_bytes(fields_get(&head.fields, "content-type"), "application/grpc+json");
    assert_bytes(fields_get(&head.fields, "grpc-encoding"), "gzip");
    assert_bytes(fields_get(&head.fields, "x-a"), "1");
    reply_write_head(&call, NULL, COMPRESSION_IDENTITY, -1, arena, &head);
    assert_null(fields_get(&head.fields, "grpc-encoding").data);
}

static void a_grpc_call_ends_with_its_status_in_trailers(void **state)
{
    fields_add_text(&trailers, "x-t", "9");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_OK, ""), true, NULL);
    assert_false(end.has_head);
    assert_true(end.has_trailers);
    assert_int_equal(end.body.size, 0);
    assert_int_equal(end.trailers.n, 2);
    assert_bytes(fields_get(&end.trailers, "grpc-status"), "0");
    assert_bytes(fields_get(&end.trailers, "x-t"), "9");
}

static void a_grpc_error_without_a_head_is_trailers_only(void **state)
{
    fields_add_text(&trailers, "x-t", "9");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_NOT_FOUND, "no order"), false, NULL);
    assert_true(end.has_head);
    assert_false(end.has_trailers);
    assert_int_equal(end.head.status, 200);
    assert_bytes(head_field("content-type"), "application/grpc");
    assert_bytes(head_field("grpc-status"), "5");
    assert_bytes(head_field("grpc-message"), "no order");
    assert_bytes(head_field("x-t"), "9");
}

static void leading_metadata_stays_apart_from_the_status_of_an_error(void **state)
{
    fields_add_text(&metadata, "x-m", "1");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_NOT_FOUND, ""), false, NULL);
    assert_true(end.has_head);
    assert_true(end.has_trailers);
    assert_bytes(head_field("x-m"), "1");
    assert_null(head_field("grpc-status").data);
    assert_bytes(fields_get(&end.trailers, "grpc-status"), "5");
    assert_null(fields_get(&end.trailers, "grpc-message").data);
}

static void an_empty_grpc_answer_has_head_and_trailers(void **state)
{
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_OK, ""), false, NULL);
    assert_true(end.has_head);
    assert_true(end.has_trailers);
    assert_null(head_field("grpc-status").data);
}

static void grpc_message_is_percent_encoded(void **state)
{
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_UNKNOWN, "100% gr\xc3\xbcn\n\"x\""),
              true, NULL);
    assert_bytes(fields_get(&end.trailers, "grpc-message"), "100%25 gr%C3%BCn%0A\"x\"");
}

/* They would make the field malformed (RFC 9113 section 8.2.1). */
static void spaces_at_the_ends_of_grpc_message_are_encoded(void **state)
{
    static const char *const rows[][2] = {
        {"it broke: ", "it broke:%20"}, {"  it  broke", "%20%20it  broke"}, {" ", "%20"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_end(call_in(DIALECT_GRPC, CODEC_PROTO), said(CODE_UNKNOWN, rows[i][0]), true, NULL);
        assert_bytes(fields_get(&end.trailers, "grpc-message"), rows[i][1]);
    }
}

static void the_services_details_go_on_byte_for_byte_and_unpadded(void **state)
{
    Status status = said(CODE_ABORTED, "m");
    status.details = bytes_of("\xfb\xff\xbf what nobody can parse");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, NULL);
    Bytes text = fields_get(&end.trailers, "grpc-status-details-bin");
    assert_true(bytes_start_with(text, "+/+/"));
    assert_int_equal(text.data[text.size - 1] == '=', 0);
    Buffer back = buffer_in(arena);
    assert_true(base64_decode(&back, text));
    assert_true(bytes_equal(buffer_bytes(&back), status.details));
}

/* The details of our own error, as a gRPC client gets them. */
static ErrorDetails grpc_details(void)
{
    Buffer packed = buffer_in(arena);
    assert_true(base64_decode(&packed, fields_get(&end.trailers, "grpc-status-details-bin")));
    return error_details_read(buffer_bytes(&packed), arena);
}

static Bytes grpc_status(void)
{
    Buffer packed = buffer_in(arena);
    assert_true(base64_decode(&packed, fields_get(&end.trailers, "grpc-status-details-bin")));
    return buffer_bytes(&packed);
}

static Bytes detail_json(ErrorDetails details, const char *type)
{
    DetailJson by = detail_json_in(arena);
    Bytes found = BYTES_NONE;
    for (size_t i = 0; i < details.n; i++) {
        if (!bytes_end_with(details.items[i].type_url, type))
            continue;
        assert_null(found.data); /* AIP-193: each type at most once */
        Buffer json = buffer_in(arena);
        error_detail_to_json(&details.items[i], &by, arena, &json);
        found = buffer_bytes(&json);
        assert_json(found);
    }
    return found;
}

static void an_error_of_our_own_says_what_where_and_whether_to_retry(void **state)
{
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), ours(&FAULT_UPSTREAM_DOWN), true, &full_options);
    assert_bytes(fields_get(&end.trailers, "grpc-status"), "14");
    ErrorDetails details = grpc_details();
    assert_int_equal(details.n, 3);
    assert_bytes(
        detail_json(details, "ErrorInfo"),
        "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"UPSTREAM_DOWN\","
        "\"domain\":\"passerelle\",\"metadata\":{\"request_id\":\"req-1\",\"service\":\"orders\","
        "\"version\":\"v2\",\"instance\":\"10.0.0.7:443\",\"retryable\":\"true\"}}");
    assert_has(detail_json(details, "DebugInfo"),
               "\"stackEntries\":[\"UPSTREAM_DOWN: asking 10.0.0.7:443\","
               "\"UPSTREAM_DOWN: reading field order.region\"]");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), ours(&FAULT_BAD_VALUE), true, &full_options);
    assert_bytes(
        detail_json(details, "RequestInfo"),
        "{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\",\"requestId\":\"req-1\"}");
    details = grpc_details();
    assert_int_equal(details.n, 4);
    assert_bytes(
        detail_json(details, "BadRequest"),
        "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":"
        "\"order.region\",\"description\":\"reading field "
        "order.region\",\"reason\":\"BAD_VALUE\"}]}");
}

static void a_known_delay_becomes_retry_info(void **state)
{
    fields_add_text(&metadata, "retry-after", "7");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), ours(&FAULT_OVERLOADED), true, &public_options);
    assert_bytes(detail_json(grpc_details(), "RetryInfo"),
                 "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"7s\"}");
}

static void an_unsupported_compression_is_unimplemented_and_names_the_supported(void **state)
{
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), ours(&FAULT_UNSUPPORTED_ENCODING), false, NULL);
    assert_int_equal(end.head.status, 200);
    assert_bytes(head_field("grpc-status"), "12");
    assert_bytes(head_field("grpc-accept-encoding"), "gzip,br,zstd,deflate");
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), ours(&FAULT_UNSUPPORTED_ENCODING), false,
              NULL);
    assert_int_equal(end.head.status, 501);
    assert_has(end.body, "{\"code\":\"unimplemented\"");
    assert_bytes(head_field("accept-encoding"), "gzip,br,zstd,deflate");
    write_end(call_in(DIALECT_REST, CODEC_PROTO), ours(&FAULT_UNSUPPORTED_ENCODING), false, NULL);
    assert_int_equal(end.head.status, 415);
}

static void what_is_not_there_is_404_and_unimplemented_to_connect_clients(void **state)
{
    static const Fault *const faults[] = {&FAULT_UNKNOWN_METHOD, &FAULT_UNKNOWN_PATH};
    for (int i = 0; i < 2; i++) {
        write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), ours(faults[i]), false, NULL);
        assert_int_equal(end.head.status, 404);
        assert_true(bytes_start_with(end.body, "{\"code\":\"unimplemented\""));
        write_end(call_in(DIALECT_CONNECT_STREAM, CODEC_PROTO), ours(faults[i]), false, NULL);
        assert_int_equal(end.head.status, 404);
    }
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), ours(&FAULT_METHOD_REMOVED), false, NULL);
    assert_int_equal(end.head.status, 501);
}

static void a_wrong_content_type_is_415_in_every_dialect(void **state)
{
    for (int dialect = DIALECT_GRPC; dialect <= DIALECT_REST; dialect++) {
        write_end(call_in((Dialect)dialect, CODEC_PROTO), ours(&FAULT_UNSUPPORTED_MEDIA), false,
                  NULL);
        assert_int_equal(end.head.status, 415);
        assert_non_null(head_field("accept-post").data);
    }
}

static void what_http_refuses_is_unknown_to_connect_clients(void **state)
{
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), ours(&FAULT_UNSUPPORTED_MEDIA), false, NULL);
    assert_true(bytes_start_with(end.body, "{\"code\":\"unknown\""));
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), ours(&FAULT_METHOD_NOT_ALLOWED), false, NULL);
    assert_true(bytes_start_with(end.body, "{\"code\":\"unknown\""));
}

static void a_wrong_method_is_405_with_allow(void **state)
{
    Call call = call_in(DIALECT_CONNECT, CODEC_JSON);
    call.verb = bytes_of("GET");
    write_end(call, ours(&FAULT_METHOD_NOT_ALLOWED), false, NULL);
    assert_int_equal(end.head.status, 405);
    assert_bytes(head_field("allow"), "POST");
    fields_add_text(&metadata, "allow", "GET, PUT");
    write_end(call_in(DIALECT_REST, CODEC_JSON), ours(&FAULT_METHOD_NOT_ALLOWED), false, NULL);
    assert_int_equal(end.head.status, 405);
    assert_bytes(head_field("allow"), "GET, PUT");
}

/* ---- gRPC-Web -------------------------------------------------------------------------------- */

static void grpc_web_ends_with_a_frame_of_lower_case_lines(void **state)
{
    fields_add_text(&trailers, "x-t", "9");
    write_end(call_in(DIALECT_GRPC_WEB, CODEC_PROTO), said(CODE_NOT_FOUND, "no"), true, NULL);
    assert_false(end.has_head);
    assert_false(end.has_trailers);
    assert_bytes(framed(end.body, 0x80), "grpc-status: 5\r\ngrpc-message: no\r\nx-t: 9\r\n");
}

static void no_trailer_adds_a_line_to_a_grpc_web_frame(void **state)
{
    fields_add_text(&trailers, "x-a", "1\r\ngrpc-status: 0");
    fields_add_text(&trailers, "x-b ", "2");
    fields_add_text(&trailers, "x-c", "3");
    write_end(call_in(DIALECT_GRPC_WEB, CODEC_PROTO), said(CODE_NOT_FOUND, ""), true, NULL);
    assert_bytes(framed(end.body, 0x80), "grpc-status: 5\r\nx-c: 3\r\n");
}

static void a_grpc_web_error_before_the_head_is_a_head_and_that_frame(void **state)
{
    write_end(call_in(DIALECT_GRPC_WEB, CODEC_JSON), said(CODE_UNAVAILABLE, ""), false, NULL);
    assert_true(end.has_head);
    assert_int_equal(end.head.status, 200);
    assert_bytes(head_field("content-type"), "application/grpc-web+json");
    assert_bytes(framed(end.body, 0x80), "grpc-status: 14\r\n");
}

static void grpc_web_text_is_base64_around_the_frame_and_only_once(void **state)
{
    fields_add_text(&trailers, "x-bin", "Zg");
    write_end(call_in(DIALECT_GRPC_WEB_TEXT, CODEC_PROTO), said(CODE_OK, ""), false, NULL);
    assert_bytes(head_field("content-type"), "application/grpc-web-text+proto");
    Buffer body = buffer_in(arena);
    /* Two quanta groups: six bytes, then the rest. */
    assert_true(base64_decode(&body, bytes_slice(end.body, 0, 8)));
    assert_true(base64_decode(&body, bytes_slice(end.body, 8, SIZE_MAX)));
    assert_bytes(framed(buffer_bytes(&body), 0x80), "grpc-status: 0\r\nx-bin: Zg\r\n");
}

/* ---- Connect --------------------------------------------------------------------------------- */

static void a_connect_error_is_json_with_the_http_status_of_its_code(void **state)
{
    fields_add_text(&metadata, "x-m", "1");
    fields_add_text(&trailers, "x-t", "9");
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO),
              said(CODE_DEADLINE_EXCEEDED, "too \"late\"\xff"), false, NULL);
    assert_int_equal(end.head.status, 504);
    assert_bytes(head_field("content-type"), "application/json");
    assert_bytes(head_field("x-m"), "1");
    assert_bytes(head_field("trailer-x-t"), "9");
    assert_bytes(end.body,
                 "{\"code\":\"deadline_exceeded\",\"message\":\"too \\\"late\\\"\xef\xbf\xbd\"}");
    assert_int_equal(end.head.content_length, end.body.size);
    assert_false(end.has_trailers);
}

static void connect_details_are_type_names_and_unpadded_base64_also_of_unknown_types(void **state)
{
    Status status = said(CODE_ABORTED, "m");
    status.details = status_with("type.googleapis.com/shop.Unknown", "\xfb\xff");
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), status, false, NULL);
    assert_bytes(end.body, "{\"code\":\"aborted\",\"message\":\"m\",\"details\":[{\"type\":\"shop."
                           "Unknown\",\"value\":\"+/8\"}]}");
}

static void rest_details_are_json_where_the_type_is_known_and_base64_where_it_is_not(void **state)
{
    DetailJson by = detail_json_in(arena);
    ReplyOptions options = {.detail_json = &by};
    Status status = said(CODE_ABORTED, "m");
    status.details = status_with("type.googleapis.com/google.rpc.RequestInfo", "\x0a\x01"
                                                                               "7");
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, &options);
    assert_has(end.body, "\"details\":[{\"@type\":\"type.googleapis.com/"
                         "google.rpc.RequestInfo\",\"requestId\":\"7\"}]");
    status.details = status_with("type.googleapis.com/shop.Unknown", "v");
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, &options);
    assert_has(end.body,
               "\"details\":[{\"@type\":\"type.googleapis.com/shop.Unknown\",\"value\":\"dg==\"}]");
}

static void a_status_code_of_the_services_own_is_grpcs_unchanged(void **state)
{
    Status status = said(CODE_UNKNOWN, "m");
    status.service_code = 2021;
    status.details = status_with("type.googleapis.com/shop.Unknown", "v");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, false, NULL);
    assert_bytes(head_field("grpc-status"), "2021");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, NULL);
    assert_bytes(fields_get(&end.trailers, "grpc-status"), "2021");
    assert_bytes(fields_get(&end.trailers, "grpc-message"), "m");
    write_end(call_in(DIALECT_GRPC_WEB, CODEC_PROTO), status, true, NULL);
    assert_has(framed(end.body, 0x80), "grpc-status: 2021\r\n");
}

static void the_leg_whose_service_has_said_an_error_is_in_its_error_info(void **state)
{
    static const char type[] = "type.googleapis.com/google.rpc.ErrorInfo";
    ReplyOptions options = {.leg = bytes_of("sites")};
    Status status = said(CODE_NOT_FOUND, "m");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, &options);
    assert_has(grpc_status(), "UPSTREAM_STATUS\x12\npasserelle\x1a\014\n\3leg\x12\5sites");
    status.details = status_with(type, "\n\010NO_STOCK");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, &options);
    assert_has(grpc_status(), "\n\010NO_STOCK\x1a\014\n\3leg\x12\5sites");
    assert_int_equal(grpc_details().n, 1);

    /* It stays as it is if it names a leg itself, or cannot be read. */
    status.details = status_with(type, "\n\1N\x1a\010\n\3leg\x12\1b");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, &options);
    assert_has(grpc_status(), "leg\x12\1b");
    assert_false(has(grpc_status(), "sites"));
    status.details = status_with(type, "\n\x7fN");
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status, true, &options);
    assert_has(grpc_status(), "\n\x7fN");
    assert_false(has(grpc_status(), "sites"));
}

static void a_status_code_of_the_services_own_is_a_detail_where_codes_are_names(void **state)
{
    static const char *const info =
        "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
        "\"SERVICE_STATUS_CODE\",\"domain\":\"passerelle\",\"metadata\":{\"status_code\":\"2021\"}"
        "}";
    DetailJson by = detail_json_in(arena);
    ReplyOptions options = {.detail_json = &by};
    Status status = said(CODE_UNKNOWN, "m");
    status.service_code = 2021;
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, &options);
    assert_int_equal(end.head.status, 500);
    assert_has(end.body, "\"code\":\"UNKNOWN\",\"reason\":\"SERVICE_STATUS_CODE\"");
    assert_has(end.body, info);
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), status, false, &options);
    assert_int_equal(end.head.status, 500);
    assert_has(end.body, "{\"code\":\"unknown\",\"message\":\"m\",\"details\":[{\"type\":"
                         "\"google.rpc.ErrorInfo\",\"value\":\"");
    write_end(call_in(DIALECT_CONNECT_STREAM, CODEC_PROTO), status, true, &options);
    assert_has(end.body, "\"type\":\"google.rpc.ErrorInfo\"");

    /* Behind what the service says itself, and with the HTTP status that it is given. */
    status.details = status_with("type.googleapis.com/google.rpc.ErrorInfo", "\x0a\x08NO_STOCK");
    status.http_status = 404;
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, &options);
    assert_int_equal(end.head.status, 404);
    assert_has(end.body, "\"status\":404");
    assert_has(end.body, "\"code\":\"UNKNOWN\",\"reason\":\"NO_STOCK\"");
    assert_has(end.body, info);
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), status, false, &options);
    assert_int_equal(end.head.status, 404);
    assert_has(end.body, "\"code\":\"unknown\"");

    /* A status of HTTP alone is no word about Connect. */
    status.service_code = 0;
    write_end(call_in(DIALECT_CONNECT, CODEC_PROTO), status, false, &options);
    assert_int_equal(end.head.status, 500);
}

static void a_malformed_detail_of_a_known_type_is_given_as_its_bytes(void **state)
{
    DetailJson by = detail_json_in(arena);
    ReplyOptions options = {.detail_json = &by};
    Status status = said(CODE_ABORTED, "m");
    status.details = status_with("type.googleapis.com/google.rpc.RequestInfo", "v");
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, &options);
    assert_json(end.body);
    assert_has(end.body, "\"details\":[{\"@type\":\"type.googleapis.com/"
                         "google.rpc.RequestInfo\",\"value\":\"dg==\"}]");
}

static void a_connect_stream_ends_with_flag_2_and_an_empty_object(void **state)
{
    write_end(call_in(DIALECT_CONNECT_STREAM, CODEC_PROTO), said(CODE_OK, ""), true, NULL);
    assert_bytes(framed(end.body, 0x02), "{}");
    assert_false(end.has_trailers);
}

static void a_connect_stream_error_is_200_and_said_in_the_last_frame(void **state)
{
    fields_add_text(&trailers, "x-t", "9");
    fields_add_text(&trailers, "y-bin", "Zg");
    fields_add_text(&trailers, "x-t", "10");
    write_end(call_in(DIALECT_CONNECT_STREAM, CODEC_JSON), said(CODE_RESOURCE_EXHAUSTED, "full"),
              false, NULL);
    assert_int_equal(end.head.status, 200);
    assert_bytes(head_field("content-type"), "application/connect+json");
    assert_bytes(framed(end.body, 0x02),
                 "{\"error\":{\"code\":\"resource_exhausted\",\"message\":\"full\"},"
                 "\"metadata\":{\"x-t\":[\"9\",\"10\"],\"y-bin\":[\"Zg\"]}}");
}

static void trailers_of_a_unary_answer_stand_in_its_head(void **state)
{
    HttpHead head;
    Call call = call_in(DIALECT_CONNECT, CODEC_JSON);
    fields_add_text(&trailers, "x-t", "9");
    reply_write_head(&call, &metadata, COMPRESSION_BR, 12, arena, &head);
    reply_add_trailers(&call, &trailers, &head);
    assert_int_equal(head.content_length, 12);
    assert_bytes(fields_get(&head.fields, "content-type"), "application/json");
    assert_bytes(fields_get(&head.fields, "content-encoding"), "br");
    assert_bytes(fields_get(&head.fields, "trailer-x-t"), "9");
    write_end(call, said(CODE_OK, ""), true, NULL);
    assert_false(end.has_head);
    assert_int_equal(end.body.size, 0);
}

static void connect_stream_messages_have_their_own_encoding_field(void **state)
{
    HttpHead head;
    Call call = call_in(DIALECT_CONNECT_STREAM, CODEC_PROTO);
    reply_write_head(&call, NULL, COMPRESSION_GZIP, -1, arena, &head);
    assert_bytes(fields_get(&head.fields, "connect-content-encoding"), "gzip");
    assert_null(fields_get(&head.fields, "content-encoding").data);
}

/* ---- REST ------------------------------------------------------------------------------------ */

static void a_rest_error_is_a_problem_whose_status_is_that_of_the_answer(void **state)
{
    write_end(call_in(DIALECT_REST, CODEC_JSON), ours(&FAULT_UPSTREAM_DOWN), false, &full_options);
    assert_int_equal(end.head.status, 503);
    assert_bytes(head_field("content-type"), "application/problem+json");
    assert_int_equal(end.head.content_length, end.body.size);
    assert_json(end.body);
    assert_has(end.body,
               "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
               "\"detail\":\"no instance of the service can be reached: asking 10.0.0.7:443; "
               "because reading field "
               "order.region\",\"code\":\"UNAVAILABLE\",\"reason\":\"UPSTREAM_DOWN\",\"request_"
               "id\":\"req-1\","
               "\"service\":\"orders\",\"version\":\"v2\",\"served_by\":\"10.0.0.7:443\","
               "\"retryable\":true,"
               "\"causes\":[{\"reason\":\"UPSTREAM_DOWN\",\"doing\":\"asking 10.0.0.7:443\"},"
               "{\"reason\":\"UPSTREAM_DOWN\",\"doing\":\"reading field "
               "order.region\",\"field\":\"order.region\"}]");
    assert_has(end.body, "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\"");
}

static void the_services_error_keeps_its_code_in_rest(void **state)
{
    write_end(call_in(DIALECT_REST, CODEC_JSON), said(CODE_FAILED_PRECONDITION, "not paid"), false,
              &full_options);
    assert_int_equal(end.head.status, 400);
    assert_json(end.body);
    assert_has(
        end.body,
        "\"status\":400,\"detail\":\"not paid\",\"code\":\"FAILED_PRECONDITION\",\"request_id\"");
    assert_has(end.body, "\"retryable\":false");
    assert_false(has(end.body, "causes"));
    assert_false(has(end.body, "reason"));
}

static void the_reason_of_a_services_error_info_is_the_problems_reason(void **state)
{
    Status status = said(CODE_UNAVAILABLE, "m");
    /* reason (1): "NO_STOCK" */
    status.details = status_with("type.googleapis.com/google.rpc.ErrorInfo", "\x0a\x08NO_STOCK");
    write_end(call_in(DIALECT_REST, CODEC_JSON), status, false, NULL);
    assert_has(end.body, "\"reason\":\"NO_STOCK\",\"retryable\":true");
}

static Call rest_stream_call(const char *accept, Fields *head)
{
    Call call = call_in(DIALECT_REST, CODEC_JSON);
    *head = fields_in(arena);
    fields_add(head, bytes_of("accept"), bytes_of(accept));
    call.head = head;
    return call;
}

static void a_rest_stream_is_lines_events_or_an_array_by_accept(void **state)
{
    static const struct {
        const char *accept, *type;
    } rows[] = {
        {"*/*", "application/x-ndjson"},
        {"application/json", "application/json"},
        {"text/html, Text/Event-Stream;q=0.9", "text/event-stream"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Fields head;
        HttpHead answer;
        Call call = rest_stream_call(rows[i].accept, &head);
        reply_write_head(&call, NULL, COMPRESSION_IDENTITY, -1, arena, &answer);
        assert_bytes(fields_get(&answer.fields, "content-type"), rows[i].type);
        bool events = strstr(rows[i].type, "event");
        assert_int_equal(fields_get(&answer.fields, "cache-control").data != NULL, events);
        reply_write_head(&call, NULL, COMPRESSION_IDENTITY, 2, arena, &answer);
        assert_bytes(fields_get(&answer.fields, "content-type"), "application/json");
        assert_null(fields_get(&answer.fields, "cache-control").data);
    }
}

static void events_are_not_to_be_kept_unless_the_service_says_how(void **state)
{
    Fields head;
    HttpHead answer;
    Call call = rest_stream_call("text/event-stream", &head);
    reply_write_head(&call, NULL, COMPRESSION_IDENTITY, -1, arena, &answer);
    assert_bytes(fields_get(&answer.fields, "cache-control"), "no-cache");
    fields_add_text(&metadata, "cache-control", "private");
    reply_write_head(&call, &metadata, COMPRESSION_IDENTITY, -1, arena, &answer);
    assert_bytes(fields_get(&answer.fields, "cache-control"), "private");
}

/* A stream that was begun, of which so many messages are written. */
static ReplyOptions stream_options(const Call *call, uint64_t written, RestBody *body)
{
    *body = rest_body_of(call);
    body->written = written;
    return (ReplyOptions){.rest_body = body};
}

static void end_stream(const char *accept, Status status, bool head_sent, uint64_t written)
{
    static Fields head;
    RestBody body;
    Call call = rest_stream_call(accept, &head);
    ReplyOptions options = stream_options(&call, written, &body);
    write_end(call, status, head_sent, &options);
    assert_int_equal(body.written, written); /* so that an end can be written again */
}

static void an_error_in_a_rest_stream_is_its_last_item(void **state)
{
    end_stream("*/*", said(CODE_DATA_LOSS, "broke off"), true, 1);
    assert_false(end.has_head);
    assert_true(bytes_start_with(end.body, "{\"error\":{\"type\":\"about:blank\""));
    assert_true(bytes_end_with(end.body, "}}\n"));
    assert_json(end.body);
    end_stream("application/json", said(CODE_DATA_LOSS, "broke off"), true, 1);
    assert_true(bytes_start_with(end.body, ",{\"error\":{"));
    assert_true(bytes_end_with(end.body, "}}\n]"));
    end_stream("application/json", said(CODE_DATA_LOSS, "broke off"), true, 0);
    assert_true(bytes_start_with(end.body, "[\n{\"error\":{"));
    assert_json(end.body);
}

static void an_error_has_the_shape_of_googles_where_that_is_asked_for(void **state)
{
    ReplyOptions options = {.shape = ERROR_SHAPE_GOOGLE, .request_id = bytes_of("r1")};
    Call call = {.dialect = DIALECT_REST, .reply_codec = CODEC_JSON, .head = &metadata};
    write_end(call, said(CODE_NOT_FOUND, "no \"x\""), false, &options);
    assert_int_equal(end.head.status, 404);
    assert_bytes(fields_get(&end.head.fields, "content-type"), "application/json");
    assert_bytes(end.body, "{\"error\":{\"code\":404,\"message\":\"no \\\"x\\\"\","
                           "\"status\":\"NOT_FOUND\",\"details\":[]}}");
    write_end(call, ours(&FAULT_BAD_VALUE), false, &options);
    assert_int_equal(end.head.status, 400);
    assert_true(bytes_start_with(end.body, "{\"error\":{\"code\":400,\"message\":"));
    assert_true(bytes_end_with(end.body, "]}}"));
    assert_json(end.body);
}

/* In a stream that has begun: Google's own in an array, gRPC's number in grpc-gateway's lines. */
static void an_error_in_a_stream_has_the_shape_that_its_readers_know(void **state)
{
    static Fields head;
    RestBody body;
    Call call = rest_stream_call("*/*", &head);
    call.usual_stream = REST_STREAM_ARRAY;
    ReplyOptions options = stream_options(&call, 1, &body);
    options.shape = ERROR_SHAPE_GOOGLE;
    write_end(call, said(CODE_DATA_LOSS, "broke off"), true, &options);
    assert_bytes(end.body, ",{\"error\":{\"code\":500,\"message\":\"broke off\","
                           "\"status\":\"DATA_LOSS\",\"details\":[]}}\n]");
    call.usual_stream = REST_STREAM_RESULTS;
    for (int k = 0; k < 2; k++) {
        options = stream_options(&call, 1, &body);
        options.shape = k ? ERROR_SHAPE_GOOGLE : ERROR_SHAPE_PROBLEM;
        write_end(call, said(CODE_DATA_LOSS, "broke off"), true, &options);
        assert_bytes(end.body, "{\"error\":{\"code\":15,\"message\":\"broke off\","
                               "\"details\":[]}}\n");
    }
    Status own = said(CODE_UNKNOWN, "x");
    own.service_code = 2021;
    options = stream_options(&call, 1, &body);
    write_end(call, own, true, &options);
    assert_true(bytes_start_with(end.body, "{\"error\":{\"code\":2021,"));
}

/* A browser that reconnects to a stream that failed for good would never stop. */
static void an_error_event_ends_the_stream_for_good_unless_another_try_may_help(void **state)
{
    end_stream("text/event-stream", said(CODE_DATA_LOSS, "broke off"), true, 1);
    assert_true(bytes_start_with(end.body, "event: error\nid: end\ndata: {\"error\":"));
    end_stream("text/event-stream", said(CODE_UNAVAILABLE, "broke off"), true, 1);
    assert_true(bytes_start_with(end.body, "event: error\ndata: {\"error\":"));
    assert_true(bytes_end_with(end.body, "}}\n\n"));
}

static void a_good_end_of_a_rest_stream_is_said_where_its_form_can(void **state)
{
    static const struct {
        const char *accept, *type, *empty, *more;
    } rows[] = {
        {"*/*", "application/x-ndjson", "", ""},
        {"application/json", "application/json", "[]", "]"},
        {"text/event-stream", "text/event-stream", "event: end\nid: end\ndata: {}\n\n",
         "event: end\nid: end\ndata: {}\n\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        end_stream(rows[i].accept, said(CODE_OK, ""), true, 2);
        assert_false(end.has_head);
        assert_bytes(end.body, rows[i].more);
        end_stream(rows[i].accept, said(CODE_OK, ""), true, 0);
        assert_bytes(end.body, rows[i].empty);
        end_stream(rows[i].accept, said(CODE_OK, ""), false, 0);
        assert_int_equal(end.head.status, 200);
        assert_int_equal(end.head.content_length, strlen(rows[i].empty));
        assert_bytes(head_field("content-type"), rows[i].type);
        assert_bytes(end.body, rows[i].empty);
    }
    fields_add_text(&trailers, "x-a", "1");
    fields_add_text(&trailers, "x-b", "2");
    fields_add_text(&trailers, "x-a", "3");
    end_stream("text/event-stream", said(CODE_OK, ""), true, 1);
    assert_bytes(end.body, "event: end\nid: end\ndata: {\"metadata\":{\"x-a\":[\"1\",\"3\"],"
                           "\"x-b\":[\"2\"]}}\n\n");
    assert_int_equal(end.trailers.n, 3);
}

static void a_reconnect_after_the_end_gets_204(void **state)
{
    Fields head;
    RestBody body;
    Call call = rest_stream_call("text/event-stream", &head);
    fields_add_text(&head, "last-event-id", "end");
    ReplyOptions options = stream_options(&call, 0, &body);
    write_end(call, said(CODE_OK, ""), false, &options);
    assert_int_equal(end.head.status, 204);
    assert_int_equal(end.body.size, 0);
    assert_null(head_field("content-type").data);
}

static void an_error_in_a_stream_of_bytes_breaks_it_off(void **state)
{
    static const Dialect dialects[] = {DIALECT_REST, DIALECT_HTTP};
    for (size_t i = 0; i < 2; i++) {
        write_end(call_in(dialects[i], CODEC_PROTO), said(CODE_DATA_LOSS, "broke off"), true, NULL);
        assert_true(end.breaks_off);
        assert_int_equal(end.body.size, 0);
        write_end(call_in(dialects[i], CODEC_PROTO), said(CODE_OK, ""), true, NULL);
        assert_false(end.breaks_off);
    }
}

/* Its head is out before they are known. */
static void the_services_trailers_of_a_rest_stream_are_https(void **state)
{
    fields_add_text(&trailers, "x-sum", "7");
    end_stream("*/*", said(CODE_OK, ""), true, 1);
    assert_true(end.has_trailers);
    assert_bytes(fields_get(&end.trailers, "x-sum"), "7");
}

static void an_http_body_brings_its_own_content_type(void **state)
{
    HttpHead head;
    Call call = call_in(DIALECT_REST, CODEC_JSON);
    fields_add_text(&metadata, "content-type", "image/png");
    reply_write_head(&call, &metadata, COMPRESSION_IDENTITY, 3, arena, &head);
    assert_bytes(fields_joined(&head.fields, "content-type"), "image/png");
}

static void the_status_of_an_error_is_its_faults(void **state)
{
    Result deep = FAIL(arena, FAULT_SYSTEM, "connect: refused");
    Status status =
        status_of_error(arena, FAIL_OVER(arena, deep, FAULT_UPSTREAM_DOWN, "asking orders"));
    assert_int_equal(status.code, CODE_UNAVAILABLE);
    assert_int_equal(status.http_status, 503);
    assert_bytes(
        status.message,
        "no instance of the service can be reached: asking orders; because connect: refused");
}

static void a_message_quoting_a_peer_is_cut_at_a_character(void **state)
{
    char text[4001];
    for (size_t i = 0; i < 4000; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    text[4000] = '\0';
    Status status = status_of_error(arena, FAIL(arena, FAULT_BAD_REQUEST, "%s", text));
    assert_in_range(status.message.size, 1000, 1024);
    write_end(call_in(DIALECT_CONNECT, CODEC_JSON), status, false, NULL);
    assert_json(end.body);
    assert_false(has(end.body, "\xef\xbf\xbd"));
}

static void an_error_of_our_own_fits_the_heads_that_grpc_clients_take(void **state)
{
    char text[4001];
    for (size_t i = 0; i < 4000; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    text[4000] = '\0';
    Result mistakes[20];
    for (int i = 0; i < 20; i++)
        mistakes[i] = FAIL_FIELD(arena, FAULT_BAD_VALUE, text, "%s", text);
    Result why = error_with_others(arena, mistakes, 20);
    for (int i = 0; i < 20; i++)
        why = FAIL_OVER(arena, why, FAULT_BAD_VALUE, "%s", text);
    write_end(call_in(DIALECT_GRPC, CODEC_PROTO), status_of_error(arena, why), true, &full_options);
    assert_bytes(fields_get(&end.trailers, "grpc-status"), "3");
    size_t size = 0;
    for (uint32_t i = 0; i < end.trailers.n; i++)
        size += end.trailers.items[i].name.size + end.trailers.items[i].value.size + 32;
    assert_in_range(size, 4096, 8192);
    assert_int_equal(grpc_details().n, 4);
}

/* ---- What errors of our own tell ------------------------------------------------------------- */

static bool is_base64(uint8_t c)
{
    return base64_value(c) <= 63;
}

/* Adds what the base64 in the text stands for, wherever it is: a field's value, a member of JSON, a
   whole body. */
static void add_decoded(Buffer *out, size_t from)
{
    for (size_t i = from, until = out->size; i < until; i++) {
        size_t size = 0;
        while (i + size < until && is_base64(out->data[i + size]))
            size++;
        Buffer decoded = buffer_in(arena);
        if (size >= 8 && base64_decode(&decoded, bytes(out->data + i, size - (size % 4 == 1))))
            buffer_add_bytes(out, buffer_bytes(&decoded));
        i += size;
    }
}

static void add_fields(Buffer *out, const Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        buffer_add_bytes(out, fields->items[i].name);
        buffer_add_text(out, ": ");
        buffer_add_bytes(out, fields->items[i].value);
        buffer_add_byte(out, '\n');
    }
}

/* All that a client can read out of an end: twice, since gRPC-Web-text has base64 in base64. */
static Bytes all_that_is_told(void)
{
    Buffer told = buffer_in(arena);
    add_fields(&told, &end.head.fields);
    if (end.has_trailers)
        add_fields(&told, &end.trailers);
    buffer_add_bytes(&told, end.body);
    size_t size = told.size;
    add_decoded(&told, 0);
    add_decoded(&told, size);
    return buffer_bytes(&told);
}

/* In one dialect, with the head out or not; false: there an error has no words. */
static bool told_in(Dialect dialect, bool head_sent, Result why, const ReplyOptions *options,
                    Bytes *told_out)
{
    Fields head;
    Call call =
        dialect == DIALECT_REST ? rest_stream_call("*/*", &head) : call_in(dialect, CODEC_JSON);
    write_end(call, status_of_error(arena, why), head_sent, options);
    *told_out = all_that_is_told();
    return !end.breaks_off && (!head_sent || end.body.size || end.has_trailers);
}

static const Dialect every_dialect[] = {
    DIALECT_GRPC,           DIALECT_GRPC_WEB, DIALECT_GRPC_WEB_TEXT, DIALECT_CONNECT,
    DIALECT_CONNECT_STREAM, DIALECT_REST,     DIALECT_HTTP};

#define EACH_FAULT_AND_DIALECT(fault, dialect, head_sent)                                          \
    for (const Fault *const *fault = fault_table; *fault; fault++)                                 \
        for (const Dialect *dialect = every_dialect; dialect < every_dialect + 7; dialect++)       \
            for (int head_sent = 0; head_sent < 2; head_sent++)

static void no_public_error_tells_what_lies_behind_the_gateway(void **state)
{
    EACH_FAULT_AND_DIALECT(fault, dialect, head_sent)
    {
        Bytes told;
        Result why = FAIL(arena, **fault, "SECRET open /etc/key.pem");
        why = FAIL_OVER(arena, why, FAULT_SYSTEM, "SECRET connect 10.0.0.7:443");
        why = FAIL_OVER(arena, why, **fault, "SECRET asking build 3.1.0");
        bool has_words = told_in(*dialect, head_sent, why, &public_options, &told);
        if (has(told, "SECRET") || has(told, "10.0.0.7") || has(told, "DebugInfo") ||
            has(told, "causes") || has(told, "test_reply") ||
            (*fault != &FAULT_SYSTEM && has(told, "SYSTEM")))
            fail_msg("%s in %s: %.*s", (*fault)->name, dialect_name(*dialect), BYTES_ARGS(told));
        if (!has_words)
            continue;
        assert_has(told, (*fault)->name);
        assert_has(told, (*fault)->text);
        assert_has(told, "req-1");
    }
}

static void a_full_error_tells_the_whole_chain_and_the_instance(void **state)
{
    EACH_FAULT_AND_DIALECT(fault, dialect, head_sent)
    {
        Bytes told;
        Result why = FAIL(arena, FAULT_SYSTEM, "the origin");
        why = FAIL_OVER(arena, why, FAULT_TLS, "the middle");
        why = FAIL_OVER(arena, why, **fault, "the outermost");
        if (!told_in(*dialect, head_sent, why, &full_options, &told))
            continue;
        assert_has(told, (*fault)->name);
        assert_has(told, "the outermost; because the middle; because the origin");
        assert_has(told, "10.0.0.7:443");
        assert_has(told, "req-1");
        assert_true(has(told, "DebugInfo"));
        assert_int_equal(has(told, "\"causes\":[{"),
                         *dialect == DIALECT_REST || *dialect == DIALECT_HTTP);
    }
}

/* Messages of both sides are read by the same code: what is wrong with the service's is none of the
   caller's fields. */
static void only_the_callers_own_field_is_named_to_it(void **state)
{
    EACH_FAULT_AND_DIALECT(fault, dialect, head_sent)
    {
        Bytes told;
        Result why =
            FAIL_FIELD(arena, FAULT_BAD_VALUE, "order.region", "order.region: no such region");
        why = FAIL_OVER(arena, why, **fault, "SECRET of v1 as v3's");
        if (!told_in(*dialect, head_sent, why, &public_options, &told))
            continue;
        bool is_callers = (*fault)->side == SIDE_CLIENT;
        assert_int_equal(has(told, "no such region"), is_callers);
        assert_int_equal(has(told, "BadRequest"), is_callers);
        assert_false(has(told, "SECRET"));
    }
}

static void what_is_written_for_the_caller_is_told_whoever_it_is(void **state)
{
    Bytes told;
    Result why = FAIL_TELL(arena, FAULT_UNSUPPORTED, "it takes one message");
    assert_true(told_in(DIALECT_REST, false, why, &public_options, &told));
    assert_has(told, "this is not supported: it takes one message");
    assert_false(has(told, "BadRequest"));
    why = FAIL_OVER(arena, why, FAULT_UPSTREAM_MESSAGE, "reading the answer of 10.0.0.7:443");
    assert_true(told_in(DIALECT_REST, false, why, &public_options, &told));
    assert_false(has(told, "it takes one message"));
}

static void a_services_own_words_are_told_in_either_way(void **state)
{
    const ReplyOptions *options[] = {&public_options, &full_options};
    for (size_t i = 0; i < 2; i++)
        for (const Dialect *dialect = every_dialect; dialect < every_dialect + 7; dialect++) {
            Status status = said(CODE_ABORTED, "order 7 is locked");
            status.details = status_with("type.googleapis.com/shop.Lock", "by ada");
            write_end(call_in(*dialect, CODEC_JSON), status, false, options[i]);
            Bytes told = all_that_is_told();
            assert_has(told, "order 7 is locked");
            assert_has(told, "shop.Lock");
            assert_has(told, "by ada");
        }
}

/* gRPC's alone have no body. */
static void no_error_body_is_to_be_guessed_at(void **state)
{
    for (const Dialect *dialect = every_dialect; dialect < every_dialect + 7; dialect++) {
        metadata.n = 0;
        fields_add_text(&metadata, "x-content-type-options", "anything");
        write_end(call_in(*dialect, CODEC_JSON), said(CODE_ABORTED, "<script>"), false, NULL);
        if (*dialect != DIALECT_GRPC)
            assert_bytes(fields_joined(&end.head.fields, "x-content-type-options"), "nosniff");
        metadata.n = 0;
        write_end(call_in(*dialect, CODEC_JSON), said(CODE_OK, ""), false, NULL);
        assert_null(head_field("x-content-type-options").data);
    }
}

static void an_arena_at_its_limit_is_a_fault(void **state)
{
    Status status = {.code = CODE_INTERNAL, .error = FAIL(arena, FAULT_INTERNAL, "x").error};
    fields_add_text(&trailers, "x-t", "9");
    for (const Dialect *dialect = every_dialect; dialect < every_dialect + 7; dialect++) {
        bool lasts = false;
        size_t faults = 0;
        for (size_t eaten = 0; !lasts; eaten += 40) {
            Arena *small = arena_new(16 * 1024);
            lasts = !arena_alloc(small, eaten);
            Call call = call_in(*dialect, CODEC_JSON);
            Result r =
                reply_write_end(&call, &status, NULL, &trailers, false, &full_options, small, &end);
            if (!lasts && failed(r)) {
                assert_fault(r, FAULT_OUT_OF_MEMORY);
                faults++;
            } else if (!lasts && faults) {
                fail_msg("%s: less memory was enough", dialect_name(*dialect));
            }
            if (eaten == 0)
                assert_false(failed(r));
            arena_free(small);
        }
        assert_in_range(faults, 5, 1000);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_grpc_head_is_200_with_type_and_encoding),
        TEST(a_grpc_call_ends_with_its_status_in_trailers),
        TEST(a_grpc_error_without_a_head_is_trailers_only),
        TEST(leading_metadata_stays_apart_from_the_status_of_an_error),
        TEST(an_empty_grpc_answer_has_head_and_trailers),
        TEST(grpc_message_is_percent_encoded),
        TEST(spaces_at_the_ends_of_grpc_message_are_encoded),
        TEST(the_services_details_go_on_byte_for_byte_and_unpadded),
        TEST(an_error_of_our_own_says_what_where_and_whether_to_retry),
        TEST(a_known_delay_becomes_retry_info),
        TEST(an_unsupported_compression_is_unimplemented_and_names_the_supported),
        TEST(a_wrong_content_type_is_415_in_every_dialect),
        TEST(what_http_refuses_is_unknown_to_connect_clients),
        TEST(what_is_not_there_is_404_and_unimplemented_to_connect_clients),
        TEST(a_wrong_method_is_405_with_allow),
        TEST(grpc_web_ends_with_a_frame_of_lower_case_lines),
        TEST(no_trailer_adds_a_line_to_a_grpc_web_frame),
        TEST(a_grpc_web_error_before_the_head_is_a_head_and_that_frame),
        TEST(grpc_web_text_is_base64_around_the_frame_and_only_once),
        TEST(a_connect_error_is_json_with_the_http_status_of_its_code),
        TEST(connect_details_are_type_names_and_unpadded_base64_also_of_unknown_types),
        TEST(a_status_code_of_the_services_own_is_grpcs_unchanged),
        TEST(the_leg_whose_service_has_said_an_error_is_in_its_error_info),
        TEST(a_status_code_of_the_services_own_is_a_detail_where_codes_are_names),
        TEST(rest_details_are_json_where_the_type_is_known_and_base64_where_it_is_not),
        TEST(a_malformed_detail_of_a_known_type_is_given_as_its_bytes),
        TEST(a_connect_stream_ends_with_flag_2_and_an_empty_object),
        TEST(a_connect_stream_error_is_200_and_said_in_the_last_frame),
        TEST(trailers_of_a_unary_answer_stand_in_its_head),
        TEST(connect_stream_messages_have_their_own_encoding_field),
        TEST(a_rest_error_is_a_problem_whose_status_is_that_of_the_answer),
        TEST(the_services_error_keeps_its_code_in_rest),
        TEST(the_reason_of_a_services_error_info_is_the_problems_reason),
        TEST(a_rest_stream_is_lines_events_or_an_array_by_accept),
        TEST(events_are_not_to_be_kept_unless_the_service_says_how),
        TEST(an_error_in_a_rest_stream_is_its_last_item),
        TEST(an_error_has_the_shape_of_googles_where_that_is_asked_for),
        TEST(an_error_in_a_stream_has_the_shape_that_its_readers_know),
        TEST(an_error_event_ends_the_stream_for_good_unless_another_try_may_help),
        TEST(a_good_end_of_a_rest_stream_is_said_where_its_form_can),
        TEST(a_reconnect_after_the_end_gets_204),
        TEST(an_error_in_a_stream_of_bytes_breaks_it_off),
        TEST(the_services_trailers_of_a_rest_stream_are_https),
        TEST(an_http_body_brings_its_own_content_type),
        TEST(the_status_of_an_error_is_its_faults),
        TEST(a_message_quoting_a_peer_is_cut_at_a_character),
        TEST(an_error_of_our_own_fits_the_heads_that_grpc_clients_take),
        TEST(no_public_error_tells_what_lies_behind_the_gateway),
        TEST(a_full_error_tells_the_whole_chain_and_the_instance),
        TEST(only_the_callers_own_field_is_named_to_it),
        TEST(what_is_written_for_the_caller_is_told_whoever_it_is),
        TEST(a_services_own_words_are_told_in_either_way),
        TEST(no_error_body_is_to_be_guessed_at),
        TEST(an_arena_at_its_limit_is_a_fault),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
