#include "gateway/signal/novelty.h"

#include "base/clock.h"
#include "base/result.h"

#include <stdlib.h>
#include <string.h>

#define DAY (24 * 3600 * SECOND)

/* ---- What is remembered ---------------------------------------------------------------------- */

/* Where it is, or would be. */
static uint32_t place_of(const Novelty *novelty, uint64_t kind)
{
    uint32_t low = 0, high = novelty->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (novelty->kinds[middle].kind < kind)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_out(Novelty *novelty, uint32_t at)
{
    novelty->n--;
    memmove(&novelty->kinds[at], &novelty->kinds[at + 1],
            (novelty->n - at) * sizeof *novelty->kinds);
}

static void forget_oldest(Novelty *novelty)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < novelty->n; i++)
        if (novelty->kinds[i].last < novelty->kinds[oldest].last)
            oldest = i;
    take_out(novelty, oldest);
}

static void grow(Novelty *novelty)
{
    if (novelty->n < novelty->capacity)
        return;
    novelty->capacity = novelty->capacity ? 2 * novelty->capacity : 64;
    novelty->kinds = realloc(novelty->kinds, novelty->capacity * sizeof *novelty->kinds);
    CHECK(novelty->kinds);
}

/* One that was not seen for so long is new again. */
static NoveltyKind *find(Novelty *novelty, const NoveltyRules *rules, const NoveltyCount *count)
{
    uint32_t at = place_of(novelty, count->kind);
    if (at == novelty->n || novelty->kinds[at].kind != count->kind)
        return NULL;
    NoveltyKind *kind = &novelty->kinds[at];
    if (count->last - kind->last > rules->forgotten)
        *kind = (NoveltyKind){.kind = count->kind, .first = count->last, .last = count->last};
    return kind;
}

static NoveltyKind *add(Novelty *novelty, const NoveltyRules *rules, const NoveltyCount *count)
{
    if (novelty->n == NOVELTY_KINDS)
        forget_oldest(novelty);
    grow(novelty);
    uint32_t at = place_of(novelty, count->kind);
    memmove(&novelty->kinds[at + 1], &novelty->kinds[at],
            (novelty->n - at) * sizeof *novelty->kinds);
    novelty->n++;
    novelty->kinds[at] = (NoveltyKind){.kind = count->kind,
                                       .first = count->first,
                                       .last = count->last,
                                       .known = count->first < novelty->since + rules->warm_up};
    return &novelty->kinds[at];
}

/* ---- A look ---------------------------------------------------------------------------------- */

void novelty_begin(Novelty *novelty, int64_t wall)
{
    if (!novelty->since)
        novelty->since = wall;
    for (uint32_t i = 0; i < novelty->n; i++)
        novelty->kinds[i].failures = novelty->kinds[i].clients = 0;
}

static uint32_t bounded(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void novelty_count(Novelty *novelty, const NoveltyRules *rules, const NoveltyCount *count,
                   int64_t wall)
{
    if (wall - count->last > rules->forgotten) /* a row of long ago is no memory of it */
        return;
    NoveltyKind *kind = find(novelty, rules, count);
    kind = kind ? kind : add(novelty, rules, count);
    kind->last = count->last > kind->last ? count->last : kind->last;
    if (count->failures >= kind->failures)
        kind->example = count->example;
    kind->failures = bounded((uint64_t)kind->failures + count->failures);
    kind->clients = bounded(count->clients > kind->clients ? count->clients : kind->clients);
}

static void judge(NoveltyKind *kind, const NoveltyRules *rules, int64_t wall,
                  void (*on_new)(void *owner, const NoveltyFound *found), void *owner)
{
    if (kind->failures >= rules->failures && kind->clients >= rules->clients) {
        kind->known = true;
        on_new(owner, &(NoveltyFound){.kind = kind->kind,
                                      .example = kind->example,
                                      .first = kind->first,
                                      .failures = kind->failures,
                                      .clients = kind->clients});
    } else if (wall - kind->first >= DAY) {
        kind->known = true;
    }
}

void novelty_end(Novelty *novelty, const NoveltyRules *rules, int64_t wall,
                 void (*on_new)(void *owner, const NoveltyFound *found), void *owner)
{
    for (uint32_t i = 0; i < novelty->n; i++)
        if (!novelty->kinds[i].known)
            judge(&novelty->kinds[i], rules, wall, on_new, owner);
}

void novelty_deinit(Novelty *novelty)
{
    free(novelty->kinds);
    *novelty = (Novelty){.since = novelty->since};
}
