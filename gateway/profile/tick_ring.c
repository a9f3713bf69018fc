#include "gateway/profile/tick_ring.h"

#include "base/result.h"

#include <stdlib.h>

TickRing *tick_ring_new(void)
{
    TickRing *ring = calloc(1, sizeof *ring);
    CHECK(ring);
    return ring;
}

Tick *tick_begin(TickRing *ring)
{
    uint64_t number = atomic_load(&ring->n_begun);
    do {
        if (number - atomic_load(&ring->n_taken) >= TICK_SLOTS) {
            atomic_fetch_add(&ring->n_lost, 1);
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&ring->n_begun, &number, number + 1));
    return &ring->ticks[number % TICK_SLOTS];
}

void tick_end(Tick *tick)
{
    atomic_store_explicit(&tick->whole, true, memory_order_release);
}

Tick *tick_take(TickRing *ring)
{
    Tick *tick = &ring->ticks[atomic_load(&ring->n_taken) % TICK_SLOTS];
    return atomic_load_explicit(&tick->whole, memory_order_acquire) ? tick : NULL;
}

void tick_give_back(TickRing *ring, Tick *tick)
{
    atomic_store_explicit(&tick->whole, false, memory_order_relaxed);
    atomic_fetch_add(&ring->n_taken, 1); /* and now it is another one's */
}
