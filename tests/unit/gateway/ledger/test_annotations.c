#include "tests/unit/check.h"

#include "gateway/ledger/annotations.h"

#include <stdio.h>
#include <string.h>

static void what_was_said_last_counts(void **state)
{
    Annotations all = {0};
    assert_null(annotations_find(&all, 7));
    annotations_put(&all, &(Annotation){.fingerprint = 7, .owner = bytes_of("ada")});
    annotations_put(&all, &(Annotation){.fingerprint = 8, .owner = bytes_of("bob")});
    annotations_put(&all, &(Annotation){.fingerprint = 7, .owner = bytes_of("eve")});
    assert_int_equal(all.n, 2);
    assert_bytes(annotations_find(&all, 7)->owner, "eve");
    assert_bytes(annotations_find(&all, 8)->owner, "bob");
    annotations_clear(&all);
    assert_null(annotations_find(&all, 7));
}

static void their_number_is_bounded(void **state)
{
    /* All but one are there from the start: each that is put in is compared with all others. */
    Annotations all = {.arena = arena_new(ARENA_UNLIMITED),
                       .n = ANNOTATIONS_MOST - 1,
                       .room = ANNOTATIONS_MOST - 1};
    all.items = arena_alloc(all.arena, all.n * sizeof *all.items);
    for (uint32_t i = 0; i < all.n; i++)
        all.items[i] = (Annotation){.fingerprint = i + 1};
    annotations_put(&all, &(Annotation){.fingerprint = ANNOTATIONS_MOST});
    annotations_put(&all, &(Annotation){.fingerprint = ANNOTATIONS_MOST + 1});
    assert_int_equal(all.n, ANNOTATIONS_MOST);
    assert_non_null(annotations_find(&all, ANNOTATIONS_MOST));
    assert_null(annotations_find(&all, ANNOTATIONS_MOST + 1));
    annotations_clear(&all);
}

static void they_hold_a_few_times_what_they_need(void **state)
{
    enum { N = 1000 };
    Annotations all = {0};
    for (uint32_t i = 0; i < N; i++)
        annotations_put(&all, &(Annotation){.fingerprint = i + 1});
    assert_int_equal(all.n, N);
    for (uint32_t i = 0; i < N; i++)
        assert_ptr_equal(annotations_find(&all, i + 1), &all.items[i]);
    assert_true(arena_size(all.arena) < 6 * N * sizeof(Annotation));
    annotations_clear(&all);
}

static void texts_come_back_as_they_were(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Annotation a = {.owner = bytes_of("a \"da\""), .why = bytes_of("b\n")}, read = {.at = 7};
    Buffer out = buffer_in(arena);
    annotation_write_texts(&a, &out);
    assert_ok(arena, annotation_read_texts(arena, buffer_bytes(&out), &read));
    assert_bytes(read.owner, "a \"da\"");
    assert_bytes(read.cause, "");
    assert_bytes(read.ticket, "");
    assert_bytes(read.why, "b\n");
    assert_int_equal(read.at, 7);
    assert_fault(annotation_read_texts(arena, bytes_of("{"), &read), FAULT_BAD_VALUE);
    assert_fault(annotation_read_texts(arena, bytes_of("[]"), &read), FAULT_BAD_VALUE);
    assert_fault(annotation_read_texts(arena, bytes_of("{\"owner\":\"x\"}"), &read),
                 FAULT_BAD_VALUE);
    arena_free(arena);
}

static Result change(Arena *arena, const char *json, Annotation *a)
{
    return annotation_change(arena, bytes_of(json), 7, a);
}

static void what_is_not_said_stays(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Annotation a = {.owner = bytes_of("ada"), .ticket = bytes_of("T-1"), .acknowledged = 3};
    assert_ok(arena, change(arena, "{\"owner\":\"bob\",\"cause\":\"disk\"}", &a));
    assert_bytes(a.owner, "bob");
    assert_bytes(a.cause, "disk");
    assert_bytes(a.ticket, "T-1");
    assert_int_equal(a.acknowledged, 3);
    assert_ok(arena, change(arena, "{\"acknowledged\":true}", &a));
    assert_int_equal(a.acknowledged, 7);
    assert_ok(arena, change(arena, "{\"ticket\":\"\",\"acknowledged\":false}", &a));
    assert_bytes(a.ticket, "");
    assert_int_equal(a.acknowledged, 0);
    arena_free(arena);
}

static void wrong_annotations_are_refused(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Annotation a = {0};
    assert_fault(change(arena, "", &a), FAULT_BAD_JSON);
    assert_fault(change(arena, "{", &a), FAULT_BAD_JSON);
    assert_fault(change(arena, "{}", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "[\"owner\"]", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"owners\":\"ada\"}", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"owner\":7}", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"owner\":\"a\\u0000b\"}", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"owner\":\"ada\",\"owner\":\"bob\"}", &a), FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"acknowledged\":true,\"cause\":\"x\",\"acknowledged\":true}", &a),
                 FAULT_BAD_VALUE);
    assert_fault(change(arena, "{\"acknowledged\":\"yes\"}", &a), FAULT_BAD_VALUE);
    arena_free(arena);
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Annotation a = {0};
    char text[ANNOTATION_TEXT_SIZE + 2] = {0};
    memset(text, 'x', ANNOTATION_TEXT_SIZE);
    assert_ok(arena, change(arena, arena_printf(arena, "{\"cause\":\"%s\"}", text), &a));
    text[ANNOTATION_TEXT_SIZE] = 'x';
    assert_fault(change(arena, arena_printf(arena, "{\"cause\":\"%s\"}", text), &a),
                 FAULT_BAD_VALUE);
    arena_free(arena);
}

static void a_fingerprint_has_sixteen_digits(void **state)
{
    uint64_t print = 0;
    assert_true(fingerprint_read(bytes_of("00000000deadbeef"), &print));
    assert_int_equal(print, 0xdeadbeef);
    assert_true(fingerprint_read(bytes_of("ffffffffffffffff"), &print));
    assert_false(fingerprint_read(bytes_of("0000000deadbeef"), &print));
    assert_false(fingerprint_read(bytes_of("000000000deadbeef"), &print));
    assert_false(fingerprint_read(bytes_of("00000000DEADBEEF"), &print));
    assert_false(fingerprint_read(bytes_of("+0000000deadbeef"), &print));
    assert_false(fingerprint_read(BYTES_NONE, &print));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_last_counts),
        cmocka_unit_test(their_number_is_bounded),
        cmocka_unit_test(they_hold_a_few_times_what_they_need),
        cmocka_unit_test(texts_come_back_as_they_were),
        cmocka_unit_test(what_is_not_said_stays),
        cmocka_unit_test(wrong_annotations_are_refused),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(a_fingerprint_has_sixteen_digits),
    };
    return cmocka_run_group_tests_name("annotations", tests, NULL, NULL);
}
