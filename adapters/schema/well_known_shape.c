/* Checks the fields of well-known types: their JSON forms and converters rely on them. */
#include "adapters/schema/schema_internal.h"

static const struct {
    WellKnown of;
    uint32_t number;
    FieldKind kind;
    bool repeated;
    WellKnown message; /* of a map: that of its values */
} rows[] = {
    {WELL_KNOWN_ANY, 1, KIND_STRING, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_ANY, 2, KIND_BYTES, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_TIMESTAMP, 1, KIND_INT64, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_TIMESTAMP, 2, KIND_INT32, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_DURATION, 1, KIND_INT64, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_DURATION, 2, KIND_INT32, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_FIELD_MASK, 1, KIND_STRING, true, WELL_KNOWN_NONE},
    {WELL_KNOWN_STRUCT, 1, KIND_MESSAGE, true, WELL_KNOWN_VALUE},
    {WELL_KNOWN_VALUE, 1, KIND_ENUM, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_VALUE, 2, KIND_DOUBLE, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_VALUE, 3, KIND_STRING, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_VALUE, 4, KIND_BOOL, false, WELL_KNOWN_NONE},
    {WELL_KNOWN_VALUE, 5, KIND_MESSAGE, false, WELL_KNOWN_STRUCT},
    {WELL_KNOWN_VALUE, 6, KIND_MESSAGE, false, WELL_KNOWN_LIST_VALUE},
    {WELL_KNOWN_LIST_VALUE, 1, KIND_MESSAGE, true, WELL_KNOWN_VALUE},
};

/* A map entry is checked on its own, and perhaps not linked yet. */
static WellKnown message_in(const FieldType *field)
{
    const MessageType *message = field_element_message(field);
    return message ? message->well_known : WELL_KNOWN_NONE;
}

static bool is_wrapper(const MessageType *type)
{
    const FieldType *value = type->n_fields == 1 ? &type->fields[0] : NULL;
    return value && value->number == 1 && !value->repeated && !value->message &&
           !value->enumeration;
}

static bool has_its_fields(const MessageType *type)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].of != type->well_known)
            continue;
        const FieldType *field = message_field_by_number(type, rows[i].number);
        if (!field || field->kind != rows[i].kind || field->repeated != rows[i].repeated ||
            field->map != (type->well_known == WELL_KNOWN_STRUCT) ||
            message_in(field) != rows[i].message)
            return false;
        n++;
    }
    return n == type->n_fields;
}

Result well_known_check(Loader *loader, const MessageType *type)
{
    switch (type->well_known) {
    case WELL_KNOWN_NONE:
    case WELL_KNOWN_EMPTY: return OK;
    case WELL_KNOWN_WRAPPER:
        if (is_wrapper(type))
            return OK;
        break;
    default:
        if (has_its_fields(type))
            return OK;
    }
    return BAD_SCHEMA(loader, "%s: %s does not have the fields of the well-known type",
                      loader->name, type->full_name);
}
