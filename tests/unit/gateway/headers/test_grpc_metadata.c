#include "gateway/headers/grpc_metadata.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;
static const char *const vouched[] = {"x-client", "x-tenant", NULL};

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static Fields one(const char *name)
{
    Fields fields = fields_in(arena);
    fields_add_text(&fields, "accept", "*/*");
    fields_add(&fields, bytes_of(name), bytes_of("1"));
    return fields;
}

static void metadata_get_their_names(void **state)
{
    static const char *const names[][2] = {
        {"grpc-metadata-x-who", "x-who"},   {"grpc-metadata-authorization", "authorization"},
        {"grpc-metadata-a-bin", "a-bin"},   {"grpc-metadata-grpc-metadata-a", "grpc-metadata-a"},
        {"grpc-metadata", "grpc-metadata"}, {"grpc-metadatax-a", "grpc-metadatax-a"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Fields fields = one(names[i][0]);
        assert_int_equal(grpc_metadata_is_in(&fields), strcmp(names[i][0], names[i][1]) != 0);
        Fields read = grpc_metadata_read(&fields, vouched, arena);
        assert_int_equal(read.n, 2);
        assert_bytes(read.items[0].name, "accept");
        assert_bytes(read.items[1].name, names[i][1]);
        assert_bytes(read.items[1].value, "1");
    }
}

static void what_proxies_vouch_for_is_left_out(void **state)
{
    static const char *const names[] = {
        "x-client",         "x-tenant",          "forwarded",
        "x-forwarded-for",  "x-forwarded-proto", "x-real-ip",
        "x-forwarded-host", "x-request-id",      "x-forwarded-client-cert",
        "passerelle-hops"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Fields fields = one(arena_printf(arena, "grpc-metadata-%s", names[i]));
        assert_int_equal(grpc_metadata_read(&fields, vouched, arena).n, 1);
    }
    Fields fields = one("grpc-metadata-x-client");
    assert_int_equal(grpc_metadata_read(&fields, NULL, arena).n, 2);
}

static void what_frames_a_message_or_what_only_browsers_say_is_left_out(void **state)
{
    static const char *const names[] = {"",
                                        "content-length",
                                        "transfer-encoding",
                                        "connection",
                                        "te",
                                        "host",
                                        "content-type",
                                        "content-encoding",
                                        "accept",
                                        "grpc-timeout",
                                        "cookie",
                                        "origin",
                                        "x-http-method-override",
                                        "grpc-encoding",
                                        "sec-fetch-site",
                                        ":path",
                                        "via",
                                        "proxy-authorization",
                                        "referer",
                                        "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Fields fields = one(arena_printf(arena, "grpc-metadata-%s", names[i]));
        Fields read = grpc_metadata_read(&fields, vouched, arena);
        if (read.n != 1)
            fail_msg("%s", names[i]);
    }
}

static void metadata_of_a_response_come_under_both_names(void **state)
{
    Fields metadata = one("x-shelf"), fields = fields_in(arena);
    grpc_metadata_add(&metadata, arena, &fields);
    assert_int_equal(fields.n, 2);
    assert_bytes(fields_get(&fields, "grpc-metadata-x-shelf"), "1");
    assert_false(fields.full);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(metadata_get_their_names),
        TEST(what_proxies_vouch_for_is_left_out),
        TEST(what_frames_a_message_or_what_only_browsers_say_is_left_out),
        TEST(metadata_of_a_response_come_under_both_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
