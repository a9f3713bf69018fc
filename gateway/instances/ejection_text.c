#include "gateway/instances/ejection_text.h"

#include "adapters/text/number_text.h"
#include "base/arena.h"
#include "base/table.h"

enum { TIMES_MOST = 64 };

#define UNTIL_MOST (24 * 3600 * SECOND) /* from now on */

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_one(const KnownInstance *known, Buffer *out)
{
    const Judged *judged = &known->judged;
    long long warm_since = atomic_load_explicit(&known->warm_since, memory_order_relaxed);
    unsigned unhealthy = atomic_load_explicit(&known->unhealthy, memory_order_relaxed);
    if (!judged->until && !judged->returned_at && !unhealthy && !warm_since)
        return;
    buffer_printf(out, "%lld %lld %lld %u %u %u %lld %s\n", (long long)judged->ejected_at,
                  (long long)judged->until, (long long)judged->returned_at, judged->times,
                  (unsigned)judged->reason, unhealthy, warm_since, known->address.text);
}

void ejections_write(Buffer *out)
{
    uint32_t n;
    KnownInstance **all = known_instances_all(&n);
    for (uint32_t i = 0; i < n; i++)
        write_one(all[i], out);
    known_instances_let_go(all, n);
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct Line {
    int64_t ejected_at, until, returned_at, times, reason, unhealthy, warm_since;
} Line;

static bool is_past(int64_t time, int64_t now)
{
    return time >= 0 && time <= now;
}

static bool is_valid(const Line *line, int64_t now)
{
    bool ejected = line->until != 0;
    return is_past(line->ejected_at, now) && is_past(line->returned_at, now) &&
           is_past(line->warm_since, now) && line->times >= ejected && line->times <= TIMES_MOST &&
           line->until >= 0 && line->until - now <= UNTIL_MOST && line->reason >= ejected &&
           line->reason < OUTLIER_REASONS && line->unhealthy >= CHECK_GOOD &&
           line->unhealthy <= CHECK_REFUSED;
}

static bool read_line(Bytes text, int64_t now, Line *line, Bytes *address_out)
{
    int64_t *const numbers[] = {&line->ejected_at, &line->until,  &line->returned_at,
                                &line->times,      &line->reason, &line->unhealthy,
                                &line->warm_since};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        Bytes word;
        if (!bytes_split(&text, ' ', &word) || !number_read_i64(word, numbers[i]))
            return false;
    }
    *address_out = text;
    return text.size && is_valid(line, now);
}

static void restore(KnownInstance *known, const Line *line, int64_t now)
{
    Judged *judged = &known->judged;
    bool ejected = line->until > now;
    judged->ejected_at = ejected ? line->ejected_at : 0;
    judged->until = ejected ? line->until : 0;
    judged->inherited = ejected;
    judged->returned_at = line->until && !ejected ? now : line->returned_at;
    judged->times = (uint32_t)line->times;
    judged->reason = (OutlierReason)line->reason;
    known->check_row = (CheckRow){.unhealthy = line->unhealthy != CHECK_GOOD};
    atomic_store_explicit(&known->unhealthy, (unsigned)line->unhealthy, memory_order_relaxed);
    atomic_store_explicit(&known->warm_since, line->warm_since, memory_order_relaxed);
    known_instance_bar(known, BAR_EJECTED, ejected);
}

static Table read_lines(Bytes text, int64_t now, Arena *arena)
{
    Table lines = table_in(arena);
    for (Bytes part; bytes_split(&text, '\n', &part);) {
        Line *line = arena_make(arena, Line);
        Bytes address;
        if (read_line(part, now, line, &address))
            table_put(&lines, address, line);
    }
    return lines;
}

uint32_t ejections_read(Bytes text, int64_t now)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Table lines = read_lines(text, now, arena);
    uint32_t n, n_restored = 0;
    KnownInstance **all = known_instances_all(&n);
    for (uint32_t i = 0; i < n; i++) {
        const Line *line = table_get(&lines, bytes_of(all[i]->address.text));
        if (line)
            restore(all[i], line, now);
        n_restored += line != NULL;
    }
    known_instances_let_go(all, n);
    arena_free(arena);
    return n_restored;
}
