/* Values for people: as short as it can be read, and without what is hidden. */
#include "adapters/compare/meaning.h"
#include "adapters/schema/kinds.h"
#include "adapters/text/number_text.h"
#include "base/arena.h"
#include "base/text/json_text.h"

typedef struct Showing {
    const MeaningShow *show;
    Buffer path;
    Buffer *out;
    size_t end; /* of the output */
} Showing;

size_t meaning_enter(Buffer *path, const char *name)
{
    size_t size = path->size;
    if (size)
        buffer_add_byte(path, '.');
    buffer_add_text(path, name);
    return size;
}

static void show_value(Showing *showing, const FieldType *field, const MeaningValue *value);

static bool is_over(const Showing *showing)
{
    return showing->out->size >= showing->end;
}

static bool is_hidden(const Showing *showing)
{
    const MeaningShow *show = showing->show;
    return show->hides && show->hides(show->owner, buffer_bytes(&showing->path));
}

static void show_number(Buffer *out, const FieldType *field, uint64_t number)
{
    uint8_t text[NUMBER_TEXT_MAX];
    double real;
    memcpy(&real, &number, sizeof real);
    const EnumValue *named =
        field->kind == KIND_ENUM ? enum_value_by_number(field->enumeration, (int32_t)number) : NULL;
    switch (field->kind) {
    case KIND_BOOL: buffer_add_text(out, number ? "true" : "false"); return;
    case KIND_UINT32:
    case KIND_FIXED32:
    case KIND_UINT64:
    case KIND_FIXED64: buffer_add_bytes(out, bytes(text, number_write_u64(text, number))); return;
    case KIND_FLOAT: buffer_printf(out, "%.9g", real); return;
    case KIND_DOUBLE: buffer_printf(out, "%.17g", real); return;
    default: break;
    }
    if (named)
        buffer_add_text(out, named->name);
    else
        buffer_add_bytes(out, bytes(text, number_write_i64(text, (int64_t)number)));
}

static void show_list(Showing *showing, const MeaningField *field)
{
    buffer_add_byte(showing->out, '[');
    for (uint32_t i = 0; i < field->n && !is_over(showing); i++) {
        if (i)
            buffer_add_text(showing->out, ", ");
        show_value(showing, field->type, &field->values[i]);
    }
    buffer_add_byte(showing->out, ']');
}

static void show_field(Showing *showing, const MeaningField *field)
{
    size_t path = meaning_enter(&showing->path, field->type->name);
    buffer_printf(showing->out, "%s: ", field->type->name);
    if (is_hidden(showing))
        buffer_add_text(showing->out, "redacted");
    else if (field->type->repeated)
        show_list(showing, field);
    else
        show_value(showing, field->type, field->values);
    showing->path.size = path;
}

static void show_message(Showing *showing, const Meaning *meaning)
{
    if (meaning->content)
        meaning = meaning->content;
    buffer_add_byte(showing->out, '{');
    for (uint32_t i = 0; i < meaning->n && !is_over(showing); i++) {
        if (i)
            buffer_add_text(showing->out, ", ");
        show_field(showing, &meaning->fields[i]);
    }
    buffer_add_byte(showing->out, '}');
}

static void show_value(Showing *showing, const FieldType *field, const MeaningValue *value)
{
    Buffer *out = showing->out;
    if (value->message)
        show_message(showing, value->message);
    else if (field->kind == KIND_STRING)
        json_text_add(out, bytes_cut_text(value->bytes, showing->show->most));
    else if (field->kind == KIND_BYTES)
        buffer_printf(out, "%zu bytes", value->bytes.size);
    else
        show_number(out, field, value->number);
}

void meaning_show(const FieldType *field, const MeaningValue *value, Bytes path,
                  const MeaningShow *show, Buffer *out)
{
    size_t begin = out->size;
    Showing showing = {
        .show = show, .path = buffer_in(out->arena), .out = out, .end = begin + show->most};
    buffer_add_bytes(&showing.path, path);
    if (is_hidden(&showing))
        buffer_add_text(out, "redacted");
    else
        show_value(&showing, field, value);
    Bytes shown = bytes_slice(buffer_bytes(out), begin, SIZE_MAX);
    if (shown.size <= show->most)
        return;
    out->size = begin + bytes_cut_text(shown, show->most).size;
    buffer_add_text(out, "...");
}
