/* How instances are asked, and what their answers mean. */
#include "protocols/dialect/dialect.h"

#include "base/clock.h"
#include "base/text/base64.h"
#include "protocols/dialect/error_details.h"
#include "tests/unit/check.h"

static Arena *arena;
static Answer answer;

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

static Fields fields_of(const char *const *names_and_values)
{
    Fields fields = fields_in(arena);
    for (; names_and_values[0]; names_and_values += 2)
        fields_add(&fields, bytes_of(names_and_values[0]), bytes_of(names_and_values[1]));
    return fields;
}

#define FIELDS(...) fields_of((const char *const[]){__VA_ARGS__, NULL})

static RequestTarget target_in(Dialect dialect, Codec codec)
{
    return (RequestTarget){.dialect = dialect,
                           .codec = codec,
                           .method = bytes_of("/a.B/C"),
                           .authority = bytes_of("orders:443"),
                           .timeout = NO_TIMEOUT};
}

static HttpHead asked(RequestTarget target)
{
    HttpHead head;
    Fields metadata = FIELDS("x-a", "1");
    assert_ok(arena, request_write(&target, &metadata, arena, &head));
    assert_bytes(fields_get(&head.fields, "x-a"), "1");
    return head;
}

static Result answered(Dialect dialect, Codec codec, uint16_t status, Fields fields)
{
    HttpHead head = {.status = status, .minor = 2, .content_length = -1, .fields = fields};
    RequestTarget target = target_in(dialect, codec);
    return answer_read(&head, &target, arena, &answer);
}

static void ended(Fields trailers, const char *end_frame)
{
    assert_ok(arena, answer_end(&answer, &trailers, bytes_of(end_frame), arena));
}

static const Fields none;

/* ---- Requests -------------------------------------------------------------------------------- */

static void a_grpc_request_has_te_timeout_and_encodings(void **state)
{
    RequestTarget target = target_in(DIALECT_GRPC, CODEC_PROTO);
    target.timeout = 1500 * MILLISECOND;
    target.compression = COMPRESSION_GZIP;
    target.accepts = COMPRESSION_GZIP | COMPRESSION_BR;
    HttpHead head = asked(target);
    assert_bytes(head.method, "POST");
    assert_bytes(head.path, "/a.B/C");
    assert_bytes(head.authority, "orders:443");
    assert_bytes(fields_get(&head.fields, "content-type"), "application/grpc");
    assert_bytes(fields_get(&head.fields, "te"), "trailers");
    assert_bytes(fields_get(&head.fields, "grpc-timeout"), "1500000u");
    assert_bytes(fields_get(&head.fields, "grpc-encoding"), "gzip");
    assert_bytes(fields_get(&head.fields, "grpc-accept-encoding"), "gzip,br");
}

static void what_is_not_wanted_is_not_said(void **state)
{
    HttpHead head = asked(target_in(DIALECT_GRPC, CODEC_JSON));
    assert_int_equal(head.fields.n, 3);
    assert_bytes(fields_get(&head.fields, "content-type"), "application/grpc+json");
}

static void a_grpc_web_request_says_so(void **state)
{
    HttpHead head = asked(target_in(DIALECT_GRPC_WEB, CODEC_PROTO));
    assert_bytes(fields_get(&head.fields, "content-type"), "application/grpc-web+proto");
    assert_bytes(fields_get(&head.fields, "x-grpc-web"), "1");
    assert_null(fields_get(&head.fields, "te").data);
}

static void connect_requests_say_version_timeout_and_their_kind_of_encoding(void **state)
{
    RequestTarget target = target_in(DIALECT_CONNECT, CODEC_JSON);
    target.timeout = 2 * SECOND;
    target.compression = COMPRESSION_BR;
    target.accepts = COMPRESSION_GZIP;
    HttpHead head = asked(target);
    assert_bytes(fields_get(&head.fields, "content-type"), "application/json");
    assert_bytes(fields_get(&head.fields, "connect-protocol-version"), "1");
    assert_bytes(fields_get(&head.fields, "connect-timeout-ms"), "2000");
    assert_bytes(fields_get(&head.fields, "content-encoding"), "br");
    assert_bytes(fields_get(&head.fields, "accept-encoding"), "gzip");
    target.dialect = DIALECT_CONNECT_STREAM;
    head = asked(target);
    assert_bytes(fields_get(&head.fields, "content-type"), "application/connect+json");
    assert_bytes(fields_get(&head.fields, "connect-content-encoding"), "br");
    assert_bytes(fields_get(&head.fields, "connect-accept-encoding"), "gzip");
    assert_null(fields_get(&head.fields, "content-encoding").data);
}

static void a_connect_get_carries_the_message_in_its_url_and_is_read_back(void **state)
{
    RequestTarget target = target_in(DIALECT_CONNECT, CODEC_PROTO);
    target.use_get = true;
    target.message = bytes_of("\xfb\xff\xbf?");
    target.timeout = SECOND;
    HttpHead head = asked(target);
    assert_bytes(head.method, "GET");
    assert_bytes(head.path, "/a.B/C?base64=1&connect=v1&encoding=proto&message=-_-_Pw");
    assert_null(fields_get(&head.fields, "content-type").data);
    assert_bytes(fields_get(&head.fields, "connect-timeout-ms"), "1000");

    Call call;
    assert_int_equal(dialect_of_request(&head), DIALECT_CONNECT);
    assert_ok(arena, call_read(&head, DIALECT_CONNECT, arena, &call));
    assert_true(bytes_equal(call.get_message, target.message));
}

static void instances_are_not_asked_in_dialects_that_are_for_clients_only(void **state)
{
    RequestTarget target = target_in(DIALECT_GRPC_WEB_TEXT, CODEC_PROTO);
    HttpHead head;
    assert_fault(request_write(&target, NULL, arena, &head), FAULT_UNSUPPORTED);
}

/* ---- gRPC ------------------------------------------------------------------------------------ */

static void a_good_grpc_answer_ends_with_its_trailers(void **state)
{
    assert_ok(arena,
              answered(DIALECT_GRPC, CODEC_PROTO, 200,
                       FIELDS("content-type", "application/grpc+proto", "grpc-encoding", "gzip",
                              "x-m", "1", "y-bin", "Zg==", "access-control-allow-origin", "*",
                              "grpc-accept-encoding", "gzip")));
    assert_false(answer.is_error);
    assert_false(answer.has_status);
    assert_int_equal(answer.compression, COMPRESSION_GZIP);
    assert_int_equal(answer.metadata.n, 2);
    assert_bytes(fields_get(&answer.metadata, "y-bin"), "Zg");
    answer.had_body = true;
    ended(FIELDS("grpc-status", "0", "x-t", "9"), NULL);
    assert_int_equal(answer.status.code, CODE_OK);
    assert_int_equal(answer.trailers.n, 1);
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
}

static void a_grpc_error_in_trailers_is_decoded(void **state)
{
    assert_ok(arena,
              answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "application/grpc")));
    ended(FIELDS("grpc-status", "9", "grpc-message", "100%25 gr%C3%BCn %zz",
                 "grpc-status-details-bin", "+/8="),
          NULL);
    assert_int_equal(answer.status.code, CODE_FAILED_PRECONDITION);
    assert_bytes(answer.status.message, "100% gr\xc3\xbcn %zz");
    assert_bytes(answer.status.details, "\xfb\xff");
    assert_int_equal(answer.trailers.n, 0);
}

static void a_malformed_grpc_status_is_unknown_and_says_what_it_was(void **state)
{
    static const char *const malformed[] = {"abc", "", "-1", "5 ", "2147483648"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                                  FIELDS("content-type", "application/grpc")));
        ended(FIELDS("grpc-status", malformed[i], "grpc-message", "no%20luck"), NULL);
        assert_int_equal(answer.status.code, CODE_UNKNOWN);
        assert_ptr_equal(answer.status.error->fault, &FAULT_UPSTREAM_PROTOCOL);
        assert_bytes(error_message(answer.status.error, true, arena),
                     arena_printf(arena,
                                  "the service violated its protocol: its grpc-status is \"%s\", "
                                  "which is not a status code; its grpc-message is: no luck",
                                  malformed[i]));
    }
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc", "grpc-status", "x")));
    assert_ptr_equal(answer.status.error->fault, &FAULT_UPSTREAM_PROTOCOL);
    ended(fields_in(arena), NULL);
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
}

static void trailers_only_is_found_in_the_head(void **state)
{
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc", "grpc-status", "7",
                                     "grpc-message", "no", "x-t", "9")));
    assert_true(answer.has_status);
    assert_false(answer.is_error);
    assert_int_equal(answer.status.code, CODE_PERMISSION_DENIED);
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_PERMISSION_DENIED);
    assert_bytes(answer.status.message, "no");
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
    assert_int_equal(answer.metadata.n, 0);
}

static void a_status_in_the_trailers_overrules_one_in_the_head(void **state)
{
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc", "grpc-status", "0")));
    ended(FIELDS("grpc-status", "5"), NULL);
    assert_int_equal(answer.status.code, CODE_NOT_FOUND);
}

static void a_status_in_the_head_does_not_count_when_a_body_came(void **state)
{
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc", "grpc-status", "0")));
    answer.had_body = true;
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
}

static void no_status_at_all_is_unknown(void **state)
{
    assert_ok(arena,
              answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "application/grpc")));
    ended(FIELDS("x-t", "9"), NULL);
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
}

static void http_says_the_code_only_where_grpc_status_is_absent(void **state)
{
    static const struct {
        uint16_t http;
        Code code;
    } rows[] = {{400, CODE_INTERNAL},          {401, CODE_UNAUTHENTICATED},
                {403, CODE_PERMISSION_DENIED}, {404, CODE_UNIMPLEMENTED},
                {429, CODE_UNAVAILABLE},       {502, CODE_UNAVAILABLE},
                {503, CODE_UNAVAILABLE},       {504, CODE_UNAVAILABLE},
                {500, CODE_UNKNOWN},           {302, CODE_UNKNOWN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, rows[i].http,
                                  FIELDS("content-type", "text/html")));
        assert_true(answer.is_error);
        ended(none, NULL);
        assert_int_equal(answer.status.code, rows[i].code);
        assert_int_equal(answer.status.http_status, 0); /* it was a guess: no reason to repeat it */
        assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, rows[i].http,
                                  FIELDS("content-type", "application/grpc", "grpc-status", "10")));
        ended(none, NULL);
        assert_int_equal(answer.status.code, CODE_ABORTED);
    }
}

static void an_answer_of_another_kind_is_unknown_and_one_of_another_codec_a_breach(void **state)
{
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "text/html")));
    assert_true(answer.is_error);
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
    assert_non_null(answer.status.error);
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("x", "no content-type")));
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
    assert_ok(arena, answered(DIALECT_GRPC, CODEC_PROTO, 200,
                              FIELDS("content-type", "text/html", "grpc-status", "5")));
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_NOT_FOUND);
    assert_fault(
        answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "application/grpc+json")),
        FAULT_UPSTREAM_PROTOCOL);
    assert_fault(
        answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "application/grpc+thrift")),
        FAULT_UPSTREAM_PROTOCOL);
    assert_fault(answered(DIALECT_GRPC, CODEC_PROTO, 200,
                          FIELDS("content-type", "application/grpc", "grpc-encoding", "lz4")),
                 FAULT_UPSTREAM_PROTOCOL);
}

static void odd_trailers_do_not_hide_the_status(void **state)
{
    assert_ok(arena,
              answered(DIALECT_GRPC, CODEC_PROTO, 200, FIELDS("content-type", "application/grpc")));
    ended(FIELDS("grpc-status", "5", "grpc-status-details-bin", "!!", "x-bin", "not base64!"),
          NULL);
    assert_int_equal(answer.status.code, CODE_NOT_FOUND);
    assert_int_equal(answer.status.details.size, 0);
    assert_bytes(fields_get(&answer.trailers, "x-bin"), "not base64!");
}

/* ---- gRPC-Web -------------------------------------------------------------------------------- */

static void grpc_web_reads_its_end_frame_in_any_case_and_spacing(void **state)
{
    assert_ok(arena, answered(DIALECT_GRPC_WEB, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc-web+proto")));
    answer.had_body = true;
    ended(none, "Grpc-Status:5\r\ngrpc-message:  no%20order\r\nX-T: 9\n");
    assert_int_equal(answer.status.code, CODE_NOT_FOUND);
    assert_bytes(answer.status.message, "no order");
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
    assert_ok(arena, answered(DIALECT_GRPC_WEB, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc-web")));
    assert_fault(answer_end(&answer, NULL, bytes_of("no colon\r\n"), arena),
                 FAULT_UPSTREAM_PROTOCOL);
}

static void grpc_web_may_also_end_in_its_head(void **state)
{
    assert_ok(arena,
              answered(DIALECT_GRPC_WEB, CODEC_PROTO, 200,
                       FIELDS("content-type", "application/grpc-web+proto", "grpc-status", "16")));
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_UNAUTHENTICATED);
    assert_ok(arena, answered(DIALECT_GRPC_WEB, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc-web+proto")));
    answer.had_body = true;
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
}

/* ---- Connect --------------------------------------------------------------------------------- */

static void a_connect_answer_has_its_trailers_in_the_head(void **state)
{
    assert_ok(arena,
              answered(DIALECT_CONNECT, CODEC_JSON, 200,
                       FIELDS("content-type", "application/json; charset=utf-8", "content-encoding",
                              "gzip", "x-m", "1", "trailer-x-t", "9", "trailer-y-bin", "Zg==")));
    assert_false(answer.is_error);
    assert_int_equal(answer.compression, COMPRESSION_GZIP);
    assert_int_equal(answer.metadata.n, 1);
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
    assert_bytes(fields_get(&answer.trailers, "y-bin"), "Zg");
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_OK);
}

static void what_stood_behind_trailer_is_no_status_and_frames_nothing(void **state)
{
    assert_ok(arena,
              answered(DIALECT_CONNECT, CODEC_JSON, 200,
                       FIELDS("content-type", "application/json", "trailer-grpc-status", "7",
                              "trailer-content-type", "a/b", "trailer-connection", "close",
                              "trailer-access-control-allow-origin", "*", "trailer-x-t", "9")));
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_OK);
    assert_int_equal(answer.trailers.n, 1);
    assert_bytes(fields_get(&answer.trailers, "x-t"), "9");
}

static void a_connect_error_says_its_code_whatever_the_http_status(void **state)
{
    assert_ok(arena, answered(DIALECT_CONNECT, CODEC_PROTO, 400,
                              FIELDS("content-type", "application/json", "trailer-x-t", "9")));
    assert_true(answer.is_error);
    ended(none, "{\"code\":\"failed_precondition\",\"message\":\"not "
                "\\u00fc\",\"other\":[1,{}],\"details\":[{\"type\":"
                "\"shop.Unknown\",\"value\":\"+/"
                "8\",\"debug\":{\"a\":1}},{\"type\":7},{\"type\":\"b.C\",\"value\":\"-_8=\"}]}");
    assert_int_equal(answer.status.code, CODE_FAILED_PRECONDITION);
    assert_int_equal(answer.status.http_status, 0);
    assert_bytes(answer.status.message, "not \xc3\xbc");
    ErrorDetails details = error_details_read(answer.status.details, arena);
    assert_int_equal(details.n, 2);
    assert_bytes(details.items[0].type_url, "type.googleapis.com/shop.Unknown");
    assert_bytes(details.items[0].value, "\xfb\xff");
    assert_bytes(details.items[1].value, "\xfb\xff");
}

static void details_of_a_connect_error_above_the_limit_are_left_out(void **state)
{
    for (size_t n = ERROR_DETAILS_MOST - 1; n <= ERROR_DETAILS_MOST + 1; n++) {
        Buffer body = buffer_in(arena);
        buffer_add_text(&body, "{\"code\":\"aborted\",\"details\":[7,\"text\"");
        for (size_t i = 0; i < n; i++)
            buffer_add_text(&body, ",{\"type\":\"a.B\",\"value\":\"\"}");
        buffer_add_text(&body, "]}");
        buffer_add_byte(&body, '\0');
        assert_ok(arena, answered(DIALECT_CONNECT, CODEC_PROTO, 409,
                                  FIELDS("content-type", "application/json")));
        ended(none, (const char *)body.data);
        assert_int_equal(answer.status.code, CODE_ABORTED);
        assert_int_equal(error_details_read(answer.status.details, arena).n,
                         n < ERROR_DETAILS_MOST ? n : ERROR_DETAILS_MOST);
    }
}

static void an_error_body_without_a_known_code_falls_back_on_the_http_status(void **state)
{
    static const char *const bodies[] = {"",
                                         "<html>",
                                         "null",
                                         "{}",
                                         "{\"code\":\"nonsense\"}",
                                         "{\"code\":5}",
                                         "{\"code\":\"aborted\"",
                                         "[]",
                                         "{\"code\":\"ok\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_ok(arena, answered(DIALECT_CONNECT, CODEC_PROTO, 503,
                                  FIELDS("content-type", "application/json")));
        ended(none, bodies[i]);
        assert_int_equal(answer.status.code, CODE_UNAVAILABLE);
    }
    assert_ok(arena,
              answered(DIALECT_CONNECT, CODEC_PROTO, 404, FIELDS("content-type", "text/html")));
    ended(none, "not found");
    assert_int_equal(answer.status.code, CODE_UNIMPLEMENTED);
    assert_bytes(answer.status.message, "the service returned HTTP status 404 Not Found");
}

static void a_connect_answer_of_another_kind_or_codec_is_told(void **state)
{
    assert_ok(arena,
              answered(DIALECT_CONNECT, CODEC_PROTO, 200, FIELDS("content-type", "text/html")));
    assert_true(answer.is_error);
    ended(none, "<html>");
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
    assert_fault(
        answered(DIALECT_CONNECT, CODEC_PROTO, 200, FIELDS("content-type", "application/json")),
        FAULT_UPSTREAM_PROTOCOL);
    assert_fault(answered(DIALECT_CONNECT_STREAM, CODEC_PROTO, 200,
                          FIELDS("content-type", "application/connect+json")),
                 FAULT_UPSTREAM_PROTOCOL);
    assert_fault(answered(DIALECT_CONNECT_STREAM, CODEC_PROTO, 200,
                          FIELDS("content-type", "application/connect+proto",
                                 "connect-content-encoding", "lz4")),
                 FAULT_UPSTREAM_PROTOCOL);
}

static void begin_stream(void)
{
    assert_ok(arena, answered(DIALECT_CONNECT_STREAM, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/connect+proto",
                                     "connect-content-encoding", "br", "x-m", "1")));
    assert_int_equal(answer.compression, COMPRESSION_BR);
}

static void a_connect_stream_ends_as_its_end_frame_says(void **state)
{
    begin_stream();
    ended(none, "{}");
    assert_int_equal(answer.status.code, CODE_OK);
    begin_stream();
    ended(none, "{\"metadata\":{\"X-T\":[\"9\",\"10\"],\"y-bin\":[\"Zg==\"],\"odd\":5},\"error\":{"
                "\"code\":\"canceled\",\"message\":\"gone\"}}");
    assert_int_equal(answer.status.code, CODE_CANCELLED);
    assert_bytes(answer.status.message, "gone");
    assert_bytes(fields_joined(&answer.trailers, "x-t"), "9, 10");
    assert_bytes(fields_get(&answer.trailers, "y-bin"), "Zg");
    begin_stream();
    ended(none, "{\"error\":null}");
    assert_int_equal(answer.status.code, CODE_OK);
    begin_stream();
    ended(none, "{\"error\":{}}");
    assert_int_equal(answer.status.code, CODE_UNKNOWN);
}

/* A client that gets them as lines of text would read one more line. */
static void metadata_of_an_end_that_could_be_no_field_is_passed_over(void **state)
{
    begin_stream();
    ended(none, "{\"metadata\":{\"a b\":[\"1\"],\"\":[\"2\"],\"x\\r\\ny\":[\"3\"],\"x-t\":[\" "
                "4\\t\",\"5\\r\\ngrpc-status: 0\"]}}");
    assert_int_equal(answer.trailers.n, 1);
    assert_bytes(fields_get(&answer.trailers, "x-t"), "4");
    assert_ok(arena, answered(DIALECT_GRPC_WEB, CODEC_PROTO, 200,
                              FIELDS("content-type", "application/grpc-web+proto")));
    ended(none, "grpc-status: 0\r\nx-t : 1\r\nx\ry: 2\r\nx-u: 3\r4\r\nX-V:  5 \r\n");
    assert_int_equal(answer.trailers.n, 1);
    assert_bytes(fields_get(&answer.trailers, "x-v"), "5");
}

static void a_connect_stream_without_a_good_end_is_broken(void **state)
{
    static const char *const bad[] = {NULL, "", "null", "{", "{\"error\":\"x\"}", "{} {}", "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin_stream();
        assert_fault(answer_end(&answer, NULL, bytes_of(bad[i]), arena), FAULT_UPSTREAM_PROTOCOL);
    }
}

static void a_refused_connect_stream_is_judged_by_its_http_status(void **state)
{
    assert_ok(arena, answered(DIALECT_CONNECT_STREAM, CODEC_PROTO, 429,
                              FIELDS("content-type", "text/plain")));
    assert_true(answer.is_error);
    ended(none, NULL);
    assert_int_equal(answer.status.code, CODE_UNAVAILABLE);
}

static void a_rest_instance_says_its_status_by_http_and_in_the_body(void **state)
{
    RequestTarget target = target_in(DIALECT_REST, CODEC_JSON);
    target.accepts = COMPRESSION_GZIP;
    HttpHead head = asked(target);
    assert_null(fields_get(&head.fields, "content-type").data);
    assert_bytes(fields_get(&head.fields, "accept"), "application/json");
    assert_bytes(fields_get(&head.fields, "accept-encoding"), "gzip");
    target.content_type = bytes_of("image/png");
    head = asked(target);
    assert_bytes(fields_get(&head.fields, "content-type"), "image/png");
    assert_ok(arena,
              answered(DIALECT_REST, CODEC_JSON, 201,
                       FIELDS("content-type", "application/json", "content-encoding", "br")));
    assert_false(answer.is_error);
    assert_int_equal(answer.compression, COMPRESSION_BR);
    ended(none, "{}");
    assert_int_equal(answer.status.code, CODE_OK);
    assert_ok(arena, answered(DIALECT_REST, CODEC_JSON, 404, FIELDS("content-type", "text/html")));
    assert_true(answer.is_error);
    ended(none, "<html>");
    assert_int_equal(answer.status.code, CODE_NOT_FOUND);
    assert_ok(arena,
              answered(DIALECT_REST, CODEC_JSON, 400, FIELDS("content-type", "application/json")));
    ended(none, "{\"error\":{\"status\":\"FAILED_PRECONDITION\",\"message\":\"not paid\"}}");
    assert_int_equal(answer.status.code, CODE_FAILED_PRECONDITION);
    assert_bytes(answer.status.message, "not paid");
    assert_fault(answered(DIALECT_REST, CODEC_JSON, 200, FIELDS("content-encoding", "lz4")),
                 FAULT_UPSTREAM_PROTOCOL);
}

/* An answer of this kind with a body. */
static Result rest_answer(RequestTarget target, uint16_t status, const char *content_type)
{
    HttpHead head = {.status = status, .content_length = -1, .fields = fields_in(arena)};
    fields_add_text(&head.fields, "content-type", content_type);
    return answer_read(&head, &target, arena, &answer);
}

static void a_rest_answer_is_json_unless_any_bytes_will_do(void **state)
{
    RequestTarget target = target_in(DIALECT_REST, CODEC_JSON);
    assert_ok(arena, rest_answer(target, 200, "application/vnd.shop+json; charset=utf-8"));
    assert_fault(rest_answer(target, 200, "text/html"), FAULT_UPSTREAM_PROTOCOL);
    assert_fault(rest_answer(target, 200, "application/json; charset=latin1"),
                 FAULT_UPSTREAM_PROTOCOL);
    assert_fault(rest_answer(target, 200, "application/x-ndjson"), FAULT_UPSTREAM_PROTOCOL);
    assert_ok(arena, rest_answer(target, 502, "text/html"));
    assert_ok(arena, rest_answer(target, 204, "text/html"));
    target.takes_any_media = true;
    assert_ok(arena, rest_answer(target, 200, "text/html"));
    assert_bytes(answer.content_type, "text/html");
    HttpHead head = asked(target);
    assert_bytes(fields_get(&head.fields, "accept"), "*/*");
}

static void a_rest_stream_is_asked_for_and_read_as_lines(void **state)
{
    RequestTarget target = target_in(DIALECT_REST, CODEC_JSON);
    target.accepts = COMPRESSION_GZIP;
    target.answer_is_stream = true;
    HttpHead head = asked(target);
    assert_bytes(fields_get(&head.fields, "accept"),
                 "application/x-ndjson, application/json;q=0.9");
    assert_null(fields_get(&head.fields, "accept-encoding").data);
    assert_ok(arena, rest_answer(target, 200, "application/x-ndjson"));
    assert_ok(arena, rest_answer(target, 200, "Application/JSONL; charset=utf-8"));
    assert_ok(arena, rest_answer(target, 200, "application/json"));
    assert_fault(rest_answer(target, 200, "text/event-stream"), FAULT_UPSTREAM_PROTOCOL);
}

/* Of the 16 codes 12 change when they go through HTTP's; here the code itself goes along. */
static void every_code_survives_every_dialect(void **state)
{
    static const Dialect dialects[] = {DIALECT_GRPC, DIALECT_GRPC_WEB, DIALECT_CONNECT,
                                       DIALECT_CONNECT_STREAM};
    static const Fields no_fields;
    for (size_t i = 0; i < 4; i++) {
        for (int code = 1; code < CODE_COUNT; code++) {
            Call call = {.dialect = dialects[i], .verb = bytes_of("POST"), .head = &no_fields};
            Status status = {.code = (Code)code, .message = bytes_of("100% \xc3\xbc")};
            ReplyEnd end;
            assert_ok(arena, reply_write_end(&call, &status, NULL, NULL, false, NULL, arena, &end));
            assert_ok(arena, answered(dialects[i], CODEC_PROTO, end.head.status, end.head.fields));
            Bytes frame = end.body;
            if (dialects[i] != DIALECT_CONNECT && frame.size)
                frame = bytes_slice(frame, 5, SIZE_MAX);
            assert_ok(arena, answer_end(&answer, &end.trailers, frame, arena));
            assert_int_equal(answer.status.code, code);
            assert_bytes(answer.status.message, "100% \xc3\xbc");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grpc_request_has_te_timeout_and_encodings),
        cmocka_unit_test(a_malformed_grpc_status_is_unknown_and_says_what_it_was),
        cmocka_unit_test(what_is_not_wanted_is_not_said),
        cmocka_unit_test(a_grpc_web_request_says_so),
        cmocka_unit_test(connect_requests_say_version_timeout_and_their_kind_of_encoding),
        cmocka_unit_test(a_connect_get_carries_the_message_in_its_url_and_is_read_back),
        cmocka_unit_test(instances_are_not_asked_in_dialects_that_are_for_clients_only),
        cmocka_unit_test(a_good_grpc_answer_ends_with_its_trailers),
        cmocka_unit_test(a_grpc_error_in_trailers_is_decoded),
        cmocka_unit_test(trailers_only_is_found_in_the_head),
        cmocka_unit_test(a_status_in_the_trailers_overrules_one_in_the_head),
        cmocka_unit_test(a_status_in_the_head_does_not_count_when_a_body_came),
        cmocka_unit_test(no_status_at_all_is_unknown),
        cmocka_unit_test(http_says_the_code_only_where_grpc_status_is_absent),
        cmocka_unit_test(an_answer_of_another_kind_is_unknown_and_one_of_another_codec_a_breach),
        cmocka_unit_test(odd_trailers_do_not_hide_the_status),
        cmocka_unit_test(grpc_web_reads_its_end_frame_in_any_case_and_spacing),
        cmocka_unit_test(grpc_web_may_also_end_in_its_head),
        cmocka_unit_test(a_connect_answer_has_its_trailers_in_the_head),
        cmocka_unit_test(what_stood_behind_trailer_is_no_status_and_frames_nothing),
        cmocka_unit_test(a_connect_error_says_its_code_whatever_the_http_status),
        cmocka_unit_test(details_of_a_connect_error_above_the_limit_are_left_out),
        cmocka_unit_test(an_error_body_without_a_known_code_falls_back_on_the_http_status),
        cmocka_unit_test(a_connect_answer_of_another_kind_or_codec_is_told),
        cmocka_unit_test(a_connect_stream_ends_as_its_end_frame_says),
        cmocka_unit_test(metadata_of_an_end_that_could_be_no_field_is_passed_over),
        cmocka_unit_test(a_connect_stream_without_a_good_end_is_broken),
        cmocka_unit_test(a_refused_connect_stream_is_judged_by_its_http_status),
        cmocka_unit_test(a_rest_instance_says_its_status_by_http_and_in_the_body),
        cmocka_unit_test(a_rest_answer_is_json_unless_any_bytes_will_do),
        cmocka_unit_test(a_rest_stream_is_asked_for_and_read_as_lines),
        cmocka_unit_test(every_code_survives_every_dialect),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
