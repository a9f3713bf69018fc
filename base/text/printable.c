#include "base/text/printable.h"

#include "base/text/utf8.h"

/* What is not seen or turns text around, in order: controls; General_Category Cf, Zl and Zp;
   Default_Ignorable_Code_Point; and the pattern of Braille without dots. Of Unicode 15. */
static const struct {
    uint32_t first, last;
} unseen[] = {{0x0080, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
              {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},
              {0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
              {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x2800, 0x2800},
              {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
              {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
              {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

static bool is_unseen(uint32_t c)
{
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen && c >= unseen[i].first; i++)
        if (c <= unseen[i].last)
            return true;
    return false;
}

/* `at` begins a valid character that is not ASCII. */
static uint32_t read_character(const uint8_t *at, size_t *size_out)
{
    *size_out = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t c = at[0] & (0x7fu >> *size_out);
    for (size_t i = 1; i < *size_out; i++)
        c = c << 6 | (at[i] & 63u);
    return c;
}

static void add_control(Buffer *out, uint8_t c)
{
    switch (c) {
    case '\n': buffer_add_text(out, "\\n"); return;
    case '\r': buffer_add_text(out, "\\r"); return;
    case '\t': buffer_add_text(out, "\\t"); return;
    }
    buffer_printf(out, "\\x%02x", c);
}

/* How many bytes it has taken. */
static size_t add_character(Buffer *out, const uint8_t *at)
{
    size_t size;
    uint32_t c = read_character(at, &size);
    if (is_unseen(c))
        buffer_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
    else
        buffer_add(out, at, size);
    return size;
}

static void add_valid(Buffer *out, Bytes text, bool lines)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t c = text.data[i];
        if (c >= 0x80) {
            i += add_character(out, text.data + i);
            continue;
        }
        if ((c < ' ' || c == 0x7f) && !(lines && (c == '\n' || c == '\t')))
            add_control(out, c);
        else
            buffer_add_byte(out, c);
        i++;
    }
}

static void add(Buffer *out, Bytes text, bool lines)
{
    for (;;) {
        size_t good = utf8_valid_prefix(text);
        add_valid(out, bytes(text.data, good), lines);
        if (good == text.size)
            return;
        utf8_add_character(out, 0xfffd);
        text = bytes_slice(text, good + 1, text.size);
    }
}

void printable_add(Buffer *out, Bytes text)
{
    add(out, text, false);
}

void printable_add_lines(Buffer *out, Bytes text)
{
    add(out, text, true);
}
