/*
 * KeySet: different clients, counted in bounded memory: the set of their hashes.
 *
 * As long as there are few of them, all are kept and the count is exact. Of more, only hashes below
 * a limit are kept, and the limit sinks so that about KEYS_KEPT are left; the count is estimated
 * from them (a theta sketch). The sum of two sets counts each client once, whichever of both has
 * seen it, and is the same in any order.
 *
 * Hashes are of 64 bits and uniform. Plain memory on the heap; all zeros is an empty set. Any
 * thread, one at a time.
 */
#ifndef GATEWAY_KEY_SET_H
#define GATEWAY_KEY_SET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct KeySet {
    uint64_t *slots; /* open addressing; 0: free */
    uint32_t n_slots, n;
    uint32_t most;  /* so many are kept at least, before the limit sinks */
    uint64_t limit; /* only keys below are kept; 0: all */
} KeySet;

/* `most`: above 0; at most 2^24. */
void key_set_init(KeySet *set, uint32_t most);
void key_set_deinit(KeySet *set);

/* True: it is new in the set. */
bool key_set_add(KeySet *set, uint64_t key);
bool key_set_has(const KeySet *set, uint64_t key);

/* `set` is empty, and becomes the same as the other one. */
void key_set_copy(KeySet *set, const KeySet *from);

/* Adds those of the other one. */
void key_set_merge(KeySet *set, const KeySet *from);

/* So many different keys were added; and the relative standard error of that: 0 if it is exact. */
double key_set_count(const KeySet *set);
double key_set_error(const KeySet *set);

/* The keys that are kept, ascending, in an array of set->n. */
void key_set_list(const KeySet *set, uint64_t *keys_out);

/* Only keys below `limit` are kept from now on: 0: all. For reading a set that was written. */
void key_set_lower(KeySet *set, uint64_t limit);

#endif
