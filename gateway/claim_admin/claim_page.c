#include "gateway/claim_admin/claim_page.h"

#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/redaction/redaction.h"
#include "gateway/store/seal.h"

enum { PRINT_HEAD = 8 /* bytes of a fingerprint that are shown */ };

ClaimState stored_claim_state(const StoredClaim *claim, int64_t wall)
{
    bool is_over = claim->state == CLAIM_RUNNING && wall > claim->until;
    return is_over ? CLAIM_UNKNOWN : claim->state;
}

const char *claim_state_name(ClaimState state)
{
    switch (state) {
    case CLAIM_RUNNING: return "running";
    case CLAIM_DONE: return "done";
    case CLAIM_UNKNOWN: return "unknown";
    }
    return "unknown"; /* a later gateway's */
}

static void add_text(Buffer *out, const char *name, Bytes text)
{
    if (text.size)
        json_text_add_member(out, name, text);
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    if (wall > 0)
        json_text_add_time(out, name, wall / SECOND, (int32_t)(wall % SECOND));
}

/* ---- The response ---------------------------------------------------------------------------- */

static const Method *method_in(const Version *version, Bytes path)
{
    for (uint32_t i = 0; i < version->n_methods; i++)
        if (bytes_are(path, version->methods[i].type->path))
            return &version->methods[i];
    return NULL;
}

/* The method in the client's version. NULL: the config does not have it any more. */
static const Method *method_of(const Config *config, const ClaimRecord *record)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t j = 0; j < service->n_versions; j++) {
            const Version *version = &service->versions[j];
            const Method *method = bytes_are(record->prints[0].version, version->name)
                                       ? method_in(version, record->method)
                                       : NULL;
            if (method)
                return method;
        }
    }
    return NULL;
}

/* The same in the version that served it. */
static const Method *served_of(const Method *method, Bytes name)
{
    const Version *version = service_version(method->version->service, name);
    if (!version)
        return NULL;
    return version == method->version ? method : method->pairs[version->index].target;
}

static Result message_as_json(const Method *served, const ClaimResponse *response, Buffer *json)
{
    const Plan *plan = served->pairs[served->version->index].response[response->codec][CODEC_JSON];
    if (plan)
        return plan_run(plan, &(PlanInput){.bytes = response->message}, json->arena, json, NULL);
    if (response->codec != CODEC_JSON)
        return FAIL(json->arena, FAULT_STORE_DAMAGED, "the config has no plan that shows it");
    buffer_add_bytes(json, response->message);
    return OK;
}

/* Says instead why it cannot be shown. */
static void add_message(const Method *method, const ClaimResponse *response, Buffer *out)
{
    const Method *served = method ? served_of(method, response->version) : NULL;
    Buffer json = buffer_in(out->arena);
    if (!served) {
        json_text_add_member(out, "unreadable",
                             bytes_of("the config does not have its method in that version"));
        return;
    }
    Result r = message_as_json(served, response, &json);
    if (failed(r)) {
        json_text_add_member(out, "unreadable", bytes_of(error_text(out->arena, r)));
        return;
    }
    json_text_add_key(out, "response");
    buffer_add_bytes(out, buffer_bytes(&json));
}

static void add_response(const Config *config, const ClaimRecord *record, Buffer *out)
{
    const ClaimResponse *response = &record->response;
    if (!response->version.size)
        return;
    json_text_add_member(out, "served_version", response->version);
    json_text_add_member(out, "code", bytes_of(code_name(response->status.code)));
    add_time(out, "responded", response->at);
    add_text(out, "operation", response->job);
    add_text(out, "message", response->status.message);
    if (response->too_large)
        json_text_add_member(out, "unreadable",
                             bytes_of("it was too large to be kept (response_bytes)"));
    else if (response->status.code == CODE_OK)
        add_message(method_of(config, record), response, out);
}

/* ---- The record ------------------------------------------------------------------------------ */

static void add_prints(const ClaimRecord *record, Buffer *out)
{
    json_text_add_key(out, "fingerprints");
    buffer_add_byte(out, '{');
    for (uint32_t i = 0; i < record->n_prints; i++) {
        Buffer head = buffer_in(out->arena);
        for (size_t k = 0; k < PRINT_HEAD; k++)
            buffer_printf(&head, "%02x", record->prints[i].print.bytes[k]);
        json_text_add_member(out, arena_text(out->arena, record->prints[i].version),
                             buffer_bytes(&head));
    }
    buffer_add_byte(out, '}');
}

static void add_content(const Config *config, const StoredClaim *claim, Buffer *out)
{
    SealPlace place = {"idempotency", "content", claim->id};
    ClaimRecord record = {.n_prints = 0};
    Bytes text;
    Result r = unseal(&config->store.keys, &place, claim->content, out->arena, &text);
    if (!failed(r))
        r = claim_record_read(text, out->arena, &record);
    if (failed(r)) {
        json_text_add_member(out, "unreadable", bytes_of(error_text(out->arena, r)));
        return;
    }
    add_text(out, "method", record.method);
    json_text_add_member(out, "version", record.prints[0].version);
    add_prints(&record, out);
    add_response(config, &record, out);
}

static void add_record(const Config *config, const StoredClaim *claim, int64_t wall, Buffer *out)
{
    ClaimState state = stored_claim_state(claim, wall);
    buffer_add_byte(out, '{');
    json_text_add_member(out, "client", claim->client);
    json_text_add_member(out, "state", bytes_of(claim_state_name(state)));
    json_text_add_member(out, "node", claim->node);
    add_time(out, "since", claim->at);
    if (state == CLAIM_RUNNING)
        add_time(out, "until", claim->until);
    add_time(out, "expires", claim->expires);
    add_content(config, claim, out);
    buffer_add_byte(out, '}');
}

void claim_page_write(const Config *config, const StoredClaim *claims, uint32_t n, int64_t wall,
                      Buffer *out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    buffer_add_text(&page, "{\"records\":[");
    for (uint32_t i = 0; i < n; i++) {
        json_text_add_element(&page);
        add_record(config, &claims[i], wall, &page);
    }
    buffer_add_text(&page, "]}");
    redact_job(buffer_bytes(&page), config->ledger.redact, out);
    arena_free(arena);
}
