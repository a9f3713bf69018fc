/* Any bytes as the response of a collector: what it says is within them. */
#include "base/result.h"
#include "gateway/trace/span_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t rejected;
    Bytes why;
    if (!spans_response_read(bytes(data, size), &rejected, &why))
        return 0;
    CHECK(!why.size || (why.data >= data && why.data + why.size <= data + size));
    CHECK(size || !rejected);
    return 0;
}
