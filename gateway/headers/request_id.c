#include "gateway/headers/request_id.h"

#include "base/result.h"
#include "base/sixteen.h"

#include <endian.h>
#include <string.h>

/* Writes all digits at once: the upper digit of each byte goes before the lower one, '0' is added
   to each, and to digits above 9 the distance to 'a'. */
static void write_hex(uint64_t number, char out[16])
{
    const uint64_t low = UINT64_C(0x0f0f0f0f0f0f0f0f);
    number = htobe64(number);
    Sixteen upper = (Sixteen)(Halves){number >> 4 & low}, lower = (Sixteen)(Halves){number & low};
    Sixteen digits = __builtin_shufflevector(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                             6, 22, 7, 23);
    digits += '0' + ((Sixteen)(digits > 9) & ('a' - '0' - 10));
    memcpy(out, &digits, sizeof digits);
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
