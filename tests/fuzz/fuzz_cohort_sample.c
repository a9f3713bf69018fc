/* CohortSample: what one gateway has written is read by another one, written as the same bytes
 * again, and merging it once more changes nothing. */
#include "base/arena.h"
#include "base/result.h"
#include "gateway/cohort/cohort_sample.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_count(const CohortSample *sample, CohortArm arm)
{
    CohortCount count = cohort_sample_count(sample, arm);
    CHECK(isfinite(count.clients) && count.clients >= 0);
    CHECK(isfinite(count.clients_error) && count.clients_error >= 0);
    for (int i = 0; i < ROLLOUT_METRICS; i++)
        CHECK(isfinite(count.failed[i]) && count.failed[i] >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CohortSample *sample = cohort_sample_read(bytes(data, size));
    if (!sample)
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes written = cohort_sample_write(sample, arena);
    CohortSample *again = cohort_sample_read(written);
    CHECK(again && bytes_equal(cohort_sample_write(again, arena), written));
    cohort_sample_merge(again, sample);
    CHECK(bytes_equal(cohort_sample_write(again, arena), written));
    for (int arm = 0; arm < COHORT_ARMS; arm++)
        check_count(again, (CohortArm)arm);
    cohort_sample_free(again);
    cohort_sample_free(sample);
    arena_free(arena);
    return 0;
}
