#include "gateway/discovery/discovery.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/instances/instance_set.h"
#include "gateway/service/instance_list.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/chore.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PROBLEMS_TOLD = 10 }; /* per list, one event each; the others are only counted */

#define LOOK_SLOW (5 * SECOND) /* from then on, the list cannot be read */

typedef struct Watch Watch;

/* Identifies the content of a file: if any of these differs, it may have changed. All zeros: no
   file. */
typedef struct Stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t modified;
} Stamp;

/* One look at a list, on a thread of its own: the file may be on a mount that hangs. */
typedef struct Look {
    Watch *watch; /* not for the thread */
    Chore *chore;
    int64_t began;
    Arena *arena;
    const char *file;
    Stamp seen, taken; /* those of the watch */
    bool anew;         /* read it also if it is unchanged */
    Stamp now;         /* the outcome; the next two only if it was read */
    bool complete, read;
    Result result;
    Bytes text;
} Look;

/* The list of one service. */
struct Watch {
    struct Watch *next;
    uv_timer_t timer;
    Watching *of;
    Service *service; /* of the running config */
    Stamp seen;       /* at the last check */
    Stamp taken;      /* when the list was last read */
    char *text;       /* the last accepted list that was not empty; or NULL */
    size_t size;
    int64_t empty_since; /* monotonic nanoseconds; 0: the list is not empty */
    bool unreadable;     /* this was logged */
    Look *look;          /* under way; or NULL */
};

struct Watching {
    uv_loop_t *loop;
    void (*on_changed)(void *owner);
    void *owner;
    Watch *first;
};

/* ---- Log events ------------------------------------------------------------------------------ */

static void tell_problems(const Watch *watch, const Problems *problems, uint32_t n_refused)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    problems_print(problems, &text);
    Bytes rest = buffer_bytes(&text), line;
    for (int i = 0; i < PROBLEMS_TOLD && bytes_split(&rest, '\n', &line); i++) {
        if (line.size)
            telemetry_event("warning", "instance_refused", OK, "%.*s", BYTES_ARGS(line));
    }
    if (problems->n > PROBLEMS_TOLD)
        telemetry_event("warning", "instance_refused", OK,
                        "%s: %zu mistakes in total; %u instances are left out",
                        watch->service->name, problems->n, n_refused);
    arena_free(arena);
}

static void tell_changes(const Service *service, InstanceChanges changes, uint32_t n)
{
    telemetry_event("info", "instances_changed", OK,
                    "%s: %u joined, %u left, %u altered; there are %u now", service->name,
                    changes.joined, changes.left, changes.altered, n);
}

static void tell_unreadable(Watch *watch, Result why)
{
    InstanceSet *set = instance_set_of(watch->service);
    if (!watch->unreadable)
        telemetry_event("warning", "instances_unreadable", why, "%s: keeping its %u instances",
                        watch->service->name, set->n);
    watch->unreadable = true;
    instance_set_unref(set);
}

/* ---- Using a list ---------------------------------------------------------------------------- */

static Table entries_of(Arena *arena, const InstanceSet *set)
{
    Table entries = table_in(arena);
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->instances[i]->said.size)
            table_put(&entries, set->instances[i]->said, set->instances[i]);
    }
    return entries;
}

/* A set of the instances in the list; unchanged ones are those of `had`. */
static InstanceSet *set_of(const Service *service, const InstanceList *list, const Table *had,
                           Arena *arena)
{
    Instance **instances = arena_array(arena, Instance *, list->n);
    for (uint32_t i = 0; i < list->n; i++) {
        Instance *item = list->items[i];
        if (table_get(had, item->said) == item) {
            instances[i] = instance_ref(item);
            continue;
        }
        telemetry_describe(item, arena);
        instances[i] = instance_discovered(item, item->said);
        SSL_CTX_free(item->tls); /* it has its own reference */
    }
    return instance_set_new(service, instances, list->n);
}

/* Whether the set may become empty: only if the list has been empty for `empty_after`. */
static bool may_empty(Watch *watch, const InstanceList *list, const InstanceSet *set)
{
    int64_t now = clock_now(), wait = watch->service->discovery->empty_after;
    if (list->n || set->n == 0) {
        watch->empty_since = 0;
        return true;
    }
    if (!watch->empty_since) {
        watch->empty_since = now;
        telemetry_event("warning", "instances_empty", OK,
                        "the list of %s is empty: its %u instances stay for %.1f s",
                        watch->service->name, set->n, (double)wait / SECOND);
    }
    return now - watch->empty_since >= wait;
}

/* True: the service has a new set. */
static bool use_list(Watch *watch, const InstanceList *list, const Table *had, InstanceSet *before,
                     Arena *arena)
{
    if (!may_empty(watch, list, before))
        return false;
    watch->empty_since = 0;
    InstanceSet *set = set_of(watch->service, list, had, arena);
    InstanceChanges changes = instance_set_compare(before, set);
    if (!changes.joined && !changes.left && !changes.altered) {
        instance_set_unref(set);
        return false;
    }
    tell_changes(watch->service, changes, set->n);
    instance_set_use(watch->service, set);
    return true;
}

static void keep_text(Watch *watch, Bytes text)
{
    if (watch->text == (char *)text.data)
        return;
    free(watch->text);
    watch->text = malloc(text.size + 1);
    CHECK(watch->text);
    memcpy(watch->text, text.data, text.size);
    watch->size = text.size;
}

/* True: the service has a new set. */
static bool take_text(Watch *watch, Bytes text, Arena *arena)
{
    InstanceSet *before = instance_set_of(watch->service);
    Table had = entries_of(arena, before);
    Problems problems = problems_in(arena);
    InstanceList list;
    bool changed = false;
    Result r = config_list_read(arena, watch->service, text, &had, &problems, &list);
    if (failed(r)) {
        tell_problems(watch, &problems, 0);
        tell_unreadable(watch, r);
        watch->empty_since = 0; /* it is not empty, but wrong, and read again when it changes */
    } else {
        tell_problems(watch, &problems, list.n_refused);
        watch->unreadable = false;
        if (list.n)
            keep_text(watch, text);
        if (list.n || !list.n_refused) /* where all are wrong, the last good list stays */
            changed = use_list(watch, &list, &had, before, arena);
    }
    instance_set_unref(before);
    return changed;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool same_stamp(const Stamp *a, const Stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified;
}

static Stamp stamp_of(const char *file)
{
    struct stat found;
    if (stat(file, &found) != 0)
        return (Stamp){0};
    return (Stamp){.device = found.st_dev,
                   .inode = found.st_ino,
                   .size = found.st_size,
                   .modified = found.st_mtim.tv_sec * SECOND + found.st_mtim.tv_nsec};
}

/* Another file has taken the name, and is complete; one that is written in place may not be. */
static bool is_complete(const Stamp *now, const Stamp *seen)
{
    return same_stamp(now, seen) || now->inode != seen->inode || now->device != seen->device;
}

/* On a thread. */
static void run_look(void *owner)
{
    Look *look = owner;
    look->now = stamp_of(look->file);
    look->complete = is_complete(&look->now, &look->seen);
    if (!look->complete || (same_stamp(&look->now, &look->taken) && !look->anew && look->now.inode))
        return;
    look->read = true;
    look->result = config_list_text(look->arena, look->file, &look->text);
}

static void free_look(void *owner)
{
    Look *look = owner;
    arena_free(look->arena);
    free(look);
}

/* True: the service has a new set. */
static bool take_look(Watch *watch, const Look *look)
{
    watch->seen = look->now;
    if (!look->read)
        return false;
    if (failed(look->result)) {
        tell_unreadable(watch, look->result);
        watch->taken = (Stamp){0};
        return false;
    }
    watch->taken = look->now;
    return take_text(watch, look->text, look->arena);
}

static void on_looked(void *owner)
{
    Look *look = owner;
    Watch *watch = look->watch;
    watch->look = NULL;
    if (take_look(watch, look))
        watch->of->on_changed(watch->of->owner);
    free_look(look);
}

static void begin_look(Watch *watch)
{
    Look *look = calloc(1, sizeof *look);
    CHECK(look);
    look->arena = arena_new(ARENA_UNLIMITED);
    look->watch = watch;
    look->began = clock_now();
    look->file = arena_string(look->arena, watch->service->discovery->file);
    look->seen = watch->seen;
    look->taken = watch->taken;
    look->anew = watch->empty_since != 0;
    watch->look = look;
    look->chore = chore_start(
        watch->of->loop,
        &(ChoreWork){.run = run_look, .on_done = on_looked, .on_left = free_look, .owner = look});
}

static void tell_slow(Watch *watch)
{
    int64_t time = clock_now() - watch->look->began;
    if (time < LOOK_SLOW)
        return;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result why = FAIL(arena, FAULT_NO_FILE, "%s does not arrive; %.0f s have passed",
                      watch->service->discovery->file, (double)time / SECOND);
    tell_unreadable(watch, why);
    arena_free(arena);
}

static void look(Watch *watch)
{
    if (watch->look)
        tell_slow(watch);
    else
        begin_look(watch);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

/* ---- Watching -------------------------------------------------------------------------------- */

Watching *discovery_new(uv_loop_t *loop, void (*on_changed)(void *owner), void *owner)
{
    Watching *watching = calloc(1, sizeof(*watching));
    CHECK(watching);
    *watching = (Watching){.loop = loop, .on_changed = on_changed, .owner = owner};
    return watching;
}

static void on_closed(uv_handle_t *timer)
{
    Watch *watch = timer->data;
    free(watch->text);
    free(watch);
}

/* The watch of the same list, from an older config; no longer in the list that it was in. */
static Watch *take_known(Watch **first, const Service *service)
{
    for (Watch **at = first; *at; at = &(*at)->next) {
        Watch *watch = *at;
        if (strcmp(watch->service->name, service->name) == 0 &&
            strcmp(watch->service->discovery->file, service->discovery->file) == 0) {
            *at = watch->next;
            return watch;
        }
    }
    return NULL;
}

static Watch *watch_new(Watching *watching)
{
    Watch *watch = calloc(1, sizeof(*watch));
    CHECK(watch);
    watch->of = watching;
    CHECK(uv_timer_init(watching->loop, &watch->timer) == 0);
    watch->timer.data = watch;
    return watch;
}

/* Gives the service of a new config the instances that it had in the older one: `before`. They are
   read again from the list that they are of, because instances belong to a config. */
static void keep_instances(Watch *watch, const InstanceSet *before)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Table none = table_in(arena);
    Problems problems = problems_in(arena);
    InstanceList list;
    Result r = config_list_read(arena, watch->service, bytes(watch->text, watch->size), &none,
                                &problems, &list);
    CHECK(!failed(r)); /* it is a list: only its entries depend on the config */
    tell_problems(watch, &problems, list.n_refused);
    if (list.n)
        instance_set_restore(watch->service, set_of(watch->service, &list, &none, arena), before);
    arena_free(arena);
}

/* A config that was read just now has the list as it was then. Where that is nothing, because it is
   empty or cannot be read, and the service had instances before, it has them still. */
static void begin(Watch *watch, Service *service, const InstanceSet *before)
{
    watch->service = service;
    watch->taken = (Stamp){0};
    if (before && before->n > 0 && service->n_instances == 0 && watch->text)
        keep_instances(watch, before);
    look(watch);
    uint64_t every = (uint64_t)(service->discovery->every / MILLISECOND);
    CHECK(uv_timer_start(&watch->timer, on_timer, every, every) == 0);
}

static void close_all(Watch *first)
{
    for (Watch *watch = first, *next; watch; watch = next) {
        next = watch->next;
        if (watch->look)
            chore_leave(watch->look->chore);
        uv_close((uv_handle_t *)&watch->timer, on_closed);
    }
}

void discovery_use(Watching *watching, Config *config)
{
    Watch *before = watching->first;
    watching->first = NULL;
    for (uint32_t i = 0; i < config->n_services; i++) {
        Service *service = &config->services[i];
        if (!service->discovery)
            continue;
        Watch *watch = take_known(&before, service);
        InstanceSet *had = watch ? instance_set_of(watch->service) : NULL;
        if (!watch)
            watch = watch_new(watching);
        watch->next = watching->first;
        watching->first = watch;
        begin(watch, service, had);
        instance_set_unref(had);
    }
    close_all(before);
}

void discovery_end(Watching *watching)
{
    close_all(watching->first);
    free(watching);
}
