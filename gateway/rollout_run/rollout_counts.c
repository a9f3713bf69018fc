/* What follows of what was counted, beside the judgement. */
#include "base/clock.h"
#include "gateway/rollout_run/rollout_runner_internal.h"
#include "gateway/telemetry/telemetry.h"

#define UNSERVED_PAUSE (60 * SECOND) /* between two events while it goes on */

/* ---- The baseline's side of a tier that is full ---------------------------------------------- */

/* The judge has seen that the tier is full, and from then on takes no more clients in. Whoever is
   in a sample that was read later was counted, or fails in the baseline's disfavour. */
bool held_wants_known(const HeldRollout *held)
{
    return held->findings.evidence.full && !held->known_clients;
}

void held_learn_known(HeldRollout *held, const CohortSample *sum)
{
    if (!held->findings.evidence.full) {
        held_forget_known(held);
    } else if (!held->known_clients) {
        held->known_clients = cohort_sample_copy(sum);
        held->runner->changed = true;
    }
}

void held_forget_known(HeldRollout *held)
{
    if (!held->known_clients)
        return;
    cohort_sample_free(held->known_clients);
    held->known_clients = NULL;
    held->runner->changed = true;
}

/* ---- Calls that the candidate could not serve ------------------------------------------------ */

void held_tell_unserved(HeldRollout *held, uint64_t n)
{
    int64_t now = clock_now();
    uint64_t before = n < held->unserved ? 0 : held->unserved; /* of another round */
    held->unserved = before;
    if (n == before || (held->told_unserved && now - held->told_unserved < UNSERVED_PAUSE))
        return;
    held->unserved = n;
    held->told_unserved = now;
    telemetry_event("warning", "rollout_unserved", OK,
                    "%s: at least %llu calls of its clients were served by the baseline: no "
                    "instance of the candidate could be used",
                    held->name, (unsigned long long)(n - before));
}
