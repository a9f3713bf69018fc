#include "base/random.h"
#include "gateway/rest/framing.h"
#include "tests/unit/check.h"

static Message of(size_t size, bool compressed)
{
    static const uint8_t zeros[1000];
    return (Message){.bytes = bytes(zeros, size), .compressed = compressed};
}

static void who_only_passes_bytes_on_does_not_read_them(void **state)
{
    const Framing plain = {.dialect = DIALECT_GRPC};
    const Framing gzip = {.dialect = DIALECT_GRPC, .compression = COMPRESSION_GZIP, .least = 100};
    const Framing text = {.dialect = DIALECT_GRPC_WEB_TEXT};
    Framing must = gzip, bare = gzip;
    must.always = bare.bare = true;
    assert_true(framing_is_light(&plain, of(1000, false)));
    assert_true(framing_is_light(&gzip, of(99, false)));
    assert_false(framing_is_light(&gzip, of(100, false)));
    assert_true(framing_is_light(&gzip, of(100, true)));
    assert_false(framing_is_light(&must, of(1, false)));
    assert_true(framing_is_light(&must, of(0, false)));
    assert_true(framing_is_light(&bare, of(100, false)));
    assert_false(framing_is_light(&text, of(1, false)));
    assert_false(framing_is_light(&text, of(1, true)));
}

/* Of a body that is compressed as a whole. Half of it is left when it is compressed. */
static void what_finds_no_memory_to_be_compressed_goes_on_as_it_is_unless_it_must_be(void **state)
{
    static uint8_t noise[100000];
    Random random;
    random_seed_fixed(&random, 1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(random_next(&random) & 15);
    Message message = {.bytes = bytes(noise, sizeof noise)};
    for (int must = 0; must < 2; must++) {
        Framing framing = {
            .dialect = DIALECT_CONNECT, .compression = COMPRESSION_GZIP, .always = must != 0};
        Framed framed;
        Arena *large = arena_new(1 << 20), *small = arena_new(4096);
        assert_ok(large, framing_apply(&framing, message, large, &framed));
        assert_int_equal(framed.compression, COMPRESSION_GZIP);
        Result r = framing_apply(&framing, message, small, &framed);
        if (must) {
            assert_string_equal(r.error->fault->name, "OUT_OF_MEMORY");
        } else {
            assert_ok(small, r);
            assert_int_equal(framed.compression, COMPRESSION_IDENTITY);
            assert_ptr_equal(framed.frame.rest.data, noise);
        }
        arena_free(large);
        arena_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_only_passes_bytes_on_does_not_read_them),
        cmocka_unit_test(what_finds_no_memory_to_be_compressed_goes_on_as_it_is_unless_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
