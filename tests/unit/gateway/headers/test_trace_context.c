#include "tests/unit/check.h"

#include "base/fields.h"
#include "gateway/headers/trace_context.h"

#include <stdlib.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define PARENT "00-" TRACE "-" SPAN "-01"

typedef struct Fixture {
    Arena *arena;
    Random random;
    Fields head;
} Fixture;

static int begin(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(ARENA_UNLIMITED);
    f->head = fields_in(f->arena);
    random_seed_fixed(&f->random, 1);
    *state = f;
    return 0;
}

static int end(void **state)
{
    Fixture *f = *state;
    arena_free(f->arena);
    free(f);
    return 0;
}

static TraceContext context_of(Fixture *f, const char *parent, const char *trace_state)
{
    TraceContext context;
    f->head.n = 0;
    if (parent)
        fields_add_text(&f->head, "traceparent", parent);
    if (trace_state)
        fields_add_text(&f->head, "tracestate", trace_state);
    trace_context_begin(&f->head, &f->random, f->arena, &context);
    return context;
}

static Bytes passed_on(Fixture *f, const TraceContext *context, const char *name)
{
    Fields out = fields_in(f->arena);
    trace_context_write(context, &out);
    return fields_get(&out, name);
}

static Bytes without_own_member(Bytes state)
{
    assert_true(bytes_start_with(state, "passerelle="));
    size_t own = strlen("passerelle=") + TRACE_SPAN_SIZE;
    return bytes_slice(state, own + 1, state.size);
}

static void a_trace_goes_on_with_a_span_of_ours(void **state)
{
    Fixture *f = *state;
    TraceContext context = context_of(f, PARENT, NULL);
    assert_true(context.known);
    assert_memory_equal(context.trace_id, TRACE, TRACE_ID_SIZE);
    assert_memory_equal(context.caller, SPAN, TRACE_SPAN_SIZE);
    assert_memory_not_equal(context.span, SPAN, TRACE_SPAN_SIZE);

    Bytes parent = passed_on(f, &context, "traceparent");
    assert_int_equal(parent.size, 55);
    assert_bytes(bytes_slice(parent, 0, 36), "00-" TRACE "-");
    assert_memory_equal(parent.data + 36, context.span, TRACE_SPAN_SIZE);
    assert_bytes(bytes_slice(parent, 52, 3), "-01");
    assert_null(passed_on(f, &context, "tracestate").data);
}

static void malformed_parents_are_none(void **state)
{
    Fixture *f = *state;
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-0g",
        "00-" TRACE "-" SPAN "-01-",
        "00-" TRACE "-" SPAN "-01-00",
        "00-" TRACE "-" SPAN "-011",
        "0-" TRACE "-" SPAN "-01",
        "000-" TRACE "-" SPAN "-01",
        "0g-" TRACE "-" SPAN "-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", /* lower case only */
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-" TRACE "-" SPAN "-0A",
        "00-00000000000000000000000000000000-" SPAN "-01", /* all zeros is none */
        "00-" TRACE "-0000000000000000-01",
        "ff-" TRACE "-" SPAN "-01", /* the version that cannot be */
        "ff-" TRACE "-" SPAN "-01-more",
        "FF-" TRACE "-" SPAN "-01",
        "01-" TRACE "-" SPAN "-01more",
        "00-0af7651916cd43dd8448eb211c80319g-" SPAN "-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        TraceContext context = context_of(f, bad[i], "vendor=1");
        if (context.known)
            fail_msg("taken: %s", bad[i]);
        assert_null(passed_on(f, &context, "traceparent").data);
        assert_null(passed_on(f, &context, "tracestate").data);
    }
}

static void two_parents_are_none(void **state)
{
    Fixture *f = *state;
    TraceContext context;
    fields_add_text(&f->head, "traceparent", PARENT);
    fields_add_text(&f->head, "traceparent", PARENT);
    fields_add_text(&f->head, "tracestate", "vendor=1");
    trace_context_begin(&f->head, &f->random, f->arena, &context);
    assert_false(context.known);
    assert_int_equal(context.state.size, 0);
}

static void a_state_without_a_parent_is_dropped(void **state)
{
    Fixture *f = *state;
    TraceContext context = context_of(f, NULL, "vendor=1");
    assert_false(context.known);
    assert_null(passed_on(f, &context, "tracestate").data);
}

static void a_higher_version_is_read_as_far_as_we_know_it_and_goes_on_as_00(void **state)
{
    Fixture *f = *state;
    static const char *const higher[] = {
        "01-" TRACE "-" SPAN "-01",
        "01-" TRACE "-" SPAN "-01-",
        "cc-" TRACE "-" SPAN "-01-what-ever",
        "fe-" TRACE "-" SPAN "-01-",
    };
    for (size_t i = 0; i < sizeof higher / sizeof *higher; i++) {
        TraceContext context = context_of(f, higher[i], NULL);
        assert_true(context.known);
        Bytes parent = passed_on(f, &context, "traceparent");
        assert_int_equal(parent.size, 55);
        assert_true(bytes_start_with(parent, "00-" TRACE "-"));
    }
}

static void flags_are_bits_and_the_random_one_is_kept(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *in, *out;
    } flags[] = {
        {"00", "00"}, {"01", "01"}, {"02", "02"}, {"03", "03"},
        {"ff", "03"}, {"f8", "00"}, {"09", "01"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const char *parent = arena_printf(f->arena, "00-" TRACE "-" SPAN "-%s", flags[i].in);
        TraceContext context = context_of(f, parent, NULL);
        assert_bytes(bytes_slice(passed_on(f, &context, "traceparent"), 53, 2), flags[i].out);
    }
}

static void no_trace_is_begun_here(void **state)
{
    Fixture *f = *state;
    TraceContext context = context_of(f, NULL, NULL);
    assert_false(context.known);
    Fields out = fields_in(f->arena);
    fields_add_text(&out, "traceparent", "nonsense");
    fields_add_text(&out, "x-other", "kept");
    fields_add_text(&out, "tracestate", "a=1");
    trace_context_write(&context, &out);
    assert_int_equal(out.n, 1);
    assert_bytes(fields_get(&out, "x-other"), "kept");
}

static void each_call_of_a_trace_is_a_span_of_its_own(void **state)
{
    Fixture *f = *state;
    TraceContext a = context_of(f, PARENT, NULL), b = context_of(f, PARENT, NULL);
    assert_memory_not_equal(a.span, b.span, TRACE_SPAN_SIZE);
}

static void our_member_comes_first_and_an_older_one_of_ours_goes(void **state)
{
    Fixture *f = *state;
    TraceContext context =
        context_of(f, PARENT, "rojo=00f067aa0ba902b7,passerelle=0123456789abcdef,congo=t61");
    Bytes passed = passed_on(f, &context, "tracestate");
    assert_memory_equal(passed.data + strlen("passerelle="), context.span, TRACE_SPAN_SIZE);
    assert_bytes(without_own_member(passed), "rojo=00f067aa0ba902b7,congo=t61");
}

static void several_state_fields_are_one_list_in_their_order(void **state)
{
    Fixture *f = *state;
    TraceContext context;
    fields_add_text(&f->head, "tracestate", "a=1 ,\tb=2");
    fields_add_text(&f->head, "traceparent", PARENT);
    fields_add_text(&f->head, "tracestate", "");
    fields_add_text(&f->head, "tracestate", "c@d=3,,");
    trace_context_begin(&f->head, &f->random, f->arena, &context);
    assert_bytes(without_own_member(context.state), "a=1,b=2,c@d=3");
}

static void members_beyond_thirty_two_fall_off_the_right(void **state)
{
    Fixture *f = *state;
    Buffer list = buffer_in(f->arena), expected = buffer_in(f->arena);
    for (int i = 0; i < 40; i++) {
        buffer_printf(&list, "%sk%d=%d", i ? "," : "", i, i);
        if (i < 31)
            buffer_printf(&expected, "%sk%d=%d", i ? "," : "", i, i);
    }
    TraceContext context = context_of(f, PARENT, arena_text(f->arena, buffer_bytes(&list)));
    assert_true(bytes_equal(without_own_member(context.state), buffer_bytes(&expected)));
}

static void a_malformed_state_is_dropped_but_the_trace_goes_on(void **state)
{
    Fixture *f = *state;
    static const char *const bad[] = {
        "novalue", "=1", "A=1", "a=", "a=1,b", "a=1=2", "k\xc3\xa9=1", "a=\x01", "*a=1", "-a=1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        TraceContext context = context_of(f, PARENT, bad[i]);
        assert_true(context.known);
        if (without_own_member(context.state).size)
            fail_msg("passed on: %s", bad[i]);
    }
}

static void long_members_give_way_first_when_the_state_is_too_large(void **state)
{
    Fixture *f = *state;
    Buffer list = buffer_in(f->arena);
    for (int i = 0; i < 12; i++) {
        buffer_printf(&list, "%slong%d=%0200d", i ? "," : "", i, i);
        buffer_printf(&list, ",short%d=%d", i, i);
    }
    TraceContext context = context_of(f, PARENT, arena_text(f->arena, buffer_bytes(&list)));
    const char *passed = arena_text(f->arena, context.state);
    assert_true(context.state.size <= TRACE_STATE_SIZE);
    for (int i = 0; i < 12; i++)
        assert_non_null(strstr(passed, arena_printf(f->arena, ",short%d=%d", i, i)));
    assert_non_null(strstr(passed, ",long0="));
    assert_null(strstr(passed, ",long11="));
}

static void what_is_passed_on_replaces_what_came(void **state)
{
    Fixture *f = *state;
    TraceContext context = context_of(f, PARENT, "a=1");
    Fields out = fields_in(f->arena);
    fields_add_text(&out, "traceparent", PARENT);
    fields_add_text(&out, "x-other", "kept");
    fields_add_text(&out, "tracestate", "a=1");
    fields_add_text(&out, "tracestate", "b=1");
    trace_context_write(&context, &out);
    assert_int_equal(out.n, 3);
    assert_bytes(fields_get(&out, "x-other"), "kept");
    assert_bytes(without_own_member(fields_joined(&out, "tracestate")), "a=1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_trace_goes_on_with_a_span_of_ours),
        TEST(malformed_parents_are_none),
        TEST(two_parents_are_none),
        TEST(a_state_without_a_parent_is_dropped),
        TEST(a_higher_version_is_read_as_far_as_we_know_it_and_goes_on_as_00),
        TEST(flags_are_bits_and_the_random_one_is_kept),
        TEST(no_trace_is_begun_here),
        TEST(each_call_of_a_trace_is_a_span_of_its_own),
        TEST(our_member_comes_first_and_an_older_one_of_ours_goes),
        TEST(several_state_fields_are_one_list_in_their_order),
        TEST(members_beyond_thirty_two_fall_off_the_right),
        TEST(a_malformed_state_is_dropped_but_the_trace_goes_on),
        TEST(long_members_give_way_first_when_the_state_is_too_large),
        TEST(what_is_passed_on_replaces_what_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
