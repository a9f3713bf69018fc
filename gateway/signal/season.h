/*
 * Season: what is usual for a figure at an hour of the day, on weekdays and at weekends.
 *
 *      slots  | 0 h | 1 h | ... | 23 h | 0 h | ... | 23 h |      48 levels, and one spread
 *             '------ weekdays --------'---- weekend -----'
 *
 * A level is the mean of the same hour on days before, so that what has drifted since this morning
 * does not change what is usual now. The spread is that of all hours together, for one slot alone
 * sees too few values to know it. A value far off the level counts only as far as it is believable,
 * so that one bad day changes little. Days are those of UTC. Owned by one thread; zeros know
 * nothing. Plain functions; time is passed in.
 */
#ifndef GATEWAY_SEASON_H
#define GATEWAY_SEASON_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SEASON_SLOTS = 48,
    SEASON_WEEKDAYS = 3, /* values of a slot that make it known: of a weekday, */
    SEASON_WEEKENDS = 2, /* and of a weekend */
    SEASON_MEMORY = 8,   /* values of a slot that its level remembers, about */
};

typedef struct Season {
    float level[SEASON_SLOTS];
    uint8_t seen[SEASON_SLOTS]; /* values, up to SEASON_MEMORY */
    float spread;               /* the standard deviation of a value from its level */
    uint32_t n;                 /* values that the spread has seen */
} Season;

/* What a value is compared with. */
typedef struct SeasonUsual {
    double level, spread; /* the spread includes that the level itself is not known exactly */
} SeasonUsual;

/* The slot of an hour that begins then: nanoseconds since 1970. */
int season_slot(int64_t wall);

/* False: too little is known of the slot. */
bool season_usual(const Season *season, int slot, SeasonUsual *usual_out);

/* The value of another hour. */
void season_learn(Season *season, int slot, double value);

/* Whether all numbers are in their ranges: of one that was stored. */
bool season_is_sound(const Season *season);

#endif
