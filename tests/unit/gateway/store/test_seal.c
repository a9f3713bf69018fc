#include "tests/unit/check.h"

#include "gateway/store/seal.h"

#include <string.h>

static StoreKey both_keys[] = {{"2026-11", {1, 2, 3}}, {"2026-05", {4, 5, 6}}};
static const StoreKeys none = {NULL, 0}, old_only = {both_keys + 1, 1}, both = {both_keys, 2};
static const SealPlace place = {"jobs", "payload", {(const uint8_t *)"7", 1}};

static Bytes sealed(Arena *arena, const StoreKeys *keys, const SealPlace *at, Bytes payload)
{
    Buffer out = buffer_in(arena);
    seal(keys, at, payload, &out);
    return buffer_bytes(&out);
}

static void assert_opens(Arena *arena, const StoreKeys *keys, Bytes stored, const char *payload)
{
    Bytes opened;
    assert_ok(arena, unseal(keys, &place, stored, arena, &opened));
    assert_bytes(opened, payload);
}

static void assert_shut(Arena *arena, const StoreKeys *keys, const SealPlace *at, Bytes stored,
                        const char *why)
{
    Bytes opened;
    Result r = unseal(keys, at, stored, arena, &opened);
    assert_fault(r, FAULT_STORE_SEALED);
    assert_int_equal(opened.size, 0);
    if (!strstr(error_text(arena, r), why))
        fail_msg("%s: not %s", error_text(arena, r), why);
}

static void what_is_sealed_opens_and_shows_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *texts[] = {"", "x", "the card 4242 4242 4242 4242, and \xff"};
    for (size_t i = 0; i < 3; i++) {
        Bytes stored = sealed(arena, &both, &place, bytes_of(texts[i]));
        assert_true(stored.size <= strlen(texts[i]) + SEAL_MORE);
        assert_null(memmem(stored.data, stored.size, "4242", 4));
        assert_opens(arena, &both, stored, texts[i]);
    }
    arena_free(arena);
}

static void the_same_payload_is_never_stored_alike(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes one = sealed(arena, &both, &place, bytes_of("payload"));
    Bytes two = sealed(arena, &both, &place, bytes_of("payload"));
    assert_false(bytes_equal(one, two));
    arena_free(arena);
}

static void the_first_key_seals_and_all_keys_open(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes before = sealed(arena, &old_only, &place, bytes_of("old"));
    Bytes after = sealed(arena, &both, &place, bytes_of("new"));
    assert_opens(arena, &both, before, "old");
    assert_opens(arena, &both, after, "new");
    assert_shut(arena, &old_only, &place, after, "\"2026-11\", which is not among store.keys");
    assert_shut(arena, &none, &place, before, "\"2026-05\", which is not among store.keys");
    arena_free(arena);
}

static void another_key_with_the_same_id_does_not_open(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StoreKey other = both_keys[0];
    other.key[31] ^= 1;
    Bytes stored = sealed(arena, &both, &place, bytes_of("payload"));
    assert_shut(arena, &(StoreKeys){&other, 1}, &place, stored, "is not the one that sealed it");
    arena_free(arena);
}

static void what_was_stored_without_keys_opens_with_and_without_them(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *texts[] = {"", "plain", "\001\0072026-11 looks like one that is sealed"};
    for (size_t i = 0; i < 3; i++) {
        Bytes stored = sealed(arena, &none, &place, bytes_of(texts[i]));
        assert_opens(arena, &none, stored, texts[i]);
        assert_opens(arena, &both, stored, texts[i]);
    }
    arena_free(arena);
}

static void a_value_in_another_place_does_not_open(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes stored = sealed(arena, &both, &place, bytes_of("payload"));
    const SealPlace others[] = {
        {"jobs", "payload", bytes_of("8")},  {"jobs", "payload", bytes_of("")},
        {"jobs", "payload", bytes_of("77")}, {"jobs", "answer", bytes_of("7")},
        {"steps", "payload", bytes_of("7")}, {"jobsp", "ayload", bytes_of("7")},
        {"jobs", "payload7", bytes_of("")},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_shut(arena, &both, &others[i], stored, "belongs to another row");
    arena_free(arena);
}

/* Each bit of each byte; only the first byte can make it another, plain value. */
static void a_value_that_was_changed_anywhere_does_not_open(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes stored = sealed(arena, &both, &place, bytes_of("a payload of some bytes"));
    for (size_t i = 0; i < stored.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            Bytes opened, changed = bytes_copy(arena, stored);
            ((uint8_t *)changed.data)[i] ^= (uint8_t)(1 << bit);
            if (changed.data[0] == 0)
                continue;
            assert_fault(unseal(&both, &place, changed, arena, &opened), FAULT_STORE_SEALED);
        }
    }
    arena_free(arena);
}

static void a_value_that_was_cut_or_lengthened_does_not_open(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes opened, stored = sealed(arena, &both, &place, bytes_of("payload"));
    for (size_t size = 0; size < stored.size; size++)
        assert_fault(unseal(&both, &place, bytes_slice(stored, 0, size), arena, &opened),
                     FAULT_STORE_SEALED);
    Buffer longer = buffer_in(arena);
    buffer_add_bytes(&longer, stored);
    buffer_add_byte(&longer, 0);
    assert_shut(arena, &both, &place, buffer_bytes(&longer), "was changed");
    assert_shut(arena, &both, &place, BYTES_NONE, "0 bytes");
    arena_free(arena);
}

static void a_stored_value_has_the_documented_layout(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes stored = sealed(arena, &both, &place, bytes_of("payload"));
    assert_int_equal(stored.size, 1 + 1 + 7 + 12 + 7 + 16);
    assert_true(bytes_start_with(stored, "\001\0072026-11"));
    assert_true(bytes_equal(sealed(arena, &none, &place, bytes_of("x")), bytes("\0x", 2)));
    arena_free(arena);
}

static void where_there_is_no_room_for_the_payload_it_is_a_fault(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *small = arena_new(4096);
    Bytes opened, payload = bytes(arena_array(arena, uint8_t, 10000), 10000);
    assert_fault(unseal(&both, &place, sealed(arena, &both, &place, payload), small, &opened),
                 FAULT_OUT_OF_MEMORY);
    assert_fault(unseal(&both, &place, sealed(arena, &none, &place, payload), small, &opened),
                 FAULT_OUT_OF_MEMORY);
    arena_free(small);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_and_shows_nothing),
        cmocka_unit_test(the_same_payload_is_never_stored_alike),
        cmocka_unit_test(the_first_key_seals_and_all_keys_open),
        cmocka_unit_test(another_key_with_the_same_id_does_not_open),
        cmocka_unit_test(what_was_stored_without_keys_opens_with_and_without_them),
        cmocka_unit_test(a_value_in_another_place_does_not_open),
        cmocka_unit_test(a_value_that_was_changed_anywhere_does_not_open),
        cmocka_unit_test(a_value_that_was_cut_or_lengthened_does_not_open),
        cmocka_unit_test(a_stored_value_has_the_documented_layout),
        cmocka_unit_test(where_there_is_no_room_for_the_payload_it_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
