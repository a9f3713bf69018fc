#include "adapters/paths/parameter_path.h"

#include "adapters/schema/kinds.h"

bool parameter_may_be_text(const FieldType *field)
{
    if (field->map)
        return false;
    if (!kind_is_message(field->kind))
        return true;
    switch (field->message->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
    case WELL_KNOWN_FIELD_MASK:
    case WELL_KNOWN_WRAPPER: return true;
    default: return false;
    }
}

ParameterPath parameter_path(const MessageType *type, Bytes text)
{
    return (ParameterPath){.type = type, .rest = text.data ? text : bytes("", 0)};
}

/* The key in "[...]". A key may contain "]": the closing one is followed by "." if a field may
   follow, else it is the last character. data NULL: not closed. */
static Bytes bracketed_key(Bytes text, bool may_go_on)
{
    for (size_t i = 1; may_go_on && i + 1 < text.size; i++) {
        if (text.data[i] == ']' && text.data[i + 1] == '.')
            return bytes_slice(text, 1, i - 1);
    }
    return text.data[text.size - 1] == ']' ? bytes_slice(text, 1, text.size - 2) : BYTES_NONE;
}

/* The text after the first `n` bytes and a dot; data NULL at the end. */
static Bytes behind(Bytes text, size_t n)
{
    return n < text.size ? bytes(text.data + n + 1, text.size - n - 1) : BYTES_NONE;
}

/* Takes the key at the start of `text`, which begins with "[" or ".". */
static ParameterStep take_key(ParameterPath *path, Bytes text)
{
    bool in_brackets = text.data[0] == '[';
    bool may_go_on = path->type && path->type->well_known == WELL_KNOWN_NONE;
    if (in_brackets) {
        path->key = bracketed_key(text, may_go_on);
        path->rest = behind(text, path->key.size + 2);
    } else {
        text = bytes(text.data + 1, text.size - 1);
        path->key = bytes_slice(text, 0, may_go_on ? bytes_find(text, '.') : text.size);
        path->rest = behind(text, path->key.size);
    }
    return path->key.size ? PARAMETER_FIELD : PARAMETER_BAD_KEY;
}

/* The field at the start of `text`; a name before a bracket must be a map's. */
static const FieldType *find_field(ParameterPath *path, Bytes text)
{
    size_t end = 0;
    while (end < text.size && text.data[end] != '.' && text.data[end] != '[')
        end++;
    path->name = bytes_slice(text, 0, end);
    const FieldType *field = message_field(path->type, path->name);
    if (end < text.size && text.data[end] == '[' && !(field && field->map)) {
        path->name = bytes_slice(text, 0, bytes_find(text, '.'));
        field = message_field(path->type, path->name);
    }
    return field;
}

ParameterStep parameter_path_next(ParameterPath *path)
{
    Bytes text = path->rest;
    if (!text.data || !path->type)
        return PARAMETER_END;
    path->field = find_field(path, text);
    if (!path->field || path->field->extension)
        return PARAMETER_UNKNOWN;

    path->key = BYTES_NONE;
    path->type = path->field->message;
    if (!path->field->map || path->name.size == text.size) {
        path->rest = behind(text, path->name.size);
        return PARAMETER_FIELD;
    }
    path->type = message_field_by_number(path->field->message, 2)->message;
    return take_key(path, bytes_slice(text, path->name.size, SIZE_MAX));
}
