#include "gateway/log_line.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/json_text.h"

/* ---- Values -------------------------------------------------------------------------------------- */

/* Bit 7 of each byte that JSON does not take as it is: control characters, quotes, backslashes, and
   what is not ASCII. DEL, which may stand, is not among them. */
static uint64_t special_bytes(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return (eight | (eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & highs;
}

static bool is_plain(Bytes text)
{
    size_t i = 0;
    uint64_t found = 0, eight;
    for (; text.size - i >= 8; i += 8) {
        memcpy(&eight, text.data + i, 8);
        found |= special_bytes(eight);
    }
    if (i < text.size) {
        eight = UINT64_C(0x2020202020202020);
        memcpy(&eight, text.data + i, text.size - i);
        found |= special_bytes(eight);
    }
    return found == 0;
}

static void add_text(Buffer *line, Bytes text)
{
    text = bytes_slice(text, 0, LOG_TEXT_SIZE);
    if (!is_plain(text)) {
        json_text_add(line, text);
    } else if (buffer_reserve(line, text.size + 2)) {
        uint8_t *at = line->data + line->size;
        *at++ = '"';
        if (text.size)
            memcpy(at, text.data, text.size);
        at[text.size] = '"';
        line->size += text.size + 2;
    }
}

static void add_number(Buffer *line, uint64_t number)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    buffer_add(line, digits + at, sizeof digits - at);
}

/* ---- Members ------------------------------------------------------------------------------------- */

static void add_time(Buffer *line, int64_t wall)
{
    char text[DATE_RFC3339_SIZE];
    int64_t seconds = wall / SECOND, millis = wall % SECOND / MILLISECOND;
    /* Always with its milliseconds, so that lines sort as texts. */
    size_t size = date_write_rfc3339(seconds, (int32_t)((millis ? millis : 1) * MILLISECOND), text);
    if (millis == 0)
        text[size - 2] = '0';
    buffer_add_byte(line, '"');
    buffer_add(line, text, size);
    buffer_add_byte(line, '"');
}

void log_line_begin(Buffer *line, int64_t wall, const char *kind, const char *level)
{
    line->size = 0;
    line->full = false;
    buffer_reserve(line, 1024);
    buffer_add_text(line, "{\"time\":");
    add_time(line, wall);
    log_line_text(line, LOG_KEY("log"), bytes_of(kind));
    log_line_text(line, LOG_KEY("level"), bytes_of(level));
}

void log_line_text(Buffer *line, Bytes key, Bytes text)
{
    if (text.size == 0)
        return;
    buffer_add_bytes(line, key);
    add_text(line, text);
}

void log_line_number(Buffer *line, Bytes key, uint64_t number)
{
    buffer_add_bytes(line, key);
    add_number(line, number);
}

void log_line_millis(Buffer *line, Bytes key, int64_t nanoseconds)
{
    uint64_t micros = nanoseconds > 0 ? (uint64_t)nanoseconds / 1000 : 0;
    uint64_t part = micros % 1000;
    uint8_t decimals[] = {'.', (uint8_t)('0' + part / 100), (uint8_t)('0' + part / 10 % 10),
                          (uint8_t)('0' + part % 10)};
    buffer_add_bytes(line, key);
    add_number(line, micros / 1000);
    buffer_add(line, decimals, sizeof decimals);
}

/* Compilers know our sources from the folder that they build in. */
static const char *source_path(const char *file)
{
    while (strncmp(file, "../", 3) == 0)
        file += 3;
    return file;
}

static void add_cause(Buffer *line, const Error *error)
{
    buffer_add_text(line, "{\"fault\":");
    add_text(line, bytes_of(error->fault->name));
    log_line_text(line, LOG_KEY("doing"), bytes_of(error->doing));
    log_line_text(line, LOG_KEY("field"), bytes_of(error->field));
    buffer_add_text(line, ",\"at\":\"");
    buffer_add_text(line, source_path(error->file)); /* nothing to escape in these */
    buffer_add_byte(line, ':');
    add_number(line, (uint64_t)error->line);
    buffer_add_text(line, "\"}");
}

void log_line_causes(Buffer *line, Result why)
{
    if (!failed(why))
        return;
    buffer_add_text(line, ",\"causes\":");
    int n = 0;
    for (const Error *error = why.error; error && n < LOG_CAUSES; error = error->cause) {
        buffer_add_byte(line, n++ ? ',' : '[');
        add_cause(line, error);
    }
    buffer_add_byte(line, ']');
}

void log_line_end(Buffer *line)
{
    buffer_add_byte(line, '}');
}
