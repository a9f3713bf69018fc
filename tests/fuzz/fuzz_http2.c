/*
 * HTTP/2 connections read anything. The first byte chooses: a server or a client that is fed the
 * input as it is, or the two wired together with the input as the dice of their owners. The second
 * byte seeds.
 */
#include "tests/unit/protocols/http/http_chaos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static HttpLimits small_limits(void)
{
    HttpLimits limits = http_limits_default;
    limits.streams = 10;
    limits.head_bytes = 2000;
    limits.head_fields = 20;
    limits.path_bytes = 100;
    limits.resets_per_second = 10;
    limits.control_frames = 10;
    limits.queue_high = 2000;
    limits.queue_low = 500;
    return limits;
}

static void feed_raw(bool client, uint8_t seed, Bytes input)
{
    HttpChaos chaos;
    HttpLimits limits = small_limits();
    http_chaos_begin(&chaos, client ? http2_client_new : http2_server_new, client, &limits, seed);
    if (!client)
        error_ignore(http_connection_feed(chaos.connection, bytes_of(HTTP2_PREFACE), 1),
                     "it is well-formed");
    while (input.size) {
        size_t step = 1 + http_chaos_dice(&chaos, 200);
        for (int i = 0; i < 40; i++)
            http_chaos_act(&chaos);
        error_ignore(http_connection_feed(chaos.connection, bytes_slice(input, 0, step), 1),
                     "its streams were told");
        input = bytes_slice(input, step, SIZE_MAX);
        http_chaos_move(&chaos, NULL);
    }
    if (http_chaos_dice(&chaos, 2))
        http_connection_eof(chaos.connection);
    http_chaos_move(&chaos, NULL);
    http_chaos_end(&chaos);
}

static void wire_together(uint8_t seed, Bytes input)
{
    HttpChaos client, server;
    HttpLimits limits = small_limits();
    http_chaos_begin(&client, http2_client_new, true, &limits, seed);
    http_chaos_begin(&server, http2_server_new, false, &limits, seed + 1u);
    for (size_t i = 0; i < input.size; i++) {
        client.dice ^= input.data[i];
        server.dice ^= (uint32_t)input.data[i] << 8;
        for (int n = 0; n < 10; n++) {
            http_chaos_act(&client);
            http_chaos_act(&server);
        }
        http_chaos_move(&client, &server);
        http_chaos_move(&server, &client);
        if (input.data[i] == 0xff)
            http_connection_drain(input.size & 1 ? client.connection : server.connection);
        if (input.data[i] == 0xfe)
            http_connection_drain_now(input.size & 1 ? client.connection : server.connection);
    }
    http_chaos_end(&client);
    http_chaos_end(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    Bytes input = bytes(data + 2, size - 2);
    switch (data[0] % 3) {
    case 0: feed_raw(false, data[1], input); break;
    case 1: feed_raw(true, data[1], input); break;
    case 2: wire_together(data[1], bytes_slice(input, 0, 200)); break;
    }
    return 0;
}
