/* Calls of the gateway's own, with a scripted caller at one end and a scripted instance at the
   other: what each hears, whatever the other does, at every step. */
#include "gateway/call/exchange.h"
#include "tests/unit/gateway/call/scene.h"

#include <stdlib.h>

/* ---- The scripted caller --------------------------------------------------------------------- */

/* On the heap, and freed as soon as it may be: what touches it afterwards is found by ASan. */
typedef struct Script {
    Caller caller;
    Scene *scene;
    Exchange *x;
    Buffer *heard;      /* "room, head, message: x, end OK, record" */
    const char *leaves; /* in this event it cancels its call and frees itself */
    const char *fails;  /* this event fails */
    const char *sends;  /* in this event it sends a message more */
    bool full;          /* it takes no more of the response */
    bool over;          /* on_record has come */
} Script;

static bool is(const char *event, const char *which)
{
    return which && strcmp(event, which) == 0;
}

static Result cancelled(Scene *scene)
{
    return FAIL(scene->arena, FAULT_CANCELLED, "the script leaves");
}

static void leave(Script *script)
{
    exchange_cancel(script->x, cancelled(script->scene));
    free(script);
}

static Result hear(Caller *caller, const char *event, Bytes what)
{
    Script *script = (Script *)caller;
    Scene *scene = script->scene;
    assert_false(script->over);
    buffer_printf(script->heard, "%s%s%s%.*s", script->heard->size ? ", " : "", event,
                  what.size ? " " : "", BYTES_ARGS(what));
    bool fails = is(event, script->fails);
    if (is(event, script->sends))
        exchange_send(script->x, (Message){.bytes = ITEM});
    if (is(event, script->leaves))
        leave(script);
    return fails ? FAIL(scene->arena, FAULT_OUT_OF_MEMORY, "the script wants no more") : OK;
}

static void on_room(Caller *caller)
{
    error_ignore(hear(caller, "room", BYTES_NONE), "this event cannot fail");
}

static Result on_head(Caller *caller)
{
    return hear(caller, "head", BYTES_NONE);
}

static Result on_message(Caller *caller, Message message)
{
    assert_false(message.compressed);
    return hear(caller, "message", bytes_slice(message.bytes, 2, 1));
}

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    return hear(caller, "response", bytes_slice(message.bytes, 2, 1));
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    if (status->details.size)
        error_ignore(hear(caller, "details", BYTES_NONE), "this event cannot fail");
    error_ignore(hear(caller, "end", bytes_of(code_name(status->code))), "nor can this");
}

static void on_record(Caller *caller, const CallRecord *record)
{
    Script *script = (Script *)caller;
    buffer_printf(script->heard, ", record %s", code_name(record->status.code));
    assert_false(script->over);
    script->over = true;
}

static bool has_room(const Caller *caller)
{
    return !((const Script *)caller)->full;
}

static const CallerEvents events = {
    .on_room = on_room,
    .on_head = on_head,
    .on_message = on_message,
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
    .has_room = has_room,
};

/* ---- The play -------------------------------------------------------------------------------- */

enum { PORT = 7101, TIMEOUT = 1000 /* milliseconds */ };

typedef struct Play {
    Scene *scene;
    Script *script;
    Exchange *x;
    Buffer heard;
    const Method *method;
} Play;

static void begin(Play *play)
{
    CallOrder order = {
        .method = play->method, .codec = CODEC_PROTO, .timeout = TIMEOUT * MILLISECOND};
    play->x = play->script->x = exchange_new(&play->scene->loop, &play->script->caller, &order);
}

static void go(Play *play)
{
    exchange_go(play->x);
}

static void say_request(Play *play)
{
    assert_true(exchange_wants(play->x));
    assert_true(exchange_send(play->x, (Message){.bytes = ITEM}));
    scene_pump(play->scene);
}

static void end_request(Play *play)
{
    assert_true(exchange_wants(play->x));
    assert_true(exchange_end(play->x, NULL));
    scene_pump(play->scene);
}

static void reach(Play *play)
{
    scene_connect(play->scene, PORT);
}

static void say_head(Play *play)
{
    answer_grpc_head(instance(play->scene));
}

static void say_item(Play *play)
{
    say_frame(instance(play->scene), ITEM);
}

static void say_trailers(Play *play)
{
    answer_trailers(instance(play->scene), "grpc-status: 0");
}

/* A call of each kind, step by step; what its caller hears when nothing comes in between. */
typedef struct Kind {
    const char *path;
    void (*steps[10])(Play *play);
    unsigned sent; /* so many steps are over when the instance has been asked */
    const char *hears;
} Kind;

static const Kind kinds[] = {
    {MAKE_ITEM,
     {begin, go, say_request, end_request, reach, say_head, say_item, say_trailers},
     5,
     "response x, end OK, record OK"},
    {WATCH_ITEM,
     {begin, go, say_request, end_request, reach, say_head, say_item, say_item, say_trailers},
     5,
     "head, message x, message x, end OK, record OK"},
    {LOAD_ITEMS,
     {begin, go, reach, say_request, say_request, end_request, say_head, say_item, say_trailers},
     3,
     "room, response x, end OK, record OK"},
    {TRADE_ITEMS,
     {begin, go, reach, say_request, say_head, say_item, say_request, end_request, say_item,
      say_trailers},
     3,
     "room, head, message x, message x, end OK, record OK"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static unsigned n_steps(const Kind *kind)
{
    unsigned n = 0;
    while (n < sizeof kind->steps / sizeof *kind->steps && kind->steps[n])
        n++;
    return n;
}

static Play play_new(Scene *scene, const char *path)
{
    Play play = {.scene = scene,
                 .script = calloc(1, sizeof(Script)),
                 .heard = buffer_in(scene->arena),
                 .method = table_get(&scene->config->methods, bytes_of(path))};
    assert_non_null(play.method);
    scene_upstream(scene, PORT)->want = WANT_WAITS;
    return play;
}

/* The first `n` steps of it. `play` stays where it is. */
static void play_begin(Play *play, const Kind *kind, unsigned n)
{
    *play->script = (Script){.caller = {&events},
                             .scene = play->scene,
                             .heard = &play->heard,
                             .leaves = play->script->leaves,
                             .fails = play->script->fails,
                             .sends = play->script->sends};
    for (unsigned i = 0; i < n; i++)
        kind->steps[i](play);
}

static void assert_heard(const Play *play, const char *expected)
{
    const char *heard = arena_text(play->scene->arena, buffer_bytes(&play->heard));
    if (strcmp(heard, expected) != 0)
        fail_msg("%s: heard \"%s\", not \"%s\"", play->method->type->path, heard, expected);
}

/* What is heard so far ends so. */
static void assert_heard_last(const Play *play, const char *expected)
{
    Bytes heard = buffer_bytes(&play->heard), end = bytes_of(expected);
    if (heard.size < end.size ||
        !bytes_equal(bytes_slice(heard, heard.size - end.size, end.size), end))
        fail_msg("%s: heard \"%.*s\", not \"... %s\"", play->method->type->path, BYTES_ARGS(heard),
                 expected);
}

/* Nothing more is heard, whatever the instance and the clock still say; and nothing is left. */
static void assert_all_over(Play *play)
{
    size_t heard = play->heard.size;
    assert_null(scene_upstream(play->scene, PORT)->wait);
    scene_pass(play->scene, 2 * TIMEOUT);
    assert_int_equal(play->heard.size, heard);
    assert_int_equal(play->scene->loop.n_calls, 0);
    scene_clear(play->scene);
}

static Scene *yard(void **state)
{
    return scene_again(state, YARD_OF("versions: [v1]"));
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_caller_hears_the_response_in_its_order(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        Play play = play_new(scene, kinds[k].path);
        play_begin(&play, &kinds[k], n_steps(&kinds[k]));
        assert_heard(&play, kinds[k].hears);
        free(play.script);
        assert_all_over(&play);
    }
}

static void messages_are_in_the_callers_version(void **state)
{
    Scene *scene = scene_again(state, YARD_OF("versions: [v2]"));
    Play play = play_new(scene, MAKE_ITEM);
    play_begin(&play, &kinds[0], 5);
    assert_bytes(instance(scene)->head.path, "/yard.v2.Yard/Make");
    assert_string_equal(field_of(instance(scene), "grpc-timeout"), "1000000u");
    say_head(&play);
    say_item(&play);
    say_trailers(&play);
    assert_heard(&play, kinds[0].hears);
    free(play.script);
    assert_all_over(&play);
}

static void a_call_that_is_cancelled_at_any_step_says_its_record_and_nothing_more(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned n = 1; n < n_steps(&kinds[k]); n++) {
            Play play = play_new(scene, kinds[k].path);
            play_begin(&play, &kinds[k], n);
            leave(play.script);
            scene_pump(scene);
            assert_heard_last(&play, ", record CANCELLED");
            if (n >= kinds[k].sent)
                assert_string_equal(instance(scene)->reset, "CANCELLED");
            assert_all_over(&play);
        }
    }
}

static void a_caller_may_leave_and_be_freed_in_any_event(void **state)
{
    static const char *const names[] = {"room", "head", "message", "response", "end"};
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned e = 0; e < sizeof names / sizeof *names; e++) {
            if (!strstr(kinds[k].hears, names[e]))
                continue;
            Play play = play_new(scene, kinds[k].path);
            play.script->leaves = names[e];
            *play.script = (Script){
                .caller = {&events}, .scene = scene, .heard = &play.heard, .leaves = names[e]};
            for (unsigned i = 0; i < n_steps(&kinds[k]) && scene->loop.n_calls + !i; i++)
                kinds[k].steps[i](&play);
            assert_non_null(strstr(arena_text(scene->arena, buffer_bytes(&play.heard)), names[e]));
            assert_heard_last(&play, is("end", names[e]) ? "end OK, record CANCELLED"
                                                         : ", record CANCELLED");
            assert_all_over(&play);
        }
    }
}

static void what_a_caller_cannot_take_ends_the_call(void **state)
{
    static const char *const names[] = {"head", "message", "response"};
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned e = 0; e < sizeof names / sizeof *names; e++) {
            if (!strstr(kinds[k].hears, names[e]))
                continue;
            Play play = play_new(scene, kinds[k].path);
            play.script->fails = names[e];
            play_begin(&play, &kinds[k], 0);
            for (unsigned i = 0; i < n_steps(&kinds[k]) && scene->loop.n_calls + !i; i++)
                kinds[k].steps[i](&play);
            assert_heard_last(&play, "end RESOURCE_EXHAUSTED, record RESOURCE_EXHAUSTED");
            free(play.script);
            assert_all_over(&play);
        }
    }
}

static void the_deadline_ends_the_call_at_any_step(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned n = 2; n < n_steps(&kinds[k]); n++) {
            Play play = play_new(scene, kinds[k].path);
            play_begin(&play, &kinds[k], n);
            size_t heard = play.heard.size;
            scene_pass(scene, TIMEOUT - 1);
            assert_int_equal(play.heard.size, heard);
            scene_pass(scene, 2); /* a timer fires within a millisecond */
            assert_heard_last(&play, "end DEADLINE_EXCEEDED, record DEADLINE_EXCEEDED");
            free(play.script);
            assert_all_over(&play);
        }
    }
}

static void an_instance_that_breaks_off_at_any_step_ends_the_call(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned n = kinds[k].sent; n < n_steps(&kinds[k]); n++) {
            Play play = play_new(scene, kinds[k].path);
            play_begin(&play, &kinds[k], n);
            break_off(instance(scene), HTTP2_ERROR_INTERNAL);
            scene_back_off(scene);
            if (scene_upstream(scene, PORT)->wait) /* what is safe is tried again: in vain */
                scene_connect_fails(scene, PORT);
            assert_heard_last(&play, "end UNAVAILABLE, record UNAVAILABLE");
            free(play.script);
            assert_all_over(&play);
        }
    }
}

static void an_instance_that_cannot_be_reached_ends_the_call(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        Play play = play_new(scene, kinds[k].path);
        unsigned n = 0;
        while (kinds[k].steps[n] != reach)
            n++;
        play_begin(&play, &kinds[k], n);
        scene_connect_fails(scene, PORT);
        assert_heard(&play, "end UNAVAILABLE, record UNAVAILABLE");
        free(play.script);
        assert_all_over(&play);
    }
}

static void an_error_of_the_service_comes_with_its_code(void **state)
{
    Scene *scene = yard(state);
    for (unsigned k = 0; k < KINDS; k++) {
        Play play = play_new(scene, kinds[k].path);
        play_begin(&play, &kinds[k], kinds[k].sent);
        answer_error(instance(scene), 9, "no");
        assert_heard_last(&play, "end FAILED_PRECONDITION, record FAILED_PRECONDITION");
        free(play.script);
        assert_all_over(&play);
    }
}

static void a_message_may_be_sent_within_an_event(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, TRADE_ITEMS);
    play.script->sends = "room";
    play_begin(&play, &kinds[3], 3);
    scene_pump(scene);
    assert_body(instance(scene), framed(scene, ITEM));
    say_head(&play);
    play.script->sends = "message";
    say_item(&play);
    assert_int_equal(instance(scene)->body.size, 2 * (ITEM.size + 5));
    end_request(&play);
    say_trailers(&play);
    assert_heard(&play, "room, head, message x, end OK, record OK");
    free(play.script);
    assert_all_over(&play);
}

/* More than a stream's window, by a caller that has no room for it. */
static void an_instance_is_held_back_while_its_caller_has_no_room(void **state)
{
    enum { MESSAGES = 100 };
    Scene *scene = scene_again(
        state,
        "limits: {stream_window: 65536, connection_window: 131072}\n" YARD_OF("versions: [v1]"));
    Play play = play_new(scene, WATCH_ITEM);
    Bytes large = {calloc(1, 4096), 4096};
    play_begin(&play, &kinds[1], 6);
    Buffer item = buffer_in(scene->arena);
    buffer_add_text(&item, "\n\x80\x20");
    buffer_add_bytes(&item, large);
    free((void *)large.data);
    play.script->full = true;
    for (unsigned i = 0; i < MESSAGES; i++)
        say_frame(instance(scene), buffer_bytes(&item));
    size_t held = http_stream_queued(instance(scene)->stream);
    assert_true(held > 0);
    scene_pump(scene);
    assert_int_equal(http_stream_queued(instance(scene)->stream), held);

    play.script->full = false;
    assert_true(exchange_room(play.x));
    scene_pump(scene);
    assert_int_equal(http_stream_queued(instance(scene)->stream), 0);
    say_trailers(&play);
    assert_heard_last(&play, ", end OK, record OK");
    free(play.script);
    assert_all_over(&play);
}

static void a_caller_hears_when_the_instance_takes_more(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, LOAD_ITEMS);
    play_begin(&play, &kinds[2], 3);
    assert_heard(&play, "room");
    assert_true(exchange_has_room(play.x));
    instance(scene)->keeps = true;
    while (exchange_has_room(play.x))
        say_request(&play);
    assert_heard(&play, "room");
    give_back(instance(scene));
    assert_heard(&play, "room, room");
    assert_true(exchange_has_room(play.x));
    leave(play.script);
    scene_pump(scene);
    assert_all_over(&play);
}

static void a_request_of_one_message_is_one(void **state)
{
    Scene *scene = yard(state);
    Play none = play_new(scene, MAKE_ITEM);
    play_begin(&none, &kinds[0], 2);
    assert_false(exchange_end(none.x, NULL));
    assert_heard(&none, "end UNIMPLEMENTED, record UNIMPLEMENTED");
    free(none.script);
    assert_all_over(&none);

    Play two = play_new(scene, MAKE_ITEM);
    play_begin(&two, &kinds[0], 3);
    assert_false(exchange_send(two.x, (Message){.bytes = ITEM}));
    assert_heard(&two, "end UNIMPLEMENTED, record UNIMPLEMENTED");
    free(two.script);
    assert_all_over(&two);
}

static void one_instance_may_be_asked_for_what_no_schema_has(void **state)
{
    static const MethodType type = {
        .path = "/elsewhere.Any/Thing", .client_streaming = true, .server_streaming = true};
    Scene *scene = yard(state);
    const Service *service = &scene->config->services[scene->config->n_services - 1];
    Fields said = fields_in(scene->arena);
    fields_add(&said, bytes_of("x-said"), bytes_of("so"));
    Play play = play_new(scene, TRADE_ITEMS);
    play_begin(&play, &kinds[3], 0);
    CallOrder order = {.instance = &service->instances[0],
                       .type = &type,
                       .timeout = NO_TIMEOUT,
                       .metadata = &said,
                       .response_bytes = 8};
    play.x = play.script->x = exchange_new(&scene->loop, &play.script->caller, &order);
    go(&play);
    reach(&play);
    say_request(&play);
    assert_bytes(instance(scene)->head.path, "/elsewhere.Any/Thing");
    assert_string_equal(field_of(instance(scene), "x-said"), "so");
    assert_body(instance(scene), framed(scene, ITEM));
    say_head(&play);
    say_item(&play);
    assert_heard(&play, "room, head, message x");
    say_frame(instance(scene), BYTES("123456789"));
    assert_heard_last(&play, "end RESOURCE_EXHAUSTED, record RESOURCE_EXHAUSTED");
    free(play.script);
    assert_all_over(&play);
}

/* A call to the yard's instance, and to no other one, up to where it has to be reached. */
static void ask_the_one(Play *play)
{
    static const MethodType type = {.path = "/elsewhere.Any/Thing"};
    const Config *config = play->scene->config;
    const Service *service = &config->services[config->n_services - 1];
    play_begin(play, &kinds[0], 0);
    CallOrder order = {.instance = &service->instances[0], .type = &type, .timeout = NO_TIMEOUT};
    play->x = play->script->x = exchange_new(&play->scene->loop, &play->script->caller, &order);
    go(play);
    say_request(play);
    end_request(play);
}

static void the_one_instance_is_asked_again_after_a_refusal(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, MAKE_ITEM);
    ask_the_one(&play);
    reach(&play);
    break_off(instance(scene), HTTP2_ERROR_REFUSED_STREAM);
    reach(&play);
    assert_body(instance(scene), framed(scene, ITEM));
    say_head(&play);
    say_item(&play);
    say_trailers(&play);
    assert_heard(&play, "response x, end OK, record OK");
    free(play.script);
    assert_all_over(&play);
}

static void the_one_instance_that_cannot_be_reached_is_not_tried_again(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, MAKE_ITEM);
    ask_the_one(&play);
    scene_connect_fails(scene, PORT);
    assert_heard(&play, "end UNAVAILABLE, record UNAVAILABLE");
    free(play.script);
    assert_all_over(&play);
}

static void an_error_of_the_one_instance_comes_with_its_details(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, MAKE_ITEM);
    ask_the_one(&play);
    reach(&play);
    answer_head(instance(scene), 200,
                "content-type: application/grpc\ngrpc-status: 3\n"
                "grpc-status-details-bin: CAMaBQoDYS9i", /* code 3, an Any of the type "a/b" */
                -1, true);
    assert_heard(&play, "details, end INVALID_ARGUMENT, record INVALID_ARGUMENT");
    free(play.script);
    assert_all_over(&play);
}

static void a_caller_has_the_metadata_of_the_response_from_its_head_on(void **state)
{
    Scene *scene = yard(state);
    Play play = play_new(scene, WATCH_ITEM);
    play_begin(&play, &kinds[1], kinds[1].sent);
    assert_int_equal(exchange_metadata(play.x)->n, 0);
    answer_head(instance(scene), 200, "content-type: application/grpc\nx-said: so", -1, false);
    assert_bytes(fields_get(exchange_metadata(play.x), "x-said"), "so");
    say_trailers(&play);
    free(play.script);
    assert_all_over(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_caller_hears_the_response_in_its_order),
        SCENE_TEST(messages_are_in_the_callers_version),
        SCENE_TEST(a_call_that_is_cancelled_at_any_step_says_its_record_and_nothing_more),
        SCENE_TEST(a_caller_may_leave_and_be_freed_in_any_event),
        SCENE_TEST(what_a_caller_cannot_take_ends_the_call),
        SCENE_TEST(the_deadline_ends_the_call_at_any_step),
        SCENE_TEST(an_instance_that_breaks_off_at_any_step_ends_the_call),
        SCENE_TEST(an_instance_that_cannot_be_reached_ends_the_call),
        SCENE_TEST(an_error_of_the_service_comes_with_its_code),
        SCENE_TEST(a_message_may_be_sent_within_an_event),
        SCENE_TEST(an_instance_is_held_back_while_its_caller_has_no_room),
        SCENE_TEST(a_caller_hears_when_the_instance_takes_more),
        SCENE_TEST(a_request_of_one_message_is_one),
        SCENE_TEST(one_instance_may_be_asked_for_what_no_schema_has),
        SCENE_TEST(the_one_instance_is_asked_again_after_a_refusal),
        SCENE_TEST(the_one_instance_that_cannot_be_reached_is_not_tried_again),
        SCENE_TEST(an_error_of_the_one_instance_comes_with_its_details),
        SCENE_TEST(a_caller_has_the_metadata_of_the_response_from_its_head_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
