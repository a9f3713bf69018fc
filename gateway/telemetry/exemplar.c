#include "gateway/telemetry/exemplar.h"

_Static_assert(sizeof(Exemplar) % sizeof(uint64_t) == 0, "an exemplar is whole words");

void exemplar_write(ExemplarCell *cell, const Exemplar *exemplar)
{
    uint64_t words[EXEMPLAR_WORDS];
    uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_relaxed);
    memcpy(words, exemplar, sizeof words);
    atomic_store_explicit(&cell->turn, turn + 1, memory_order_relaxed);
    /* Who sees one of the words sees that the turn is odd, or has been. */
    for (int i = 0; i < EXEMPLAR_WORDS; i++)
        atomic_store_explicit(&cell->words[i], words[i], memory_order_release);
    atomic_store_explicit(&cell->turn, turn + 2, memory_order_release);
}

void exemplar_read(ExemplarCell *cell, Exemplar *newest)
{
    uint64_t words[EXEMPLAR_WORDS];
    Exemplar found;
    uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
    for (int i = 0; i < EXEMPLAR_WORDS; i++)
        words[i] = atomic_load_explicit(&cell->words[i], memory_order_acquire);
    if (turn % 2 || atomic_load_explicit(&cell->turn, memory_order_relaxed) != turn)
        return;
    memcpy(&found, words, sizeof found);
    if (found.at > newest->at)
        *newest = found;
}
