/* What goes straight from protobuf to protobuf, and what does not: numbers that fit, fields of
   messages inside, messages that come out as they are. */
#include "adapters/compile/plan_compile.h"
#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "tests/unit/adapters/changes_schema.h"

static const char *const list = "messages:\n"
                                "  M: {buyer.id: buyer, note: text}\n"
                                "  Row: {gone: {removed: graceful}}\n"
                                "enums:\n"
                                "  State: {GONE: {removed: NONE}}\n";

static const Plan *plan_with(void **state, PlanOptions options)
{
    Loaded *loaded = *state;
    const MappingSet *set = read_set(loaded, "Straight", list, true);
    const MessageType *type = schema_message(loaded->schema, bytes_of("changes.Straight.Old.M"));
    const Plan *plan;
    options.from = options.to = CODEC_PROTO;
    options.unknown = UNKNOWN_COUNT;
    options.types = set;
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, type), &options, &plan));
    return plan;
}

#define WIRE(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

typedef struct Row {
    Bytes from, to;
    const char *field; /* of the fault; NULL: there is none */
    uint32_t n_losses;
} Row;

static const char *hex_of(Arena *arena, Bytes message)
{
    const char *text = "";
    for (size_t i = 0; i < message.size; i++)
        text = arena_printf(arena, "%s%02x", text, message.data[i]);
    return text;
}

static void check_rows(void **state, const Row *rows, size_t n)
{
    Loaded *loaded = *state;
    const Plan *plan = plan_with(state, (PlanOptions){0});
    for (size_t i = 0; i < n; i++) {
        Buffer out = buffer_in(loaded->arena);
        PlanRun run = {0};
        PlanInput input = {.bytes = rows[i].from};
        Result r = plan_run(plan, &input, loaded->arena, &out, &run);
        if (rows[i].field) {
            assert_true(failed(r));
            assert_string_equal(r.error->field ? r.error->field : "", rows[i].field);
            assert_int_equal(out.size, 0);
            continue;
        }
        assert_ok(loaded->arena, r);
        if (!bytes_equal(buffer_bytes(&out), rows[i].to))
            fail_msg("row %zu: %s", i, hex_of(loaded->arena, buffer_bytes(&out)));
        assert_int_equal(run.n_losses, rows[i].n_losses);
    }
}

#define CHECK_ROWS(state, rows) check_rows(state, rows, sizeof(rows) / sizeof(*(rows)))

static void a_number_goes_straight_up_to_the_highest_that_fits(void **state)
{
    static const Row rows[] = {
        {WIRE("\x10\x07"), WIRE("\x10\x07"), NULL, 0},
        {WIRE("\x10\x00"), WIRE("\x10\x00"), NULL, 0},
        {WIRE("\x10\xff\xff\xff\xff\x07"), WIRE("\x10\xff\xff\xff\xff\x07"), NULL, 0},
        {WIRE("\x10\x80\x80\x80\x80\x08"), WIRE(""), "count", 0},
        {WIRE("\x10\xff\xff\xff\xff\x0f"), WIRE(""), "count", 0},
        {WIRE("\x10\x87\x80\x80\x80\x10"), WIRE("\x10\x07"), NULL, 0}, /* 2^32 + 7 is 7 there */
        {WIRE("\x10\x80"), WIRE(""), "", 0},
    };
    CHECK_ROWS(state, rows);
}

static void of_a_number_that_comes_twice_the_last_counts_whether_it_fits_or_not(void **state)
{
    static const Row rows[] = {
        {WIRE("\x10\x07\x10\x08"), WIRE("\x10\x07\x10\x08"), NULL, 0},
        {WIRE("\x10\xff\xff\xff\xff\x0f\x10\x07"), WIRE("\x10\x07"), NULL, 0},
        {WIRE("\x10\x07\x10\xff\xff\xff\xff\x0f"), WIRE(""), "count", 0},
        {WIRE("\x10\x07\x10\x80\x80\x80\x80\x10"), WIRE("\x10\x07\x10\x00"), NULL, 0}, /* 2^32 */
    };
    CHECK_ROWS(state, rows);
}

static void a_value_of_an_enum_goes_straight_where_its_number_stays(void **state)
{
    static const Row rows[] = {
        {WIRE("\x08\x01"), WIRE("\x30\x01"), NULL, 0},
        {WIRE("\x08\x00"), WIRE("\x30\x00"), NULL, 0},
        {WIRE("\x08\x02"), WIRE("\x30\x05"), NULL, 0},
        {WIRE("\x08\x01\x08\x02"), WIRE("\x30\x01\x30\x05"), NULL, 0},
        {WIRE("\x08\x02\x08\x01"), WIRE("\x30\x01"), NULL, 0},
        {WIRE("\x08\x01\x08\x03"), WIRE("\x30\x01\x30\x00"), NULL, 1}, /* GONE unsets it */
        {WIRE("\x08\x02\x08\x00"), WIRE("\x30\x00"), NULL, 0},
        {WIRE("\x08\x07"), WIRE("\x30\x07"), NULL, 0},     /* neither side knows it */
        {WIRE("\x08\xc0\x00"), WIRE("\x30\x40"), NULL, 0}, /* 64: no bit for it */
        {WIRE("\x08\x05"), WIRE(""), "state", 0},          /* LATE, there */
    };
    CHECK_ROWS(state, rows);
}

static void a_field_of_a_message_inside_goes_straight_and_is_seen_by_guards(void **state)
{
    static const Row rows[] = {
        {WIRE("\x1a\x05\x0a\x03"
              "ann"),
         WIRE("\x1a\x03"
              "ann"),
         NULL, 0},
        {WIRE("\x1a\x00"), WIRE(""), NULL, 1}, /* that it is there is lost */
        {WIRE("\x1a\x02\x0a\x00"), WIRE("\x1a\x00"), NULL, 1},
        {WIRE("\x1a\x03\x0a\x01"
              "a\x1a\x00"),
         WIRE("\x1a\x01"
              "a"),
         NULL, 0},
        {WIRE("\x1a\x03\x0a\x01"
              "a\x1a\x02\x0a\x00"),
         WIRE("\x1a\x01"
              "a\x1a\x00"),
         NULL, 1},
        {WIRE("\x1a\x03\x0a\x01\xff"), WIRE(""), "buyer.id", 0},
        {WIRE("\x2a\x01n\x1a\x03\x0a\x01"
              "a\x2a\x01m"),
         WIRE("\x2a\x01n\x1a\x01"
              "a\x2a\x01m"),
         NULL, 0},
    };
    CHECK_ROWS(state, rows);
}

static void a_message_of_a_list_comes_out_as_it_is_or_is_converted(void **state)
{
    static const Row rows[] = {
        {WIRE("\x22\x05\x0a\x01x\x10\x07"), WIRE("\x22\x05\x0a\x01x\x10\x07"), NULL, 0},
        {WIRE("\x22\x00"), WIRE("\x22\x00"), NULL, 0},
        {WIRE("\x22\x05\x0a\x01x\x10"), WIRE(""), "", 0},                         /* cut off */
        {WIRE("\x22\x06\x0a\x01x\x22\x01y"), WIRE("\x22\x03\x0a\x01x"), NULL, 1}, /* gone */
        {WIRE("\x22\x05\x0a\x01x\x30\x07"), WIRE("\x22\x03\x0a\x01x"), NULL, 0},  /* unknown */
        {WIRE("\x22\x02\x10\x01\x22\x06\x10\xff\xff\xff\xff\x0f"), WIRE(""), "rows[1].n", 0},
        {WIRE("\x22\x02\x10\x01\x22\x03\x0a\x01\xff"), WIRE(""), "rows[1].a", 0},
    };
    CHECK_ROWS(state, rows);
}

static const Fault *fault_with(void **state, PlanOptions options, Bytes message)
{
    Loaded *loaded = *state;
    Buffer out = buffer_in(loaded->arena);
    PlanInput input = {.bytes = message};
    Result r = plan_run(plan_with(state, options), &input, loaded->arena, &out, NULL);
    return failed(r) ? r.error->fault : NULL;
}

static void what_comes_out_as_it_is_counts_against_the_limits(void **state)
{
    Bytes row = WIRE("\x22\x06\x1a\x01x\x1a\x01y"); /* a row with two tags: three elements */
    assert_null(fault_with(state, (PlanOptions){.max_elements = 3}, row));
    assert_ptr_equal(fault_with(state, (PlanOptions){.max_elements = 2}, row),
                     &FAULT_MESSAGE_TOO_LARGE);
    assert_null(fault_with(state, (PlanOptions){.max_depth = 2}, row));
    assert_ptr_equal(fault_with(state, (PlanOptions){.max_depth = 1}, row), &FAULT_TOO_DEEP);
}

static void a_series_does_with_each_message_what_a_run_of_its_own_does(void **state)
{
    static const Bytes messages[] = {
        WIRE("\x1a\x03\x0a\x01x"), /* a buyer with an id, without one, and again with one */
        WIRE("\x1a\x00"),
        WIRE("\x1a\x03\x0a\x01x"),
        WIRE("\x22\x06\x1a\x01x\x1a\x01y"), /* as many elements as may be in one message */
        WIRE("\x22\x06\x1a\x01x\x1a\x01y"),
        WIRE("\x08\x03"),
        WIRE("\x10\x80"), /* malformed */
    };
    Loaded *loaded = *state;
    const Plan *plan = plan_with(state, (PlanOptions){.max_elements = 3});
    Arena *arena = arena_new(1 << 20);
    Buffer out = buffer_in(loaded->arena);
    PlanRun all = {0}, one = {0};
    PlanSeries series;
    plan_series_begin(&series, plan, arena, &out, &all);
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        Buffer alone = buffer_in(loaded->arena);
        size_t before = out.size;
        arena_reset(arena);
        Result r = plan_series_next(&series, messages[i]);
        PlanInput input = {.bytes = messages[i]};
        Result right = plan_run(plan, &input, loaded->arena, &alone, &one);
        assert_int_equal(failed(r), failed(right));
        assert_true(bytes_equal(bytes(out.data + before, out.size - before), buffer_bytes(&alone)));
        assert_int_equal(all.n_losses, one.n_losses);
    }
    assert_int_equal(one.n_losses, 2);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_goes_straight_up_to_the_highest_that_fits),
        cmocka_unit_test(of_a_number_that_comes_twice_the_last_counts_whether_it_fits_or_not),
        cmocka_unit_test(a_value_of_an_enum_goes_straight_where_its_number_stays),
        cmocka_unit_test(a_field_of_a_message_inside_goes_straight_and_is_seen_by_guards),
        cmocka_unit_test(a_message_of_a_list_comes_out_as_it_is_or_is_converted),
        cmocka_unit_test(what_comes_out_as_it_is_counts_against_the_limits),
        cmocka_unit_test(a_series_does_with_each_message_what_a_run_of_its_own_does),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
