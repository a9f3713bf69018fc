#include "gateway/tally/failure_cause.h"

#include "adapters/schema/schema.h"

typedef struct Writer {
    char *out;
    size_t size;
} Writer;

/* What does not fit is left out: a part of a name is none. */
static void put(Writer *w, const char *between, const char *text)
{
    size_t between_size = strlen(between), size = strlen(text);
    if (w->size + between_size + size > CAUSE_SIZE)
        return;
    memcpy(w->out + w->size, between, between_size);
    memcpy(w->out + w->size + between_size, text, size);
    w->size += between_size + size;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

/* Takes the name that the path begins with: "items" of "items[3].price", and leaves "price". */
static Bytes take_name(Bytes *path)
{
    size_t size = 0;
    while (size < path->size && path->data[size] != '.' && path->data[size] != '[')
        size++;
    Bytes name = bytes_slice(*path, 0, size);
    while (size < path->size && path->data[size] == '[')
        size += bytes_find(bytes_slice(*path, size, path->size), ']') + 1;
    bool more = size < path->size && path->data[size] == '.';
    *path = more ? bytes_slice(*path, size + 1, path->size) : BYTES_NONE;
    return name;
}

/* As far as its names are those of the schema. False: not even the first one is. */
static bool put_path(Writer *w, const MessageType *type, Bytes path)
{
    const char *between = ": ";
    for (int depth = 0; type && path.size && depth < FAILURE_PATH_DEPTH; depth++) {
        const FieldType *field = message_field(type, take_name(&path));
        if (!field)
            return depth > 0;
        put(w, between, field->name);
        between = ".";
        type = field_element_message(field);
    }
    return *between == '.';
}

/* A path is one of the client's version; that of a message which cannot be read may be one of the
   served version. */
static void put_field(Writer *w, const Method *method, const Version *served, Bytes path)
{
    if (!method || put_path(w, method->type->input, path) ||
        put_path(w, method->type->output, path) || !method->pairs || !served)
        return;
    const Method *target = method->pairs[served->index].target;
    if (target && !put_path(w, target->type->input, path))
        put_path(w, target->type->output, path);
}

/* ---- The cause ------------------------------------------------------------------------------- */

size_t failure_cause_write(const CallRecord *record, const Version *served, FaultSide side,
                           Result why, char out[CAUSE_SIZE])
{
    const Error *origin = error_origin(why);
    if (side != SIDE_CLIENT && origin->fault->side != SIDE_CLIENT)
        return cause_write(bytes_of(origin->doing), out);
    Writer w = {.out = out};
    put(&w, "", origin->fault->text);
    const Error *field = error_with_field(why);
    if (field)
        put_field(&w, record->method, served, bytes_of(field->field));
    return w.size;
}
