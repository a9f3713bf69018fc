#include "gateway/version/retiring.h"

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t retire_unused(const RetireEvidence *evidence, int64_t wall)
{
    int64_t unused = wall - later(evidence->watched, evidence->used);
    return later(unused, 0);
}

RetireVerdict retire_judge(const Version *version, const RetireEvidence *evidence, int64_t wall)
{
    int64_t needed = version->retiring->unused_for;
    if (version->sunset > wall)
        return RETIRE_EARLY;
    if (evidence->used && wall - evidence->used < needed)
        return RETIRE_USED;
    return retire_unused(evidence, wall) < needed ? RETIRE_UNKNOWN : RETIRE_UNUSED;
}

int64_t version_end(const Version *version)
{
    const Retiring *retiring = version->retiring;
    if (!retiring)
        return version->sunset;
    return retiring->state ? atomic_load_explicit(&retiring->state->retired, memory_order_relaxed)
                           : 0;
}

bool version_outlives_sunset(const Version *version, int64_t wall)
{
    int64_t end = version_end(version);
    return version->retiring && version->sunset && version->sunset <= wall && (!end || end > wall);
}

const Brownout *brownout_now(const Version *version, int64_t wall)
{
    const Retiring *retiring = version->retiring;
    for (uint32_t i = 0; retiring && i < retiring->n_brownouts; i++)
        if (retiring->brownouts[i].from <= wall && wall < retiring->brownouts[i].until)
            return &retiring->brownouts[i];
    return NULL;
}

const Brownout *brownout_after(const Version *version, int64_t wall)
{
    const Retiring *retiring = version->retiring;
    const Brownout *first = NULL;
    for (uint32_t i = 0; retiring && i < retiring->n_brownouts; i++) {
        const Brownout *b = &retiring->brownouts[i];
        if (b->from > wall && (!first || b->from < first->from))
            first = b;
    }
    return first;
}

int64_t brownout_next(const Version *version, int64_t wall)
{
    const Retiring *retiring = version->retiring;
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; retiring && i < retiring->n_brownouts; i++) {
        const Brownout *b = &retiring->brownouts[i];
        int64_t change = b->from > wall ? b->from : b->until;
        if (change > wall && change < next)
            next = change;
    }
    return next;
}

/* The finalizer of MurmurHash3, by Austin Appleby, who has put it into the public domain. */
static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* Its beginning is a part of the hash, so that each brown-out meets others. */
bool brownout_hits(const Brownout *brownout, Bytes client)
{
    uint64_t hash = mixed(bytes_hash(client) ^ mixed((uint64_t)brownout->from));
    return hash % BROWNOUT_WHOLE < brownout->share;
}
