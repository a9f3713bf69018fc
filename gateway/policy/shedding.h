/*
 * Shedding: which calls a loop refuses while it has more to do than it can.
 *
 * A loop is late when turn follows turn without a pause and each takes long: then everything that
 * arrives waits for as long as a turn. One long turn is a hiccup; a run of them is overload, unless
 * the processor did something else for most of it: then refusing calls would not help. From
 * then on the loop measures how many calls it does in a second of work, with what the refusals cost
 * it. So many are admitted, a few less while its turns are long, a few more while they are short;
 * by impact:
 *
 *      calls that arrive     [ catastrophic | high .......... | low ................... ]
 *      calls that it can do  [ .......................... ]
 *      cut                     admitted       the spare ones    refused
 *
 * What calls above the cut leave is given to those at the cut as tokens, so many in each moment:
 * those that arrive together are not all admitted together, or the others would wait for them.
 * Calls of catastrophic impact are refused only if turns stay long without all others. It ends when
 * everything that arrives could be admitted for a while, and no connection was left unread. What
 * memory is in use above its limit refuses calls in the same way, by chance at the cut.
 *
 * One loop's; no lock. No clock and no chance: times (monotonic nanoseconds) and random numbers are
 * passed in. All zeros: nothing has happened.
 */
#ifndef GATEWAY_SHEDDING_H
#define GATEWAY_SHEDDING_H

#include "gateway/config/config.h"
#include "gateway/loop/loop_turn.h"

typedef struct Shedding {
    bool active;
    double cut;    /* impacts that end below it are refused, those that begin above it are not */
    Impact last;   /* the lowest impact of which some are admitted; */
    double spare;  /* so many in a second, */
    double tokens; /* and now */

    int64_t late_since; /* the first of an unbroken run of long turns began; 0: there is none */
    int64_t late_stood; /* so much of it the processor did something else */
    uint32_t n_late;
    int64_t calm_since; /* while active: all could be admitted since then; 0: not all */
    int64_t last_since; /* nothing below catastrophic could be; 0: something could */
    bool refuses_last;  /* and that was not enough */

    /* The present window, while active. */
    int64_t window_since, busy;
    uint32_t n_turns;
    uint32_t arrived[IMPACTS], admitted;
    bool unread;                 /* a connection rests: shedding_leave_unread */
    int64_t refused_at[IMPACTS]; /* the last window in which not all were admitted; 0: none */

    /* Sums over the last windows, in which the older ones count less: */
    double calls, busy_seconds; /* admitted, and what they and the refused ones took */
    double arrivals[IMPACTS], seconds;

    /* Of the last window, to be told. */
    double allowed;    /* calls in a second that it can do */
    double busy_share; /* of the time */
    int64_t turn;      /* nanoseconds on average */
    double memory_cut;
} Shedding;

/* Whether something has begun or ended with this turn. */
typedef enum SheddingChange { SHEDDING_SAME, SHEDDING_BEGUN, SHEDDING_ENDED } SheddingChange;

/* Each turn ends with it. */
SheddingChange shedding_turn(Shedding *shedding, const OverloadConfig *limits,
                             const LoopTurn *turn);

/* What memory is in use: calls below catastrophic impact are refused between the limit and an
   eighth above it. From there on the budget refuses all, by its own fault. */
void shedding_set_memory(Shedding *shedding, int64_t used, int64_t limit);

/* Whether shedding_admits may say no. */
static inline bool shedding_on(const Shedding *shedding)
{
    return shedding->active || shedding->memory_cut > 0;
}

/* A call of this impact has arrived. `random`: any number. */
bool shedding_admits(Shedding *shedding, Impact impact, uint64_t random);

/* Whether no call of this impact was to be refused for a second. */
bool shedding_spares(const Shedding *shedding, Impact impact);

/* A connection begins to rest: more may have arrived than what was seen. */
static inline void shedding_leave_unread(Shedding *shedding)
{
    shedding->unread = true;
}

#endif
