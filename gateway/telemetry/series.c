#include "gateway/telemetry/series.h"

#include "base/arena.h"
#include "base/result.h"

static uint32_t add_series(SeriesSet *set, const char *const labels[], Bytes key)
{
    if (set->n >= set->limit) {
        set->beyond++;
        return SERIES_OTHER;
    }
    if (set->n == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 64;
        set->items =
            arena_grow(set->arena, set->items, set->n * sizeof(Series), capacity * sizeof(Series));
        CHECK(set->items); /* the arena has no limit */
        set->capacity = capacity;
    }
    uint32_t number = set->n++;
    set->items[number] = (Series){0};
    for (uint32_t i = 0; i < set->n_labels; i++)
        set->items[number].labels[i] = arena_string(set->arena, labels[i] ? labels[i] : "");
    table_put(&set->numbers, bytes_copy(set->arena, key), (void *)(uintptr_t)(number + 1));
    return number;
}

uint32_t series_number(SeriesSet *set, const char *const labels[])
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer key = buffer_in(arena);
    for (uint32_t i = 0; i < set->n_labels; i++)
        buffer_add(&key, labels[i] ? labels[i] : "", labels[i] ? strlen(labels[i]) + 1 : 1);

    void *found = table_get(&set->numbers, buffer_bytes(&key));
    uint32_t number =
        found ? (uint32_t)(uintptr_t)found - 1 : add_series(set, labels, buffer_bytes(&key));
    arena_free(arena);
    return number;
}

SeriesSet series_set_in(Arena *arena, uint32_t n_labels)
{
    static const char *const empty[SERIES_LABELS];
    static const char *const other[SERIES_LABELS] = {"other", "other", "other", "other", "other"};
    SeriesSet set = {
        .arena = arena, .numbers = table_in(arena), .n_labels = n_labels, .limit = SERIES_LIMIT};
    CHECK(n_labels <= SERIES_LABELS);
    CHECK(series_number(&set, empty) == 0);
    CHECK(series_number(&set, other) == SERIES_OTHER);
    return set;
}
