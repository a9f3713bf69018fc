/* Any bytes as a FileDescriptorSet: a Schema whose every message can be mapped to itself, or an
   error. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const Schema *schema;
    const MappingSet *set;
    Result r = schema_load(arena, bytes(data, size), "fuzz", &schema);
    if (!failed(r)) {
        r = mapping_set_identity(arena, schema, &set);
        CHECK(!failed(r));
        for (uint32_t i = 0; i < schema->n_messages && i < 20; i++) {
            CHECK(schema_message(schema, bytes_of(schema->messages[i].full_name)) ==
                  &schema->messages[i]);
            CHECK(message_same_wire(&schema->messages[i], &schema->messages[i]));
            compile(arena, set, set->mappings[i], CODEC_JSON, CODEC_PROTO);
            compile(arena, set, set->mappings[i], CODEC_PROTO, CODEC_JSON);
        }
    }
    arena_free(arena);
    return 0;
}
