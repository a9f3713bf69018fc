#include "gateway/rollout/rollout_bytes.h"

#include <math.h>

enum { FORMAT = 1 };

/* Writes, or reads, one number after the other. */
typedef struct Cursor {
    uint8_t *out;
    const uint8_t *in;
    bool good;
} Cursor;

static void number(Cursor *cursor, uint64_t *value)
{
    uint64_t read = 0;
    for (int i = 0; i < 8; i++)
        if (cursor->out)
            *cursor->out++ = (uint8_t)(*value >> 8 * i);
        else
            read |= (uint64_t)*cursor->in++ << 8 * i;
    if (cursor->in)
        *value = read;
}

static void integer(Cursor *cursor, int64_t *value)
{
    uint64_t bits = (uint64_t)*value;
    number(cursor, &bits);
    *value = (int64_t)bits;
}

static void real(Cursor *cursor, double *value)
{
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    number(cursor, &bits);
    memcpy(value, &bits, sizeof bits);
    cursor->good &= isfinite(*value) != 0;
}

static void small(Cursor *cursor, uint32_t *value, uint64_t most)
{
    uint64_t wide = *value;
    number(cursor, &wide);
    cursor->good &= wide <= most;
    *value = (uint32_t)wide;
}

static void state_fields(Cursor *cursor, RolloutState *state)
{
    uint32_t phase = state->phase;
    uint32_t flags = (state->bad ? 1 : 0) + (state->gone ? 2 : 0) + (state->by_hand << 2);
    small(cursor, &phase, ROLLOUT_PHASES - 1);
    small(cursor, &state->tier, ROLLOUT_TIERS_MOST - 1);
    small(cursor, &state->room, ROLLOUT_CLIENTS_MOST);
    integer(cursor, &state->since);
    integer(cursor, &state->tier_since);
    small(cursor, &flags, (1u << (ROLLOUT_TIERS_MOST + 2)) - 1);
    state->phase = phase;
    state->bad = flags & 1;
    state->gone = flags & 2;
    state->by_hand = flags >> 2;
}

static void evidence_fields(Cursor *cursor, RolloutEvidence *evidence)
{
    real(cursor, &evidence->clients_before);
    real(cursor, &evidence->clients);
    real(cursor, &evidence->candidate_joined);
    real(cursor, &evidence->baseline_joined);
    uint32_t full = evidence->full;
    small(cursor, &full, 1);
    evidence->full = full;
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        MetricEvidence *metric = &evidence->metrics[m];
        for (int i = 0; i < WEALTH_RATIOS; i++)
            real(cursor, &metric->wealth.logs[i]);
        real(cursor, &metric->candidate_failed);
        real(cursor, &metric->baseline_failed);
        real(cursor, &metric->hit);
        real(cursor, &metric->expected);
        real(cursor, &metric->variance);
    }
}

void rollout_write(const RolloutState *state, const RolloutEvidence *evidence,
                   uint8_t out[ROLLOUT_BYTES])
{
    Cursor cursor = {.out = out};
    RolloutState s = *state;
    RolloutEvidence e = *evidence;
    uint64_t format = FORMAT;
    number(&cursor, &format);
    state_fields(&cursor, &s);
    evidence_fields(&cursor, &e);
}

bool rollout_read(Bytes from, RolloutState *state_out, RolloutEvidence *evidence_out)
{
    if (from.size != ROLLOUT_BYTES)
        return false;
    Cursor cursor = {.in = from.data, .good = true};
    RolloutState state = {0};
    RolloutEvidence evidence = {0};
    uint64_t format = 0;
    number(&cursor, &format);
    state_fields(&cursor, &state);
    evidence_fields(&cursor, &evidence);
    if (format != FORMAT || !cursor.good)
        return false;
    *state_out = state;
    *evidence_out = evidence;
    return true;
}
