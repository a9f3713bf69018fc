#include "base/text/media_range.h"

/* The position of the separator outside of quoted strings; text.size: none. */
static size_t find_separator(Bytes text, uint8_t separator)
{
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && c == separator)
            return i;
    }
    return text.size;
}

/* As bytes_split, but not within quoted strings. */
static bool split(Bytes *rest, uint8_t separator, Bytes *part_out)
{
    if (!rest->data)
        return false;
    size_t at = find_separator(*rest, separator);
    *part_out = bytes_trim(bytes(rest->data, at));
    *rest = at < rest->size ? bytes(rest->data + at + 1, rest->size - at - 1) : BYTES_NONE;
    return true;
}

/* "0.5" in thousandths. More than 1 counts as 1. */
static unsigned read_quality(Bytes text)
{
    unsigned quality = 0, unit = QUALITY_MOST;
    bool point = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && !point) {
            point = true;
            unit /= 10;
        } else if (c < '0' || c > '9') {
            return 0;
        } else if (point) {
            quality += unit * (unsigned)(c - '0');
            unit /= 10;
        } else if (c != '0') {
            quality = QUALITY_MOST;
        }
    }
    return quality < QUALITY_MOST ? quality : QUALITY_MOST;
}

bool media_range_next(Bytes *list, MediaRange *range_out)
{
    Bytes element;
    while (split(list, ',', &element)) {
        if (element.size == 0)
            continue;
        split(&element, ';', &range_out->type);
        range_out->parameters = element;
        Bytes quality = media_parameter(element, "q");
        range_out->quality = quality.data ? read_quality(quality) : QUALITY_MOST;
        return true;
    }
    return false;
}

Bytes media_parameter(Bytes parameters, const char *name)
{
    Bytes parameter;
    while (split(&parameters, ';', &parameter)) {
        size_t equals = bytes_find(parameter, '=');
        if (equals == parameter.size || !bytes_are_nocase(bytes(parameter.data, equals), name))
            continue;
        Bytes value = bytes(parameter.data + equals + 1, parameter.size - equals - 1);
        bool quoted = value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"';
        return quoted ? bytes(value.data + 1, value.size - 2) : value;
    }
    return BYTES_NONE;
}
