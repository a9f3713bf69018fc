#include "gateway/overload/loop_lag.h"

#include "base/clock.h"
#include "base/text/date.h"

#include <stdlib.h>

#define TENTH (100 * MILLISECOND)

/* What a tenth has had. */
typedef struct LagTurn {
    int64_t tenth;
    uint32_t took, stood; /* microseconds */
} LagTurn;

static uint32_t microseconds(int64_t nanoseconds)
{
    int64_t n = nanoseconds / MICROSECOND;
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void loop_lag_turn(LoopLag *lag, const LoopTurn *turn)
{
    int64_t tenth = turn->ended / TENTH;
    uint32_t took = microseconds(turn->busy > turn->waited ? turn->busy : turn->waited);
    uint64_t packed = (uint64_t)took << 32 | microseconds(turn->stood);
    size_t at = (size_t)(tenth % LAG_TENTHS);
    bool is_first = atomic_load_explicit(&lag->tenths[at], memory_order_relaxed) != tenth;
    if (!is_first && packed <= atomic_load_explicit(&lag->turns[at], memory_order_relaxed))
        return;
    atomic_store_explicit(&lag->turns[at], packed, memory_order_relaxed);
    if (is_first)
        atomic_store_explicit(&lag->tenths[at], tenth, memory_order_relaxed);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int by_length(const void *a, const void *b)
{
    uint32_t x = ((const LagTurn *)a)->took, y = ((const LagTurn *)b)->took;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The last minute, the longest first; tenths without a turn are zeros. */
static void read_minute(const LoopLag *lag, int64_t now, LagTurn turns[LAG_TENTHS])
{
    for (int i = 0; i < LAG_TENTHS; i++) {
        int64_t tenth = atomic_load_explicit(&lag->tenths[i], memory_order_relaxed);
        uint64_t packed = atomic_load_explicit(&lag->turns[i], memory_order_relaxed);
        bool is_old = tenth <= now / TENTH - LAG_TENTHS;
        turns[i] =
            is_old ? (LagTurn){0} : (LagTurn){tenth, (uint32_t)(packed >> 32), (uint32_t)packed};
    }
    qsort(turns, LAG_TENTHS, sizeof *turns, by_length);
}

static void add_milliseconds(Buffer *out, const char *name, uint32_t n)
{
    buffer_printf(out, "\"%s\":%u.%03u", name, n / 1000, n % 1000);
}

static void add_turn(Buffer *out, const LagTurn *turn, int64_t now, int64_t wall)
{
    char at[DATE_RFC3339_SIZE];
    int64_t when = wall - (now - turn->tenth * TENTH);
    size_t size = date_write_rfc3339(when / SECOND, (int32_t)(when % SECOND / TENTH * TENTH), at);
    buffer_printf(out, "{\"at\":\"%.*s\",", (int)size, at);
    add_milliseconds(out, "ms", turn->took);
    buffer_add_byte(out, ',');
    add_milliseconds(out, "stood_ms", turn->stood);
    buffer_add_byte(out, '}');
}

void loop_lag_write(const LoopLag *lag, uint32_t loop, int64_t now, int64_t wall, Buffer *out)
{
    LagTurn turns[LAG_TENTHS];
    read_minute(lag, now, turns);
    buffer_printf(out, "{\"loop\":%u,\"lag_ms\":{", loop);
    add_milliseconds(out, "p50", turns[LAG_TENTHS / 2].took);
    buffer_add_byte(out, ',');
    add_milliseconds(out, "p99", turns[LAG_TENTHS / 100].took);
    buffer_add_byte(out, ',');
    add_milliseconds(out, "max", turns[0].took);
    buffer_add_text(out, "},\"longest\":[");
    for (int i = 0; i < LAG_LONGEST && turns[i].took; i++) {
        buffer_add_text(out, i ? "," : "");
        add_turn(out, &turns[i], now, wall);
    }
    buffer_add_text(out, "]}");
}
