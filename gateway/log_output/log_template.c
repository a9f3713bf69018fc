#include "gateway/log_output/log_template.h"

#include "base/arena.h"
#include "base/text/date.h"
#include "base/text/printable.h"
#include "base/text/utf8.h"
#include "gateway/log_output/log_members.h"

const char log_template_combined[] =
    "%{address} - %{client} [%{apache_time}] \"%{verb} %{path} %{protocol}\" %{http_status} "
    "%{bytes_out} \"%{referer}\" \"%{user_agent}\"";

/* A text as it is, then a value; the last one has no value. */
typedef struct Piece {
    Bytes text;
    Bytes member; /* empty: none follows */
    bool quoted;  /* the value is between quotes of the template */
} Piece;

struct LogTemplate {
    Piece *pieces;
    uint32_t n;
};

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct Reading {
    Arena *arena;
    Bytes rest;
    Buffer text; /* of the piece that has begun */
    bool quoted;
    LogTemplate *template;
} Reading;

static void add_piece(Reading *reading, Bytes member)
{
    reading->template->pieces[reading->template->n++] =
        (Piece){.text = buffer_bytes(&reading->text), .member = member, .quoted = reading->quoted};
    reading->text = buffer_in(reading->arena);
}

static bool is_name(Bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i], lower = ascii_lower(c);
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'))
            return false;
    }
    return name.size > 0;
}

/* Behind a percent sign. */
static Result read_value(Reading *reading)
{
    Bytes rest = reading->rest;
    if (rest.size && rest.data[0] == '%') {
        buffer_add_byte(&reading->text, '%');
        reading->rest = bytes_slice(rest, 1, SIZE_MAX);
        return OK;
    }
    size_t end = bytes_find(rest, '}');
    Bytes name = bytes_slice(rest, 1, end - 1);
    if (!rest.size || rest.data[0] != '{' || end == rest.size || !is_name(name))
        return FAIL(reading->arena, FAULT_BAD_CONFIG,
                    "behind %% there is neither a member, as in %%{client}, nor another %%");
    if (reading->template->n + 1 == LOG_TEMPLATE_PIECES)
        return FAIL(reading->arena, FAULT_BAD_CONFIG, "it has more than %d members",
                    LOG_TEMPLATE_PIECES - 1);
    add_piece(reading, bytes_copy(reading->arena, name));
    reading->rest = bytes_slice(rest, end + 1, SIZE_MAX);
    return OK;
}

static Result read_text(Reading *reading, uint8_t c)
{
    if ((c < ' ' && c != '\t') || c == 0x7f)
        return FAIL(reading->arena, FAULT_BAD_CONFIG,
                    "it has a control character: a line of the log is one line");
    buffer_add_byte(&reading->text, c);
    reading->quoted ^= c == '"';
    return OK;
}

Result log_template_read(Arena *arena, Bytes text, const LogTemplate **template_out)
{
    LogTemplate *template = arena_make(arena, LogTemplate);
    Reading reading = {
        .arena = arena, .rest = text, .text = buffer_in(arena), .template = template};
    if (text.size > LOG_TEMPLATE_SIZE || !utf8_valid(text))
        return FAIL(arena, FAULT_BAD_CONFIG, "it is no text of at most %d bytes",
                    LOG_TEMPLATE_SIZE);
    template->pieces = arena_array(arena, Piece, LOG_TEMPLATE_PIECES);
    Result r = OK;
    while (!failed(r) && reading.rest.size) {
        uint8_t c = reading.rest.data[0];
        reading.rest = bytes_slice(reading.rest, 1, SIZE_MAX);
        r = c == '%' ? read_value(&reading) : read_text(&reading, c);
    }
    if (!failed(r) && !template->n)
        r = FAIL(arena, FAULT_BAD_CONFIG, "it has no member, as in %%{client}");
    if (failed(r))
        return r;
    add_piece(&reading, BYTES_NONE);
    *template_out = template;
    return OK;
}

bool log_template_has(const LogTemplate *template, const char *member)
{
    size_t size = strlen(member);
    for (uint32_t i = 0; i < template->n; i++) {
        Bytes name = template->pieces[i].member;
        if (bytes_start_with(name, member) && (name.size == size || name.data[size] == '.'))
            return true;
    }
    return false;
}

static bool is_of_templates(Bytes member)
{
    return bytes_are(member, "address") || bytes_are(member, "apache_time");
}

Bytes log_template_stranger(const LogTemplate *template)
{
    for (uint32_t i = 0; i < template->n; i++) {
        Bytes member = template->pieces[i].member;
        if (member.size && !is_of_templates(member) && !log_member_exists(member))
            return member;
    }
    return BYTES_NONE;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* What printable_add leaves as it is, although it has a meaning here. */
static const char *escape_of(uint8_t c, bool quoted)
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case ' ': return quoted ? NULL : "\\x20";
    default: return NULL;
    }
}

static void add_value(Buffer *out, Bytes value, bool quoted)
{
    size_t from = 0;
    for (size_t i = 0; i < value.size; i++) {
        const char *escape = escape_of(value.data[i], quoted);
        if (!escape)
            continue;
        printable_add(out, bytes_slice(value, from, i - from));
        buffer_add_text(out, escape);
        from = i + 1;
    }
    printable_add(out, bytes_slice(value, from, SIZE_MAX));
}

static Bytes apache_time(const LogView *view)
{
    int64_t seconds;
    int32_t nanos;
    if (!date_read_rfc3339(log_view_get(view, "time"), &seconds, &nanos))
        return BYTES_NONE;
    CivilTime at = date_from_seconds(seconds);
    return bytes_of(arena_printf(view->arena, "%02d/%s/%04d:%02d:%02d:%02d +0000", at.day,
                                 date_month_name(at.month), (int)at.year, at.hour, at.minute,
                                 at.second));
}

static void add_member(Buffer *out, const LogView *view, const Piece *piece)
{
    if (bytes_are(piece->member, "apache_time")) {
        buffer_add_bytes(out, apache_time(view)); /* its blank is one of the form */
        return;
    }
    Bytes value = bytes_are(piece->member, "address") ? log_view_address(view)
                                                      : log_view_text(view, piece->member);
    if (value.size)
        add_value(out, value, piece->quoted);
    else
        buffer_add_byte(out, '-');
}

void log_template_write(const LogTemplate *template, const LogView *view, Buffer *out)
{
    for (uint32_t i = 0; i < template->n; i++) {
        const Piece *piece = &template->pieces[i];
        buffer_add_bytes(out, piece->text);
        if (piece->member.size)
            add_member(out, view, piece);
    }
}
