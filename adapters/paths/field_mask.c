#include "adapters/paths/field_mask.h"

#include <string.h>

bool field_is_mask(const FieldType *field)
{
    return field->message && field->message->well_known == WELL_KNOWN_FIELD_MASK;
}

const MessageType *field_mask_subject(const FieldType *mask)
{
    const MessageType *in = mask->parent, *subject = NULL;
    if (strcmp(mask->name, "read_mask") == 0)
        return NULL;
    for (uint32_t i = 0; i < in->n_fields; i++) {
        const FieldType *field = &in->fields[i];
        if (!field->message || field->repeated || field->message->well_known != WELL_KNOWN_NONE)
            continue;
        if (subject)
            return NULL;
        subject = field->message;
    }
    return subject;
}
