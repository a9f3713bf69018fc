#include "loadtest/rollouts/crowd.h"

#include <math.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t chance_bits(Chance *chance)
{
    chance->state += 0x9e3779b97f4a7c15u;
    return mix(chance->state);
}

uint64_t chance_hash(uint64_t salt, uint64_t number)
{
    return mix(mix(salt + 0x9e3779b97f4a7c15u) ^ (number + 1) * 0xd1342543de82ef95u);
}

static double share_of(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

double chance_share(Chance *chance)
{
    return share_of(chance_bits(chance));
}

bool chance_of(Chance *chance, double probability)
{
    return chance_share(chance) < probability;
}

double chance_normal(Chance *chance)
{
    double far = sqrt(-2 * log(1 - chance_share(chance)));
    return far * cos(2 * M_PI * chance_share(chance));
}

uint32_t chance_poisson(Chance *chance, double mean)
{
    if (mean > 60)
        return (uint32_t)fmax(round(mean + sqrt(mean) * chance_normal(chance)), 0);
    double limit = exp(-mean), product = chance_share(chance);
    uint32_t n = 0;
    for (; product > limit; n++)
        product *= chance_share(chance);
    return n;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void make_table(Crowd *crowd, double *busy)
{
    uint32_t small[CROWD_MOST], large[CROWD_MOST], n_small = 0, n_large = 0;
    for (uint32_t i = 0; i < crowd->n; i++)
        *(busy[i] < 1 ? &small[n_small++] : &large[n_large++]) = i;
    while (n_small && n_large) {
        uint32_t i = small[--n_small], j = large[n_large - 1];
        crowd->keep[i] = busy[i];
        crowd->other[i] = j;
        busy[j] -= 1 - busy[i];
        if (busy[j] < 1) {
            n_large--;
            small[n_small++] = j;
        }
    }
    while (n_small)
        crowd->keep[small[--n_small]] = 1;
    while (n_large)
        crowd->keep[large[--n_large]] = 1;
}

void crowd_init(Crowd *crowd, uint32_t n, double sessions_per_client_hour, double spread,
                Chance *chance)
{
    double busy[CROWD_MOST], sum = 0;
    *crowd = (Crowd){.n = n, .sessions_per_hour = n * sessions_per_client_hour};
    for (uint32_t i = 0; i < n; i++)
        sum += busy[i] = exp(spread * chance_normal(chance));
    for (uint32_t i = 0; i < n; i++)
        busy[i] *= n / sum;
    make_table(crowd, busy);
}

uint32_t crowd_draw(const Crowd *crowd, Chance *chance)
{
    uint32_t i = (uint32_t)(chance_share(chance) * crowd->n);
    return chance_of(chance, crowd->keep[i]) ? i : crowd->other[i];
}

/* ---- Weather --------------------------------------------------------------------------------- */

void weather_init(Weather *weather, Chance *chance)
{
    *weather = (Weather){.phase = 2 * M_PI * chance_share(chance), .incident_until = -1};
}

double weather_at(Weather *weather, int minute, Chance *chance)
{
    weather->walk = 0.995 * weather->walk + 0.05 * chance_normal(chance);
    if (chance_of(chance, 1. / 300))
        weather->incident_until = minute + 10;
    double daily = 0.7 * sin(2 * M_PI * minute / (24 * 60) + weather->phase);
    return exp(daily + weather->walk) * (minute < weather->incident_until ? 8 : 1);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* One client in a hundred fails in half of its sessions; the others differ by a factor of ten. */
static double frailty(uint64_t salt, uint32_t client)
{
    double luck = share_of(chance_hash(salt ^ 0x66726169, client));
    return luck < 0.01 ? -1 : pow(10, luck - 0.6);
}

/* A session that goes wrong: four of five calls are bad. */
static void go_wrong(Session *session, int metric, bool first, Chance *chance)
{
    session->first_bad[metric] |= first && chance_of(chance, 0.8);
    session->more_bad[metric] = 0;
    for (uint32_t i = 0; i < session->more; i++)
        session->more_bad[metric] += chance_of(chance, 0.8);
}

Session session_of(uint64_t salt, uint32_t client, const double usual[CROWD_METRICS],
                   double weather, Chance *chance)
{
    Session session = {.more = (uint32_t)(-5 * log(1 - chance_share(chance)))};
    for (int m = 0; m < CROWD_METRICS; m++) {
        double frail = frailty(salt + (uint64_t)m, client);
        double wrong = frail < 0 ? 0.5 : fmin(usual[m] * weather * frail, 1);
        if (chance_of(chance, wrong))
            go_wrong(&session, m, true, chance);
    }
    return session;
}

void session_break(Session *session, bool first, Chance *chance)
{
    go_wrong(session, 0, first, chance);
}
