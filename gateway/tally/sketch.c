#include "gateway/tally/sketch.h"

#include <math.h>

/* The rank of a hash that has zeros only. */
enum { MOST = 64 - SKETCH_BITS + 1 };

#define ALPHA 0.7213475204444817 /* 1 / (2 ln 2) */

void sketch_merge(Sketch *into, const Sketch *from)
{
    for (int i = 0; i < SKETCH_SIZE; i++)
        if (into->registers[i] < from->registers[i])
            into->registers[i] = from->registers[i];
}

/* sigma and tau of the paper: what registers that are zero, or full, still tell. */
static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double sketch_count(const Sketch *sketch)
{
    uint32_t with_rank[MOST + 1] = {0};
    for (int i = 0; i < SKETCH_SIZE; i++) {
        uint8_t rank = sketch->registers[i];
        with_rank[rank < MOST ? rank : MOST]++;
    }
    double m = SKETCH_SIZE, z = m * tau(1 - with_rank[MOST] / m);
    for (int rank = MOST - 1; rank > 0; rank--)
        z = 0.5 * (z + with_rank[rank]);
    z += m * sigma(with_rank[0] / m);
    return ALPHA * m * m / z;
}
