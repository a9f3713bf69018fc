#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/base64.h"
#include "gateway/webhook/webhook_post.h"
#include "gateway/webhook/webhook_sender.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A port where connections are accepted by the kernel, and nobody ever answers; or, closed, one
   where none are. */
typedef struct Bench {
    int listener;
    char url[64];
    WebhookConfig to;
    WebhookSender *sender;
    Arena *arena;
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    b->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(b->listener, (struct sockaddr *)&name, size) != 0 || listen(b->listener, 16) != 0 ||
        getsockname(b->listener, (struct sockaddr *)&name, &size) != 0)
        return -1;
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/", ntohs(name.sin_port));
    b->to = (WebhookConfig){.name = "pager",
                            .url = b->url,
                            .timeout = 60 * SECOND,
                            .backoff = MILLISECOND,
                            .attempts = 3,
                            .queue = 2};
    b->sender = webhook_sender_start();
    webhook_sender_use(b->sender, &b->to, 1);
    b->arena = arena_new(ARENA_UNLIMITED);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    webhook_sender_stop(b->sender);
    webhook_sender_free(b->sender);
    arena_free(b->arena);
    close(b->listener);
    free(b);
    return 0;
}

static bool shows(const Bench *b, const char *sample)
{
    Buffer out = buffer_in(b->arena);
    Exposition e = {.out = &out};
    webhook_sender_metrics_write(&e, b->sender);
    return strstr(arena_text(b->arena, buffer_bytes(&out)), sample);
}

static void wait_until_shown(const Bench *b, const char *sample)
{
    while (!shows(b, sample)) /* a failure never ends, which meson's timeout ends */
        usleep(1000);
}

static void send_one(const Bench *b)
{
    webhook_sender_send(b->sender, "pager", "id-1", bytes_of("{}"));
}

static void a_post_that_nobody_takes_fails_after_its_attempts(void **state)
{
    Bench *b = *state;
    close(b->listener);
    send_one(b);
    wait_until_shown(b, "{webhook=\"pager\",result=\"failed\"} 1\n");
    assert_true(shows(b, "passerelle_webhook_retries_total{webhook=\"pager\"} 2\n"));
    assert_true(shows(b, "{webhook=\"pager\",result=\"sent\"} 0\n"));
    send_one(b); /* the next one is sent all the same */
    wait_until_shown(b, "{webhook=\"pager\",result=\"failed\"} 2\n");
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_null(webhook_sender_lost(b->sender, "nobody", arena));
    for (int i = 0; i < 2; i++)
        assert_string_equal(webhook_sender_lost(b->sender, "pager", arena), "id-1");
    assert_null(webhook_sender_lost(b->sender, "pager", arena));
    arena_free(arena);
}

static void the_queue_is_bounded(void **state)
{
    Bench *b = *state;
    send_one(b);
    send_one(b);
    assert_true(shows(b, "{webhook=\"pager\",result=\"dropped\"} 0\n"));
    send_one(b);
    assert_true(shows(b, "{webhook=\"pager\",result=\"dropped\"} 1\n"));
}

static void what_waits_for_a_webhook_that_is_removed_is_dropped(void **state)
{
    Bench *b = *state;
    send_one(b);
    webhook_sender_use(b->sender, &b->to, 1);
    assert_true(shows(b, "{webhook=\"pager\",result=\"dropped\"} 0\n"));
    webhook_sender_use(b->sender, NULL, 0);
    assert_false(shows(b, "pager"));
    send_one(b); /* for nobody */
    webhook_sender_use(b->sender, &b->to, 1);
    assert_true(shows(b, "{webhook=\"pager\",result=\"dropped\"} 0\n"));
}

static void a_receiver_that_hangs_does_not_hold_up_the_end(void **state)
{
    Bench *b = *state;
    send_one(b);
    send_one(b);
    webhook_sender_stop(b->sender);
    assert_true(shows(b, "{webhook=\"pager\",result=\"dropped\"} 2\n"));
    webhook_sender_free(b->sender);
    b->sender = webhook_sender_start(); /* for the teardown */
}

static void what_was_held_back_is_counted(void **state)
{
    Bench *b = *state;
    webhook_sender_count_limited(b->sender, "pager");
    webhook_sender_count_limited(b->sender, "nobody");
    assert_true(shows(b, "passerelle_webhook_limited_total{webhook=\"pager\"} 1\n"));
}

/* The example of Standard Webhooks 1.0. */
static void a_signature_is_that_of_the_standard(void **state)
{
    Bench *b = *state;
    Buffer key = buffer_in(b->arena);
    assert_true(base64_decode(&key, bytes_of("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")));
    assert_bytes(webhook_signature(buffer_bytes(&key), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                                   bytes_of("{\"test\": 2432232314}"), b->arena),
                 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void nothing_is_sent_inside_for_a_public_receiver(void **state)
{
    Bench *b = *state;
    b->to.is_public = true;
    webhook_sender_use(b->sender, &b->to, 1);
    send_one(b);
    wait_until_shown(b, "{webhook=\"pager\",result=\"failed\"} 1\n");
    assert_true(shows(b, "passerelle_webhook_retries_total{webhook=\"pager\"} 2\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signature_is_that_of_the_standard, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_sent_inside_for_a_public_receiver, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_post_that_nobody_takes_fails_after_its_attempts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_for_a_webhook_that_is_removed_is_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_receiver_that_hangs_does_not_hold_up_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_held_back_is_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
