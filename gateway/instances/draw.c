#include "gateway/instances/draw.h"

#include "base/result.h"

#include <stdlib.h>

/* Each slot has room for `sum`, and number i has weights[i] * n of it. What does not fill its own
   slot gets its rest from one that has too much. */
typedef struct Filling {
    uint64_t *left; /* by number: of its part */
    uint32_t *small, *large;
    uint32_t n_small, n_large;
    uint64_t sum;
} Filling;

static void sort_in(Filling *f, uint32_t i)
{
    if (f->left[i] < f->sum)
        f->small[f->n_small++] = i;
    else
        f->large[f->n_large++] = i;
}

static Filling filling_of(const uint32_t *weights, uint32_t n)
{
    size_t room = (size_t)n + 1; /* malloc(0) may be NULL */
    Filling f = {.left = malloc(room * sizeof *f.left), .small = malloc(room * sizeof *f.small)};
    f.large = malloc(room * sizeof *f.large);
    CHECK(f.left && f.small && f.large);
    for (uint32_t i = 0; i < n; i++)
        f.sum += weights[i];
    for (uint32_t i = 0; i < n; i++) {
        f.left[i] = (uint64_t)weights[i] * n;
        sort_in(&f, i);
    }
    return f;
}

static void fill(Draw *draw, Filling *f)
{
    while (f->n_small && f->n_large) {
        uint32_t i = f->small[--f->n_small], other = f->large[--f->n_large];
        draw->slots[i] = (DrawSlot){.cut = (uint32_t)((double)f->left[i] / (double)f->sum * 0x1p32),
                                    .other = other};
        f->left[other] -= f->sum - f->left[i];
        sort_in(f, other);
    }
}

Draw *draw_new(const uint32_t *weights, uint32_t n)
{
    Draw *draw = malloc(sizeof *draw + n * sizeof draw->slots[0]);
    CHECK(draw);
    draw->n = n;
    for (uint32_t i = 0; i < n; i++)
        draw->slots[i] = (DrawSlot){.cut = UINT32_MAX, .other = i};
    Filling f = filling_of(weights, n);
    fill(draw, &f);
    free(f.left);
    free(f.small);
    free(f.large);
    return draw;
}

void draw_free(Draw *draw)
{
    free(draw);
}
