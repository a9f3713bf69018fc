#include "adapters/details/details.h"

#include "adapters/mapping/path_rewrite.h"
#include "adapters/program/program.h"
#include "adapters/schema/wire.h"

enum { STATUS_DETAILS = 3, ANY_TYPE = 1, ANY_VALUE = 2, VIOLATIONS = 1, VIOLATION_FIELD = 1 };

typedef struct DetailsConversion {
    const Plan *any;
    const Mapping *request;
    Arena *arena;
    DetailsRun *run;
} DetailsConversion;

/* ---- The fields that a BadRequest names ------------------------------------------------------ */

static void add_violation(Bytes violation, Bytes path, Buffer *out)
{
    Buffer renamed = buffer_in(out->arena);
    WireReader reader = wire_reader(violation);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == VIOLATION_FIELD && f.type == WIRE_LENGTH)
            wire_add_bytes(&renamed, VIOLATION_FIELD, path);
        else
            buffer_add_bytes(&renamed, f.record);
    }
    out->full |= renamed.full;
    wire_add_bytes(out, VIOLATIONS, buffer_bytes(&renamed));
}

/* If several fields are made from the field of the violation, each of them gets a violation. */
static void rename_violation(const DetailsConversion *c, const WireField *violation, Buffer *out)
{
    Bytes path = BYTES_NONE;
    WireReader reader = wire_reader(violation->bytes);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == VIOLATION_FIELD && f.type == WIRE_LENGTH)
            path = f.bytes;
    }
    PathRewrite rewrite = path_rewrite_in(c->arena);
    if (reader.bad || !path.size || !path_rewrite(&rewrite, c->request, path) || rewrite.full) {
        buffer_add_bytes(out, violation->record);
        return;
    }
    out->full |= rewrite.paths.full;
    WireReader paths = wire_reader(buffer_bytes(&rewrite.paths));
    for (WireField f; wire_next(&paths, &f);)
        add_violation(violation->bytes, f.bytes, out);
}

/* Rewrites an Any with a google.rpc.BadRequest. False: malformed. */
static bool rename_fields(const DetailsConversion *c, Bytes type, Bytes value, Buffer *any_out)
{
    Buffer renamed = buffer_in(c->arena);
    WireReader reader = wire_reader(value);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == VIOLATIONS && f.type == WIRE_LENGTH)
            rename_violation(c, &f, &renamed);
        else
            buffer_add_bytes(&renamed, f.record);
    }
    wire_add_bytes(any_out, ANY_TYPE, type);
    wire_add_bytes(any_out, ANY_VALUE, buffer_bytes(&renamed));
    any_out->full |= renamed.full;
    return !reader.bad;
}

/* ---- One detail ------------------------------------------------------------------------------ */

/* Whether another type is converted to the client's type with this name. */
static bool is_clients_own(const DetailsConversion *c, Bytes type)
{
    const MappingSet *types = c->any->set->options.types;
    Bytes name = any_type_name(type);
    for (uint32_t i = 0; types && i < types->n_mappings; i++) {
        if (bytes_are(name, types->mappings[i]->to->full_name))
            return true;
    }
    return false;
}

static void add_unconverted(const DetailsConversion *c, Bytes type, const WireField *detail,
                            Result why, Buffer *out)
{
    bool kept = !is_clients_own(c, type);
    if (c->run->on_unconverted)
        c->run->on_unconverted(c->run->owner, any_type_name(type), kept, why);
    if (kept)
        buffer_add_bytes(out, detail->record);
}

static Result convert_detail(const DetailsConversion *c, const WireField *detail, Buffer *out)
{
    Bytes type = BYTES_NONE, value = BYTES_NONE;
    WireReader reader = wire_reader(detail->bytes);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == ANY_TYPE && f.type == WIRE_LENGTH)
            type = f.bytes;
        if (f.number == ANY_VALUE && f.type == WIRE_LENGTH)
            value = f.bytes;
    }
    Buffer converted = buffer_in(c->arena);
    if (c->request && bytes_are(any_type_name(type), "google.rpc.BadRequest") &&
        rename_fields(c, type, value, &converted)) {
        wire_add_bytes(out, STATUS_DETAILS, buffer_bytes(&converted));
        out->full |= converted.full;
        return OK;
    }
    if (!c->any || !type.size) {
        buffer_add_bytes(out, detail->record);
        return OK;
    }
    converted.size = 0;
    PlanInput input = {.bytes = detail->bytes};
    Result r = plan_run(c->any, &input, c->arena, &converted, &c->run->plan);
    if (failed(r) && r.error->fault == &FAULT_OUT_OF_MEMORY)
        return r;
    if (failed(r))
        add_unconverted(c, type, detail, r, out);
    else if (converted.size || !detail->bytes.size) /* else the list drops it */
        wire_add_bytes(out, STATUS_DETAILS, buffer_bytes(&converted));
    return OK;
}

Result details_convert(const Plan *any, const Mapping *request, Bytes status, Arena *arena,
                       DetailsRun *run, Bytes *status_out)
{
    DetailsConversion c = {.any = any, .request = request, .arena = arena, .run = run};
    Buffer out = buffer_in(arena);
    Result r = OK;
    WireReader reader = wire_reader(status);
    for (WireField f; !failed(r) && wire_next(&reader, &f);) {
        if (f.number == STATUS_DETAILS && f.type == WIRE_LENGTH)
            r = convert_detail(&c, &f, &out);
        else
            buffer_add_bytes(&out, f.record);
    }
    *status_out = reader.bad ? status : buffer_bytes(&out);
    if (!failed(r) && out.full)
        r = FAIL(arena, FAULT_OUT_OF_MEMORY, "converting %zu bytes of error details", status.size);
    return r;
}

/* ---- Leaving some out ------------------------------------------------------------------------ */

static bool is_among(const char *const *types, Bytes any)
{
    Bytes name = any_type_name(wire_find_bytes(any, ANY_TYPE));
    for (; *types; types++)
        if (bytes_are(name, *types))
            return true;
    return false;
}

Result details_keep(const char *const *types, Bytes status, Arena *arena, Bytes *status_out)
{
    Buffer out = buffer_in(arena);
    WireReader reader = wire_reader(status);
    for (WireField f; wire_next(&reader, &f);)
        if (f.number != STATUS_DETAILS || is_among(types, f.bytes))
            buffer_add_bytes(&out, f.record);
    *status_out = reader.bad ? BYTES_NONE : buffer_bytes(&out);
    return out.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "leaving out details of an error") : OK;
}

/* ---- As JSON --------------------------------------------------------------------------------- */

static bool run_plan(const Plan *any, Bytes from, Arena *arena, Buffer *out)
{
    PlanInput input = {.bytes = from};
    Result r = plan_run(any, &input, arena, out, NULL);
    error_ignore(r, "the error that the detail is of is worth more");
    return !failed(r) && !out->full;
}

bool detail_to_json(const Plan *any, Bytes detail, Arena *arena, Buffer *json)
{
    size_t before = json->size;
    bool good = run_plan(any, detail, arena, json);
    if (!good)
        json->size = before;
    return good;
}

bool detail_from_json(const Plan *any, Bytes json, Arena *arena, Bytes *detail_out)
{
    Buffer detail = buffer_in(arena), whole = buffer_in(arena);
    bool good = run_plan(any, json, arena, &detail) && detail.size;
    if (!good) {
        buffer_add_text(&whole,
                        "{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":");
        buffer_add_bytes(&whole, json);
        buffer_add_byte(&whole, '}');
        detail = buffer_in(arena);
        good = run_plan(any, buffer_bytes(&whole), arena, &detail);
    }
    *detail_out = buffer_bytes(&detail);
    return good;
}
