#include "tests/unit/protocols/http_pair.h"

static void a_request_is_read_and_answered(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http1_server_new, NULL);
    assert_ok(server.arena, side_feed_text(&server, "POST /a?b=c HTTP/1.1\r\nHost: example.com\r\n"
                                                    "Content-Length: 5\r\nX-One:  1 \r\n\r\nhello"));
    assert_string_equal(side_log(&server), "request POST http://example.com /a?b=c length 5\n"
                                           "  x-one: 1\n"
                                           "body hello\n"
                                           "end\n");
    assert_string_equal(side_wire(&server), "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
                                            "content-length: 2\r\n\r\nok");
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    side_end(&server);
}

static void a_client_and_a_server_understand_each_other(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true}, client = {.releases = true};
    side_begin(&server, http1_server_new, NULL);
    side_begin(&client, http1_client_new, NULL);
    for (int i = 0; i < 3; i++) {
        HttpStream *stream = side_open(&client, "POST", "/x", "a: b", -1, false);
        http_stream_send_body(stream, bytes_of("hello, "));
        http_stream_send_body(stream, bytes_of("world"));
        http_stream_send_end(stream, NULL);
        assert_int_equal(http_connection_capacity(client.connection), 0);
        sides_pump(&client, &server);
                assert_int_equal(http_connection_capacity(client.connection), 1);
        assert_string_equal(side_log(&server), "request POST http://example.com /x\n"
                                               "  a: b\n"
                                               "body hello, world\n"
                                               "end\n");
        assert_string_equal(side_log(&client), "answer 200 length 2\n"
                                               "  content-type: text/plain\n"
                                               "body ok\n"
                                               "end\n");
        side_forget(&server);
        side_forget(&client);
    }
    side_end(&client);
    side_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_and_answered),
        cmocka_unit_test(a_client_and_a_server_understand_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
