/* RolloutBytes: what is read of a rollout is written as the same bytes again. */
#include "base/result.h"
#include "gateway/rollout/rollout_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RolloutState state;
    RolloutEvidence evidence;
    if (!rollout_read(bytes(data, size), &state, &evidence))
        return 0;
    uint8_t written[ROLLOUT_BYTES];
    rollout_write(&state, &evidence, written);
    CHECK(bytes_equal(bytes(data, size), bytes(written, sizeof written)));
    return 0;
}
