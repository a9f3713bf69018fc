#include "protocols/dialect/timeout.h"

#include "base/arena.h"
#include "base/clock.h"

enum { GRPC_DIGITS = 8, CONNECT_DIGITS = 10, MOST_TEXT = 24 };

static const struct {
    char letter;
    int64_t nanoseconds;
} units[] = {
    {'n', 1},      {'u', MICROSECOND}, {'m', MILLISECOND},
    {'S', SECOND}, {'M', 60 * SECOND}, {'H', 3600 * SECOND},
};

enum { N_UNITS = sizeof units / sizeof *units };

static int64_t scaled(uint64_t number, int64_t unit)
{
    int64_t timeout;
    if (number > INT64_MAX || __builtin_mul_overflow((int64_t)number, unit, &timeout))
        return NO_TIMEOUT;
    return timeout;
}

bool timeout_read_grpc(Bytes text, int64_t *timeout_out)
{
    uint64_t number;
    if (text.size < 2 || text.size > GRPC_DIGITS + 1 ||
        !bytes_to_u64(bytes(text.data, text.size - 1), &number))
        return false;
    for (size_t i = 0; i < N_UNITS; i++) {
        if ((char)text.data[text.size - 1] == units[i].letter) {
            *timeout_out = scaled(number, units[i].nanoseconds);
            return true;
        }
    }
    return false;
}

bool timeout_read_connect(Bytes text, int64_t *timeout_out)
{
    uint64_t number;
    if (text.size > CONNECT_DIGITS || !bytes_to_u64(text, &number))
        return false;
    *timeout_out = scaled(number, MILLISECOND);
    return true;
}

/* Decimal digits; `letter` 0: no unit. */
static Bytes write_number(int64_t number, char letter, Arena *arena)
{
    char text[MOST_TEXT];
    size_t at = sizeof text;
    if (letter)
        text[--at] = letter;
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return bytes_copy(arena, bytes(text + at, sizeof text - at));
}

Bytes timeout_write_grpc(int64_t timeout, Arena *arena)
{
    const int64_t most = 99999999;
    if (timeout < 1)
        timeout = 1;
    size_t unit = 0;
    while (unit < N_UNITS - 1 && timeout / units[unit].nanoseconds > most)
        unit++;
    return write_number(timeout / units[unit].nanoseconds, units[unit].letter, arena);
}

Bytes timeout_write_connect(int64_t timeout, Arena *arena)
{
    const int64_t most = INT64_C(9999999999);
    int64_t milliseconds = timeout / MILLISECOND;
    if (milliseconds < 1)
        milliseconds = 1;
    return write_number(milliseconds < most ? milliseconds : most, '\0', arena);
}
