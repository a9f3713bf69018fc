#include "tests/unit/check.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "gateway/discovery/inbox.h"
#include "gateway/discovery/source_loop.h"
#include "gateway/discovery/watch.h"
#include "gateway/healing/healing.h"
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

static char healed[200]; /* "orders, file list.yaml: its 1 instances ..."; empty: nothing is now */
static int n_healed;
static bool bare; /* it is told that a service has no instances */

void healing_begin(HealingAct act, const char *service, const char *subject, Result cause,
                   const char *format, ...)
{
    assert_int_equal(act, HEALING_DISCOVERY);
    if (strcmp(subject, "its instances") == 0) {
        assert_false(bare);
        bare = true;
        return;
    }
    assert_true(failed(cause) || strstr(format, "the list is empty"));
    n_healed++;
    int size = snprintf(healed, sizeof healed, "%s, %s: ", service, subject);
    va_list args;
    va_start(args, format);
    vsnprintf(healed + size, sizeof healed - (size_t)size, format, args);
    va_end(args);
}

void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
{
    assert_int_equal(act, HEALING_DISCOVERY);
    if (strcmp(subject, "its instances") == 0) {
        assert_true(bare);
        bare = false;
        return;
    }
    assert_string_not_equal(healed, "");
    *healed = '\0';
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

/* A source of which the test says what it reads: that of DNS. There is no loop of its own. */
typedef struct Told {
    Source source;
    SourceOwner *owner;
    uint64_t number;
    Config *config;
    Service *service;
    int n_used, n_stopped;
} Told;

static Told told_source;

static Source *told_start(SourceOwner *owner, uint64_t number)
{
    told_source = (Told){.source.kind = &source_dns, .owner = owner, .number = number};
    return &told_source.source;
}

static void told_use(Source *source, Config *config, Service *service)
{
    assert_ptr_equal(source, &told_source);
    told_source.config = config;
    told_source.service = service;
    told_source.n_used++;
}

static void told_stop(Source *source)
{
    assert_ptr_equal(source, &told_source);
    told_source.n_stopped++;
}

const SourceKind source_dns = {told_start, told_use, told_stop};
const SourceKind source_etcd = {told_start, told_use, told_stop};

void source_loop_use(SourceLoop *sources, Config *config)
{
    fail_msg("there is no such loop");
}

void source_loop_end(SourceLoop *sources)
{
    fail_msg("there is no such loop");
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
    n_events = n_changed = n_hanging = n_healed = 0;
    hangs = bare = false;
    discovery = (Discovery){.path = list,
                            .place = "file list.yaml",
                            .every = EVERY * MILLISECOND,
                            .empty_after = NEVER};
    for (int i = 0; i < 2; i++) {
        services[i] = (Service){
            .name = "orders", .versions = versions, .n_versions = 1, .discovery = &discovery};
        configs[i] = (Config){.references = 1, .services = &services[i], .n_services = 1};
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
    assert_string_equal(healed, "");
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

/* Soon, however slow the machine is. */
static void becomes(const char *expected)
{
    int64_t end = clock_now() + 20 * SECOND;
    for (bool same = false; !same;) {
        pass(EVERY);
        const InstanceSet *set = services[0].set;
        same = set->n == strlen(expected);
        for (uint32_t i = 0; same && i < set->n; i++)
            same = set->instances[i]->address.text[0] == expected[i];
        assert_true(same || clock_now() < end);
    }
}

static int count(const char *kind)
{
    int n = 0;
    for (int i = 0; i < n_events; i++)
        n += strncmp(events[i], kind, strlen(kind)) == 0;
    return n;
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
    assert_non_null(strstr(healed, ": the list is empty: its 1 instances stay for 3600.0 s"));
    assert_false(bare);
    discovery.empty_after = 0; /* it is over */
    pass(10 * EVERY);
    assert_true(bare);
    assert_string_equal(healed, "");
    assert_int_equal(n_healed, 1);
    assert_instances(0, "");
    assert_event("instances_changed orders: 0 joined, 1 left, 0 altered; there are 0 now", 2);
    assert_event("instances_gone orders has no instances any more: its calls fail (NO_INSTANCE)",
                 1);
    assert_int_equal(n_changed, 1);
    pass(10 * EVERY);
    assert_event("instances_empty the list of orders is empty: its 1 instances stay for 3600.0 s",
                 1);
    put(A);
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_false(bare);
}

static void the_time_of_an_empty_list_begins_anew_when_it_is_empty_again(void **state)
{
    put(A);
    begin(0);
    put("");
    pass(10 * EVERY);
    put(A);
    pass(10 * EVERY);
    assert_string_equal(healed, "");
    put("");
    pass(10 * EVERY);
    assert_int_equal(n_healed, 2);
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
    assert_true(bare);
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
        begin(0);
        int told = 0;
        for (int i = 0; i < n_events; i++)
            told += strncmp(events[i], "instance_refused", 16) == 0;
        assert_int_equal(told, n);
        if (n == 11)
            assert_event("instance_refused orders: 11 mistakes in total; 11 instances are left out",
                         11);
        tear_down(state);
        set_up(state);
    }
}

static void a_mistake_is_told_once_as_long_as_the_list_has_it(void **state)
{
    put(A WRONG);
    begin(0);
    put(A WRONG B);
    pass(10 * EVERY);
    assert_instances(0, "ab");
    assert_int_equal(count("instance_refused"), 1);
    put(A);
    pass(10 * EVERY);
    put(A WRONG);
    pass(10 * EVERY);
    assert_int_equal(count("instance_refused"), 2);
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
    assert_non_null(strstr(healed, "its 1 instances are those of before"));
    discovery.empty_after = 0;
    pass(10 * EVERY);
    assert_instances(0, "a");
    assert_event("instances_unreadable orders: keeping its 1 instances", 1);
    put(A);
    pass(10 * EVERY);
    assert_string_equal(healed, "");
    assert_int_equal(n_healed, 2);
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
    put(A "  - {address: 'c:1', versions: [v1], build: '9'}\n");
    begin(0);
    assert_instances(0, "ac");
    unlink(list);
    n_events = 0;
    services[1].versions = others;
    begin(1);
    assert_instances(1, "");
    assert_true(n_events >= 2);
    for (int i = 0; i < 2; i++) {
        assert_non_null(strstr(events[i], "instance_refused "));
        assert_non_null(strstr(events[i], "orders has no version v1"));
    }
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

static void a_service_of_another_name_keeps_nothing(void **state)
{
    put(A);
    begin(0);
    unlink(list);
    services[1].name = "carts";
    begin(1);
    assert_instances(1, "");
}

static void a_service_with_another_list_keeps_its_instances_until_that_can_be_read(void **state)
{
    put(A);
    begin(0);
    Discovery other = discovery;
    other.path = list_new;
    other.place = "file list.new";
    services[1].discovery = &other;
    begin(1);
    assert_instances(1, "a");
    write_list(list_new, "instances:\n" B);
    pass(10 * EVERY);
    assert_instances(1, "b");
    unlink(list_new);
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

/* ---- Folders --------------------------------------------------------------------------------- */

static void in_folder(const char *name, const char *text)
{
    char path[100], new[110];
    snprintf(path, sizeof path, "%s/%s", list, name);
    snprintf(new, sizeof new, "%s.new", path);
    if (!text) {
        unlink(path);
        return;
    }
    write_list(new, text);
    assert_int_equal(rename(new, path), 0);
}

static void begin_folder(void)
{
    discovery.kind = DISCOVERY_FOLDER;
    assert_int_equal(mkdir(list, 0700), 0);
}

static void end_folder(void)
{
    const char *names[] = {"a.yaml", "b.json", "c.yml", ".hidden.yaml", "notes.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        in_folder(names[i], NULL);
    rmdir(list);
}

static void the_files_of_a_folder_are_one_list_in_the_order_of_their_names(void **state)
{
    begin_folder();
    in_folder("c.yml", "instances:\n" A);
    in_folder("a.yaml", "instances:\n" B);
    in_folder(".hidden.yaml", "instances: ['d:1']");
    in_folder("notes.txt", "instances: ['e:1']");
    begin(0);
    assert_instances(0, "ba");
    in_folder("b.json", "{\"instances\": [{\"address\": \"f:1\"}]}");
    becomes("bfa");
    in_folder("a.yaml", NULL);
    becomes("fa");
    end_folder();
}

static void
a_file_of_a_folder_that_is_no_list_keeps_its_instances_and_the_others_go_on(void **state)
{
    begin_folder();
    in_folder("a.yaml", "instances:\n" A);
    in_folder("c.yml", "instances: ['c:1']");
    begin(0);
    in_folder("a.yaml", "instances: [");
    while (!count("instances_unreadable"))
        pass(EVERY);
    in_folder("c.yml", "instances: ['d:1']");
    becomes("ad");
    assert_event("instances_unreadable orders: keeping its 2 instances", 1);
    in_folder("a.yaml", "instances:\n" B);
    becomes("bd");
    assert_event("instances_readable orders: file list.yaml can be read again", 1);
    end_folder();
}

static void a_file_that_was_never_a_list_hides_no_other(void **state)
{
    begin_folder();
    in_folder("a.yaml", "nothing");
    in_folder("c.yml", "instances: ['c:1']");
    begin(0);
    assert_instances(0, "c");
    assert_int_equal(count("instances_unreadable"), 1);
    end_folder();
}

static void
a_folder_that_is_gone_changes_nothing_and_one_without_files_is_an_empty_list(void **state)
{
    begin_folder();
    in_folder("a.yaml", "instances:\n" A);
    begin(0);
    assert_int_equal(rename(list, list_new), 0); /* at once: it is never there without files */
    discovery.empty_after = 0;
    while (!count("instances_unreadable"))
        pass(EVERY);
    assert_instances(0, "a");
    assert_int_equal(rename(list_new, list), 0);
    in_folder("a.yaml", NULL);
    becomes("");
    end_folder();
}

/* ---- What a source may say ------------------------------------------------------------------- */

static Reading *reading(const char *entries)
{
    Reading *reading = reading_new(told_source.number, told_source.config, told_source.service);
    char text[400];
    snprintf(text, sizeof text, "instances:%s%s", *entries ? "\n" : " []\n", entries);
    ListDocument document = {.name = "dns", .base = "dns", .text = bytes_of(text)};
    reading_take(reading, &document, 1);
    return reading;
}

static void say(Reading *reading)
{
    inbox_put(told_source.owner->inbox, reading);
    pass(EVERY);
}

static void begin_told(void)
{
    discovery.kind = DISCOVERY_DNS;
    begin(0);
    say(reading(A));
    assert_instances(0, "a");
}

static void of_a_list_that_is_known_in_part_the_rest_stays(void **state)
{
    begin_told();
    Reading *half = reading(A B);
    reading_fail(half, FAIL(half->arena, FAULT_SYSTEM, "one does not answer"));
    say(half);
    assert_instances(0, "ab");
    assert_int_equal(count("instances_unreadable"), 1);
    say(reading(A B));
    assert_int_equal(count("instances_readable"), 1);
}

static void what_is_known_from_before_makes_good_what_cannot_be_read(void **state)
{
    discovery.kind = DISCOVERY_DNS;
    begin(0);
    for (int i = 0; i < 3; i++) {
        Reading *fails = reading_new(told_source.number, told_source.config, told_source.service);
        reading_fail(fails, FAIL(fails->arena, FAULT_SYSTEM, "no answer"));
        if (i)
            say(reading(A));
        say(fails);
        assert_string_equal(healed,
                            i ? "orders, file list.yaml: its 1 instances are those of before" : "");
        assert_int_equal(n_healed, i);
    }
}

static void a_source_that_has_waited_itself_may_empty_a_service_at_once(void **state)
{
    begin_told();
    say(reading(""));
    assert_instances(0, "a");
    Reading *old = reading("");
    old->empty_is_old = true;
    say(old);
    assert_instances(0, "");
}

static void a_reading_for_an_older_config_is_dropped(void **state)
{
    begin_told();
    Reading *late = reading(A B);
    begin(1);
    assert_int_equal(told_source.n_used, 2);
    assert_instances(1, "a"); /* kept: nothing is known yet */
    say(late);
    assert_instances(1, "a");
    say(reading(B));
    assert_instances(1, "b");
}

static void a_reading_of_a_list_that_is_watched_no_longer_is_dropped(void **state)
{
    begin_told();
    Reading *late = reading(A B), *waits = reading(B);
    services[1].discovery = NULL;
    begin(1);
    assert_int_equal(told_source.n_stopped, 1);
    say(late);
    assert_instances(0, "a");
    inbox_put(told_source.owner->inbox, waits); /* the end comes first */
}

static void a_list_that_is_the_same_ends_no_wait(void **state)
{
    begin_told();
    say(reading(""));
    Reading *same = reading_new(told_source.number, told_source.config, told_source.service);
    same->same = true;
    say(same);
    assert_int_equal(count("instances_empty"), 1);
    assert_instances(0, "a");
    discovery.empty_after = 0;
    same = reading_new(told_source.number, told_source.config, told_source.service);
    same->same = true;
    say(same);
    assert_instances(0, "");
}

static void the_state_of_a_list_is_shown(void **state)
{
    begin_told();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int i = 0; i < 2; i++) {
        Buffer out = buffer_in(arena);
        Exposition e = {.out = &out};
        discovery_metrics_write(&e, watching);
        const char *text = arena_text(arena, buffer_bytes(&out));
        char line[200];
        snprintf(line, sizeof line,
                 "passerelle_discovery_failing{service=\"orders\",source=\"file list.yaml\"} %d\n",
                 i);
        assert_non_null(strstr(text, line));
        snprintf(line, sizeof line,
                 "passerelle_discovery_failures_total{service=\"orders\","
                 "source=\"file list.yaml\"} %d\n",
                 i);
        assert_non_null(strstr(text, line));
        assert_non_null(strstr(text, "passerelle_discovery_age_seconds{service=\"orders\""));
        Reading *fails = reading_new(told_source.number, told_source.config, told_source.service);
        reading_fail(fails, FAIL(arena, FAULT_SYSTEM, "no answer"));
        say(fails);
    }
    arena_free(arena);
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
        TEST(a_mistake_is_told_once_as_long_as_the_list_has_it),
        TEST(a_list_that_is_wrong_as_a_whole_leaves_out_nobody),
        TEST(a_list_that_cannot_be_read_changes_nothing_and_is_told_once),
        TEST(a_wrong_list_after_an_empty_one_is_no_longer_empty),
        TEST(a_look_that_hangs_holds_up_only_its_own_list),
        TEST(a_look_that_hangs_is_left_behind_when_its_list_is_no_longer_watched),
        TEST(a_reload_does_not_look_beside_a_look_that_hangs),
        TEST(a_reload_keeps_the_instances_of_a_list_that_cannot_be_read),
        TEST(a_reload_tells_which_of_them_its_config_does_not_take),
        TEST(a_reload_with_an_empty_list_lets_its_time_go_on),
        TEST(a_service_of_another_name_keeps_nothing),
        TEST(a_service_with_another_list_keeps_its_instances_until_that_can_be_read),
        TEST(the_files_of_a_folder_are_one_list_in_the_order_of_their_names),
        TEST(a_file_of_a_folder_that_is_no_list_keeps_its_instances_and_the_others_go_on),
        TEST(a_file_that_was_never_a_list_hides_no_other),
        TEST(a_folder_that_is_gone_changes_nothing_and_one_without_files_is_an_empty_list),
        TEST(of_a_list_that_is_known_in_part_the_rest_stays),
        TEST(what_is_known_from_before_makes_good_what_cannot_be_read),
        TEST(a_source_that_has_waited_itself_may_empty_a_service_at_once),
        TEST(a_reading_for_an_older_config_is_dropped),
        TEST(a_reading_of_a_list_that_is_watched_no_longer_is_dropped),
        TEST(a_list_that_is_the_same_ends_no_wait),
        TEST(the_state_of_a_list_is_shown),
        TEST(a_service_that_is_listed_no_longer_is_not_watched),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
