/* The PROXY protocol: a header read whole and byte by byte comes to the same, and takes the same
   bytes. */
#include "base/result.h"
#include "protocols/http/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ProxyReader whole = {.n = 0}, slow = {.n = 0};
    ProxySource source, again = {.port = 0};
    Bytes rest = bytes(data, size);
    ProxyOutcome outcome = proxy_reader_read(&whole, &rest, &source), last = PROXY_MORE;
    size_t taken = 0;
    while (taken < size && last == PROXY_MORE) {
        Bytes one = bytes(data + taken, 1);
        last = proxy_reader_read(&slow, &one, &again);
        CHECK(one.size == 0 || last != PROXY_MORE);
        taken += 1 - one.size;
    }
    CHECK(last == outcome || size == 0);
    if (outcome == PROXY_DONE) {
        CHECK(taken == size - rest.size);
        CHECK(source.port == again.port && source.ip.known == again.ip.known &&
              memcmp(source.ip.bytes, again.ip.bytes, sizeof source.ip.bytes) == 0);
    }
    return 0;
}
