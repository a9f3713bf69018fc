#include "gateway/request_id.h"

#include "base/result.h"

static void write_hex(uint64_t number, char out[16])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        out[i] = digits[number & 15];
        number >>= 4;
    }
}

void random_hex(Random *random, char *out, size_t digits)
{
    CHECK(digits % 16 == 0);
    for (size_t i = 0; i < digits; i += 16) {
        uint64_t number;
        do
            number = random_next(random);
        while (number == 0); /* tracing takes all zeros for "none" */
        write_hex(number, out + i);
    }
}
