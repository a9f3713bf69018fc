/* What is inside an Any, from one version to another. */
#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/loss.h"
#include "adapters/run/plan_run.h"
#include "tests/unit/adapters/changes_schema.h"

static const char *const list = "types:\n"
                                "  Item: Line\n"
                                "  Promo: {removed: graceful}\n"
                                "  Coupon: {removed: kept}\n"
                                "messages: {Item: {sku: code}}";

static void on_loss(void *owner, const Loss *loss)
{
    buffer_printf(owner, "%s;", loss->path);
}

/* {"any": ...} of v1 as v2's, or an error's text; `lost` gets what was counted. */
static Result run(Loaded *loaded, const char *yaml, Codec from, Codec to, Bytes message, Bytes *out,
                  Buffer *lost)
{
    const MappingSet *set = read_set(loaded, "Strays", yaml, true);
    const MessageType *box = schema_message(loaded->schema, bytes_of("changes.Strays.Old.Box"));
    PlanOptions options = {.from = from, .to = to, .types = set};
    const Plan *plan;
    Buffer made = buffer_in(loaded->arena);
    PlanRun report = {.on_loss = on_loss, .owner = lost};
    assert_ok(loaded->arena,
              plan_compile(loaded->arena, mapping_set_find(set, box), &options, &plan));
    Result r = plan_run(plan, &(PlanInput){.bytes = message}, loaded->arena, &made, &report);
    *out = buffer_bytes(&made);
    return r;
}

static Bytes json_to_json(void **state, const char *json, Buffer *lost)
{
    Loaded *loaded = *state;
    Bytes out;
    *lost = buffer_in(loaded->arena);
    assert_ok(loaded->arena, run(loaded, list, CODEC_JSON, CODEC_JSON, bytes_of(json), &out, lost));
    return out;
}

/* An Any in protobuf, in field 1. */
static Bytes boxed(Loaded *loaded, const char *type, const char *value)
{
    Buffer any = buffer_in(loaded->arena), box = buffer_in(loaded->arena);
    const char *url = arena_printf(loaded->arena, "x/%s", type);
    buffer_printf(&any, "\x0a%c%s\x12%c%s", (int)strlen(url), url, (int)strlen(value), value);
    buffer_printf(&box, "\x0a%c", (int)any.size);
    buffer_add_bytes(&box, buffer_bytes(&any));
    return buffer_bytes(&box);
}

static Bytes wire_to_wire(void **state, const char *type, const char *value, Buffer *lost)
{
    Loaded *loaded = *state;
    Bytes out;
    *lost = buffer_in(loaded->arena);
    assert_ok(loaded->arena,
              run(loaded, list, CODEC_PROTO, CODEC_PROTO, boxed(loaded, type, value), &out, lost));
    return out;
}

static void what_has_a_counterpart_becomes_it(void **state)
{
    Buffer lost;
    assert_bytes(json_to_json(state,
                              "{\"any\":{\"@type\":\"x/changes.Strays.Old.Item\",\"sku\":\"s\"}}",
                              &lost),
                 "{\"any\":{\"@type\":\"x/changes.Strays.New.Line\",\"code\":\"s\"}}");
    assert_true(bytes_equal(wire_to_wire(state, "changes.Strays.Old.Item", "\x0a\x01s", &lost),
                            boxed(*state, "changes.Strays.New.Line", "\x0a\x01s")));
    assert_int_equal(lost.size, 0);
}

static void what_has_none_is_an_error_where_nothing_is_said(void **state)
{
    Loaded *loaded = *state;
    Bytes out;
    Buffer lost = buffer_in(loaded->arena);
    Result r = run(loaded, list, CODEC_JSON, CODEC_PROTO,
                   bytes_of("{\"any\":{\"@type\":\"x/changes.Strays.Old.Flyer\"}}"), &out, &lost);
    assert_fault(r, FAULT_CANNOT_CONVERT);
    assert_string_equal(r.error->doing,
                        "any: changes.Strays.Old.Flyer has no counterpart in the other version");
    r = run(loaded, list, CODEC_PROTO, CODEC_PROTO, boxed(loaded, "changes.Strays.Old.Flyer", ""),
            &out, &lost);
    assert_fault(r, FAULT_CANNOT_CONVERT);
}

static void what_is_let_go_leaves_an_empty_any_and_is_counted(void **state)
{
    Buffer lost;
    assert_bytes(json_to_json(state,
                              "{\"any\":{\"@type\":\"x/changes.Strays.Old.Promo\",\"code\":\"c\"},"
                              "\"more\":[{\"@type\":\"x/changes.Strays.Old.Promo\"},"
                              "{\"@type\":\"x/changes.Strays.Old.Item\"}]}",
                              &lost),
                 "{\"any\":{},\"more\":[{},{\"@type\":\"x/changes.Strays.New.Line\"}]}");
    assert_bytes(buffer_bytes(&lost), "Promo;Promo;");
    assert_true(bytes_equal(wire_to_wire(state, "changes.Strays.Old.Promo", "\x0a\x01s", &lost),
                            bytes("\x0a\x00", 2)));
}

static void what_is_kept_stays_what_it_is(void **state)
{
    Buffer lost;
    const char *json = "{\"any\":{\"@type\":\"x/changes.Strays.Old.Coupon\",\"code\":\"c\"}}";
    assert_bytes(json_to_json(state, json, &lost), json);
    assert_true(bytes_equal(wire_to_wire(state, "changes.Strays.Old.Coupon", "\x0a\x01s", &lost),
                            boxed(*state, "changes.Strays.Old.Coupon", "\x0a\x01s")));
    assert_int_equal(lost.size, 0);
}

static void what_nobody_knows_stays_as_its_bytes(void **state)
{
    Buffer lost;
    const char *json = "{\"any\":{\"@type\":\"x/no.Such\",\"value\":\"CgFj\"}}";
    assert_bytes(json_to_json(state, json, &lost), json);
    assert_true(
        bytes_equal(wire_to_wire(state, "no.Such", "abc", &lost), boxed(*state, "no.Such", "abc")));
}

/* Also what no field of either version leads to. */
static void what_is_of_no_version_is_the_same_to_both(void **state)
{
    Buffer lost;
    const char *json = "{\"any\":{\"@type\":\"x/google.protobuf.BoolValue\",\"value\":true},"
                       "\"more\":[{\"@type\":\"x/changes.Rename.Old.M\",\"a\":\"b\"}]}";
    assert_bytes(json_to_json(state, json, &lost), json);
    assert_true(bytes_equal(wire_to_wire(state, "google.protobuf.BoolValue", "\x08\x01", &lost),
                            boxed(*state, "google.protobuf.BoolValue", "\x08\x01")));
}

static void the_loss_report_names_them(void **state)
{
    Loaded *loaded = *state;
    LossReport report;
    Buffer text = buffer_in(loaded->arena);
    loss_report_all(loaded->arena, read_set(loaded, "Strays", list, true), &report);
    loss_report_text(&report, false, &text);
    assert_bytes(
        buffer_bytes(&text),
        "  converted Strays.Old.Box.any -> Strays.New.Box.any: any\n"
        "  converted Strays.Old.Box.more -> Strays.New.Box.more: any\n"
        "  dropped   Promo: inside an Any: no counterpart  [list.yaml:5]\n"
        "  kept      Coupon: inside an Any, as it is  [list.yaml:6]\n"
        "  dropped   Flyer: inside an Any: no counterpart (loud)\n"
        "  3 kept, 2 converted, 0 respelled, 0 defaulted, 0 narrowed, 1 dropped, 1 loud\n");
}

static void refused(void **state, const char *yaml, const char *expected)
{
    Loaded *loaded = *state;
    Problems problems = problems_in(loaded->arena);
    Buffer text = buffer_in(loaded->arena);
    assert_null(read_list(loaded, "Strays", yaml, &problems));
    problems_print(&problems, &text);
    assert_bytes(buffer_bytes(&text), expected);
}

static void a_type_that_is_not_gone_is_not_said_to_be(void **state)
{
    refused(state, "types: {Box: {removed: loud}, Item: Line}\nmessages: {Item: {sku: code}}",
            "list.yaml:3:9: Box: v2 has it too, as Box (write Box: [{removed: loud}, {added: "
            "loud}] if the two have nothing to do with each other)\n");
}

static void a_type_has_a_counterpart_or_none(void **state)
{
    refused(state,
            "types:\n  Item: Line\n  Promo: Gift\n  Gift: {added: loud}\n  Coupn: {removed: loud}\n"
            "  Flyer: {removed: no}\nmessages: {Item: {sku: code}, Promo: {code: from}}",
            "list.yaml:5:3: Promo and Gift: one of them is declared as removed or added\n"
            "list.yaml:7:3: no message Coupn in v1 (did you mean Coupon?)\n"
            "list.yaml:8:11: expected loud, graceful or kept\n"
            "list.yaml:9:31: Promo has no counterpart in v2 (types: {Promo: ...})\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_a_counterpart_becomes_it),
        cmocka_unit_test(what_has_none_is_an_error_where_nothing_is_said),
        cmocka_unit_test(what_is_let_go_leaves_an_empty_any_and_is_counted),
        cmocka_unit_test(what_is_kept_stays_what_it_is),
        cmocka_unit_test(what_nobody_knows_stays_as_its_bytes),
        cmocka_unit_test(what_is_of_no_version_is_the_same_to_both),
        cmocka_unit_test(the_loss_report_names_them),
        cmocka_unit_test(a_type_that_is_not_gone_is_not_said_to_be),
        cmocka_unit_test(a_type_has_a_counterpart_or_none),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
