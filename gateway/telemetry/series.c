#include "gateway/telemetry/series.h"

#include "base/arena.h"
#include "base/result.h"

static uint32_t add_series(SeriesSet *set, Bytes key)
{
    if (set->n >= set->limit) {
        set->beyond++;
        return SERIES_OTHER;
    }
    uint32_t number = set->n++;
    table_put(&set->numbers, bytes_copy(set->numbers.arena, key), (void *)(uintptr_t)(number + 1));
    return number;
}

uint32_t series_number(SeriesSet *set, const char *const labels[])
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer key = buffer_in(arena);
    for (uint32_t i = 0; i < set->n_labels; i++)
        buffer_add(&key, labels[i] ? labels[i] : "", labels[i] ? strlen(labels[i]) + 1 : 1);

    void *found = table_get(&set->numbers, buffer_bytes(&key));
    uint32_t number = found ? (uint32_t)(uintptr_t)found - 1 : add_series(set, buffer_bytes(&key));
    arena_free(arena);
    return number;
}

const char *series_text(const SeriesSet *set, uint32_t number, uint32_t label)
{
    CHECK(number < set->n && label < set->n_labels);
    const char *text = (const char *)set->numbers.entries[number].key.data;
    while (label--)
        text += strlen(text) + 1;
    return text;
}

void series_expect(SeriesSet *set, size_t n)
{
    if (set->n == SERIES_OTHER + 1)
        table_reserve(&set->numbers, set->n + (n < set->limit ? n : set->limit));
}

SeriesSet series_set_in(Arena *arena, uint32_t n_labels)
{
    static const char *const empty[SERIES_LABELS];
    static const char *const other[SERIES_LABELS] = {"other", "other", "other", "other", "other"};
    SeriesSet set = {.numbers = table_in(arena), .n_labels = n_labels, .limit = SERIES_LIMIT};
    CHECK(n_labels <= SERIES_LABELS);
    CHECK(series_number(&set, empty) == 0);
    CHECK(series_number(&set, other) == SERIES_OTHER);
    return set;
}
