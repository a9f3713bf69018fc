#include "base/text/printable.h"

#include "base/text/utf8.h"

/* U+0080 to U+009F; U+2028 and U+2029 end lines; U+061C, U+200E, U+200F, U+202A to U+202E and
   U+2066 to U+2069 change the direction of text. `at` begins a valid character. 0: it is none of
   these. */
static uint32_t hidden_control(const uint8_t *at)
{
    if (at[0] == 0xc2 && at[1] < 0xa0)
        return at[1];
    if (at[0] == 0xd8 && at[1] == 0x9c)
        return 0x061c;
    if (at[0] != 0xe2 || (at[1] != 0x80 && at[1] != 0x81))
        return 0;
    uint32_t c = 0x2000 | (at[1] & 1u) << 6 | (at[2] & 63u);
    return c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069)
               ? c
               : 0;
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

static void add_valid(Buffer *out, Bytes text, bool lines)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c < ' ' || c == 0x7f) && !(lines && (c == '\n' || c == '\t'))) {
            add_control(out, c);
            continue;
        }
        uint32_t hidden = c >= 0xc2 ? hidden_control(text.data + i) : 0;
        if (hidden) {
            buffer_printf(out, "\\u%04x", hidden);
            i += hidden < 0x800 ? 1 : 2; /* of two or three bytes */
        } else {
            buffer_add_byte(out, c);
        }
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
