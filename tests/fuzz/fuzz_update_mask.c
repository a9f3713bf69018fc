/* The body of a PATCH as an update mask: each of its paths leads to a field, through messages. */
#include "gateway/rest/update_mask.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const Bytes library_set; /* tests/unit/gateway/schemas/library.proto */

static const MessageType *plant(void)
{
    static Arena *arena;
    static const Schema *schema;
    if (!arena) {
        arena = arena_new(ARENA_UNLIMITED);
        Result r = schema_load(arena, library_set, "library", &schema);
        CHECK(!failed(r));
    }
    return schema_message(schema, bytes_of("test.library.Plant"));
}

static void check_path(const MessageType *type, Bytes path)
{
    Bytes name;
    const FieldType *field = NULL;
    while (bytes_split(&path, '.', &name)) {
        CHECK(type && (!field || !field->repeated));
        field = message_field(type, name);
        CHECK(field);
        type = field->message;
    }
    CHECK(field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JsonNode *body;
    Bytes mask, path;
    Result r = json_parse(arena, bytes(data, size), NULL, &body);
    if (failed(r)) {
        error_ignore(r, "the input is JSON, or it is none");
    } else {
        r = update_mask_write(plant(), body, arena, &mask);
        CHECK(!failed(r) || r.error->fault == &FAULT_BAD_VALUE);
        CHECK(failed(r) || body->kind == JSON_OBJECT || !mask.size);
        while (!failed(r) && bytes_split(&mask, ',', &path))
            check_path(plant(), path);
    }
    arena_free(arena);
    return 0;
}
