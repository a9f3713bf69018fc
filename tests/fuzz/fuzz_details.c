/* Error details of any kind: a status for another version's client, a detail as JSON, and JSON as a
   detail. What comes out is well-formed, nothing is dropped without a word, and an error never
   fails by its details. */
#include "adapters/changes/changes.h"
#include "adapters/compile/plan_compile.h"
#include "adapters/details/details.h"
#include "adapters/mapping/error_types.h"
#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "tests/unit/adapters/errors_changes.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    const Plan *down, *to_json,
        *from_json; /* of "Errors" in changes.proto; JSON of its new version */
    const Mapping *request;
} plans;

static void must(Arena *arena, Result r)
{
    if (failed(r)) {
        fprintf(stderr, "%s\n", error_text(arena, r));
        abort();
    }
}

static const Plan *plan_of(Arena *arena, Codec from, Codec to, const MappingSet *types,
                           const MappingSet *common)
{
    const Plan *plan;
    PlanOptions options = {
        .from = from, .to = to, .unknown = UNKNOWN_COUNT, .types = types, .common_types = common};
    must(arena, plan_compile_any(arena, &options, &plan));
    return plan;
}

static void prepare(void)
{
    static Arena *arena; /* reachable, so that it counts as no leak */
    arena = arena_new(ARENA_UNLIMITED);
    const Schema *schema;
    const ChangeList *list;
    const MappingSet *down, *same, *common;
    must(arena, schema_load_file(arena, SCHEMAS "changes.binpb", &schema));
    Problems problems = problems_in(arena);
    ChangeSide from = {"v1", schema, "changes.Errors.Old"},
               to = {"v2", schema, "changes.Errors.New"};
    must(arena, changes_load(arena, bytes_of("from: v1\nto: v2\n" ERRORS_CHANGES), "list.yaml",
                             &from, &to, &problems, &list));
    must(arena, changes_compose(arena, &list, 1, false, &problems, &down));
    must(arena, mapping_set_identity(arena, schema, &same));
    must(arena, error_types_load(arena, &common));
    plans.down = plan_of(arena, CODEC_PROTO, CODEC_PROTO, down, common);
    plans.to_json = plan_of(arena, CODEC_PROTO, CODEC_JSON, same, common);
    plans.from_json = plan_of(arena, CODEC_JSON, CODEC_PROTO, same, common);
    plans.request =
        mapping_set_find(down, schema_message(schema, bytes_of("changes.Errors.New.Request")));
}

static bool is_json(Bytes text, Arena *arena)
{
    JsonCursor cursor = json_cursor(text, arena);
    json_cursor_skip(&cursor);
    return json_cursor_finish(&cursor);
}

static unsigned count_details(Bytes status, bool *bad_out)
{
    unsigned n = 0;
    WireReader reader = wire_reader(status);
    for (WireField f; wire_next(&reader, &f);)
        n += f.number == 3 && f.type == WIRE_LENGTH;
    *bad_out = reader.bad;
    return n;
}

static void count_left_out(void *owner, Bytes type, bool kept, Result why)
{
    *(unsigned *)owner += !kept;
}

static void convert_status(Bytes status, Arena *arena)
{
    Bytes out;
    unsigned left_out = 0;
    bool bad, bad_after;
    DetailsRun run = {.on_unconverted = count_left_out, .owner = &left_out};
    must(arena, details_convert(plans.down, plans.request, status, arena, &run, &out));
    unsigned before = count_details(status, &bad), after = count_details(out, &bad_after);
    CHECK(bad == bad_after);
    /* What is not there any more was told: left out, or let go by the list, which counts a loss. */
    CHECK(bad || (after <= before && after + left_out + run.plan.n_losses >= before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!plans.down)
        prepare();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes input = bytes(data, size), detail;
    Buffer json = buffer_in(arena);
    convert_status(input, arena);
    CHECK(!detail_to_json(plans.to_json, input, arena, &json) ||
          is_json(buffer_bytes(&json), arena));
    if (detail_from_json(plans.from_json, input, arena, &detail)) {
        json.size = 0;
        CHECK(detail_to_json(plans.to_json, detail, arena, &json));
        CHECK(is_json(buffer_bytes(&json), arena));
        Buffer status = buffer_in(arena);
        wire_add_bytes(&status, 3, detail);
        convert_status(buffer_bytes(&status), arena);
    }
    arena_free(arena);
    return 0;
}
