#include "gateway/log_output/log_fields.h"

#include "adapters/schema/wire.h"
#include "tests/unit/check.h"

static const MessageType order;
static const FieldType id = {.name = "id", .number = 1, .kind = KIND_STRING};
static const FieldType seal = {.name = "seal", .number = 2, .kind = KIND_BYTES};
static const FieldType inside = {
    .name = "order", .number = 3, .kind = KIND_MESSAGE, .message = &order};

static const LogField items[] = {
    {"id", (const FieldType *const[]){&id, NULL}},
    {"seal", (const FieldType *const[]){&seal, NULL}},
    {"order.id", (const FieldType *const[]){&inside, &id, NULL}},
};

static void add_bytes(Buffer *message, uint32_t number, Bytes value)
{
    uint8_t head[2 * WIRE_VARINT_MAX], *end = wire_put_varint(head, number << 3 | WIRE_LENGTH);
    end = wire_put_varint(end, value.size);
    buffer_add(message, head, (size_t)(end - head));
    buffer_add_bytes(message, value);
}

static Bytes repeated(Arena *arena, const char *text, size_t n)
{
    Buffer out = buffer_in(arena);
    for (size_t i = 0; i < n; i++)
        buffer_add_text(&out, text);
    return buffer_bytes(&out);
}

static Bytes written(Arena *arena, const LogField *fields, uint32_t n, Bytes message)
{
    Buffer out = buffer_in(arena);
    log_fields_write(&(LogFields){.items = fields, .n = n}, message, &out);
    return buffer_bytes(&out);
}

static void check(Bytes message, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_bytes(written(arena, items, 3, message), expected);
    arena_free(arena);
}

static void what_the_message_has_is_written_in_the_order_of_the_route(void **state)
{
    check(bytes_of("\x1a\x03\n\x01"
                   "8\n\x01"
                   "7\x12\x02hi"),
          "\"id\":\"7\",\"seal\":\"aGk=\",\"order.id\":\"8\"");
    check(bytes_of("\n\x01"
                   "7\n\x02\"9"),
          "\"id\":\"\\\"9\""); /* the last one counts */
}

static void what_it_lacks_or_cannot_be_read_is_left_out(void **state)
{
    check(BYTES_NONE, "");
    check(bytes("\n\0", 2), "");
    check(bytes("\x08\x07", 2), ""); /* a number where a text should be */
    check(bytes_of("\n\x05xy"), "");
    check(bytes("\x1a\0\n\x01x", 5), "\"id\":\"x\"");
}

static void check_cut(const char *text, size_t n, size_t left)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer message = buffer_in(arena);
    add_bytes(&message, 1, repeated(arena, text, n));
    Bytes expected = repeated(arena, text, left);
    assert_bytes(written(arena, items, 1, buffer_bytes(&message)),
                 arena_printf(arena, "\"id\":\"%.*s\"", BYTES_ARGS(expected)));
    arena_free(arena);
}

static void a_value_is_cut_between_two_characters(void **state)
{
    check_cut("x", LOG_FIELD_SIZE, LOG_FIELD_SIZE);
    check_cut("x", LOG_FIELD_SIZE + 1, LOG_FIELD_SIZE);
    check_cut("\xc3\xa7", LOG_FIELD_SIZE / 2, LOG_FIELD_SIZE / 2);
    check_cut("\xc3\xa7", LOG_FIELD_SIZE / 2 + 1, LOG_FIELD_SIZE / 2);
    check_cut("\xe2\x82\xac", LOG_FIELD_SIZE, LOG_FIELD_SIZE / 3);
}

static size_t size_of_seal(size_t n)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer message = buffer_in(arena);
    add_bytes(&message, 2, repeated(arena, "x", n));
    size_t size = written(arena, items + 1, 1, buffer_bytes(&message)).size;
    arena_free(arena);
    return size - strlen("\"seal\":\"\"");
}

static void bytes_are_cut_before_they_become_a_text(void **state)
{
    assert_int_equal(size_of_seal(LOG_FIELD_SIZE / 4 * 3), LOG_FIELD_SIZE);
    assert_int_equal(size_of_seal(LOG_FIELD_SIZE / 4 * 3 - 1), LOG_FIELD_SIZE);
    assert_int_equal(size_of_seal(LOG_FIELD_SIZE / 4 * 3 - 3), LOG_FIELD_SIZE - 4);
    assert_int_equal(size_of_seal(LOG_FIELD_SIZE), LOG_FIELD_SIZE);
}

/* Seven whole values, an eighth one that fills what is left or is a byte too long, and a ninth one
   that is short. */
static void check_whole(size_t size_of_eighth, bool fits)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer message = buffer_in(arena);
    LogField fields[9];
    FieldType types[9];
    for (uint32_t i = 0; i < 9; i++) {
        types[i] = (FieldType){.name = "f", .number = i + 1, .kind = KIND_STRING};
        const FieldType **path = arena_array(arena, const FieldType *, 2);
        path[0] = &types[i];
        fields[i] = (LogField){arena_printf(arena, "f%u", i + 1), path};
        add_bytes(&message, i + 1,
                  repeated(arena, "x",
                           i < 7    ? LOG_FIELD_SIZE
                           : i == 7 ? size_of_eighth
                                    : 1));
    }
    Bytes out = written(arena, fields, 8, buffer_bytes(&message));
    assert_int_equal(out.size == LOG_FIELDS_SIZE, fits);
    assert_int_equal(strstr(arena_text(arena, out), "\"f8\"") != NULL, fits);
    out = written(arena, fields, 9, buffer_bytes(&message));
    assert_int_equal(strstr(arena_text(arena, out), "\"f9\":\"x\"") != NULL, !fits);
    arena_free(arena);
}

static void a_member_that_does_not_fit_is_left_out(void **state)
{
    /* "f1":"..." has 7 bytes beside its value, and all but the first one a comma. */
    size_t left = LOG_FIELDS_SIZE - 7 * (LOG_FIELD_SIZE + 7) - 6 - 8;
    check_whole(left, true);
    check_whole(left + 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_message_has_is_written_in_the_order_of_the_route),
        cmocka_unit_test(what_it_lacks_or_cannot_be_read_is_left_out),
        cmocka_unit_test(a_value_is_cut_between_two_characters),
        cmocka_unit_test(bytes_are_cut_before_they_become_a_text),
        cmocka_unit_test(a_member_that_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
