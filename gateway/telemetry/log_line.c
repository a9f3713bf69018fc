#include "gateway/telemetry/log_line.h"

#include "base/clock.h"
#include "base/text/date.h"
#include "base/text/json_text.h"

/* ---- Values ---------------------------------------------------------------------------------- */

/* Bit 7 of each byte that cannot be copied to a JSON string: control characters, quotes,
   backslashes, and non-ASCII bytes. DEL is allowed. */
static uint64_t special_bytes(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    return (eight | (eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & highs;
}

/* Up to seven bytes: the first half and the last one, which may overlap. What is missing is a
   letter. */
static uint64_t load_few(Bytes text)
{
    const uint64_t letters = UINT64_C(0x6161616100000000);
    if (text.size >= 4)
        return bytes_half(text.data) | (uint64_t)bytes_half(text.data + text.size - 4) << 32;
    if (!text.size)
        return letters | 0x61616161;
    return letters | 0x61000000 | (uint64_t)text.data[0] << 16 |
           (uint64_t)text.data[text.size / 2] << 8 | text.data[text.size - 1];
}

static bool is_plain(Bytes text)
{
    uint64_t found = 0;
    if (text.size < 8)
        return special_bytes(load_few(text)) == 0;
    for (size_t i = 0; i + 8 <= text.size; i += 8)
        found |= special_bytes(bytes_word(text.data + i));
    return (found | special_bytes(bytes_word(text.data + text.size - 8))) == 0;
}

static void add_text(Buffer *line, Bytes key, Bytes text)
{
    text = bytes_cut_text(text, LOG_TEXT_SIZE);
    if (is_plain(text)) {
        log_line_plain(line, key, text);
    } else {
        buffer_add_bytes(line, key);
        json_text_add(line, text);
    }
}

/* ---- Members --------------------------------------------------------------------------------- */

/* Always with milliseconds, so that lines sort as texts. The text of the last second is cached. */
static void add_time(Buffer *line, int64_t wall)
{
    static _Thread_local struct {
        int64_t second;
        char text[DATE_RFC3339_SIZE]; /* "1970-01-01T00:00:00.001Z" */
        size_t size;
    } last;
    int64_t second = wall / SECOND;
    unsigned millis = (unsigned)(wall % SECOND / MILLISECOND);
    if (!last.size || second != last.second) {
        last.second = second;
        last.size = date_write_rfc3339(second, MILLISECOND, last.text);
    }
    last.text[last.size - 4] = (char)('0' + millis / 100);
    last.text[last.size - 3] = (char)('0' + millis / 10 % 10);
    last.text[last.size - 2] = (char)('0' + millis % 10);
    log_line_plain(line, bytes("{\"time\":", 8), bytes(last.text, last.size));
}

void log_line_begin(Buffer *line, int64_t wall, const char *kind, const char *level)
{
    line->size = 0;
    line->full = false;
    buffer_reserve(line, 1024);
    add_time(line, wall);
    log_line_word(line, LOG_KEY("log"), kind);
    log_line_word(line, LOG_KEY("level"), level);
}

void log_line_text(Buffer *line, Bytes key, Bytes text)
{
    if (text.size)
        add_text(line, key, text);
}

uint8_t *log_line_put_millis(uint8_t *at, int64_t nanoseconds)
{
    uint64_t micros = nanoseconds > 0 ? (uint64_t)nanoseconds / 1000 : 0;
    uint64_t millis = micros / 1000;
    unsigned part = (unsigned)(micros - millis * 1000);
    if (millis < 10)
        *at++ = (uint8_t)('0' + millis);
    else
        at += decimal_write(millis, (char *)at);
    unsigned tens = part / 10;
    *at++ = '.';
    *at++ = (uint8_t)('0' + tens / 10);
    *at++ = (uint8_t)('0' + tens % 10);
    *at++ = (uint8_t)('0' + part - tens * 10);
    return at;
}

/* __FILE__ is relative to the build folder: removes "../". */
static const char *source_path(const char *file)
{
    while (strncmp(file, "../", 3) == 0)
        file += 3;
    return file;
}

static void add_cause(Buffer *line, const Error *error)
{
    log_line_word(line, bytes_of("{\"fault\":"), error->fault->name);
    log_line_text(line, LOG_KEY("doing"), bytes_of(error->doing));
    log_line_text(line, LOG_KEY("field"), bytes_of(error->field));
    buffer_add_text(line, ",\"at\":\"");
    buffer_add_text(line, source_path(error->file)); /* needs no escapes */
    buffer_add_byte(line, ':');
    log_line_number(line, BYTES_NONE, (uint64_t)error->line);
    buffer_add_text(line, "\"}");
}

void log_line_causes(Buffer *line, Bytes key, Result why)
{
    if (!failed(why))
        return;
    buffer_add_bytes(line, key);
    int n = 0;
    for (const Error *error = why.error; error && n < LOG_CAUSES; error = error->cause) {
        buffer_add_byte(line, n++ ? ',' : '[');
        add_cause(line, error);
    }
    buffer_add_byte(line, ']');
}

void log_line_lines(Buffer *line, Bytes key, Bytes text)
{
    int n = 0;
    Bytes element;
    while (n < LOG_LINES && bytes_split(&text, '\n', &element)) {
        if (!element.size)
            continue;
        if (n == 0)
            buffer_add_bytes(line, key);
        add_text(line, n++ ? bytes_of(",") : bytes_of("["), element);
    }
    if (n)
        buffer_add_byte(line, ']');
}

void log_line_end(Buffer *line)
{
    buffer_add_byte(line, '}');
}
