/* Any bytes as the response of a collector, and as its status: what it says is within them. */
#include "base/clock.h"
#include "base/result.h"
#include "gateway/otlp/otlp_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t rejected;
    Bytes why;
    int64_t delay = otlp_retry_delay(bytes(data, size));
    CHECK(delay >= 0 && delay <= 3600 * SECOND);
    if (!otlp_response_read(bytes(data, size), &rejected, &why))
        return 0;
    CHECK(!why.size || (why.data >= data && why.data + why.size <= data + size));
    CHECK(size || !rejected);
    return 0;
}
