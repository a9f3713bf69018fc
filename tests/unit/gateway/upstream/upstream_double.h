/*
 * In place of the real pools: upstreams whose state, load and latency a test sets. Instance i has
 * upstream i.
 */
#ifndef TESTS_UPSTREAM_DOUBLE_H
#define TESTS_UPSTREAM_DOUBLE_H

#include "gateway/upstream/pick.h"

enum { UPSTREAMS = 1000 };

struct Upstream {
    UpstreamState state;
    uint32_t load;
    Latency latency;
    Result failure;
    bool worth_a_try;
    Candidate *candidates;
};
static struct Upstream upstreams[UPSTREAMS];
static Instance instances[UPSTREAMS];
static uint32_t n_questions; /* about the state of an upstream: what picking costs */

Upstream *upstream_of(Loop *loop, const Instance *instance)
{
    return &upstreams[instance - instances];
}

UpstreamState upstream_state(const Upstream *upstream, int64_t now)
{
    n_questions++;
    return upstream->state;
}

bool upstream_worth_a_try(const Upstream *upstream, int64_t now)
{
    n_questions++;
    return upstream->worth_a_try;
}

int64_t upstream_try_from(const Upstream *upstream)
{
    return upstream->worth_a_try ? 0 : NO_TIMEOUT;
}

Candidate **upstream_candidates(Upstream *upstream)
{
    return &upstream->candidates;
}

Result upstream_failure(const Upstream *upstream)
{
    return upstream->failure;
}

uint32_t upstream_load(const Upstream *upstream)
{
    return upstream->load;
}

const Latency *upstream_latency(const Upstream *upstream)
{
    return &upstream->latency;
}

#endif
