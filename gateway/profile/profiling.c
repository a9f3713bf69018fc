#include "gateway/profile/profiling.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/profile/heap.h"
#include "gateway/profile/heap_dump.h"
#include "gateway/profile/pprof.h"

#include <pthread.h>

/* ---- Turns ----------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool taken;
static ProfileTurn current;

bool profile_turn_take(const ProfileTurn *turn, ProfileTurn *other_out)
{
    pthread_mutex_lock(&lock);
    bool free = !taken;
    if (free)
        current = *turn;
    *other_out = current;
    taken = true;
    pthread_mutex_unlock(&lock);
    return free;
}

void profile_turn_give_back(void)
{
    pthread_mutex_lock(&lock);
    CHECK(taken);
    taken = false;
    pthread_mutex_unlock(&lock);
}

/* ---- What is asked --------------------------------------------------------------------------- */

Result profile_read_query(Arena *arena, ProfileKind kind, Bytes query, int64_t longest,
                          uint32_t *seconds_out)
{
    static const char key[] = "seconds=";
    uint64_t most = (uint64_t)(longest / SECOND), seconds;
    *seconds_out = PROFILE_SECONDS < most ? PROFILE_SECONDS : (uint32_t)most;
    if (!query.size)
        return OK;
    if (kind == PROFILE_HEAP)
        return FAIL(arena, FAULT_BAD_VALUE, "this takes no parameters");
    if (!bytes_start_with(query, key) ||
        !bytes_to_u64(bytes_slice(query, strlen(key), SIZE_MAX), &seconds) || seconds < 1 ||
        seconds > most)
        return FAIL(arena, FAULT_BAD_VALUE,
                    "this takes seconds=N, from 1 to %llu (admin.profiles.longest), and nothing "
                    "else",
                    (unsigned long long)most);
    *seconds_out = (uint32_t)seconds;
    return OK;
}

/* ---- Taking it ------------------------------------------------------------------------------- */

static Result write_profile(Arena *arena, const PprofProfile *profile, Buffer *out)
{
    Symbols *symbols = symbols_open(arena);
    Result r = pprof_write(arena, profile, symbols, out);
    symbols_close(symbols);
    return r;
}

/* Of all time that threads ran, the part that was spent in looking at them, in percent. */
static double cost_of(const CpuSampled *sampled)
{
    double ran = (double)sampled->n_samples * CPU_SAMPLER_PERIOD;
    return ran > 0 ? 100 * (double)sampled->took / ran : 0;
}

static const char *sampling_text(Arena *arena, const CpuSampled *s)
{
    return arena_printf(arena,
                        "%llu samples of %llu threads; %llu lost, %llu cut, %llu threads unseen; "
                        "sampling took %.2f %% of the time that they ran",
                        (unsigned long long)s->n_samples, (unsigned long long)s->n_threads,
                        (unsigned long long)s->n_lost, (unsigned long long)s->n_broken,
                        (unsigned long long)s->n_unseen, cost_of(s));
}

static Result run_cpu(Arena *arena, const ProfileTurn *turn, const char *node,
                      const ProfileEnd *end, Buffer *out)
{
    StackBook book = stack_book_in(arena);
    CpuSampled sampled;
    Result r = cpu_sampler_run(arena, turn->seconds * SECOND, end, &book, &sampled);
    if (failed(r))
        return r;
    const char *comments[] = {node, sampling_text(arena, &sampled), NULL};
    return write_profile(arena,
                         &(PprofProfile){.book = &book,
                                         .types = {{"samples", "count"}, {"cpu", "nanoseconds"}},
                                         .period_type = {"cpu", "nanoseconds"},
                                         .period = CPU_SAMPLER_PERIOD,
                                         .began = sampled.began,
                                         .lasted = sampled.lasted,
                                         .comments = comments},
                         out);
}

static Result run_heap(Arena *arena, const char *node, Buffer *out)
{
    StackBook book = stack_book_in(arena);
    int64_t began = clock_wall(), period = 0;
    Bytes dump = BYTES_NONE;
    Result r = heap_dump_write(arena, &dump);
    if (!failed(r))
        r = heap_dump_read(arena, dump, heap_is_own_code, &book, &period);
    if (failed(r))
        return r;
    const char *comments[] = {node, NULL};
    return write_profile(
        arena,
        &(PprofProfile){.book = &book,
                        .types = {{"inuse_objects", "count"}, {"inuse_space", "bytes"}},
                        .period_type = {"space", "bytes"},
                        .period = period,
                        .began = began,
                        .comments = comments},
        out);
}

Result profile_run(Arena *arena, const ProfileTurn *turn, const char *node, const ProfileEnd *end,
                   Buffer *out)
{
    const char *who = arena_printf(arena, "passerelle " VERSION ", %s", node);
    switch (turn->kind) {
    case PROFILE_CPU: return run_cpu(arena, turn, who, end, out);
    case PROFILE_HEAP: return run_heap(arena, who, out);
    }
    return OK;
}
