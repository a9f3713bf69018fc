#include "base/text/percent.h"

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static bool is_reserved(uint8_t c)
{
    return c != '\0' && strchr(":/?#[]@!$&'()*+,;=", c) != NULL;
}

static bool stays(uint8_t c, PercentKeep keep)
{
    switch (keep) {
    case PERCENT_KEEP_UNRESERVED: return is_unreserved(c);
    case PERCENT_KEEP_PATH: return is_unreserved(c) || c == '/';
    case PERCENT_KEEP_VISIBLE: return c >= ' ' && c <= '~' && c != '%';
    }
    return false;
}

void percent_encode(Buffer *out, Bytes text, PercentKeep keep)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size;) {
        size_t run = i;
        while (run < text.size && stays(text.data[run], keep))
            run++;
        buffer_add(out, text.data + i, run - i);
        if (run < text.size) {
            uint8_t c = text.data[run++];
            buffer_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
        i = run;
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int percent_byte(Bytes text)
{
    if (text.size < 3 || text.data[0] != '%')
        return -1;
    int high = hex_digit(text.data[1]), low = hex_digit(text.data[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool is_left(uint8_t c, PercentLeave leave)
{
    switch (leave) {
    case PERCENT_LEAVE_NOTHING:
    case PERCENT_PLUS_IS_SPACE: return false;
    case PERCENT_LEAVE_SLASH: return c == '/';
    case PERCENT_LEAVE_RESERVED: return is_reserved(c);
    }
    return false;
}

static bool decode(Buffer *out, Bytes text, PercentLeave leave, bool lenient)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '+' && leave == PERCENT_PLUS_IS_SPACE) {
            buffer_add_byte(out, ' ');
        } else if (c != '%') {
            buffer_add_byte(out, c);
        } else {
            int byte = percent_byte(bytes(text.data + i, text.size - i));
            if (byte < 0 && !lenient)
                return false;
            if (byte < 0) {
                buffer_add_byte(out, c);
            } else if (is_left((uint8_t)byte, leave)) {
                buffer_add(out, text.data + i, 3);
                i += 2;
            } else {
                buffer_add_byte(out, (uint8_t)byte);
                i += 2;
            }
        }
    }
    return true;
}

bool percent_decode(Buffer *out, Bytes text, PercentLeave leave)
{
    return decode(out, text, leave, false);
}

void percent_decode_leniently(Buffer *out, Bytes text)
{
    decode(out, text, PERCENT_LEAVE_NOTHING, true);
}

bool percent_normalize(Buffer *out, Bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        int byte = percent_byte(bytes(text.data + i, text.size - i));
        if (text.data[i] != '%') {
            buffer_add_byte(out, text.data[i]);
            continue;
        }
        if (byte < 0)
            return false;
        uint8_t c = (uint8_t)byte;
        percent_encode(out, bytes(&c, 1), PERCENT_KEEP_UNRESERVED);
        i += 2;
    }
    return true;
}
