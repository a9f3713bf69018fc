#include "adapters/compile/plan_compile.h"
#include "adapters/details/details.h"

#include "adapters/mapping/error_types.h"
#include "adapters/schema/wire.h"
#include "tests/unit/adapters/changes_schema.h"
#include "tests/unit/adapters/errors_changes.h"

#include <stdio.h>

#define HOST "type.googleapis.com/"
#define NEW HOST "changes.Errors.New."
#define OLD HOST "changes.Errors.Old."

/* A v2 error for a v1 client. */
typedef struct Bench {
    Loaded *loaded;
    const MappingSet *down, *same;
    const MappingSet *common;
    const Plan *any, *write, *read; /* down; of the new version as JSON */
} Bench;

static Bench bench;

static Plan *plan_of(Codec from, Codec to, const MappingSet *types)
{
    const Plan *plan;
    PlanOptions options = {.from = from,
                           .to = to,
                           .unknown = UNKNOWN_COUNT,
                           .types = types,
                           .common_types = bench.common};
    assert_ok(bench.loaded->arena, plan_compile_any(bench.loaded->arena, &options, &plan));
    return (Plan *)(uintptr_t)plan;
}

static int begin(void **state)
{
    load(state);
    bench.loaded = *state;
    bench.down = read_set(bench.loaded, "Errors", ERRORS_CHANGES, false);
    assert_ok(bench.loaded->arena, error_types_load(bench.loaded->arena, &bench.common));
    assert_ok(bench.loaded->arena,
              mapping_set_identity(bench.loaded->arena, bench.loaded->schema, &bench.same));
    bench.any = plan_of(CODEC_PROTO, CODEC_PROTO, bench.down);
    bench.write = plan_of(CODEC_PROTO, CODEC_JSON, bench.same);
    bench.read = plan_of(CODEC_JSON, CODEC_PROTO, bench.same);
    return 0;
}

/* ---- Statuses, written as their details' JSON ------------------------------------------------ */

static void add_raw(Buffer *status, const char *type, const char *value)
{
    Buffer any = buffer_in(bench.loaded->arena);
    wire_add_bytes(&any, 1, bytes_of(type));
    wire_add_bytes(&any, 2, bytes_of(value));
    wire_add_bytes(status, 3, buffer_bytes(&any));
}

static void add_json(Buffer *status, const char *json)
{
    Bytes any;
    assert_true(detail_from_json(bench.read, bytes_of(json), bench.loaded->arena, &any));
    wire_add_bytes(status, 3, any);
}

/* Code 9 and the message "m". */
static Buffer status_begin(void)
{
    Buffer status = buffer_in(bench.loaded->arena);
    wire_add_number(&status, 1, 9);
    wire_add_bytes(&status, 2, bytes_of("m"));
    return status;
}

typedef struct Seen {
    DetailsRun run;
    char unconverted[200];
    bool kept;
    unsigned n;
} Seen;

static void on_unconverted(void *owner, Bytes type, bool kept, Result why)
{
    Seen *seen = owner;
    assert_true(failed(why));
    snprintf(seen->unconverted, sizeof seen->unconverted, "%.*s", BYTES_ARGS(type));
    seen->kept = kept;
    seen->n++;
}

static const Mapping *request_back(void)
{
    const Schema *schema = bench.loaded->schema;
    return mapping_set_find(bench.down,
                            schema_message(schema, bytes_of("changes.Errors.New.Request")));
}

/* The details that come out, as JSON, one a line. */
static Bytes converted(Buffer status, Seen *seen)
{
    Bytes out;
    *seen = (Seen){.run = {.on_unconverted = on_unconverted}};
    seen->run.owner = seen;
    Arena *arena = bench.loaded->arena;
    assert_ok(arena, details_convert(bench.any, request_back(), buffer_bytes(&status), arena,
                                     &seen->run, &out));
    Buffer text = buffer_in(arena);
    assert_true(out.size >= 5 && memcmp(out.data, "\x08\x09\x12\x01m", 5) == 0);
    WireReader reader = wire_reader(out);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 3) {
            if (!detail_to_json(bench.write, f.bytes, arena, &text))
                buffer_add_bytes(&text, f.bytes);
            buffer_add_byte(&text, '\n');
        }
    }
    assert_false(reader.bad);
    return buffer_bytes(&text);
}

/* ---- Types ----------------------------------------------------------------------------------- */

static void a_detail_becomes_the_clients_type_and_its_losses_are_told(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    add_json(&status, "{\"@type\":\"" NEW "OutOfStock\",\"code\":\"mug\",\"where\":\"Leeds\"}");
    assert_bytes(converted(status, &seen), "{\"@type\":\"" OLD "OutOfStock\",\"sku\":\"mug\"}\n");
    assert_int_equal(seen.n, 0);
    assert_int_equal(seen.run.plan.n_losses, 1);
}

static void what_nobody_knows_goes_on_as_its_bytes_and_in_its_place(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    add_raw(&status, "t.com/nobody.Knows", "\xff\xfe");
    add_json(&status, "{\"@type\":\"" NEW "Stuck\",\"why\":\"w\"}");
    add_json(&status, "{\"@type\":\"" HOST "google.rpc.Help\",\"links\":[{\"url\":\"u\"}]}");
    assert_bytes(converted(status, &seen),
                 "{\"@type\":\"t.com/nobody.Knows\",\"value\":\"//4=\"}\n"
                 "{\"@type\":\"" OLD "Stuck\",\"why\":\"w\"}\n"
                 "{\"@type\":\"" HOST "google.rpc.Help\",\"links\":[{\"url\":\"u\"}]}\n");
    assert_int_equal(seen.n, 0);
}

static void a_loud_loss_leaves_the_detail_as_it_is_and_is_told(void **state)
{
    Seen seen;
    const char *stuck = "{\"@type\":\"" NEW "Stuck\",\"why\":\"w\",\"hint\":\"h\"}";
    Buffer status = status_begin();
    add_json(&status, stuck);
    assert_bytes(converted(status, &seen), arena_printf(bench.loaded->arena, "%s\n", stuck));
    assert_int_equal(seen.n, 1);
    assert_true(seen.kept);
    assert_string_equal(seen.unconverted, "changes.Errors.New.Stuck");
}

static void a_type_without_a_counterpart_stays_unless_it_may_go_gracefully(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    const char *promo = "{\"@type\":\"" NEW "Promo\",\"code\":\"c\"}";
    add_json(&status, "{\"@type\":\"" NEW "Coupon\",\"code\":\"c\"}");
    add_json(&status, promo);
    assert_bytes(converted(status, &seen), arena_printf(bench.loaded->arena, "%s\n", promo));
    assert_string_equal(seen.unconverted, "changes.Errors.New.Promo");
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.run.plan.n_losses, 1);
}

/* As with versions that share a package: a type of the error's version has the name of one of the
   client's. */
static void a_detail_that_the_client_would_misread_is_left_out(void **state)
{
    Seen seen;
    const MessageType *stuck =
        schema_message(bench.loaded->schema, bytes_of("changes.Errors.New.Stuck"));
    MappingSet shared = *bench.down;
    const Mapping *mappings[] = {mapping_set_find(bench.down, stuck),
                                 mapping_set_find(bench.same, stuck)};
    shared.mappings = mappings;
    shared.n_mappings = 2;
    const Plan *usual = bench.any;
    bench.any = plan_of(CODEC_PROTO, CODEC_PROTO, &shared);
    Buffer status = status_begin();
    add_json(&status, "{\"@type\":\"" NEW "Stuck\",\"why\":\"w\",\"hint\":\"h\"}");
    assert_bytes(converted(status, &seen), "");
    assert_int_equal(seen.n, 1);
    assert_false(seen.kept);
    bench.any = usual;
}

static void a_detail_without_a_type_stays_as_it_is(void **state)
{
    Buffer status = status_begin();
    wire_add_bytes(&status, 3, bytes_of("\x6d\x01\x03\xa7\x12")); /* fields that no Any has */
    wire_add_bytes(&status, 3, BYTES_NONE);
    Bytes out, before = buffer_bytes(&status);
    assert_ok(bench.loaded->arena, details_convert(bench.any, request_back(), before,
                                                   bench.loaded->arena, &(DetailsRun){0}, &out));
    assert_true(bytes_equal(out, before));
}

static void a_malformed_detail_of_a_known_type_costs_nothing_but_itself(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    add_raw(&status, NEW "OutOfStock", "\x0a\x7f");
    add_json(&status, "{\"@type\":\"" HOST "google.rpc.ErrorInfo\",\"reason\":\"R\"}");
    Bytes left = converted(status, &seen);
    assert_true(bytes_end_with(left, "\x0a\x7f\n{\"@type\":\"" HOST
                                     "google.rpc.ErrorInfo\",\"reason\":\"R\"}\n"));
    assert_int_equal(seen.n, 1);
    assert_true(seen.kept);
}

static void a_status_that_cannot_be_read_stays_as_it_is(void **state)
{
    static const char *const bad[] = {"\x1a\x7f", "nonsense",
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < 3; i++) {
        Bytes out;
        DetailsRun run = {0};
        assert_ok(bench.loaded->arena, details_convert(bench.any, NULL, bytes_of(bad[i]),
                                                       bench.loaded->arena, &run, &out));
        assert_bytes(out, bad[i]);
    }
}

static void memory_at_its_limit_is_a_fault(void **state)
{
    Buffer status = status_begin();
    for (int i = 0; i < 200; i++)
        add_json(&status, "{\"@type\":\"" NEW "OutOfStock\",\"code\":\"mug\"}");
    for (size_t limit = 2048; limit < 16384; limit += 1024) {
        Arena *small = arena_new(limit);
        Bytes out;
        DetailsRun run = {0};
        Result r =
            details_convert(bench.any, request_back(), buffer_bytes(&status), small, &run, &out);
        if (failed(r))
            assert_fault(r, FAULT_OUT_OF_MEMORY);
        arena_free(small);
    }
}

/* ---- Fields ---------------------------------------------------------------------------------- */

#define VIOLATIONS(list)                                                                           \
    "{\"@type\":\"" HOST "google.rpc.BadRequest\",\"fieldViolations\":[" list "]}"

static void a_bad_request_names_the_clients_fields(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    add_json(&status,
             VIOLATIONS("{\"field\":\"lines[2].code\",\"description\":\"d\",\"reason\":\"R\"},"
                        "{\"field\":\"totally.else\",\"description\":\"e\"},"
                        "{\"description\":\"no field\"}"));
    assert_bytes(converted(status, &seen),
                 VIOLATIONS("{\"field\":\"items[2].sku\",\"description\":\"d\",\"reason\":\"R\"},"
                            "{\"field\":\"totally.else\",\"description\":\"e\"},"
                            "{\"description\":\"no field\"}") "\n");
}

static void a_field_made_of_several_is_at_fault_in_each(void **state)
{
    Seen seen;
    Buffer status = status_begin();
    add_json(&status, VIOLATIONS("{\"field\":\"path\",\"description\":\"d\"}"));
    assert_bytes(converted(status, &seen),
                 VIOLATIONS("{\"field\":\"project\",\"description\":\"d\"},"
                            "{\"field\":\"topic\",\"description\":\"d\"}") "\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_that_no_type_explains_is_kept_whole(void **state)
{
    Bytes any;
    Buffer json = buffer_in(bench.loaded->arena);
    assert_true(detail_from_json(bench.read,
                                 bytes_of("{\"@type\":\"t.com/no.Body\",\"a\":[1,null]}"),
                                 bench.loaded->arena, &any));
    assert_true(detail_to_json(bench.write, any, bench.loaded->arena, &json));
    assert_bytes(buffer_bytes(&json), "{\"@type\":\"" HOST "google.protobuf.Struct\","
                                      "\"value\":{\"@type\":\"t.com/no.Body\",\"a\":[1,null]}}");
    assert_true(detail_from_json(bench.read, bytes_of("{\"pointer\":\"#/age\"}"),
                                 bench.loaded->arena, &any));
    assert_false(detail_from_json(bench.read, bytes_of("7"), bench.loaded->arena, &any));
    assert_false(detail_from_json(bench.read, bytes_of("{"), bench.loaded->arena, &any));
}

static void details_that_are_not_listed_are_left_out(void **state)
{
    static const char *const listed[] = {"a.Listed", "a.Other", NULL};
    Arena *arena = bench.loaded->arena;
    Buffer status = buffer_in(arena), expected = buffer_in(arena);
    Bytes left;
    wire_add_number(&status, 1, 5);
    wire_add_number(&expected, 1, 5);
    add_raw(&status, HOST "a.Hidden", "1");
    add_raw(&status, HOST "a.Listed", "2");
    add_raw(&status, HOST "b.a.Listed", "3");
    add_raw(&status, "", "4");
    wire_add_number(&status, 3, 7); /* no message at all */
    add_raw(&expected, HOST "a.Listed", "2");
    assert_ok(arena, details_keep(listed, buffer_bytes(&status), arena, &left));
    assert_true(bytes_equal(left, buffer_bytes(&expected)));
    assert_ok(arena, details_keep(listed, bytes("\x1a\x05", 2), arena, &left));
    assert_int_equal(left.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_detail_becomes_the_clients_type_and_its_losses_are_told),
        cmocka_unit_test(what_nobody_knows_goes_on_as_its_bytes_and_in_its_place),
        cmocka_unit_test(a_loud_loss_leaves_the_detail_as_it_is_and_is_told),
        cmocka_unit_test(a_type_without_a_counterpart_stays_unless_it_may_go_gracefully),
        cmocka_unit_test(a_detail_that_the_client_would_misread_is_left_out),
        cmocka_unit_test(a_detail_without_a_type_stays_as_it_is),
        cmocka_unit_test(a_malformed_detail_of_a_known_type_costs_nothing_but_itself),
        cmocka_unit_test(a_status_that_cannot_be_read_stays_as_it_is),
        cmocka_unit_test(memory_at_its_limit_is_a_fault),
        cmocka_unit_test(a_bad_request_names_the_clients_fields),
        cmocka_unit_test(a_field_made_of_several_is_at_fault_in_each),
        cmocka_unit_test(details_that_are_not_listed_are_left_out),
        cmocka_unit_test(json_that_no_type_explains_is_kept_whole),
    };
    return cmocka_run_group_tests(tests, begin, unload);
}
