#include "gateway/log_output/log_fields.h"

#include "adapters/paths/field_value.h"
#include "base/text/json_text.h"

/* As many bytes as have a text of base64 that is as long as another one may be. */
#define BYTES_MOST (LOG_FIELD_SIZE / 4 * 3)

static void add_member(Buffer *out, const char *name, Bytes value)
{
    size_t before = out->size;
    buffer_add_text(out, before ? ",\"" : "\"");
    buffer_add_text(out, name);
    buffer_add_text(out, "\":");
    json_text_add(out, value);
    if (out->size > LOG_FIELDS_SIZE)
        out->size = before;
}

static void add_field(Buffer *out, const LogField *field, Bytes message, Buffer *value)
{
    const FieldType *const *last = field->path;
    WireField found;
    while (last[1])
        last++;
    if (!field_find(field->path, message, &found))
        return;
    value->size = 0;
    field_value_add(value, *last, &found,
                    (*last)->kind == KIND_BYTES ? BYTES_MOST : LOG_FIELD_SIZE);
    if (value->size)
        add_member(out, field->name, bytes_cut_text(buffer_bytes(value), LOG_FIELD_SIZE));
}

void log_fields_write(const LogFields *fields, Bytes message, Buffer *out)
{
    Buffer value = buffer_in(out->arena);
    for (uint32_t i = 0; i < fields->n; i++)
        add_field(out, &fields->items[i], message, &value);
}
