/* Rules of a request's fields. */
#include "gateway/access/access.h"

#include "adapters/paths/field_value.h"

/* ---- The value that the field must have ------------------------------------------------------ */

static bool is_claimed(const Identity *identity, const char *name, Bytes value)
{
    Bytes words, word;
    for (uint32_t i = 0; i < identity->n_claims; i++) {
        if (!text_equal(identity->claims[i].name, name))
            continue;
        for (words = identity->claims[i].value; bytes_split(&words, ' ', &word);)
            if (bytes_equal(word, value))
                return true;
    }
    return false;
}

/* Nothing is nobody's name. */
static bool is_value(const AllowField *field, Bytes value, const Identity *identity)
{
    if (!value.size)
        return false;
    switch (field->value) {
    case ALLOW_TEXT: return access_matches(field->text, value);
    case ALLOW_CLIENT: return bytes_equal(value, identity->name);
    case ALLOW_TENANT: return bytes_equal(value, identity->tenant);
    case ALLOW_CLASS: return bytes_equal(value, identity->class);
    case ALLOW_CLAIM: return is_claimed(identity, field->text, value);
    }
    return false;
}

/* ---- The value that it has ------------------------------------------------------------------- */

static WireType wire_type_of(FieldKind kind)
{
    switch (kind) {
    case KIND_FIXED64:
    case KIND_SFIXED64: return WIRE_FIXED64;
    case KIND_FIXED32:
    case KIND_SFIXED32: return WIRE_FIXED32;
    case KIND_STRING:
    case KIND_MESSAGE: return WIRE_LENGTH;
    case KIND_GROUP: return WIRE_GROUP;
    default: return WIRE_VARINT;
    }
}

static bool has_value(const AllowField *rule, const FieldType *field, const WireField *found,
                      const Identity *identity)
{
    char text[FIELD_NUMBER_SIZE];
    return is_value(rule,
                    field->kind == KIND_STRING ? found->bytes
                                               : field_number_text(field->kind, found->value, text),
                    identity);
}

/* ---- Looking --------------------------------------------------------------------------------- */

typedef enum Found { FOUND_NONE, FOUND_VALUE, FOUND_OTHER } Found;

static bool is_rival(const FieldType *field, uint32_t number)
{
    for (uint32_t i = 0; field->oneof && i < field->oneof->n_fields; i++)
        if (field->oneof->fields[i] != field && field->oneof->fields[i]->number == number)
            return true;
    return false;
}

/* In each of the messages that the path leads through. */
static Found look(const AllowField *rule, const FieldType *const *path, Bytes message,
                  const Identity *identity)
{
    WireReader reader = wire_reader(message);
    WireField each;
    Found found = FOUND_NONE;
    while (wire_next(&reader, &each)) {
        Found here = FOUND_OTHER;
        if (each.number != path[0]->number && !is_rival(path[0], each.number))
            continue;
        if (each.number == path[0]->number && each.type == wire_type_of(path[0]->kind)) {
            if (path[1])
                here = look(rule, path + 1, each.bytes, identity);
            else if (has_value(rule, path[0], &each, identity))
                here = FOUND_VALUE;
        }
        if (here == FOUND_OTHER)
            return FOUND_OTHER;
        if (here == FOUND_VALUE)
            found = FOUND_VALUE;
    }
    return reader.bad ? FOUND_OTHER : found;
}

bool access_field_holds(const AllowField *field, const FieldType *const *path, Bytes request,
                        const Identity *identity)
{
    return look(field, path, request, identity) == FOUND_VALUE;
}
