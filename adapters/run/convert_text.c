/* Converters between text and numbers, bytes, and parts of text. */
#include "adapters/run/convert.h"

#include "adapters/run/scan.h"
#include "adapters/text/number_text.h"
#include "base/text/base64.h"
#include "base/text/utf8.h"

#include <math.h>

static bool give_text(Conversion *c, Buffer *text)
{
    if (text->full)
        return run_out_of_memory(c->runner);
    c->value = value_of_bytes(buffer_bytes(text));
    return true;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static size_t write_floating(uint8_t *to, FieldKind kind, Value value)
{
    double number = kind == KIND_FLOAT ? (double)value_float(value) : value.d;
    if (isfinite(number))
        return kind == KIND_FLOAT ? number_write_float(to, value_float(value))
                                  : number_write_double(to, number);
    const char *word = isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
    memcpy(to, word, strlen(word));
    return strlen(word);
}

static Bytes write_number(uint8_t *text, FieldKind kind, Value value)
{
    bool negative;
    uint64_t magnitude;
    if (kind == KIND_FLOAT || kind == KIND_DOUBLE)
        return bytes(text, write_floating(text, kind, value));
    whole_number(kind, value, &negative, &magnitude);
    text[0] = '-';
    return bytes(text, negative + number_write_u64(text + negative, magnitude));
}

bool convert_number_text(Conversion *c)
{
    FieldKind kind = c->converter->from.kind;
    uint8_t text[NUMBER_TEXT_MAX];
    if (kind == KIND_BOOL) {
        c->value = value_of_bytes(bytes_of(c->args[0].u ? "true" : "false"));
        return true;
    }
    Bytes copy = bytes_copy(c->runner->arena, write_number(text, kind, c->args[0]));
    c->value = value_of_bytes(copy);
    return copy.data || run_out_of_memory(c->runner);
}

bool convert_text_number(Conversion *c)
{
    JsonNode node = {.kind = JSON_TEXT, .text = value_bytes(c->args[0])};
    FieldKind kind = c->converter->to.kind;
    uint8_t text[NUMBER_TEXT_MAX];
    if (json_scalar(c->runner, kind, NULL, &node, &c->value) == JSON_SCALAR_OK) {
        if (c->loss && kind != KIND_BOOL)
            count_respelled(c, node.text, write_number(text, kind, c->value));
        return true;
    }
    run_unfail(c->runner); /* the converter's own text says more */
    return cannot_convert(
        c, kind == KIND_BOOL
               ? "the text is neither true nor false"
               : "the text is not a number that the version it is converted to can hold");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static bool has_format(const Converter *converter, const char *format)
{
    return converter->format && strcmp(converter->format, format) == 0;
}

static void add_hex(Buffer *out, Bytes from)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < from.size; i++) {
        buffer_add_byte(out, (uint8_t)digits[from.data[i] >> 4]);
        buffer_add_byte(out, (uint8_t)digits[from.data[i] & 15]);
    }
}

bool convert_bytes_text(Conversion *c)
{
    Buffer text = buffer_in(c->runner->arena);
    Bytes from = value_bytes(c->args[0]);
    if (has_format(c->converter, "base64")) {
        base64_encode(&text, from, BASE64_STANDARD, true);
    } else if (has_format(c->converter, "hex")) {
        add_hex(&text, from);
    } else {
        c->value = c->args[0];
        return utf8_valid(from) || cannot_convert(c, "the bytes are not valid UTF-8");
    }
    return give_text(c, &text);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_capital(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool read_hex(Conversion *c, Bytes from)
{
    Buffer out = buffer_in(c->runner->arena);
    bool good = from.size % 2 == 0, capital = false;
    for (size_t i = 0; good && i + 1 < from.size; i += 2) {
        int high = hex_value(from.data[i]), low = hex_value(from.data[i + 1]);
        good = high >= 0 && low >= 0;
        capital |= is_capital(from.data[i]) || is_capital(from.data[i + 1]);
        buffer_add_byte(&out, (uint8_t)((unsigned)high << 4 | (unsigned)low));
    }
    if (!good)
        return cannot_convert(c, "the text is not hexadecimal");
    if (capital && c->loss)
        count_loss(c);
    return give_text(c, &out);
}

/* Whether a text that is base64 is not what is written for its bytes. */
static bool is_other_base64(Bytes text)
{
    return text.size % 4 != 0 || bytes_find(text, '-') < text.size ||
           bytes_find(text, '_') < text.size || base64_has_unused_bits(text);
}

bool convert_text_bytes(Conversion *c)
{
    Bytes from = value_bytes(c->args[0]);
    if (has_format(c->converter, "hex"))
        return read_hex(c, from);
    if (!has_format(c->converter, "base64")) {
        c->value = c->args[0];
        return true;
    }
    Buffer out = buffer_in(c->runner->arena);
    if (!base64_decode(&out, from))
        return cannot_convert(c, "the text is not base64");
    if (c->loss && is_other_base64(from))
        count_loss(c);
    return give_text(c, &out);
}

/* ---- Templates ------------------------------------------------------------------------------- */

/* Where `part` begins in `text` from `at` on, or text.size + 1. */
static size_t find_part(Bytes text, size_t at, Bytes part)
{
    for (; at + part.size <= text.size; at++) {
        if (part.size == 0 || memcmp(text.data + at, part.data, part.size) == 0)
            return at;
    }
    return text.size + 1;
}

/* Composes a text that can be split into the same parts again: no part may be empty, and only the
   last one may contain the literal text that follows it. */
bool convert_template(Conversion *c)
{
    const Converter *by = c->converter;
    Buffer text = buffer_in(c->runner->arena);
    buffer_add_bytes(&text, by->template_parts[0]);
    for (uint32_t i = 0; i < by->n_variables && i < c->n_args; i++) {
        Bytes part = value_bytes(c->args[i]), behind = by->template_parts[i + 1];
        size_t at = text.size;
        buffer_add_bytes(&text, part);
        buffer_add_bytes(&text, behind);
        if (!part.size)
            return cannot_convert(c, "a part of the text is empty");
        if (i + 1 < by->n_variables && !text.full &&
            find_part(buffer_bytes(&text), at, behind) != at + part.size)
            return cannot_convert(c, "a part has the text that follows it in the template");
    }
    return give_text(c, &text);
}

/* A variable extends to the next literal text; the last one to the end of the text, without the
   last literal. */
bool convert_template_part(Conversion *c)
{
    const Converter *by = c->converter;
    Bytes text = value_bytes(c->args[0]), found = BYTES_NONE;
    size_t at = by->template_parts[0].size;
    if (!bytes_equal(bytes_slice(text, 0, at), by->template_parts[0]) || at > text.size)
        return cannot_convert(c, "the text does not match the template");
    for (uint32_t i = 0; i < by->n_variables; i++) {
        Bytes behind = by->template_parts[i + 1];
        bool last = i + 1 == by->n_variables;
        size_t end = last ? text.size - behind.size : find_part(text, at, behind);
        if (end > text.size || end < at ||
            !bytes_equal(bytes_slice(text, end, behind.size), behind))
            return cannot_convert(c, "the text does not match the template");
        if (end == at)
            return cannot_convert(c, "a part of the text is empty");
        if (i == by->part)
            found = bytes_slice(text, at, end - at);
        at = end + behind.size;
    }
    c->value = value_of_bytes(found);
    return true;
}
