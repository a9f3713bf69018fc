/*
 * Crowd: the clients of a simulated service, and what becomes of their calls.
 *
 * Clients are as unalike as real ones. Some call a thousand times as often as others. They call in
 * sessions, and if one call of a session goes wrong, most do. Some clients fail much more often
 * than others, and some nearly always. What is usual drifts, and now and then there is an incident,
 * for everybody alike.
 */
#ifndef LOADTEST_ROLLOUTS_CROWD_H
#define LOADTEST_ROLLOUTS_CROWD_H

#include <stdbool.h>
#include <stdint.h>

/* ---- Chance ---------------------------------------------------------------------------------- */

typedef struct Chance {
    uint64_t state;
} Chance;

uint64_t chance_bits(Chance *chance);
double chance_share(Chance *chance); /* 0 to below 1 */
bool chance_of(Chance *chance, double probability);
double chance_normal(Chance *chance);
uint32_t chance_poisson(Chance *chance, double mean);

/* One of many bits that look like chance, of the same two numbers always the same. */
uint64_t chance_hash(uint64_t salt, uint64_t number);

/* ---- Clients --------------------------------------------------------------------------------- */

enum { CROWD_MOST = 8192, CROWD_METRICS = 4 };

typedef struct Crowd {
    uint32_t n;
    double sessions_per_hour; /* of all clients */
    /* To draw a client by how busy it is (Walker 1977): */
    double keep[CROWD_MOST];
    uint32_t other[CROWD_MOST];
} Crowd;

/* `spread`: of the logarithm of how busy clients are. */
void crowd_init(Crowd *crowd, uint32_t n, double sessions_per_client_hour, double spread,
                Chance *chance);
uint32_t crowd_draw(const Crowd *crowd, Chance *chance);

/* ---- Weather --------------------------------------------------------------------------------- */

/* By how much more fails now than usual. */
typedef struct Weather {
    double phase, walk;
    int incident_until; /* minute */
} Weather;

void weather_init(Weather *weather, Chance *chance);
double weather_at(Weather *weather, int minute, Chance *chance);

/* ---- Sessions -------------------------------------------------------------------------------- */

/* Calls of one client within a short time. The first one stands alone: with it a client may join.
 */
typedef struct Session {
    uint32_t more;                    /* calls after the first one */
    bool first_bad[CROWD_METRICS];    /* failures, caller-blamed, latency, losses */
    uint32_t more_bad[CROWD_METRICS]; /* of `more` */
} Session;

/* `usual`: the share of sessions that go wrong, by metric. */
Session session_of(uint64_t salt, uint32_t client, const double usual[CROWD_METRICS],
                   double weather, Chance *chance);

/* The candidate breaks it: all of it, or what comes after the first call. */
void session_break(Session *session, bool first, Chance *chance);

#endif
