#include "tests/unit/check.h"

#include "gateway/page/live.h"

#include <stdio.h>

typedef struct Reader {
    LiveReader reader; /* first */
    char text[4096];   /* all that it was sent */
    Bytes last;        /* what it is being sent, in place */
    bool waits;        /* for live_taken */
    int ends;
    LiveEnd why;
} Reader;

/* The pages that are asked for, and what is said of them at once; NULL: nothing yet. */
typedef struct Source {
    const char *body;
    int64_t now;
    LivePage *asked[100];
    int n;
} Source;

enum { LIVE_READERS = 7 };

static Live *live;
static Source source;
static Reader readers[LIVE_READERS + 1];

static void on_ask(void *owner, LivePage *page)
{
    Source *s = owner;
    s->asked[s->n++] = page;
    if (s->body)
        live_answer(page, 200, bytes_of(s->body), 0, s->now);
}

static void on_send(LiveReader *reader, Bytes text)
{
    Reader *r = (Reader *)reader;
    assert_false(r->waits);
    r->waits = true;
    r->last = text;
    snprintf(r->text + strlen(r->text), sizeof r->text - strlen(r->text), "%.*s", BYTES_ARGS(text));
}

static void on_end(LiveReader *reader, LiveEnd why)
{
    Reader *r = (Reader *)reader;
    r->ends++;
    r->why = why;
}

static int begin(void **state)
{
    memset(readers, 0, sizeof readers);
    source = (Source){.body = "{\"a\":1}\n"};
    live = live_new(&(LiveSource){on_ask, &source});
    live_allow(live, LIVE_READERS);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        readers[i].reader = (LiveReader){.send = on_send, .end = on_end};
    return 0;
}

static int end(void **state)
{
    live_end(live);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        live_leave(&readers[i].reader);
    live_free(live);
    return 0;
}

static Reader *join(int i, const char *page, const char *other, int64_t now)
{
    Bytes pages[] = {bytes_of(page), bytes_of(other)};
    source.now = now;
    live_join(live, &readers[i].reader, pages, other ? 2 : 1, now);
    return &readers[i];
}

static void take(Reader *reader, int64_t now)
{
    assert_true(reader->waits);
    reader->waits = false;
    live_taken(&reader->reader, now);
}

static void look(int64_t now)
{
    source.now = now;
    live_look(live, now);
}

static void a_reader_gets_each_page_at_once_one_after_the_other(void **state)
{
    Reader *reader = join(0, "/healing", "/config", 0);
    const char first[] =
        "event: page\nid: 1\ndata: {\"page\":\"/healing\",\"status\":200,\"body\":{\"a\":1}}\n\n";
    const char second[] =
        "event: page\nid: 2\ndata: {\"page\":\"/config\",\"status\":200,\"body\":{\"a\":1}}\n\n";
    assert_string_equal(reader->text, first);
    take(reader, 0);
    assert_string_equal(reader->text + strlen(first), second);
    take(reader, 0);
    assert_false(reader->waits);
}

static void what_is_the_same_as_before_is_not_sent_again(void **state)
{
    Reader *reader = join(0, "/healing", NULL, 0);
    take(reader, 0);
    look(SECOND);
    assert_int_equal(source.n, 2);
    assert_false(reader->waits);
    source.body = "{\"a\":2}";
    look(2 * SECOND);
    assert_true(reader->waits);
    assert_non_null(strstr(reader->text, "\"body\":{\"a\":2}}\n\n"));
}

static void another_status_of_the_same_bytes_is_sent(void **state)
{
    Reader *reader = join(0, "/healing", NULL, 0);
    take(reader, 0);
    source.body = NULL;
    look(SECOND);
    live_answer(source.asked[1], 503, bytes_of("{\"a\":1}"), 0, SECOND);
    assert_non_null(strstr(reader->text, "\"status\":503,\"body\":{\"a\":1}}\n\n"));
}

static void a_page_is_made_once_for_all_and_never_for_nobody(void **state)
{
    for (int i = 0; i < 5; i++)
        join(i, "/healing", NULL, 0);
    assert_int_equal(source.n, 1);
    look(SECOND);
    assert_int_equal(source.n, 2);
    for (int i = 0; i < 5; i++) {
        assert_true(readers[i].waits);
        live_leave(&readers[i].reader);
    }
    look(2 * SECOND);
    assert_int_equal(source.n, 2);
}

static void who_comes_later_gets_what_is_known(void **state)
{
    join(0, "/healing", NULL, 0);
    Reader *late = join(1, "/healing", NULL, SECOND / 2);
    assert_int_equal(source.n, 1);
    assert_non_null(strstr(late->text, "{\"a\":1}"));
}

static void who_is_slow_gets_the_newest_only(void **state)
{
    Reader *reader = join(0, "/healing", NULL, 0);
    char body[16];
    source.body = body;
    for (int i = 1; i <= 4; i++) {
        snprintf(body, sizeof body, "{\"a\":%d}", 10 + i);
        look(i * SECOND);
    }
    take(reader, 4 * SECOND);
    assert_non_null(strstr(reader->text, "{\"a\":14}"));
    assert_null(strstr(reader->text, "{\"a\":13}"));
    take(reader, 4 * SECOND);
    assert_false(reader->waits);
}

static void who_takes_nothing_is_dropped_and_nobody_else(void **state)
{
    Reader *slow = join(0, "/healing", NULL, 0), *quick = join(1, "/healing", NULL, 0);
    take(quick, 0);
    look(LIVE_PATIENCE - 1);
    assert_int_equal(slow->ends, 0);
    look(LIVE_PATIENCE);
    assert_int_equal(slow->ends, 1);
    assert_int_equal(slow->why, LIVE_SLOW);
    assert_int_equal(quick->ends, 0);
    live_taken(&slow->reader, LIVE_PATIENCE); /* what was under way has arrived after all */
    assert_null(slow->reader.live);
}

static void when_nothing_changes_that_is_said(void **state)
{
    Reader *reader = join(0, "/healing", NULL, 0);
    take(reader, 0);
    look(LIVE_HEARTBEAT - 1);
    assert_false(reader->waits);
    look(LIVE_HEARTBEAT);
    assert_true(reader->waits);
    assert_true(bytes_end_with(bytes_of(reader->text), "}\n\n:\n\n"));
    take(reader, LIVE_HEARTBEAT);
    look(LIVE_HEARTBEAT + SECOND);
    assert_false(reader->waits);
}

static void a_reader_ends_in_time_to_show_its_credentials_again(void **state)
{
    Reader *reader = join(0, "/healing", NULL, 0);
    take(reader, LIVE_LIFE - 1);
    look(LIVE_LIFE - 1);
    assert_int_equal(reader->ends, 0);
    look(LIVE_LIFE);
    assert_int_equal(reader->ends, 1);
    assert_int_equal(reader->why, LIVE_OVER);
}

static void what_costs_much_is_made_seldom(void **state)
{
    int64_t cost = SECOND / 50;
    source.body = NULL;
    join(0, "/errors", NULL, 0);
    look(SECOND);
    assert_int_equal(source.n, 1); /* it is being made */
    live_answer(source.asked[0], 200, bytes_of("{}"), cost, SECOND / 50);
    look(LIVE_SHARE * cost - 1);
    assert_int_equal(source.n, 1);
    look(LIVE_SHARE * cost);
    assert_int_equal(source.n, 2);
}

static void all_pages_together_have_that_share(void **state)
{
    int64_t cost = SECOND / 50;
    source.body = NULL;
    join(0, "/errors", "/usage", 0);
    live_answer(source.asked[0], 200, bytes_of("{}"), cost, 0);
    live_answer(source.asked[1], 200, bytes_of("{}"), cost, 0);
    look(LIVE_SHARE * cost);
    assert_int_equal(source.n, 3); /* the one that was alone when it was made */
    look(2 * LIVE_SHARE * cost);
    assert_int_equal(source.n, 4);
}

static void what_is_waited_for_is_made_less_often(void **state)
{
    source.body = NULL;
    join(0, "/errors", NULL, 0);
    live_answer(source.asked[0], 200, bytes_of("{}"), 0, SECOND / 4);
    look(LIVE_WAITS * (SECOND / 4) - 1);
    assert_int_equal(source.n, 1);
    look(LIVE_WAITS * (SECOND / 4));
    assert_int_equal(source.n, 2);
}

static void whatever_it_costs_it_is_made_in_the_end(void **state)
{
    source.body = NULL;
    join(0, "/errors", NULL, 0);
    live_answer(source.asked[0], 200, bytes_of("{}"), SECOND, 2 * SECOND);
    take(&readers[0], 2 * SECOND);
    look(LIVE_SELDOM - 1);
    assert_int_equal(source.n, 1);
    look(LIVE_SELDOM);
    assert_int_equal(source.n, 2);
}

static void a_page_whose_readers_left_while_it_was_made_is_gone_afterwards(void **state)
{
    source.body = NULL;
    Reader *reader = join(0, "/errors", NULL, 0);
    live_leave(&reader->reader);
    assert_string_equal(reader->text, "");
    join(1, "/errors", NULL, 0);
    assert_int_equal(source.n, 1); /* the same one */
    live_leave(&readers[1].reader);
    live_answer(source.asked[0], 200, bytes_of("{}"), 0, 0);
    join(2, "/errors", NULL, 0);
    assert_int_equal(source.n, 2);
}

static void there_is_room_for_so_many_readers(void **state)
{
    Bytes page = bytes_of("/healing");
    for (int i = 0; i < LIVE_READERS; i++) {
        assert_int_equal(live_room(live, &page, 1), LIVE_ROOM);
        join(i, "/healing", NULL, 0);
    }
    assert_int_equal(live_room(live, &page, 1), LIVE_TOO_MANY_READERS);
    live_leave(&readers[3].reader);
    assert_int_equal(live_room(live, &page, 1), LIVE_ROOM);
    live_allow(live, 0);
    assert_int_equal(live_room(live, &page, 1), LIVE_TOO_MANY_READERS);
}

static void there_is_room_for_so_many_pages(void **state)
{
    char names[LIVE_PAGES + 1][16];
    Bytes pages[LIVE_PAGES + 1];
    for (int i = 0; i <= LIVE_PAGES; i++) {
        snprintf(names[i], sizeof names[i], "/jobs/%d", i);
        pages[i] = bytes_of(names[i]);
    }
    for (int i = 0; i < LIVE_PAGES / LIVE_PAGES_EACH; i++)
        live_join(live, &readers[i].reader, pages + (ptrdiff_t)i * LIVE_PAGES_EACH, LIVE_PAGES_EACH,
                  0);
    assert_int_equal(live_room(live, pages + LIVE_PAGES, 1), LIVE_TOO_MANY_PAGES);
    assert_int_equal(live_room(live, pages, LIVE_PAGES_EACH), LIVE_ROOM);
    live_leave(&readers[0].reader);
    assert_int_equal(live_room(live, pages + LIVE_PAGES, 1), LIVE_ROOM);
}

/* A line of an event is a field; a body that had lines of its own could say anything. */
static void a_body_of_several_lines_is_one_line(void **state)
{
    source.body = "{\n\"a\":\r\n1}\n";
    Reader *reader = join(0, "/a\nevent: evil", NULL, 0);
    assert_non_null(strstr(reader->text, "\"body\":{ \"a\":  1}}\n\n"));
    assert_non_null(strstr(reader->text, "\"page\":\"/a\\nevent: evil\""));
}

static void what_is_being_sent_stays_until_it_is_taken(void **state)
{
    Reader *one = join(0, "/healing", NULL, 0), *other = join(1, "/healing", NULL, 0);
    live_end(live);
    assert_true(bytes_start_with(one->last, "event: page"));
    live_taken(&one->reader, 0);
    assert_true(bytes_start_with(other->last, "event: page"));
    live_leave(&other->reader);
}

static void a_name_may_have_any_bytes(void **state)
{
    Bytes name = bytes("/jobs/\0a", 8), shorter = bytes("/jobs/", 6);
    live_join(live, &readers[0].reader, &name, 1, 0);
    live_join(live, &readers[1].reader, &shorter, 1, 0);
    assert_int_equal(source.n, 2);
    assert_true(bytes_equal(live_page_name(source.asked[0]), name));
    assert_true(bytes_equal(live_page_name(source.asked[1]), shorter));
}

static void all_are_ended_at_once(void **state)
{
    for (int i = 0; i < 3; i++)
        join(i, "/healing", i == 1 ? "/config" : NULL, 0);
    live_end(live);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(readers[i].ends, 1);
        assert_int_equal(readers[i].why, LIVE_OVER);
    }
    live_leave(&readers[0].reader); /* once more is nothing */
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_reader_gets_each_page_at_once_one_after_the_other),
        LIVE(what_is_the_same_as_before_is_not_sent_again),
        LIVE(another_status_of_the_same_bytes_is_sent),
        LIVE(a_page_is_made_once_for_all_and_never_for_nobody),
        LIVE(who_comes_later_gets_what_is_known),
        LIVE(who_is_slow_gets_the_newest_only),
        LIVE(who_takes_nothing_is_dropped_and_nobody_else),
        LIVE(when_nothing_changes_that_is_said),
        LIVE(a_reader_ends_in_time_to_show_its_credentials_again),
        LIVE(what_costs_much_is_made_seldom),
        LIVE(all_pages_together_have_that_share),
        LIVE(what_is_waited_for_is_made_less_often),
        LIVE(whatever_it_costs_it_is_made_in_the_end),
        LIVE(a_page_whose_readers_left_while_it_was_made_is_gone_afterwards),
        LIVE(there_is_room_for_so_many_readers),
        LIVE(there_is_room_for_so_many_pages),
        LIVE(a_body_of_several_lines_is_one_line),
        LIVE(what_is_being_sent_stays_until_it_is_taken),
        LIVE(a_name_may_have_any_bytes),
        LIVE(all_are_ended_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
