/*
 * Impact: how bad it is if calls of a route fail.
 */
#ifndef GATEWAY_IMPACT_H
#define GATEWAY_IMPACT_H

typedef enum Impact { IMPACT_LOW, IMPACT_HIGH, IMPACT_CATASTROPHIC } Impact;

#endif
