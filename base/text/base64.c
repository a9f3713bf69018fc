#include "base/text/base64.h"

static const char alphabets[][65] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void base64_encode(Buffer *out, Bytes from, Base64Alphabet alphabet, bool padded)
{
    const char *digits = alphabets[alphabet];
    if (from.size == 0 || from.size > SIZE_MAX / 2 || !buffer_reserve(out, (from.size + 2) / 3 * 4))
        return;

    uint8_t *to = out->data + out->size;
    size_t i = 0;
    for (; from.size - i >= 3; i += 3) {
        uint32_t bits =
            (uint32_t)from.data[i] << 16 | (uint32_t)from.data[i + 1] << 8 | from.data[i + 2];
        *to++ = (uint8_t)digits[bits >> 18];
        *to++ = (uint8_t)digits[bits >> 12 & 63];
        *to++ = (uint8_t)digits[bits >> 6 & 63];
        *to++ = (uint8_t)digits[bits & 63];
    }
    size_t left = from.size - i;
    if (left) {
        uint32_t bits = (uint32_t)from.data[i] << 16;
        if (left == 2)
            bits |= (uint32_t)from.data[i + 1] << 8;
        *to++ = (uint8_t)digits[bits >> 18];
        *to++ = (uint8_t)digits[bits >> 12 & 63];
        if (left == 2)
            *to++ = (uint8_t)digits[bits >> 6 & 63];
        for (; padded && left < 3; left++)
            *to++ = '=';
    }
    out->size = (size_t)(to - out->data);
}

uint8_t base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return 255;
}

/* Removes the padding. False: its length is wrong. */
static bool without_padding(Bytes *text)
{
    size_t padding = 0;
    while (padding < 2 && text->size && text->data[text->size - 1] == '=') {
        text->size--;
        padding++;
    }
    size_t left = text->size % 4;
    return left != 1 && (padding == 0 || left + padding == 4);
}

bool base64_decode(Buffer *out, Bytes text)
{
    size_t before = out->size;
    if (!without_padding(&text))
        return false;
    if (!buffer_reserve(out, text.size / 4 * 3 + 2))
        return true;

    uint8_t *to = out->data + before;
    uint32_t bits = 0;
    uint8_t wrong = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t value = base64_value(text.data[i]);
        wrong |= value;
        bits = bits << 6 | (value & 63);
        if (i % 4 == 3) {
            *to++ = (uint8_t)(bits >> 16);
            *to++ = (uint8_t)(bits >> 8);
            *to++ = (uint8_t)bits;
        }
    }
    if (wrong > 63)
        return false;
    if (text.size % 4 == 2) {
        *to++ = (uint8_t)(bits >> 4);
    } else if (text.size % 4 == 3) {
        *to++ = (uint8_t)(bits >> 10);
        *to++ = (uint8_t)(bits >> 2);
    }
    out->size = (size_t)(to - out->data);
    return true;
}

bool base64_has_unused_bits(Bytes text)
{
    while (text.size && text.data[text.size - 1] == '=')
        text.size--;
    uint8_t unused = text.size % 4 == 2 ? 0x0f : text.size % 4 == 3 ? 0x03 : 0;
    return unused && (base64_value(text.data[text.size - 1]) & unused);
}
