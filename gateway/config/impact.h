/*
 * Impact: how bad it is if calls of a route fail.
 */
#ifndef GATEWAY_IMPACT_H
#define GATEWAY_IMPACT_H

typedef enum Impact { IMPACT_LOW, IMPACT_HIGH, IMPACT_CATASTROPHIC } Impact;

enum { IMPACTS = IMPACT_CATASTROPHIC + 1 };

static inline const char *impact_name(Impact impact)
{
    static const char *const names[IMPACTS] = {"low", "high", "catastrophic"};
    return names[impact];
}

#endif
