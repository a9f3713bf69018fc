#include "gateway/keys/key_keeper.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "base/random.h"
#include "gateway/keys/key_fetch.h"
#include "gateway/settings/settings.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK (50 * MILLISECOND) /* at whether anything is due */
#define END_TIME SECOND
#define FIRST_TIME                                                                                 \
    (10 * SECOND) /* for the first keys, before the gateway is ready without them                  \
                   */

struct KeyKeeper {
    pthread_t thread;
    Random random; /* the thread's */
    atomic_bool stop;
    atomic_ullong good, failed;
    int64_t begun;
    atomic_uint failing; /* sources whose last reading has failed */
    atomic_llong stale;  /* nanoseconds since the oldest of them was good; 0: none fails */
};

static void tell(KeyKeeper *keeper, const KeySource *source, Result r, Arena *arena)
{
    atomic_fetch_add(failed(r) ? &keeper->failed : &keeper->good, 1);
    if (failed(r))
        telemetry_event("warning", "keys_not_read", r, "%s: the keys that are known already stay",
                        key_place_name(arena, key_source_place(source)));
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* A file that is gone differs from the one that was there, once: who deletes one of keys may
   believe that they are refused from then on. */
static bool is_changed(KeyWatch *watch, const char *file)
{
    struct stat now;
    if (stat(file, &now) != 0)
        now = (struct stat){.st_size = -1};
    int64_t mtime = now.st_mtim.tv_sec * SECOND + now.st_mtim.tv_nsec;
    bool changed =
        watch->mtime != mtime || watch->size != now.st_size || watch->inode != now.st_ino;
    watch->mtime = mtime;
    watch->size = now.st_size;
    watch->inode = now.st_ino;
    return changed;
}

static Result offer(KeySource *source, Bytes text, Arena *arena)
{
    SourceKeys set;
    Result r = key_set_read(arena, key_source_place(source), text, &set);
    if (!failed(r))
        key_source_offer(source, &set);
    return r;
}

static void look_at_file(KeyKeeper *keeper, KeySource *source, KeyWatch *watch, Arena *arena)
{
    const KeyPlace *place = key_source_place(source);
    Bytes text;
    if (!is_changed(watch, place->file))
        return;
    Result r = file_read(arena, place->file, KEYS_FILE_MOST, &text);
    if (!failed(r))
        r = offer(source, text, arena);
    tell(keeper, source, r, arena);
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* The keys count nevertheless: only a process that begins later has the older ones, or none. */
static void keep_for_starts(const KeyPlace *place, Bytes text, Arena *arena)
{
    Result r = file_replace(arena, place->file, text, NULL);
    if (failed(r))
        telemetry_event("warning", "keys_not_kept", r,
                        "the keys of %s count, but %s does not have them: a gateway that starts "
                        "has them when it has fetched them",
                        key_place_name(arena, place), place->file);
}

static void fetch(KeyKeeper *keeper, KeySource *source, KeySchedule *schedule, Arena *arena)
{
    const KeyPlace *place = key_source_place(source);
    Bytes text;
    Result r = key_fetch(arena, place, &keeper->stop, &text);
    if (!failed(r))
        r = offer(source, text, arena);
    if (!failed(r) && place->file)
        keep_for_starts(place, text, arena);
    if (atomic_load(&keeper->stop)) {
        error_ignore(r, "the process ends");
        return;
    }
    tell(keeper, source, r, arena);
    key_schedule_done(schedule, clock_now(), !failed(r), place->every,
                      random_next(&keeper->random));
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void look(KeyKeeper *keeper, KeySource *source)
{
    const KeyPlace *place = key_source_place(source);
    KeyWatch *watch = key_source_watch(source);
    int64_t now = clock_now();
    bool wanted = place->url && key_source_is_wanted(source);
    if (!key_schedule_is_due(&watch->schedule, now, wanted))
        return;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (place->url) {
        KeySchedule schedule = watch->schedule;
        fetch(keeper, source, &schedule, arena);
        key_source_scheduled(source, &schedule);
    } else {
        look_at_file(keeper, source, watch, arena);
        watch->schedule.due = now + place->every;
    }
    arena_free(arena);
}

/* How long the keys of a URL are as they were, because its server fails; 0: it does not. */
static int64_t stale_for(const KeyKeeper *keeper, KeySource *source, int64_t now)
{
    const KeySchedule *schedule = &key_source_watch(source)->schedule;
    int64_t since = schedule->good ? schedule->good : keeper->begun;
    return key_source_place(source)->url && schedule->failures ? now - since : 0;
}

static void look_at_all(KeyKeeper *keeper)
{
    uint32_t failing = 0;
    int64_t stale = 0;
    for (KeySource *source = NULL; (source = key_sources_next(source));) {
        if (!atomic_load(&keeper->stop))
            look(keeper, source);
        int64_t time = stale_for(keeper, source, clock_now());
        failing += time > 0;
        stale = time > stale ? time : stale;
    }
    atomic_store(&keeper->failing, failing);
    atomic_store(&keeper->stale, stale);
}

static void *run(void *argument)
{
    KeyKeeper *keeper = argument;
    pthread_setname_np(pthread_self(), "keys");
    while (!atomic_load(&keeper->stop)) {
        look_at_all(keeper);
        nanosleep(&(struct timespec){.tv_nsec = LOOK}, NULL);
    }
    return NULL;
}

KeyKeeper *key_keeper_start(void)
{
    KeyKeeper *keeper = calloc(1, sizeof *keeper);
    CHECK(keeper);
    random_seed(&keeper->random);
    keeper->begun = clock_now();
    key_sources_await(clock_now() + FIRST_TIME);
    CHECK(thread_make(&keeper->thread, run, keeper) == 0);
    return keeper;
}

void key_keeper_end(KeyKeeper *keeper)
{
    if (!keeper)
        return;
    atomic_store(&keeper->stop, true);
    if (thread_join_by(keeper->thread, clock_now() + END_TIME))
        free(keeper);
}

void key_keeper_metrics_write(Exposition *e, void *owner)
{
    const KeyKeeper *keeper = owner;
    exposition_family(e, "passerelle_key_reads", METRIC_COUNTER,
                      "Keys that check credentials: read again from files and URLs, by result.");
    Label good[] = {{"result", "good"}}, bad[] = {{"result", "failed"}};
    exposition_number(e, "", good, 1, atomic_load(&keeper->good));
    exposition_number(e, "", bad, 1, atomic_load(&keeper->failed));
    exposition_single(e, "passerelle_key_urls_failing", METRIC_GAUGE,
                      "URLs of keys whose server fails: their last good keys count.",
                      atomic_load(&keeper->failing));
    exposition_family(
        e, "passerelle_keys_stale_seconds", METRIC_GAUGE,
        "For how long the keys of one of these URLs are as they were; 0: none fails.");
    exposition_seconds(e, "", NULL, 0, atomic_load(&keeper->stale));
}
