#include "tests/unit/check.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "gateway/discovery/discovery.h"
#include "gateway/instances/instance_set.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/chore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "  - {address: 'a:1', versions: [v1]}\n"
#define B "  - {address: 'b:1', versions: [v1]}\n"
#define WRONG "  - {address: 'c:1', versions: [v9]}\n"

enum { EVENTS = 64, EVERY = 2 /* milliseconds */ };
#define NEVER (3600 * SECOND) /* of any test */

/* ---- Doubles --------------------------------------------------------------------------------- */

static char events[EVENTS][200]; /* "instances_changed orders: 1 joined, ..." */
static int n_events, n_changed;

void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
{
    (void)level;
    (void)why;
    assert_true(n_events < EVENTS);
    char *text = events[n_events++];
    int size = snprintf(text, sizeof *events, "%s ", event);
    va_list args;
    va_start(args, format);
    vsnprintf(text + size, sizeof *events - (size_t)size, format, args);
    va_end(args);
}

void telemetry_describe(Instance *instance, Arena *arena)
{
    (void)arena;
    instance->log_part = bytes_of("described");
}

/* Chores run at once, unless the disk hangs. */
struct Chore {
    uv_timer_t done;
    ChoreWork work;
};
static bool hangs;
static int n_hanging;

static void on_chore_closed(uv_handle_t *done)
{
    free(done->data);
}

static void on_chore_done(uv_timer_t *done)
{
    Chore *chore = done->data;
    uv_close((uv_handle_t *)done, on_chore_closed);
    chore->work.on_done(chore->work.owner);
}

Chore *chore_start(uv_loop_t *on, const ChoreWork *work)
{
    Chore *chore = calloc(1, sizeof *chore);
    assert_non_null(chore);
    chore->work = *work;
    uv_timer_init(on, &chore->done);
    chore->done.data = chore;
    if (hangs) {
        n_hanging++;
        return chore;
    }
    work->run(work->owner);
    uv_timer_start(&chore->done, on_chore_done, 0, 0);
    return chore;
}

void chore_leave(Chore *chore)
{
    chore->work.on_left(chore->work.owner);
    uv_close((uv_handle_t *)&chore->done, on_chore_closed);
}

/* ---- The scene ------------------------------------------------------------------------------- */

/* A service whose list is a file that the test writes, in two configs: the second is a reload. */
static char folder[] = "/tmp/discoveryXXXXXX";
static char list[64], list_new[64];
static Version versions[] = {{.name = "v1"}};
static Discovery discovery;
static Service services[2];
static Config configs[2];
static uv_loop_t loop;
static uv_timer_t end_of_pass;
static Watching *watching;

static void on_changed(void *owner)
{
    assert_ptr_equal(owner, &loop);
    n_changed++;
}

static void write_list(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Another file takes the name. */
static void put(const char *entries)
{
    char text[400];
    snprintf(text, sizeof text, "instances:%s%s", *entries ? "\n" : " []\n", entries);
    write_list(list_new, text);
    assert_int_equal(rename(list_new, list), 0);
}

static void on_pass(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* The loop runs for a time, in which there is a look at least, if a period fits into it. */
static void pass(uint64_t milliseconds)
{
    uv_update_time(&loop);
    uv_timer_start(&end_of_pass, on_pass, milliseconds, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static int set_up_all(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(list, sizeof list, "%s/list.yaml", folder);
    snprintf(list_new, sizeof list_new, "%s/list.new", folder);
    return 0;
}

static int tear_down_all(void **state)
{
    return rmdir(folder);
}

static int set_up(void **state)
{
    n_events = n_changed = n_hanging = 0;
    hangs = false;
    discovery = (Discovery){.file = list, .every = EVERY * MILLISECOND, .empty_after = NEVER};
    for (int i = 0; i < 2; i++) {
        services[i] = (Service){
            .name = "orders", .versions = versions, .n_versions = 1, .discovery = &discovery};
        configs[i] = (Config){.services = &services[i], .n_services = 1};
    }
    uv_loop_init(&loop);
    uv_timer_init(&loop, &end_of_pass);
    watching = discovery_new(&loop, on_changed, &loop);
    return 0;
}

/* The config is there, without instances of its own, as where its list cannot be read; and the
   first look was taken, which the loops are told. */
static void begin(int config)
{
    instances_adopt(&configs[config], config ? &configs[config - 1] : NULL);
    discovery_use(watching, &configs[config]);
    pass(1);
    n_changed = 0;
}

static int tear_down(void **state)
{
    discovery_end(watching);
    uv_close((uv_handle_t *)&end_of_pass, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    for (int i = 0; i < 2; i++) {
        if (configs[i].let_go)
            configs[i].let_go(&configs[i]);
    }
    unlink(list);
    return 0;
}

/* The addresses of now, a letter each. */
static void assert_instances(int config, const char *expected)
{
    char text[16] = "";
    const InstanceSet *set = services[config].set;
    for (uint32_t i = 0; i < set->n; i++)
        text[i] = set->instances[i]->address.text[0];
    assert_string_equal(text, expected);
}

/* The last event, and how many of its kind there were. */
static void assert_event(const char *text, int n)
{
    int found = 0;
    size_t kind = strcspn(text, " ");
    const char *last = "none";
    for (int i = 0; i < n_events; i++) {
        if (strncmp(events[i], text, kind) == 0) {
            found++;
            last = events[i];
        }
    }
    assert_string_equal(last, n ? text : "none");
    assert_int_equal(found, n);
}

/* ---- Joining and leaving --------------------------------------------------------------------- */

static void a_list_is_taken_when_a_config_begins(void **state)
{
    put(A B);
    begin(0);
    assert_instances(0, "ab");
    assert_event("instances_changed orders: 2 joined, 0 left, 0 altered; there are 2 now", 1);
}

static void instances_join_and_leave(void **state)
{
    put(A);
    begin(0);
    pass(10 * EVERY);
    assert_int_equal(n_changed, 0);
    put(A B);
    pass(10 * EVERY);
    assert_instances(0, "ab");
    assert_event("instances_changed orders: 1 joined, 0 left, 0 altered; there are 2 now", 2);
    put(B);
    pass(10 * EVERY);
    assert_instances(0, "b");
    assert_event("instances_changed orders: 0 joined, 1 left, 0 altered; there are 1 now", 3);
    assert_int_equal(n_changed, 2);
    assert_int_equal(services[0].set->n_joined, 2);
    assert_int_equal(services[0].set->n_left, 1);
}

static void one_that_stays_is_the_same_instance(void **state)
{
    put(A);
    begin(0);
    const Instance *a = services[0].set->instances[0];
    put(B A);
    pass(10 * EVERY);
    assert_instances(0, "ba");
    assert_ptr_equal(services[0].set->instances[1], a);
    for (int i = 0; i < 2; i++)
        assert_bytes(services[0].set->instances[i]->log_part, "described");
}

static void one_with_other_settings_is_altered(void **state)
{
    put(A);
    begin(0);
    put("  - {address: 'a:1', versions: [v1], build: '2'}\n");
    pass(10 * EVERY);
    assert_event("instances_changed orders: 0 joined, 0 left, 1 altered; there are 1 now", 2);
    assert_int_equal(n_changed, 1);
    assert_string_equal(services[0].set->instances[0]->build, "2");
}

static void another_text_of_the_same_list_changes_nothing(void **state)
{
    put(A B);
    begin(0);
    uint64_t generation = services[0].set->generation;
    put("# written anew\n" B A);
    pass(10 * EVERY);
    assert_int_equal(services[0].set->generation, generation);
    assert_int_equal(n_changed, 0);
}

static void a_file_that_is_written_in_place_is_taken_when_it_stays_the_same(void **state)
{
    discovery.every = 400 * MILLISECOND;
    write_list(list, "instances:\n" A);
    begin(0);
    assert_instances(0, "a");
    write_list(list, "instances:\n" A B); /* the same inode */
    pass(500);                            /* the first look finds another text, */
    assert_instances(0, "a");
    pass(500); /* and the second one the same */
    assert_instances(0, "ab");
}

/* By its inode, whichever of the two is larger. */
static void another_file_is_taken_at_the_first_look(void **state)
{
    discovery.every = 60 * MILLISECOND;
    put(A);
    begin(0);
    for (int i = 1; i <= 4; i++) {
        put(i % 2 ? A B : B);
        pass(70); /* one look */
        assert_instances(0, i % 2 ? "ab" : "b");
    }
}

/* ---- Empty, wrong, gone ---------------------------------------------------------------------- */

static void an_empty_list_is_taken_after_a_while(void **state)
{
    put(A);
    begin(0);
    put("");
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_event("instances_empty the list of orders is empty: its 1 instances stay for 3600.0 s",
                 1);
    discovery.empty_after = 0; /* it is over */
    pass(10 * EVERY);
    assert_instances(0, "");
    assert_event("instances_changed orders: 0 joined, 1 left, 0 altered; there are 0 now", 2);
    assert_int_equal(n_changed, 1);
    pass(10 * EVERY);
    assert_event("instances_empty the list of orders is empty: its 1 instances stay for 3600.0 s",
                 1);
}

static void the_time_of_an_empty_list_begins_anew_when_it_is_empty_again(void **state)
{
    put(A);
    begin(0);
    put("");
    pass(10 * EVERY);
    put(A);
    pass(10 * EVERY);
    put("");
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_int_equal(n_changed, 0);
    assert_event("instances_empty the list of orders is empty: its 1 instances stay for 3600.0 s",
                 2);
}

/* Not before, and not after its time. */
static void an_empty_list_has_its_time(void **state)
{
    discovery.empty_after = 100 * MILLISECOND;
    put(A);
    begin(0);
    put("");
    int64_t from = clock_now();
    while (n_changed == 0)
        pass(EVERY);
    assert_true(clock_now() - from >= 100 * MILLISECOND);
    assert_instances(0, "");
}

static void a_service_without_instances_does_not_wait_for_an_empty_list(void **state)
{
    put("");
    begin(0);
    pass(10 * EVERY);
    assert_instances(0, "");
    assert_int_equal(n_events, 0);
}

static void what_is_wrong_in_a_list_is_reported_and_left_out(void **state)
{
    put(A WRONG);
    begin(0);
    assert_instances(0, "a");
    assert_int_equal(n_events, 2);
    assert_non_null(strstr(events[0], "instance_refused "));
    assert_non_null(strstr(events[0], "list.yaml:3:33: instances[1].versions[0]"));
    pass(10 * EVERY);
    assert_int_equal(n_events, 2);
}

static void a_list_of_wrong_entries_only_changes_nothing(void **state)
{
    discovery.empty_after = 0;
    put(A);
    begin(0);
    put(WRONG);
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_int_equal(n_changed, 0);
}

/* Ten mistakes are told each; an eleventh makes the number of all a line. */
static void of_many_mistakes_ten_are_told_and_the_number_of_all(void **state)
{
    for (int n = 10; n <= 11; n++) {
        char text[700] = "instances:\n" A;
        for (int i = 0; i < n; i++)
            strcat(text, WRONG);
        write_list(list_new, text);
        assert_int_equal(rename(list_new, list), 0);
        n_events = 0;
        if (n == 10)
            begin(0);
        else
            pass(10 * EVERY);
        int told = 0;
        for (int i = 0; i < n_events; i++)
            told += strncmp(events[i], "instance_refused", 16) == 0;
        assert_int_equal(told, n);
    }
    assert_string_equal(events[n_events - 1],
                        "instance_refused orders: 11 mistakes in total; 11 instances are left out");
}

static void a_list_that_is_wrong_as_a_whole_leaves_out_nobody(void **state)
{
    char text[200] = "";
    for (int i = 0; i < 12; i++)
        strcat(text, "wrong_: 1\n");
    write_list(list, text);
    begin(0);
    int last = n_events;
    for (int i = 0; i < n_events; i++) {
        if (strstr(events[i], "mistakes in total"))
            last = i;
    }
    assert_true(last < n_events);
    assert_non_null(strstr(events[last], "; 0 instances are left out"));
}

static void a_list_that_cannot_be_read_changes_nothing_and_is_told_once(void **state)
{
    put(A);
    begin(0);
    write_list(list_new, "instances: [");
    assert_int_equal(rename(list_new, list), 0);
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_event("instances_unreadable orders: keeping its 1 instances", 1);
    put(A B);
    pass(10 * EVERY);
    assert_instances(0, "ab");
    unlink(list);
    pass(10 * EVERY);
    assert_instances(0, "ab");
    assert_event("instances_unreadable orders: keeping its 2 instances", 2);
    put(B);
    pass(10 * EVERY);
    assert_instances(0, "b");
}

static void a_wrong_list_after_an_empty_one_is_no_longer_empty(void **state)
{
    put(A);
    begin(0);
    put("");
    pass(10 * EVERY);
    write_list(list_new, "instances: [");
    assert_int_equal(rename(list_new, list), 0);
    pass(10 * EVERY);
    discovery.empty_after = 0;
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_event("instances_unreadable orders: keeping its 1 instances", 1);
}

/* ---- A disk that hangs ----------------------------------------------------------------------- */

static void a_look_that_hangs_holds_up_only_its_own_list(void **state)
{
    put(A);
    begin(0);
    hangs = true;
    put(A B);
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_int_equal(n_hanging, 1); /* no second look beside it */
    assert_int_equal(n_changed, 0);
}

static void a_look_that_hangs_is_left_behind_when_its_list_is_no_longer_watched(void **state)
{
    put(A);
    begin(0);
    hangs = true;
    pass(10 * EVERY);
    assert_int_equal(n_hanging, 1);
    services[1].discovery = NULL;
    begin(1);
    pass(10 * EVERY);
    assert_int_equal(n_hanging, 1);
}

static void a_reload_does_not_look_beside_a_look_that_hangs(void **state)
{
    put(A);
    begin(0);
    hangs = true;
    pass(10 * EVERY);
    begin(1);
    pass(10 * EVERY);
    assert_instances(1, "a");
    assert_int_equal(n_hanging, 1);
}

/* ---- Reloads --------------------------------------------------------------------------------- */

static void a_reload_keeps_the_instances_of_a_list_that_cannot_be_read(void **state)
{
    put(A B);
    begin(0);
    unlink(list);
    begin(1);
    assert_instances(1, "ab");
    assert_event("instances_changed orders: 2 joined, 0 left, 0 altered; there are 2 now", 1);
    assert_int_equal(services[1].set->n_joined, 2);
    assert_int_equal(services[1].set->n_left, 0);
    put(B);
    pass(10 * EVERY);
    assert_instances(1, "b");
    assert_int_equal(services[1].set->n_left, 1);
}

static void a_reload_tells_which_of_them_its_config_does_not_take(void **state)
{
    static Version others[] = {{.name = "v9"}};
    put(A B WRONG);
    begin(0);
    assert_instances(0, "ab");
    unlink(list);
    n_events = 0;
    services[1].versions = others;
    begin(1);
    assert_instances(1, "c");
    assert_true(n_events >= 2);
    assert_non_null(strstr(events[0], "instance_refused "));
    assert_non_null(strstr(events[1], "orders has no version v1"));
    assert_int_equal(services[1].set->n_joined, 3);
    assert_int_equal(services[1].set->n_left, 2);
}

static void a_reload_with_an_empty_list_lets_its_time_go_on(void **state)
{
    put(A);
    begin(0);
    put("");
    pass(10 * EVERY);
    begin(1);
    assert_instances(1, "a");
    pass(10 * EVERY);
    assert_event("instances_empty the list of orders is empty: its 1 instances stay for 3600.0 s",
                 1);
    discovery.empty_after = 0;
    pass(10 * EVERY);
    assert_instances(1, "");
    assert_int_equal(services[1].set->n_left, 1);
}

static void a_service_of_another_name_or_list_keeps_nothing(void **state)
{
    for (int i = 0; i < 2; i++) {
        put(A);
        begin(0);
        unlink(list);
        Discovery other = discovery;
        if (i)
            services[1].name = "carts";
        else
            other.file = list_new;
        services[1].discovery = &other;
        begin(1);
        assert_instances(1, "");
        tear_down(state);
        set_up(state);
    }
}

static void a_service_that_is_listed_no_longer_is_not_watched(void **state)
{
    put(A);
    begin(0);
    services[1].discovery = NULL;
    begin(1);
    put(A B);
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_instances(1, "");
    assert_int_equal(n_changed, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_list_is_taken_when_a_config_begins),
        TEST(instances_join_and_leave),
        TEST(one_that_stays_is_the_same_instance),
        TEST(one_with_other_settings_is_altered),
        TEST(another_text_of_the_same_list_changes_nothing),
        TEST(a_file_that_is_written_in_place_is_taken_when_it_stays_the_same),
        TEST(another_file_is_taken_at_the_first_look),
        TEST(an_empty_list_is_taken_after_a_while),
        TEST(the_time_of_an_empty_list_begins_anew_when_it_is_empty_again),
        TEST(an_empty_list_has_its_time),
        TEST(a_service_without_instances_does_not_wait_for_an_empty_list),
        TEST(what_is_wrong_in_a_list_is_reported_and_left_out),
        TEST(a_list_of_wrong_entries_only_changes_nothing),
        TEST(of_many_mistakes_ten_are_told_and_the_number_of_all),
        TEST(a_list_that_is_wrong_as_a_whole_leaves_out_nobody),
        TEST(a_list_that_cannot_be_read_changes_nothing_and_is_told_once),
        TEST(a_wrong_list_after_an_empty_one_is_no_longer_empty),
        TEST(a_look_that_hangs_holds_up_only_its_own_list),
        TEST(a_look_that_hangs_is_left_behind_when_its_list_is_no_longer_watched),
        TEST(a_reload_does_not_look_beside_a_look_that_hangs),
        TEST(a_reload_keeps_the_instances_of_a_list_that_cannot_be_read),
        TEST(a_reload_tells_which_of_them_its_config_does_not_take),
        TEST(a_reload_with_an_empty_list_lets_its_time_go_on),
        TEST(a_service_of_another_name_or_list_keeps_nothing),
        TEST(a_service_that_is_listed_no_longer_is_not_watched),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
