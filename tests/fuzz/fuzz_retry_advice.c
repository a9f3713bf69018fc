/* grpc-retry-pushback-ms and Retry-After: any text is advice or none, and no time is negative. */
#include "base/clock.h"
#include "base/result.h"
#include "gateway/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(Bytes pushback, Bytes retry_after)
{
    int64_t advised, longest = pushback.data ? INT32_MAX * MILLISECOND : INT64_MAX;
    PolicyAdvice advice = policy_read_advice(pushback, retry_after, 1772323200 * SECOND, &advised);
    CHECK(advised >= 0 && advised <= longest);
    CHECK(advice == ADVICE_AFTER || advised == 0);
    CHECK(advice != ADVICE_STOP || pushback.data);
    CHECK(advice != ADVICE_NONE || !pushback.data);
    PolicyQuestion q = {.event = POLICY_STATUS,
                        .code = CODE_UNAVAILABLE,
                        .attempted = true,
                        .kept = true,
                        .repeatable = true,
                        .attempts = 1,
                        .attempts_most = 2,
                        .time_left = 60 * SECOND,
                        .advice = advice,
                        .advised = advised};
    PolicyVerdict verdict = policy_decide(&q);
    CHECK(verdict.action != POLICY_RETRY || verdict.wait < q.time_left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes(data, size);
    check(text, BYTES_NONE);
    check(BYTES_NONE, text);
    check(text, text);
    CHECK(policy_read_previous(text) <= 1 << 20);
    return 0;
}
