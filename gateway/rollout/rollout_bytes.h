/*
 * A rollout's state and evidence as bytes, for the store: of fixed size, little-endian, with a
 * number of the format in front.
 */
#ifndef GATEWAY_ROLLOUT_BYTES_H
#define GATEWAY_ROLLOUT_BYTES_H

#include "gateway/rollout/rollout_state.h"

enum {
    ROLLOUT_BYTES = 8 + 8 * 6 + 8 * (5 + ROLLOUT_METRICS * (WEALTH_RATIOS + 5)),
};

void rollout_write(const RolloutState *state, const RolloutEvidence *evidence,
                   uint8_t out[ROLLOUT_BYTES]);

/* false: these bytes are of no rollout, or of a newer format; nothing is set then. Numbers that are
   no numbers are refused, too. */
bool rollout_read(Bytes from, RolloutState *state_out, RolloutEvidence *evidence_out);

#endif
