#include "base/text/decimal.h"

#include <string.h>

static size_t count_digits(uint64_t number)
{
    size_t n = 1;
    for (; number >= 100; number /= 100)
        n += 2;
    return n + (number >= 10);
}

size_t decimal_write(uint64_t number, char *out)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    size_t size = count_digits(number);
    char *at = out + size;
    for (; number >= 100; number /= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
    }
    if (number >= 10)
        memcpy(out, pairs + number * 2, 2);
    else
        out[0] = (char)('0' + number);
    return size;
}
