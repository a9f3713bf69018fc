/* Dates of all forms: what is read is written and read again as the same. */
#include "base/result.h"
#include "base/text/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes(data, size);
    int64_t seconds, again;
    int32_t nanos, nanos_again;
    char written[DATE_RFC3339_SIZE];
    if (date_read_rfc3339(text, &seconds, &nanos) && date_from_seconds(seconds).year >= 0 &&
        date_from_seconds(seconds).year <= 9999) {
        Bytes out = bytes(written, date_write_rfc3339(seconds, nanos, written));
        CHECK(date_read_rfc3339(out, &again, &nanos_again));
        CHECK(again == seconds && nanos_again == nanos);
    }
    if (date_read_http(text, 1772323200, &seconds)) {
        date_write_http(seconds, written);
        CHECK(date_read_http(bytes(written, DATE_HTTP_SIZE), 0, &again) && again == seconds);
    }
    if (date_read_day(text, &seconds))
        CHECK(seconds % 86400 == 0);
    return 0;
}
