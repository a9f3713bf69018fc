#include "protocols/http/compression.h"

#include "tests/unit/check.h"

static const Compression all[] = {COMPRESSION_GZIP, COMPRESSION_DEFLATE, COMPRESSION_BR,
                                  COMPRESSION_ZSTD};

static Arena *arena;

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

static Bytes compressed(Compression compression, Bytes message)
{
    Buffer out = buffer_in(arena);
    assert_ok(arena, compress_message(arena, compression, message, &out));
    return buffer_bytes(&out);
}

/* `size` bytes that neither repeat nor resist. */
static Bytes some_text(size_t size)
{
    uint8_t *text = arena_alloc(arena, size);
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = (uint8_t)("abcdefgh"[seed >> 29] + (seed >> 20 & 1));
    }
    return bytes(text, size);
}

static void every_compression_gives_back_what_it_took(void **state)
{
    static const size_t sizes[] = {1, 5, 100, 4096, 300 * 1000, 3 << 20};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 6; j++) {
            Bytes text = some_text(sizes[j]);
            Bytes small = compressed(all[i], text);
            Buffer out = buffer_in(arena);
            assert_int_equal(decompress_message(all[i], small, sizes[j], &out), DECOMPRESSED);
            assert_true(bytes_equal(buffer_bytes(&out), text));
        }
    }
}

static void a_bomb_is_stopped_at_the_limit(void **state)
{
    Bytes zeros = bytes(arena_calloc(arena, 1, 64 << 20), 64 << 20);
    for (size_t i = 0; i < 4; i++) {
        Bytes bomb = compressed(all[i], zeros);
        Arena *small = arena_new(1 << 20);
        Buffer out = buffer_in(small);
        assert_int_equal(decompress_message(all[i], bomb, 100 * 1000, &out), DECOMPRESS_TOO_LARGE);
        assert_in_range(out.capacity, 1, 300 * 1000);
        arena_free(small);
    }
}

/* Whose decoder would fill its whole window first. */
static void a_bomb_of_brotli_is_refused_by_what_it_says_of_itself(void **state)
{
    static const uint8_t spaces[] = {0x9f, 0xff, 0xff, 0xef, 0x00, 0x24, 0x40,
                                     0xe2, 0xb1, 0x40, 0x72, 0xef, 0xdf, 0x01};
    Bytes bomb = bytes(spaces, sizeof spaces);
    Buffer out = buffer_in(arena);
    assert_int_equal(decompress_message(COMPRESSION_BR, bomb, 1 << 20, &out), DECOMPRESS_TOO_LARGE);
    assert_int_equal(out.size, 0);
    assert_int_equal(decompress_message(COMPRESSION_BR, bomb, 15 << 20, &out), DECOMPRESSED);
    assert_int_equal(out.size, 15 << 20);
}

static void what_is_small_before_and_after_is_decompressed_as_such(void **state)
{
    for (size_t i = 0; i < 4; i++) {
        for (size_t size = 1; size <= 256 * 1024; size = size * 3 + 1) {
            Bytes text = some_text(size), small = compressed(all[i], text);
            size_t larger = small.size > size ? small.size : size;
            Buffer out = buffer_in(arena);
            assert_true(decompress_small(all[i], small, larger, &out));
            assert_true(bytes_equal(buffer_bytes(&out), text));
            assert_false(decompress_small(all[i], small, larger - 1, &out));
        }
        Buffer out = buffer_in(arena);
        assert_false(decompress_small(all[i], bytes_of("not compressed"), 1000, &out));
    }
}

static void the_limit_itself_is_allowed(void **state)
{
    Bytes text = some_text(5000);
    for (size_t i = 0; i < 4; i++) {
        Bytes small = compressed(all[i], text);
        Buffer out = buffer_in(arena);
        assert_int_equal(decompress_message(all[i], small, 5000, &out), DECOMPRESSED);
        assert_int_equal(decompress_message(all[i], small, 4999, &out), DECOMPRESS_TOO_LARGE);
    }
}

static void what_is_cut_short_or_goes_on_is_bad(void **state)
{
    Bytes text = some_text(500);
    for (size_t i = 0; i < 4; i++) {
        Bytes small = compressed(all[i], text);
        Buffer out = buffer_in(arena), longer = buffer_in(arena);
        for (size_t size = 1; size < small.size; size++)
            assert_int_equal(decompress_message(all[i], bytes_slice(small, 0, size), 1 << 20, &out),
                             DECOMPRESS_BAD);
        buffer_add_bytes(&longer, small);
        buffer_add_text(&longer, "!");
        assert_int_equal(decompress_message(all[i], buffer_bytes(&longer), 1 << 20, &out),
                         DECOMPRESS_BAD);
        assert_int_equal(
            decompress_message(all[i], bytes_of("not compressed at all"), 1 << 20, &out),
            DECOMPRESS_BAD);
    }
}

static void a_failure_leaves_no_trace_in_the_next_message(void **state)
{
    Bytes text = some_text(3000);
    for (size_t i = 0; i < 4; i++) {
        Bytes small = compressed(all[i], text);
        Buffer out = buffer_in(arena);
        assert_int_equal(
            decompress_message(all[i], bytes_slice(small, 0, small.size / 2), 1 << 20, &out),
            DECOMPRESS_BAD);
        assert_int_equal(decompress_message(all[i], small, 1 << 20, &out), DECOMPRESSED);
        assert_true(bytes_equal(buffer_bytes(&out), text));
        assert_true(bytes_equal(compressed(all[i], text), small));
    }
}

static void an_empty_message_is_never_decompressed(void **state)
{
    for (size_t i = 0; i < 4; i++) {
        Buffer out = buffer_in(arena);
        assert_int_equal(decompress_message(all[i], BYTES_NONE, 10, &out), DECOMPRESSED);
        assert_int_equal(out.size, 0);
    }
}

static void gzip_may_have_several_members(void **state)
{
    Buffer two = buffer_in(arena), out = buffer_in(arena);
    buffer_add_bytes(&two, compressed(COMPRESSION_GZIP, bytes_of("hello, ")));
    buffer_add_bytes(&two, compressed(COMPRESSION_GZIP, bytes_of("world")));
    assert_int_equal(decompress_message(COMPRESSION_GZIP, buffer_bytes(&two), 100, &out),
                     DECOMPRESSED);
    assert_bytes(buffer_bytes(&out), "hello, world");
}

static void names_are_known_in_any_case(void **state)
{
    Compression compression;
    assert_true(compression_by_name(bytes_of("GZip"), &compression));
    assert_int_equal(compression, COMPRESSION_GZIP);
    assert_true(compression_by_name(bytes_of("x-gzip"), &compression));
    assert_int_equal(compression, COMPRESSION_GZIP);
    assert_true(compression_by_name(BYTES_NONE, &compression));
    assert_int_equal(compression, COMPRESSION_IDENTITY);
    assert_true(compression_by_name(bytes_of("identity"), &compression));
    assert_false(compression_by_name(bytes_of("lz4"), &compression));
    assert_false(compression_by_name(bytes_of("gzip, br"), &compression));
    assert_string_equal(compression_name(COMPRESSION_ZSTD), "zstd");
}

static void weights_of_zero_refuse(void **state)
{
    assert_int_equal(compressions_read(bytes_of("gzip, br;q=0, zstd; q=0.001, lz4")).set,
                     COMPRESSION_GZIP | COMPRESSION_ZSTD);
    assert_int_equal(compressions_read(bytes_of("*")).set, COMPRESSION_ALL);
    assert_int_equal(compressions_read(bytes_of("*;q=0, gzip")).set, COMPRESSION_GZIP);
    assert_int_equal(compressions_read(bytes_of("gzip;q=0.000, *;q=0.1")).set,
                     COMPRESSION_ALL & ~COMPRESSION_GZIP);
    assert_int_equal(compressions_read(bytes_of("identity")).set, 0);
    assert_int_equal(compressions_read(BYTES_NONE).set, 0);
    assert_int_equal(compressions_read(bytes_of(",;,gzip,;q=1")).set, COMPRESSION_GZIP);
}

static void the_greatest_weight_is_the_favourite_and_ours_of_equal_ones(void **state)
{
    static const struct {
        const char *list;
        Compression favourite;
    } lists[] = {
        {"", COMPRESSION_IDENTITY},
        {"gzip, deflate, br, zstd", COMPRESSION_GZIP},
        {"zstd, br", COMPRESSION_BR},
        {"gzip;q=0.8, br;q=0.9", COMPRESSION_BR},
        {"gzip;q=0.8,br;q=0.81 , zstd;q=0.805", COMPRESSION_BR},
        {"gzip;q=0.1, zstd", COMPRESSION_ZSTD},
        {"gzip;q=0.5, *", COMPRESSION_BR},
        {"gzip;q=0.5, identity", COMPRESSION_IDENTITY},
        {"gzip, identity;q=0.5", COMPRESSION_GZIP},
        {"gzip;q=0.5, identity;q=0.5", COMPRESSION_GZIP},
        {"gzip;q=, br;Q=1", COMPRESSION_GZIP},
        {"*", COMPRESSION_GZIP},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        assert_int_equal(compressions_read(bytes_of(lists[i].list)).favourite, lists[i].favourite);
}

static void identity_is_refused_by_its_name_or_by_a_star(void **state)
{
    assert_true(compressions_read(bytes_of("gzip, identity;q=0")).no_identity);
    assert_true(compressions_read(bytes_of("gzip, *;q=0")).no_identity);
    assert_false(compressions_read(bytes_of("gzip, identity;q=0.1, *;q=0")).no_identity);
    assert_false(compressions_read(bytes_of("gzip")).no_identity);
    assert_false(compressions_read(BYTES_NONE).no_identity);
}

static void a_set_is_written_by_name(void **state)
{
    assert_bytes(compressions_write(COMPRESSION_GZIP | COMPRESSION_ZSTD, arena), "gzip,zstd");
    assert_bytes(compressions_write(0, arena), "identity");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_compression_gives_back_what_it_took),
        cmocka_unit_test(a_bomb_is_stopped_at_the_limit),
        cmocka_unit_test(a_bomb_of_brotli_is_refused_by_what_it_says_of_itself),
        cmocka_unit_test(what_is_small_before_and_after_is_decompressed_as_such),
        cmocka_unit_test(the_limit_itself_is_allowed),
        cmocka_unit_test(what_is_cut_short_or_goes_on_is_bad),
        cmocka_unit_test(a_failure_leaves_no_trace_in_the_next_message),
        cmocka_unit_test(an_empty_message_is_never_decompressed),
        cmocka_unit_test(gzip_may_have_several_members),
        cmocka_unit_test(names_are_known_in_any_case),
        cmocka_unit_test(weights_of_zero_refuse),
        cmocka_unit_test(the_greatest_weight_is_the_favourite_and_ours_of_equal_ones),
        cmocka_unit_test(identity_is_refused_by_its_name_or_by_a_star),
        cmocka_unit_test(a_set_is_written_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
