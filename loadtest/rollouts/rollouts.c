/*
 * Simulated rollouts, judged by the gateway's own code:
 *
 *      rollouts good N SEED [FAULT]   N of them; of a candidate that breaks the share FAULT of the
 *                                     clients (0): how they end
 *      rollouts power N               how many clients it takes to stop a worse one, beside a test
 * of fixed size rollouts rivals N              one tier of 1000 clients, beside two other judges
 *      rollouts check                 a short form of the first two; fails if one does not hold
 *
 * Tables of comma-separated values; loadtest/rollouts/run draws them.
 */
#include "loadtest/rollouts/rivals.h"
#include "loadtest/rollouts/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE ((int64_t)60e9)

enum { ALL_METRICS = (1 << CROWD_METRICS) - 1 };

static const RolloutTier tiers[] = {
    {.text = "1", .kind = ROLLOUT_TIER_CLIENTS, .clients = 1},
    {.text = "10", .kind = ROLLOUT_TIER_CLIENTS, .clients = 10},
    {.text = "100", .kind = ROLLOUT_TIER_CLIENTS, .clients = 100},
    {.text = "1000", .kind = ROLLOUT_TIER_CLIENTS, .clients = 1000},
    {.text = "50 %", .kind = ROLLOUT_TIER_SHARE, .share = 0.5},
    {.text = "all", .kind = ROLLOUT_TIER_ALL},
};

static const RolloutDefinition rollout = {
    .name = "orders build 3.1.0",
    .tiers = tiers,
    .n_tiers = sizeof tiers / sizeof *tiers,
    .judging = {.alpha = 0.05, .least = 30 * MINUTE, .metrics = ALL_METRICS},
    .impact = IMPACT_LOW,
};

/* 5,000 clients; on average one session in 50 minutes. Per session 0.4 % fail, 2 % are blamed, 2 %
   are slow, 0.1 % lose something; and as the weather has it. */
static TrialPlan plan_of(const Crowd *crowd, double fault)
{
    return (TrialPlan){.crowd = crowd,
                       .rollout = &rollout,
                       .usual = {0.004, 0.02, 0.02, 0.001},
                       .fault = fault,
                       .hours = 24};
}

static void make_crowd(Crowd *crowd)
{
    Chance chance = {.state = 1};
    crowd_init(crowd, 5000, 1.2, 1.5, &chance);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

typedef struct Ends {
    uint32_t n, rolled_back, complete, given_up;
    uint32_t passed_bad, beyond, back;
    uint32_t stopped_in[ROLLOUT_TIERS_MOST], stuck_in[ROLLOUT_TIERS_MOST];
    double on, hit, hours;
} Ends;

static void add_end(Ends *ends, const TrialEnd *end)
{
    ends->n++;
    ends->rolled_back += end->phase == ROLLOUT_ROLLED_BACK;
    ends->complete += end->phase == ROLLOUT_COMPLETE;
    ends->given_up += end->phase == ROLLOUT_RUNNING;
    ends->stopped_in[end->tier] += end->phase == ROLLOUT_ROLLED_BACK;
    ends->stuck_in[end->tier] += end->phase == ROLLOUT_RUNNING;
    ends->passed_bad += end->passed_bad;
    ends->beyond += end->beyond;
    ends->back += end->back;
    ends->on += end->on;
    ends->hit += end->hit;
    ends->hours += end->minutes / 60.;
}

static Ends run_many(const Crowd *crowd, double fault, uint32_t n, uint64_t seed)
{
    Ends ends = {0};
    TrialPlan plan = plan_of(crowd, fault);
    for (uint32_t i = 0; i < n; i++) {
        TrialEnd end = trial_run(&plan, seed + i);
        add_end(&ends, &end);
    }
    return ends;
}

static int tell_good(int n_words, char **words)
{
    Crowd crowd;
    make_crowd(&crowd);
    uint32_t n = (uint32_t)atoi(words[0]);
    double fault = n_words > 2 ? atof(words[2]) : 0;
    Ends ends = run_many(&crowd, fault, n, (uint64_t)atoll(words[1]));
    printf("fault,n,rolled_back,complete,given_up,passed_bad,beyond,back,on,hit,hours");
    for (uint32_t t = 0; t < rollout.n_tiers; t++)
        printf(",stopped in %s,stuck in %s", tiers[t].text, tiers[t].text);
    printf("\n%g,%u,%u,%u,%u,%u,%u,%u,%.1f,%.2f,%.2f", fault, n, ends.rolled_back, ends.complete,
           ends.given_up, ends.passed_bad, ends.beyond, ends.back, ends.on / n, ends.hit / n,
           ends.hours / n);
    for (uint32_t t = 0; t < rollout.n_tiers; t++)
        printf(",%u,%u", ends.stopped_in[t], ends.stuck_in[t]);
    printf("\n");
    return 0;
}

/* ---- Power ----------------------------------------------------------------------------------- */

/* The clients of the candidate that a test of fixed size needs: two proportions, one-sided alpha of
   0.05, power 0.8 (Fleiss 1981), with `others` clients of the baseline for each. The alpha is that
   of all metrics together: of four, each is tested with a fourth of it. */
static double fixed_size(double usual, double worse, double others, uint32_t metrics)
{
    double za = metrics == 1 ? 1.6448536 : 2.2414027, zb = 0.8416212,
           mean = (worse + others * usual) / (1 + others);
    double root = za * sqrt((1 + 1 / others) * mean * (1 - mean)) +
                  zb * sqrt(worse * (1 - worse) + usual * (1 - usual) / others);
    return root * root / ((worse - usual) * (worse - usual));
}

/* Clients come one after the other; each is looked at. So many of the candidate's until it is bad;
   `most`: it is not. */
static uint32_t clients_until_bad(double usual, double worse, double others, uint32_t metrics,
                                  uint32_t most, uint64_t seed)
{
    Chance chance = {.state = chance_hash(seed, 2)};
    RolloutJudging judging = {.alpha = 0.05, .least = MINUTE, .metrics = metrics};
    double limit = log(__builtin_popcount(metrics) / judging.alpha);
    RolloutEvidence evidence = {0};
    RolloutLook look = {0};
    while (look.candidate.clients < most) {
        bool candidate = chance_of(&chance, 1 / (1 + others));
        RolloutSide *side = candidate ? &look.candidate : &look.baseline;
        bool fails = chance_of(&chance, candidate ? worse : usual);
        side->clients++;
        side->failed[ROLLOUT_FAILURES] += fails;
        rollout_evidence_add(&evidence, &look);
        if (fails && wealth_log(&evidence.metrics[ROLLOUT_FAILURES].wealth) >= limit - 1)
            if (rollout_judge(&evidence, &judging, &(TierNeed){.excess = 1, .compared = true}, 0)
                    .verdict == ROLLOUT_BAD)
                return (uint32_t)look.candidate.clients;
    }
    return most;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double median_until_bad(double usual, double worse, double others, uint32_t metrics,
                               uint32_t n)
{
    uint32_t *clients = calloc(n, sizeof *clients);
    uint32_t most = (uint32_t)(4 * fixed_size(usual, worse, others, metrics));
    for (uint32_t i = 0; i < n; i++)
        clients[i] = clients_until_bad(usual, worse, others, metrics, most, 1000000 + i);
    qsort(clients, n, sizeof *clients, by_number);
    uint32_t middle = n / 2;
    double median = clients[middle];
    free(clients);
    return median;
}

static const double usuals[] = {0.002, 0.01, 0.05};

static int tell_power(int n_words, char **words)
{
    uint32_t n = (uint32_t)atoi(words[0]);
    printf("usual,excess,others,metrics,fixed,median,ratio\n");
    for (size_t u = 0; u < sizeof usuals / sizeof *usuals; u++)
        for (int points = 1; points <= 5; points++)
            for (int many = 0; many <= 1; many++)
                for (uint32_t metrics = 1; metrics <= ALL_METRICS; metrics += ALL_METRICS - 1) {
                    double usual = usuals[u], worse = usual + points / 100., others = many ? 10 : 4;
                    double fixed = fixed_size(usual, worse, others, metrics);
                    double median = median_until_bad(usual, worse, others, metrics, n);
                    printf("%g,%g,%g,%d,%.0f,%.0f,%.2f\n", usual, points / 100., others,
                           __builtin_popcount(metrics), fixed, median, median / fixed);
                }
    return 0;
}

/* ---- Rivals ---------------------------------------------------------------------------------- */

enum { JUDGES = 4, HOURS = 3, KAYENTA_EVERY = 30, KAYENTA_FIRST = 60 };

/* Who has rolled back, when, and how many clients were broken until then. */
typedef struct Contest {
    Rates sides[2];
    uint32_t above[2];   /* minutes, of each threshold */
    int stopped[JUDGES]; /* minute; 0: not */
    uint32_t hit[JUDGES], hit_in_all;
} Contest;

static void stops(Contest *contest, int judge, const TrialMinute *minute, bool bad)
{
    if (contest->stopped[judge] || !bad)
        return;
    contest->stopped[judge] = minute->minute;
    contest->hit[judge] = minute->hit;
}

static void add_rate(Rates *rates, uint32_t calls, uint32_t failed)
{
    if (calls)
        rates->values[rates->n++] = (double)failed / calls;
}

static void on_minute(void *owner, const TrialMinute *minute)
{
    Contest *contest = owner;
    for (int side = 0; side < 2; side++)
        add_rate(&contest->sides[side], minute->calls[side], minute->failed[side]);
    stops(contest, 0, minute, minute->verdict == ROLLOUT_BAD);
    if (minute->minute >= KAYENTA_FIRST && minute->minute % KAYENTA_EVERY == 0)
        stops(contest, 1, minute, kayenta_is_high(&contest->sides[1], &contest->sides[0]));
    for (int i = 0; i < 2 && minute->calls[1]; i++) {
        double rate = (double)minute->failed[1] / minute->calls[1];
        stops(contest, 2 + i, minute,
              threshold_is_crossed(&contest->above[i], rate, i ? 0.05 : 0.01));
    }
    contest->hit_in_all = minute->hit;
}

static int tell_rivals(int n_words, char **words)
{
    static const double faults[] = {0, 0.005, 0.01, 0.02, 0.03, 0.05};
    static const char *const names[JUDGES] = {"passerelle", "kayenta", "1 % limit", "5 % limit"};
    uint32_t n = (uint32_t)atoi(words[0]);
    RolloutDefinition one_tier = rollout;
    one_tier.tiers = &tiers[3];
    one_tier.n_tiers = 1;
    Crowd crowd;
    make_crowd(&crowd);
    printf("fault,judge,n,stopped,minutes,hit,hit_in_all\n");
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        uint32_t stopped[JUDGES] = {0};
        double minutes[JUDGES] = {0}, hit[JUDGES] = {0}, in_all = 0;
        for (uint32_t i = 0; i < n; i++) {
            Contest contest = {0};
            TrialPlan plan = plan_of(&crowd, faults[f]);
            plan.rollout = &one_tier;
            plan.hours = HOURS;
            plan.watch = on_minute;
            plan.owner = &contest;
            trial_run(&plan, 5000000 + i);
            for (int j = 0; j < JUDGES; j++) {
                stopped[j] += contest.stopped[j] > 0;
                minutes[j] += contest.stopped[j] ? contest.stopped[j] : HOURS * 60;
                hit[j] += contest.stopped[j] ? contest.hit[j] : contest.hit_in_all;
            }
            in_all += contest.hit_in_all;
        }
        for (int j = 0; j < JUDGES; j++)
            printf("%g,%s,%u,%u,%.1f,%.2f,%.2f\n", faults[f], names[j], n, stopped[j],
                   minutes[j] / n, hit[j] / n, in_all / n);
    }
    return 0;
}

/* ---- Check ----------------------------------------------------------------------------------- */

static int holds(bool good, const char *what, double value)
{
    printf("%s %s: %g\n", good ? "ok " : "NOT", what, value);
    return good ? 0 : 1;
}

static int check(int n_words, char **words)
{
    Crowd crowd;
    make_crowd(&crowd);
    Ends good = run_many(&crowd, 0, 100, 1), bad = run_many(&crowd, 0.05, 40, 1);
    double ratio = median_until_bad(0.01, 0.03, 4, 1, 400) / fixed_size(0.01, 0.03, 4, 1);
    return holds(good.rolled_back <= 5, "of 100 good ones are rolled back", good.rolled_back) +
           holds(good.complete >= 85, "of 100 good ones complete", good.complete) +
           holds(bad.complete == 0, "of 40 that break 5 % complete", bad.complete) +
           holds(bad.rolled_back >= 39, "of 40 that break 5 % are rolled back", bad.rolled_back) +
           holds(good.beyond + bad.beyond == 0, "members beyond the room", good.beyond) +
           holds(good.back + bad.back == 0, "clients that switched back", good.back) +
           holds(ratio <= 1.25, "of the clients of a fixed-size test, in the median", ratio);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int n_least;
        int (*run)(int n, char **words);
    } modes[] = {{"good", 2, tell_good},
                 {"power", 1, tell_power},
                 {"rivals", 1, tell_rivals},
                 {"check", 0, check}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (argc > 1 && strcmp(argv[1], modes[i].word) == 0 && argc - 2 >= modes[i].n_least)
            return modes[i].run(argc - 2, argv + 2);
    fprintf(stderr, "rollouts good N SEED [FAULT] | power N | rivals N | check\n");
    return 2;
}
