#include "base/text/utf8.h"

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the character at `at` (which is not ASCII), or 0 when it is not valid (RFC 3629 section
   4). */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first >= 0xc2 && first <= 0xdf)
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    if ((first & 0xf0) == 0xe0) {
        if (left < 3 || !is_tail(at[1]) || !is_tail(at[2]))
            return 0;
        bool overlong = first == 0xe0 && at[1] < 0xa0;
        bool surrogate = first == 0xed && at[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (left < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3]))
            return 0;
        bool overlong = first == 0xf0 && at[1] < 0x90;
        bool too_high = first == 0xf4 && at[1] > 0x8f;
        return overlong || too_high ? 0 : 4;
    }
    return 0;
}

size_t utf8_valid_prefix(Bytes text)
{
    size_t i = 0;
    while (i < text.size) {
        uint64_t eight;
        if (text.size - i >= 8) {
            memcpy(&eight, text.data + i, 8);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
                continue;
            }
        }
        size_t size = text.data[i] < 0x80 ? 1 : character_size(text.data + i, text.size - i);
        if (size == 0)
            break;
        i += size;
    }
    return i;
}

bool utf8_valid(Bytes text)
{
    return utf8_valid_prefix(text) == text.size;
}

void utf8_add_repaired(Buffer *out, Bytes text)
{
    for (;;) {
        size_t good = utf8_valid_prefix(text);
        buffer_add(out, text.data, good);
        if (good == text.size)
            return;
        utf8_add_character(out, 0xfffd);
        text = bytes_slice(text, good + 1, text.size);
    }
}

void utf8_add_character(Buffer *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    uint8_t text[4];
    size_t size = 0;
    if (c < 0x80) {
        text[size++] = (uint8_t)c;
    } else if (c < 0x800) {
        text[size++] = (uint8_t)(0xc0 | c >> 6);
        text[size++] = (uint8_t)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        text[size++] = (uint8_t)(0xe0 | c >> 12);
        text[size++] = (uint8_t)(0x80 | (c >> 6 & 63));
        text[size++] = (uint8_t)(0x80 | (c & 63));
    } else {
        text[size++] = (uint8_t)(0xf0 | c >> 18);
        text[size++] = (uint8_t)(0x80 | (c >> 12 & 63));
        text[size++] = (uint8_t)(0x80 | (c >> 6 & 63));
        text[size++] = (uint8_t)(0x80 | (c & 63));
    }
    buffer_add(out, text, size);
}
