#include "protocols/dialect/timeout.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/decimal.h"

enum { GRPC_DIGITS = 8, CONNECT_DIGITS = 10 };

#define GRPC_MOST INT64_C(99999999)
#define CONNECT_MOST INT64_C(9999999999)

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
    char *text = arena_alloc(arena, DECIMAL_SIZE + 1);
    if (!text)
        return BYTES_NONE;
    size_t size = decimal_write((uint64_t)number, text);
    if (letter)
        text[size++] = letter;
    return bytes(text, size);
}

Bytes timeout_write_grpc(int64_t timeout, Arena *arena)
{
    if (timeout < 1)
        timeout = 1;
    size_t unit = 0;
    while (unit < N_UNITS - 1 && timeout >= (GRPC_MOST + 1) * units[unit].nanoseconds)
        unit++;
    return write_number(timeout / units[unit].nanoseconds, units[unit].letter, arena);
}

Bytes timeout_write_connect(int64_t timeout, Arena *arena)
{
    int64_t milliseconds = timeout / MILLISECOND;
    if (milliseconds < 1)
        milliseconds = 1;
    return write_number(milliseconds < CONNECT_MOST ? milliseconds : CONNECT_MOST, '\0', arena);
}
