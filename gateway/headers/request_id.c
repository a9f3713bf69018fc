#include "gateway/headers/request_id.h"

#include "base/result.h"

#include <endian.h>
#include <string.h>

/* Writes all eight digits at once: spreads them to one byte each, the highest digit in the lowest
   byte (the first in little-endian memory), adds '0' to each, and to digits above 9 the distance to
   'a'. */
static void write_hex_half(uint32_t number, char out[8])
{
    uint64_t x = __builtin_bswap32(number);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 | x << 8) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    x += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
    x = htole64(x);
    memcpy(out, &x, sizeof x);
}

static void write_hex(uint64_t number, char out[16])
{
    write_hex_half((uint32_t)(number >> 32), out);
    write_hex_half((uint32_t)number, out + 8);
}

void random_hex(Random *random, char *out, size_t digits)
{
    CHECK(digits % 16 == 0);
    for (size_t i = 0; i < digits; i += 16) {
        uint64_t number;
        do
            number = random_next(random);
        while (number == 0); /* in trace context all zeros mean "none" */
        write_hex(number, out + i);
    }
}
