#include "tests/unit/protocols/http_pair.h"

static void answer_with_trailers(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "content-type: application/grpc", -1, false);
    http_stream_send_body(stream, bytes_of("ok"));
    side_send_trailers(side, stream, "grpc-status: 0\ngrpc-message: fine");
}

static void a_client_and_a_server_understand_each_other(void **state)
{
    Side server = {.on_end = answer_with_trailers, .releases = true}, client = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    side_begin(&client, http2_client_new, NULL);
    for (int i = 0; i < 3; i++) {
        HttpStream *stream = side_open(&client, "POST", "/x", "te: trailers\na: b", -1, false);
        http_stream_send_body(stream, bytes_of("hello, "));
        http_stream_send_body(stream, bytes_of("world"));
        http_stream_send_end(stream, NULL);
        sides_pump(&client, &server);
        assert_string_equal(side_log(&server), "request POST http://example.com /x\n"
                                               "  te: trailers\n"
                                               "  a: b\n"
                                               "body hello, world\n"
                                               "end\n");
        assert_string_equal(side_log(&client), "answer 200\n"
                                               "  content-type: application/grpc\n"
                                               "body ok\n"
                                               "end\n"
                                               "  grpc-status: 0\n"
                                               "  grpc-message: fine\n");
        assert_int_equal(http_connection_streams(client.connection), 0);
        assert_int_equal(http_connection_streams(server.connection), 0);
        side_forget(&server);
        side_forget(&client);
    }
    side_end(&client);
    side_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_and_a_server_understand_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
