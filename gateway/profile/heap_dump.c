#include "gateway/profile/heap_dump.h"

#include "base/arena.h"

#include <math.h>

#define COUNT_MOST 0x1p62 /* no machine has as much */

enum { DEPTH_MOST = 256, PERIOD_MOST = 1 << 30 };

typedef struct Reading {
    StackBook *book;
    bool (*is_allocator)(uint64_t address);
    double period;
    uint64_t frames[DEPTH_MOST];
    uint32_t n;
    bool has_stack; /* of the counts that come */
} Reading;

static bool read_address(Bytes text, uint64_t *address_out)
{
    uint64_t address = 0;
    if (!bytes_start_with(text, "0x") || text.size < 3 || text.size > 18)
        return false;
    for (size_t i = 2; i < text.size; i++) {
        uint8_t c = ascii_lower(text.data[i]);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        address = address << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *address_out = address;
    return true;
}

/* Behind the "@": all of them return to behind a call. The first ones are of the allocator itself,
   and say nothing of who has called it. */
static bool read_stack(Reading *reading, Bytes rest)
{
    Bytes word;
    uint64_t address;
    reading->n = 0;
    while (bytes_split(&rest, ' ', &word)) {
        if (!word.size)
            continue;
        if (reading->n == DEPTH_MOST || !read_address(word, &address) || !address)
            return false;
        if (reading->n || !reading->is_allocator || !reading->is_allocator(address - 1))
            reading->frames[reading->n++] = address - 1;
    }
    reading->has_stack = true;
    return true;
}

static bool read_number(Bytes *rest, uint8_t separator, uint64_t *number_out)
{
    Bytes part;
    return bytes_split(rest, separator, &part) && bytes_to_u64(bytes_trim(part), number_out) &&
           *number_out <= INT64_MAX;
}

/*
 * An allocation of X bytes is sampled with the probability 1 - exp(-X / period): so each one that
 * was stands for the inverse of it, of its size.
 */
static void add_counts(Reading *reading, uint64_t objects, uint64_t size)
{
    if (!objects || !size)
        return;
    double each = (double)size / (double)objects;
    double scale = -1 / expm1(-each / reading->period);
    double all = (double)objects * scale, bytes_of_all = (double)size * scale;
    if (all < COUNT_MOST && bytes_of_all < COUNT_MOST)
        stack_book_add(reading->book, reading->frames, reading->n, NULL,
                       (int64_t[STACK_VALUES]){llround(all), llround(bytes_of_all)});
}

/* Behind the "t*:". Those of all stacks come before the first one. */
static bool read_counts(Reading *reading, Bytes rest)
{
    uint64_t objects, size;
    if (!read_number(&rest, ':', &objects) || !read_number(&rest, '[', &size))
        return false;
    if (reading->has_stack)
        add_counts(reading, objects, size);
    reading->has_stack = false;
    return true;
}

static bool read_line(Reading *reading, Bytes line)
{
    static const char all[] = "  t*:";
    if (bytes_start_with(line, "@"))
        return read_stack(reading, bytes_slice(line, 1, SIZE_MAX));
    if (bytes_start_with(line, all))
        return read_counts(reading, bytes_slice(line, strlen(all), SIZE_MAX));
    return bytes_start_with(line, "  t");
}

static bool read_head(Reading *reading, Bytes line)
{
    static const char head[] = "heap_v2/";
    uint64_t period;
    if (!bytes_start_with(line, head) ||
        !bytes_to_u64(bytes_slice(line, strlen(head), SIZE_MAX), &period) || !period ||
        period > PERIOD_MOST)
        return false;
    reading->period = (double)period;
    return true;
}

Result heap_dump_read(Arena *arena, Bytes text, bool (*is_allocator)(uint64_t address),
                      StackBook *book, int64_t *period_out)
{
    Reading reading = {.book = book, .is_allocator = is_allocator};
    Bytes line = BYTES_NONE;
    int n = 1;
    bool good = bytes_split(&text, '\n', &line) && read_head(&reading, line);
    for (; good && bytes_split(&text, '\n', &line) && line.size; n++)
        good = read_line(&reading, line);
    *period_out = (int64_t)reading.period;
    return good ? OK
                : FAIL(arena, FAULT_INTERNAL, "line %d of jemalloc's profile: \"%.*s\"", n,
                       BYTES_ARGS(bytes_cut_text(line, 100)));
}
