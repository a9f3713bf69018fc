/* Any bytes as a FileDescriptorSet: a Schema whose every message can be mapped to itself and is
   found in its file, or an error; the same of a copy. */
#include "adapters/compile/plan_compile.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile(Arena *arena, const MappingSet *set, const Mapping *mapping, Codec from,
                    Codec to)
{
    PlanOptions options = {.from = from, .to = to, .types = set, .walk_all = true};
    const Plan *plan;
    Result r = plan_compile(arena, mapping, &options, &plan);
    error_ignore(r, "a schema may ask for more than a program holds");
}

static void load_copy(Arena *arena, Bytes set, bool good)
{
    const Schema *schema;
    Bytes copy = schema_set_copy(arena, set);
    CHECK(copy.size <= set.size);
    Result r = schema_load(arena, copy, "copy", &schema);
    CHECK(failed(r) == !good);
    if (failed(r))
        error_ignore(r, "the set is as bad");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const Schema *schema;
    const MappingSet *set;
    Result r = schema_load(arena, bytes(data, size), "fuzz", &schema);
    load_copy(arena, bytes(data, size), !failed(r));
    if (!failed(r)) {
        r = mapping_set_identity(arena, schema, &set);
        CHECK(!failed(r));
        for (uint32_t i = 0; i < schema->n_messages && i < 20; i++) {
            CHECK(schema_message(schema, bytes_of(schema->messages[i].full_name)) ==
                  &schema->messages[i]);
            const SchemaFile *file =
                schema_file_with(schema, bytes_of(schema->messages[i].full_name));
            CHECK(file && schema_file(schema, bytes_of(file->name)) == file);
            CHECK(message_same_wire(&schema->messages[i], &schema->messages[i]));
            compile(arena, set, set->mappings[i], CODEC_JSON, CODEC_PROTO);
            compile(arena, set, set->mappings[i], CODEC_PROTO, CODEC_JSON);
        }
    }
    arena_free(arena);
    return 0;
}
