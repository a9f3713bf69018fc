#include "gateway/dial/dial_marks.h"

#include "tests/unit/gateway/dial/garage_config.h"

static int setup(void **state)
{
    return load_garage(GOOD);
}

/* One line each: mark, indentation, text, and of which loss. */
static const char *marked(const DialSide *side)
{
    Arena *arena = fixture.arena;
    Buffer out = buffer_in(arena);
    DialLines lines;
    assert_ok(arena, dial_marks_make(side, arena, &lines));
    for (uint32_t i = 0; i < lines.n; i++) {
        const DialLine *line = &lines.items[i];
        buffer_printf(&out, "%c%*s%.*s", " -!"[line->mark], (int)line -> depth, "",
                      BYTES_ARGS(line->text));
        if (line->loss)
            buffer_printf(&out, " <- %s", line->loss->loss->path);
        buffer_add_byte(&out, '\n');
    }
    return arena_text(arena, buffer_bytes(&out));
}

static const MessageType *list_type(void)
{
    return garage_method("v1", "List")->type->output;
}

#define JSON(text) bytes_of(text)

static void equal_values_at_equal_places_are_the_same(void **state)
{
    DialSide side = {.json = JSON("{\"a\":1,\"b\":[1,{\"c\":null}],\"d\":{},\"e\":[]}"),
                     .other = JSON("{\"e\":[],\"d\":{},\"b\":[1,{\"c\":null}],\"a\":1}"),
                     .source = true};
    assert_string_equal(marked(&side), " {\n"
                                       "  \"a\": 1,\n"
                                       "  \"b\": [\n"
                                       "   1,\n"
                                       "   {\n"
                                       "    \"c\": null\n"
                                       "   }\n"
                                       "  ],\n"
                                       "  \"d\": {},\n"
                                       "  \"e\": []\n"
                                       " }\n");
}

static void other_values_places_and_kinds_differ(void **state)
{
    DialSide side = {.json = JSON("{\"a\":1,\"b\":[1,2],\"d\":{\"x\":1},\"n\":\"1\"}"),
                     .other = JSON("{\"a\":2,\"b\":[1],\"d\":[],\"n\":1}"),
                     .source = true};
    assert_string_equal(marked(&side), " {\n"
                                       "- \"a\": 1,\n"
                                       "  \"b\": [\n"
                                       "   1,\n"
                                       "-  2\n"
                                       "  ],\n"
                                       "- \"d\": {\n"
                                       "-  \"x\": 1\n"
                                       "- },\n"
                                       "- \"n\": \"1\"\n"
                                       " }\n");
}

static void without_another_side_nothing_is_marked(void **state)
{
    DialSide side = {.json = JSON("{\"a\":1}")};
    assert_string_equal(marked(&side), " {\n  \"a\": 1\n }\n");
}

static void what_is_lost_is_marked_where_it_was(void **state)
{
    Loss note = {.kind = LOSS_DROPPED, .path = "Car.note"};
    DialLoss losses[] = {{&note, 2}};
    DialSide side = {.type = list_type(),
                     .json = JSON("{\"cars\":[{\"name\":\"x\",\"note\":\"hi\"},{\"note\":\"\"}]}"),
                     .other = JSON("{\"cars\":[{\"name\":\"x\"},{}]}"),
                     .losses = losses,
                     .n_losses = 1,
                     .source = true};
    assert_string_equal(marked(&side), " {\n"
                                       "  \"cars\": [\n"
                                       "   {\n"
                                       "    \"name\": \"x\",\n"
                                       "!   \"note\": \"hi\" <- Car.note\n"
                                       "   },\n"
                                       "   {\n"
                                       "!   \"note\": \"\" <- Car.note\n"
                                       "   }\n"
                                       "  ]\n"
                                       " }\n");
}

/* The path of a loss begins at one of the messages around the field. */
static void a_loss_of_a_whole_message_marks_all_of_it(void **state)
{
    Loss cars = {.kind = LOSS_NARROWED, .path = "ListResponse.cars"};
    Loss other = {.kind = LOSS_DROPPED, .path = "Truck.name"};
    Loss deep = {.kind = LOSS_DROPPED, .path = "ListResponse.cars.name"};
    DialLoss losses[] = {{&other, 1}, {&cars, 1}};
    DialSide side = {.type = list_type(),
                     .json = JSON("{\"cars\":[{\"name\":\"x\"}]}"),
                     .other = JSON("{\"cars\":[{\"name\":\"x\"}]}"),
                     .losses = losses,
                     .n_losses = 2,
                     .source = true};
    assert_string_equal(marked(&side), " {\n"
                                       "! \"cars\": [ <- ListResponse.cars\n"
                                       "!  {\n"
                                       "!   \"name\": \"x\"\n"
                                       "!  }\n"
                                       "! ]\n"
                                       " }\n");
    losses[1].loss = &deep;
    assert_string_equal(marked(&side), " {\n"
                                       "  \"cars\": [\n"
                                       "   {\n"
                                       "!   \"name\": \"x\" <- ListResponse.cars.name\n"
                                       "   }\n"
                                       "  ]\n"
                                       " }\n");
}

static void a_default_is_told_where_it_was_filled_in(void **state)
{
    Loss filled = {.kind = LOSS_DEFAULTED, .path = "Car.note"};
    DialLoss losses[] = {{&filled, 1}};
    DialSide side = {.type = garage_method("v1", "Get")->type->output,
                     .json = JSON("{\"note\":\"none\"}"),
                     .other = JSON("{}"),
                     .losses = losses,
                     .n_losses = 1};
    assert_string_equal(marked(&side), " {\n- \"note\": \"none\" <- Car.note\n }\n");
    side.source = true;
    assert_string_equal(marked(&side), " {\n- \"note\": \"none\"\n }\n");
}

static void what_is_no_json_is_told(void **state)
{
    DialLines lines;
    assert_fault(dial_marks_make(&(DialSide){.json = JSON("{")}, fixture.arena, &lines),
                 FAULT_BAD_JSON);
    assert_fault(
        dial_marks_make(&(DialSide){.json = JSON("{}"), .other = JSON("{")}, fixture.arena, &lines),
        FAULT_BAD_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_at_equal_places_are_the_same),
        cmocka_unit_test(other_values_places_and_kinds_differ),
        cmocka_unit_test(without_another_side_nothing_is_marked),
        cmocka_unit_test(what_is_lost_is_marked_where_it_was),
        cmocka_unit_test(a_loss_of_a_whole_message_marks_all_of_it),
        cmocka_unit_test(a_default_is_told_where_it_was_filled_in),
        cmocka_unit_test(what_is_no_json_is_told),
    };
    return cmocka_run_group_tests(tests, setup, free_garage);
}
