#include "adapters/text/spelling.h"

#include "base/clock.h"
#include "base/text/date.h"

#include <inttypes.h>

typedef struct Unit {
    const char *name;
    int64_t worth;
} Unit;

/* The largest unit first, and a name before its prefixes. */
static const Unit times[] = {
    {"d", 86400 * SECOND},
    {"h", 3600 * SECOND},
    {"ms", MILLISECOND},
    {"us", MICROSECOND},
    {"ns", 1},
    {"m", 60 * SECOND},
    {"s", SECOND},
};
static const Unit sizes[] = {
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},   {"kB", 1000},
    {"KB", 1000},     {"MB", 1000000},  {"GB", 1000000000}, {"B", 1},
};

static const Unit *take_unit(Bytes *text, const Unit *units, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_start_with(*text, units[i].name)) {
            *text = bytes_slice(*text, strlen(units[i].name), text->size);
            return &units[i];
        }
    return NULL;
}

static bool is_digit(Bytes text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

/* Takes "12" or "1.5": a whole part and a fraction in billionths. */
static bool take_number(Bytes *text, int64_t *whole_out, int64_t *billionths_out)
{
    size_t at = 0;
    int64_t whole = 0, fraction = 0;
    for (; is_digit(*text, at); at++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text->data[at] - '0', &whole))
            return false;
    if (at == 0)
        return false;
    if (at < text->size && text->data[at] == '.') {
        int64_t scale = 100000000;
        size_t first = ++at;
        for (; is_digit(*text, at); at++, scale /= 10)
            fraction += (text->data[at] - '0') * scale;
        if (at == first)
            return false;
    }
    *text = bytes_slice(*text, at, text->size);
    *whole_out = whole;
    *billionths_out = fraction;
    return true;
}

bool spelling_duration(Bytes text, int64_t *nanoseconds_out)
{
    int64_t sum = 0;
    if (bytes_are(text, "0")) {
        *nanoseconds_out = 0;
        return true;
    }
    do {
        int64_t whole, billionths, part;
        if (!take_number(&text, &whole, &billionths))
            return false;
        const Unit *unit = take_unit(&text, times, sizeof times / sizeof *times);
        if (!unit || __builtin_mul_overflow(whole, unit->worth, &part) ||
            __builtin_add_overflow(sum, part, &sum) ||
            __builtin_add_overflow(sum, (int64_t)((double)billionths / 1e9 * (double)unit->worth),
                                   &sum))
            return false;
    } while (text.size);
    *nanoseconds_out = sum;
    return true;
}

bool spelling_size(Bytes text, uint64_t *bytes_out)
{
    int64_t whole, billionths, size;
    static const Unit one = {"", 1};
    if (!take_number(&text, &whole, &billionths))
        return false;
    const Unit *unit = text.size ? take_unit(&text, sizes, sizeof sizes / sizeof *sizes) : &one;
    if (!unit || text.size || (billionths && unit->worth == 1) ||
        __builtin_mul_overflow(whole, unit->worth, &size) ||
        __builtin_add_overflow(size, (int64_t)((double)billionths / 1e9 * (double)unit->worth),
                               &size))
        return false;
    *bytes_out = (uint64_t)size;
    return true;
}

bool spelling_date(Bytes text, int64_t *nanoseconds_out)
{
    int64_t seconds;
    int32_t nanos = 0;
    if (!date_read_day(text, &seconds) && !date_read_rfc3339(text, &seconds, &nanos))
        return false;
    return !__builtin_mul_overflow(seconds, SECOND, nanoseconds_out) &&
           !__builtin_add_overflow(*nanoseconds_out, nanos, nanoseconds_out);
}

void spelling_add_duration(Buffer *out, int64_t nanoseconds)
{
    static const Unit largest_first[] = {
        {"h", 3600 * SECOND}, {"m", 60 * SECOND},  {"s", SECOND},
        {"ms", MILLISECOND},  {"us", MICROSECOND}, {"ns", 1},
    };
    if (nanoseconds <= 0) {
        buffer_add_text(out, "0");
        return;
    }
    for (size_t i = 0; nanoseconds; i++) {
        int64_t n = nanoseconds / largest_first[i].worth;
        if (n)
            buffer_printf(out, "%" PRId64 "%s", n, largest_first[i].name);
        nanoseconds -= n * largest_first[i].worth;
    }
}

void spelling_add_size(Buffer *out, uint64_t size)
{
    static const Unit binary[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
    for (size_t i = 0; i < 3; i++)
        if (size && size % (uint64_t)binary[i].worth == 0) {
            buffer_printf(out, "%" PRIu64 "%s", size / (uint64_t)binary[i].worth, binary[i].name);
            return;
        }
    buffer_printf(out, "%" PRIu64, size);
}
