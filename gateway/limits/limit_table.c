#include "gateway/limits/limit_table.h"

#include "base/result.h"
#include "gateway/limits/rate.h"

#include <stdlib.h>

enum {
    BIN = 8, /* slots: two cache lines */
    LINE = 64,
    NEVER_USED = 0,
    CHANGES_HANDS = 1,
    PATIENCE = 64, /* looks at a slot that changes hands */
};

typedef struct Part {
    void *memory;
    LimitSlot *slots;        /* in it, at the beginning of a cache line */
    _Atomic uint16_t *notes; /* of each slot */
    uint64_t n_bins;         /* a power of two */
} Part;

struct LimitTable {
    Part parts[LIMIT_PARTS];
    uint64_t bytes;
};

/* Memory that nobody has written to is not taken from the machine. */
static void part_open(LimitTable *table, Part *part, uint64_t buckets)
{
    part->n_bins = 1;
    while (part->n_bins * BIN < buckets * 2)
        part->n_bins *= 2;
    uint64_t n = part->n_bins * BIN;
    part->memory = calloc(1, n * sizeof(LimitSlot) + LINE);
    part->notes = calloc(n, sizeof *part->notes);
    CHECK(part->memory && part->notes);
    uintptr_t first_line = ((uintptr_t)part->memory + LINE - 1) / LINE * LINE;
    part->slots = (LimitSlot *)first_line;
    table->bytes += n * (sizeof(LimitSlot) + sizeof *part->notes);
}

LimitTable *limit_table_new(const uint64_t buckets[LIMIT_PARTS])
{
    LimitTable *table = calloc(1, sizeof *table);
    CHECK(table);
    for (int i = 0; i < LIMIT_PARTS; i++)
        part_open(table, &table->parts[i], buckets[i]);
    return table;
}

void limit_table_free(LimitTable *table)
{
    for (int i = 0; table && i < LIMIT_PARTS; i++) {
        free(table->parts[i].memory);
        free(table->parts[i].notes);
    }
    free(table);
}

uint64_t limit_table_bytes(const LimitTable *table)
{
    return table->bytes;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static uint64_t key_of(uint64_t hash)
{
    return hash > CHANGES_HANDS ? hash : hash + CHANGES_HANDS + 1;
}

/* Two bins by two halves of the hash, which may be the same one. */
static LimitSlot *bin_of(const Part *part, uint64_t key, uint32_t which)
{
    uint64_t half = which ? key >> 32 | key << 32 : key;
    return part->slots + (half & (part->n_bins - 1)) * BIN;
}

static uint64_t key_in(const LimitSlot *slot)
{
    return atomic_load_explicit(&slot->key, memory_order_acquire);
}

static bool is_idle(uint64_t word, int64_t now)
{
    return word & LIMIT_COUNT ? word == LIMIT_COUNT : word <= (uint64_t)now * RATE_TICKS;
}

static LimitSlot *find(const Part *part, uint64_t key, bool *changes_out)
{
    for (uint32_t which = 0; which < 2; which++) {
        LimitSlot *bin = bin_of(part, key, which);
        for (uint32_t i = 0; i < BIN; i++) {
            uint64_t there = key_in(&bin[i]);
            if (there == key)
                return &bin[i];
            *changes_out |= there == CHANGES_HANDS;
        }
    }
    return NULL;
}

LimitSlot *limit_table_find(LimitTable *table, LimitPart part, uint64_t key)
{
    bool changes = false;
    return find(&table->parts[part], key_of(key), &changes);
}

/* ---- Taking a slot --------------------------------------------------------------------------- */

/* How many slots of the bin are free, and the first of them. */
static uint32_t count_free(LimitSlot *bin, int64_t now, LimitSlot **first_out)
{
    uint32_t n = 0;
    for (uint32_t i = BIN; i-- > 0;) {
        if (key_in(&bin[i]) == CHANGES_HANDS ||
            !is_idle(atomic_load_explicit(&bin[i].word, memory_order_relaxed), now))
            continue;
        *first_out = &bin[i];
        n++;
    }
    return n;
}

/* The first free one of the bin that has more; NULL: there is none. */
static LimitSlot *find_free(const Part *part, uint64_t key, int64_t now)
{
    LimitSlot *first = NULL, *second = NULL;
    uint32_t n_first = count_free(bin_of(part, key, 0), now, &first);
    uint32_t n_second = count_free(bin_of(part, key, 1), now, &second);
    return n_first >= n_second ? first : second;
}

/* While it changes hands, whoever still has the old key finds that the word has changed, or the
   key: see try_change. Does nothing if somebody else was faster, or if its bucket is in use again.
 */
static void take(const Part *part, LimitSlot *slot, uint64_t key, int64_t now)
{
    uint64_t old = key_in(slot);
    uint64_t word = atomic_load(&slot->word);
    if (old == CHANGES_HANDS || !is_idle(word, now) ||
        !atomic_compare_exchange_strong(&slot->key, &old, CHANGES_HANDS))
        return;
    /* Not the word that it was: nobody who has read that one can change this one. */
    uint64_t fresh = word == (uint64_t)now * RATE_TICKS ? word - 1 : (uint64_t)now * RATE_TICKS;
    bool taken = atomic_compare_exchange_strong(&slot->word, &word, fresh);
    if (taken)
        atomic_store_explicit(&part->notes[slot - part->slots], 0, memory_order_relaxed);
    atomic_store_explicit(&slot->key, taken ? key : old, memory_order_release);
}

/* NULL: there is no room. */
static LimitSlot *find_or_take(const Part *part, uint64_t key, int64_t now)
{
    for (uint32_t looks = 0;; looks++) {
        bool changes = false;
        LimitSlot *slot = find(part, key, &changes);
        if (slot)
            return slot;
        if (changes && looks < PATIENCE) /* it may be this key's */
            continue;
        slot = find_free(part, key, now);
        if (!slot)
            return NULL;
        /* It is looked for again in any case: if two were as fast, the first slot is the key's; and
           until its word says that it is in use, another key may take it. */
        take(part, slot, key, now);
    }
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* False: the slot is another key's by now. */
static bool try_change(LimitSlot *slot, uint64_t key, LimitChange *change, void *how)
{
    uint64_t word = atomic_load(&slot->word), next;
    do {
        if (atomic_load(&slot->key) != key)
            return false;
        if (!change(how, word, &next))
            return true;
    } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
    return true;
}

LimitSlot *limit_table_change(LimitTable *table, LimitPart part, uint64_t key, int64_t now,
                              LimitChange *change, void *how)
{
    const Part *in = &table->parts[part];
    key = key_of(key);
    for (;;) {
        LimitSlot *slot = find_or_take(in, key, now);
        if (!slot || try_change(slot, key, change, how))
            return slot;
    }
}

void limit_slot_leave(LimitSlot *slot)
{
    uint64_t before = atomic_fetch_sub(&slot->word, 1);
    CHECK(before > LIMIT_COUNT);
}

/* ---- Notes, and all of it -------------------------------------------------------------------- */

static const Part *part_with(const LimitTable *table, const LimitSlot *slot)
{
    for (int i = 0; i < LIMIT_PARTS; i++) {
        const Part *part = &table->parts[i];
        if (slot >= part->slots && slot < part->slots + part->n_bins * BIN)
            return part;
    }
    CHECK(!"a slot of another table");
    return NULL;
}

uint16_t limit_table_note(const LimitTable *table, const LimitSlot *slot)
{
    const Part *part = part_with(table, slot);
    return atomic_load_explicit(&part->notes[slot - part->slots], memory_order_relaxed);
}

void limit_table_set_note(LimitTable *table, const LimitSlot *slot, uint16_t note)
{
    const Part *part = part_with(table, slot);
    atomic_store_explicit(&part->notes[slot - part->slots], note, memory_order_relaxed);
}

void limit_table_each(LimitTable *table, int64_t now,
                      void (*see)(void *owner, LimitPart part, uint64_t key, uint64_t word),
                      void *owner)
{
    for (int i = 0; i < LIMIT_PARTS; i++) {
        const Part *part = &table->parts[i];
        for (uint64_t k = 0; k < part->n_bins * BIN; k++) {
            uint64_t key = key_in(&part->slots[k]);
            uint64_t word = atomic_load_explicit(&part->slots[k].word, memory_order_relaxed);
            if (key > CHANGES_HANDS && !is_idle(word, now))
                see(owner, (LimitPart)i, key, word);
        }
    }
}

typedef struct Put {
    uint64_t word;
    int64_t now;
} Put;

static bool put(void *how, uint64_t word, uint64_t *word_out)
{
    const Put *it = how;
    *word_out = it->word;
    return is_idle(word, it->now);
}

bool limit_table_put(LimitTable *table, LimitPart part, uint64_t key, uint64_t word, int64_t now)
{
    Put it = {word, now};
    return limit_table_change(table, part, key, now, put, &it) != NULL;
}
