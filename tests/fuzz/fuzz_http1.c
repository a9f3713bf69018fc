/*
 * An HTTP/1.1 connection reads anything. The first byte chooses the side, the second seeds the
 * owner. However the input is split, the same is heard; owners that do anything find the contract
 * kept.
 */
#include "tests/unit/protocols/http/http_chaos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Heard {
    uint64_t heads, ends, resets, body;
    HttpPhase phase;
} Heard;

static Heard feed_in_steps(bool client, Bytes input, size_t step)
{
    HttpChaos chaos;
    http_chaos_begin(&chaos, client ? http1_client_new : http1_server_new, client,
                     &http_limits_default, 1);
    chaos.calm = true;
    for (int i = 0; client && i < 100 && http_connection_streams(chaos.connection) == 0; i++)
        http_chaos_act(&chaos);
    http_chaos_move(&chaos, NULL);
    Heard heard = {.body = http_connection_progress(chaos.connection)};
    for (size_t at = 0; at < input.size; at += step) {
        error_ignore(http_connection_feed(chaos.connection, bytes_slice(input, at, step), 1),
                     "the phase tells");
        http_chaos_move(&chaos, NULL);
    }
    /* A bad head that is not complete is refused at once or at its end, whichever is seen first. */
    http_connection_eof(chaos.connection);
    http_chaos_move(&chaos, NULL);
    heard.heads = chaos.heads;
    heard.ends = chaos.ends;
    heard.resets = chaos.resets;
    heard.body = http_connection_progress(chaos.connection) - heard.body;
    heard.phase = http_connection_phase(chaos.connection);
    http_chaos_end(&chaos);
    return heard;
}

static void check_split(bool client, Bytes input)
{
    Heard whole = feed_in_steps(client, input, input.size);
    for (size_t step = 1; step < 8; step += 3) {
        Heard parts = feed_in_steps(client, input, step);
        CHECK(parts.heads == whole.heads && parts.ends == whole.ends &&
              parts.resets == whole.resets && parts.body == whole.body &&
              parts.phase == whole.phase);
    }
}

static void feed_chaos(bool client, uint8_t seed, Bytes input)
{
    HttpChaos chaos;
    HttpLimits limits = http_limits_default;
    limits.stream_window = 100;
    limits.queue_high = 200;
    limits.queue_low = 50;
    http_chaos_begin(&chaos, client ? http1_client_new : http1_server_new, client, &limits, seed);
    while (input.size) {
        size_t step = 1 + http_chaos_dice(&chaos, 64);
        for (int i = 0; i < 40; i++)
            http_chaos_act(&chaos);
        error_ignore(http_connection_feed(chaos.connection, bytes_slice(input, 0, step), 1),
                     "its streams were told");
        input = bytes_slice(input, step, SIZE_MAX);
        http_chaos_move(&chaos, NULL);
        if (http_chaos_dice(&chaos, 100) == 0)
            http_connection_drain(chaos.connection);
    }
    if (http_chaos_dice(&chaos, 2))
        http_connection_eof(chaos.connection);
    http_chaos_move(&chaos, NULL);
    http_chaos_end(&chaos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    Bytes input = bytes(data + 2, size - 2);
    check_split(data[0] & 1, input);
    feed_chaos(data[0] & 1, data[1], input);
    return 0;
}
