/* Causes without their particulars: no digit but in the name of a version, whole characters, and
   the same for all numbers. */
#include "base/result.h"
#include "base/text/utf8.h"
#include "gateway/tally/cause.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits are there as v1 to v999 only. */
static void check_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            continue;
        size_t from = i;
        while (i < size && is_digit(text[i]))
            i++;
        CHECK(from && text[from - 1] == 'v' && i - from <= 3);
    }
}

/* Other numbers, as long as before. */
static void change_digits(uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] >= '1' && text[i] <= '9')
            text[i] = (uint8_t)('1' + '9' - text[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[CAUSE_SIZE], of_others[CAUSE_SIZE];
    uint8_t others[2 * CAUSE_READ_SIZE];
    Bytes text = bytes_slice(bytes(data, size), 0, sizeof others);
    size_t written = cause_write(text, out);
    CHECK(written <= CAUSE_SIZE);
    check_digits(out, written);
    if (text.size <= CAUSE_READ_SIZE && utf8_valid(text))
        CHECK(utf8_valid(bytes(out, written)));

    if (text.size)
        memcpy(others, text.data, text.size);
    change_digits(others, text.size);
    CHECK(cause_write(bytes(others, text.size), of_others) == written);
    change_digits((uint8_t *)of_others, written); /* those of versions */
    CHECK(memcmp(out, of_others, written) == 0);
    return 0;
}
