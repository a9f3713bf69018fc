#include "gateway/cohort/key_set.h"

#include "base/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16 };

/* Beyond the limit everything is kept that may be, until there is half as much again. */
static uint32_t n_full(const KeySet *set)
{
    return set->most + set->most / 2;
}

static uint64_t *take_memory(uint32_t n)
{
    uint64_t *memory = calloc(n, sizeof *memory);
    CHECK(memory);
    return memory;
}

void key_set_init(KeySet *set, uint32_t most)
{
    CHECK(most > 0 && most <= 1u << 24);
    *set = (KeySet){.most = most};
}

void key_set_deinit(KeySet *set)
{
    free(set->slots);
    *set = (KeySet){0};
}

/* Its slot, or the free one where it would be. There always is a free one. */
static uint64_t *slot_of(uint64_t *slots, uint32_t n_slots, uint64_t key)
{
    uint32_t at = (uint32_t)key & (n_slots - 1);
    while (slots[at] && slots[at] != key)
        at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

static bool is_kept(const KeySet *set, uint64_t key)
{
    return key && (!set->limit || key < set->limit);
}

bool key_set_has(const KeySet *set, uint64_t key)
{
    return key && set->slots && *slot_of(set->slots, set->n_slots, key) == key;
}

/* Moves all that are kept into so many slots. */
static void refill(KeySet *set, uint32_t n_slots)
{
    uint64_t *slots = take_memory(n_slots);
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n_slots; i++) {
        if (!is_kept(set, set->slots[i]))
            continue;
        *slot_of(slots, n_slots, set->slots[i]) = set->slots[i];
        n++;
    }
    free(set->slots);
    set->slots = slots;
    set->n_slots = n_slots;
    set->n = n;
}

/* At most three quarters are used. */
static void make_room(KeySet *set)
{
    if (!set->slots)
        refill(set, FIRST_SLOTS);
    else if ((set->n + 1) > set->n_slots / 4 * 3)
        refill(set, set->n_slots * 2);
}

static int compare(const void *a, const void *b)
{
    uint64_t first, second;
    memcpy(&first, a, sizeof first);
    memcpy(&second, b, sizeof second);
    return (first > second) - (first < second);
}

void key_set_list(const KeySet *set, uint64_t *keys_out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n_slots; i++)
        if (set->slots[i])
            keys_out[n++] = set->slots[i];
    CHECK(n == set->n);
    if (n)
        qsort(keys_out, n, sizeof *keys_out, compare);
}

/* The limit sinks to the key behind those that are to be left. */
static void sink(KeySet *set)
{
    if (set->n <= n_full(set))
        return;
    uint64_t *keys = take_memory(set->n);
    key_set_list(set, keys);
    set->limit = keys[set->most];
    free(keys);
    refill(set, set->n_slots);
}

bool key_set_add(KeySet *set, uint64_t key)
{
    if (!is_kept(set, key))
        return false;
    make_room(set);
    uint64_t *slot = slot_of(set->slots, set->n_slots, key);
    if (*slot)
        return false;
    *slot = key;
    set->n++;
    sink(set);
    return true;
}

void key_set_lower(KeySet *set, uint64_t limit)
{
    if (!limit || (set->limit && set->limit <= limit))
        return;
    set->limit = limit;
    if (set->slots)
        refill(set, set->n_slots);
}

void key_set_copy(KeySet *set, const KeySet *from)
{
    CHECK(!set->slots);
    *set = *from;
    if (!from->slots)
        return;
    set->slots = take_memory(from->n_slots);
    memcpy(set->slots, from->slots, from->n_slots * sizeof *from->slots);
}

void key_set_merge(KeySet *set, const KeySet *from)
{
    key_set_lower(set, from->limit);
    for (uint32_t i = 0; i < from->n_slots; i++)
        key_set_add(set, from->slots[i]);
}

double key_set_count(const KeySet *set)
{
    return set->limit ? set->n / ldexp((double)set->limit, -64) : set->n;
}

double key_set_error(const KeySet *set)
{
    return set->limit ? 1 / sqrt((double)set->n + 1) : 0;
}
