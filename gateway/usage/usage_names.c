#include "gateway/usage/usage_names.h"

#include "base/arena.h"
#include "base/result.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>

struct UsageNames {
    pthread_mutex_t mutex;
    Arena *arena;
    Table numbers;     /* of the texts, joined by zeros -> where its name is in `items`, + 1 */
    UsageName **items; /* [number - 1] */
    uint32_t n, capacity;
};

UsageNames *usage_names_new(void)
{
    UsageNames *names = calloc(1, sizeof *names);
    CHECK(names);
    CHECK(pthread_mutex_init(&names->mutex, NULL) == 0);
    names->arena = arena_new(ARENA_UNLIMITED);
    names->numbers = table_in(names->arena);
    return names;
}

void usage_names_free(UsageNames *names)
{
    arena_free(names->arena);
    free(names->items);
    pthread_mutex_destroy(&names->mutex);
    free(names);
}

/* No text has a zero in it. */
static Bytes join(const UsageName *name, Arena *arena)
{
    Buffer key = buffer_in(arena);
    const Bytes parts[] = {name->service, name->version, name->method, name->field};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_add_bytes(&key, parts[i]);
        buffer_add_byte(&key, 0);
    }
    return buffer_bytes(&key);
}

static uint32_t add_name(UsageNames *names, const UsageName *name, Bytes key)
{
    if (names->n == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 64;
        names->items = realloc(names->items, names->capacity * sizeof *names->items);
        CHECK(names->items);
    }
    UsageName *copy = arena_make(names->arena, UsageName);
    *copy = (UsageName){.service = bytes_copy(names->arena, name->service),
                        .version = bytes_copy(names->arena, name->version),
                        .method = bytes_copy(names->arena, name->method),
                        .field = bytes_copy(names->arena, name->field)};
    names->items[names->n++] = copy;
    table_put(&names->numbers, bytes_copy(names->arena, key), (void *)(uintptr_t)names->n);
    return names->n;
}

uint32_t usage_names_number(UsageNames *names, const UsageName *name)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes key = join(name, arena);
    pthread_mutex_lock(&names->mutex);
    uint32_t number = (uint32_t)(uintptr_t)table_get(&names->numbers, key);
    if (!number)
        number = add_name(names, name, key);
    pthread_mutex_unlock(&names->mutex);
    arena_free(arena);
    return number;
}

UsageName usage_names_get(UsageNames *names, uint32_t number)
{
    pthread_mutex_lock(&names->mutex);
    CHECK(number > 0 && number <= names->n);
    UsageName name = *names->items[number - 1];
    pthread_mutex_unlock(&names->mutex);
    return name;
}
