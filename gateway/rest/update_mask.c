#include "gateway/rest/update_mask.h"

#include "adapters/paths/field_mask.h"
#include "base/arena.h"

const FieldType *update_mask_field(const MessageType *request, const HttpRule *rule)
{
    const FieldType *mask = message_field(request, bytes_of("update_mask"));
    const FieldType *body = message_field(request, bytes_of(rule->body));
    bool is_mask = mask && field_is_mask(mask) && !mask->repeated;
    bool has_room = body && body != mask && body->message && !body->repeated &&
                    body->message->well_known == WELL_KNOWN_NONE;
    return is_mask && has_room && strcmp(rule->verb, "PATCH") == 0 ? mask : NULL;
}

/* "display_name" as "displayName". False: it would be another name on the way back. */
static bool add_name(Buffer *out, const char *name)
{
    for (const char *c = name; *c; c++) {
        char added = *c;
        if (*c == '_') {
            added = *++c;
            if (added < 'a' || added > 'z')
                return false;
            added = (char)(added - 'a' + 'A');
        } else if (added >= 'A' && added <= 'Z') {
            return false;
        }
        buffer_add_byte(out, (uint8_t)added);
    }
    return true;
}

static bool is_entered(const FieldType *field, const JsonNode *value)
{
    return field->message && !field->repeated && field->message->well_known == WELL_KNOWN_NONE &&
           value->kind == JSON_OBJECT && value->first;
}

/* The paths of the members, each behind `prefix`: "size.". */
static Result add_members(const MessageType *type, const JsonNode *object, Bytes prefix,
                          Arena *arena, Buffer *mask)
{
    Result r = OK;
    for (const JsonNode *member = object->first; member && !failed(r); member = member->next) {
        const FieldType *field = message_field(type, member->name);
        if (!field || field->extension)
            continue;
        Buffer path = buffer_in(arena);
        buffer_add_bytes(&path, prefix);
        if (!add_name(&path, field->name))
            return FAIL_FIELD(
                arena, FAULT_BAD_VALUE, "update_mask",
                "%s cannot be written in the JSON of a field mask: it has to be given",
                field->name);
        if (is_entered(field, member)) {
            buffer_add_byte(&path, '.');
            r = add_members(field->message, member, buffer_bytes(&path), arena, mask);
        } else {
            if (mask->size)
                buffer_add_byte(mask, ',');
            buffer_add_bytes(mask, buffer_bytes(&path));
        }
        mask->full |= path.full;
    }
    return r;
}

Result update_mask_write(const MessageType *type, const JsonNode *body, Arena *arena,
                         Bytes *mask_out)
{
    Buffer mask = buffer_in(arena);
    Result r = OK;
    if (body->kind == JSON_OBJECT)
        r = add_members(type, body, BYTES_NONE, arena, &mask);
    *mask_out = buffer_bytes(&mask);
    return !failed(r) && mask.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "deriving an update mask")
                                   : r;
}
