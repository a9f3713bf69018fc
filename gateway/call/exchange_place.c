/* Where a call belongs: to one instance, by affinity (choose.h); to an arm of a rollout, by its
   client. */
#include "gateway/call/client_internal.h"

#include "adapters/paths/field_value.h"
#include "gateway/headers/baggage.h"
#include "gateway/log_output/log_fields.h"

static bool key_of_header(const Exchange *x, const char *name, uint32_t *hash_out)
{
    Bytes value = x->call.head ? fields_get(x->call.head, name) : BYTES_NONE;
    *hash_out = ring_key(value);
    return value.size > 0;
}

/* The address of an anonymous client; one that has a name is the same at all of its addresses, for
   all gateways. */
static bool key_of_client(const Exchange *x, uint32_t *hash_out)
{
    Bytes name = x->identity->name;
    *hash_out = ring_key(name.size ? name : bytes(x->client.bytes, sizeof x->client.bytes));
    return name.size || x->client.known;
}

/* A message that cannot be read is told when it is converted. Large JSON would hold the loop.
   `plan`: from JSON to protobuf. What is read is in the arena, or it is the message. */
static bool read_message(Exchange *x, Message message, const Plan *plan, Arena *arena,
                         Bytes *read_out)
{
    bool is_json = x->call.codec == CODEC_JSON;
    Conversion c = {.arena = arena, .reader = exchange_reader(x)};
    if (is_json && message.bytes.size > x->config->limits.work_bytes)
        return false;
    Result r = exchange_read_with(x, message, is_json ? plan : NULL, &c, read_out);
    if (failed(r))
        error_ignore(r, "it is as if no field were set");
    return !failed(r);
}

/* A stream has no message yet. */
bool exchange_read_field(Exchange *x, const FieldType *const *path, const Plan *plan, Arena *arena,
                         WireField *found_out)
{
    Bytes message;
    return path && x->has_message && read_message(x, x->message, plan, arena, &message) &&
           field_find(path, message, found_out);
}

void exchange_note_fields(Exchange *x, Message message)
{
    CallRecord *record = &x->record;
    Bytes read;
    if (!record->notes)
        record->notes = arena_make(x->arena, CallNotes);
    if (!record->notes || record->notes->has_fields)
        return;
    record->notes->has_fields = true;
    Arena *arena = exchange_arena_new(x);
    Buffer fields = buffer_in(x->arena);
    if (read_message(x, message, x->method->extras->log_fields->to_proto, arena, &read))
        log_fields_write(x->method->extras->log_fields, read, &fields);
    if (!fields.full)
        record->notes->fields = buffer_bytes(&fields);
    arena_free(arena);
}

static bool key_of_field(Exchange *x, uint32_t *hash_out)
{
    WireField field;
    Arena *arena = exchange_arena_new(x);
    bool found = x->method && exchange_read_field(x, x->method->extras->key,
                                                  x->method->extras->to_key, arena, &field);
    if (found)
        *hash_out = ring_key(field.type == WIRE_LENGTH ? field.bytes
                                                       : bytes(&field.value, sizeof field.value));
    arena_free(arena);
    return found;
}

void exchange_find_key(Exchange *x)
{
    const Affinity *affinity = &x->route->affinity;
    uint32_t hash = 0;
    bool found = false;
    switch (affinity->by) {
    case AFFINITY_NONE: return;
    case AFFINITY_HEADER: found = key_of_header(x, affinity->name, &hash); break;
    case AFFINITY_FIELD: found = key_of_field(x, &hash); break;
    case AFFINITY_CLIENT: found = key_of_client(x, &hash); break;
    }
    if (found)
        x->key = (PickKey){.hash = hash, .bound = affinity->bound};
}

/* ---- Arms of rollouts ------------------------------------------------------------------------ */

static const Service *service_of(const Exchange *x)
{
    if (x->only)
        return NULL;
    return x->method ? x->method->version->service : x->route->service;
}

/* Whether the candidate can serve the call at all, and whoever asks for its version gets it. */
static bool is_part_of(const RolloutDefinition *rollout, const Exchange *x)
{
    if (!rollout->version)
        return true;
    return x->method && x->method->version != rollout->version &&
           x->method->pairs[rollout->version->index].target;
}

/* The rollout that the call is a part of; NULL: none. */
static const RolloutDefinition *rollout_of(const Exchange *x)
{
    const Service *service = service_of(x);
    const RolloutDefinition *rollout = service ? service->rollout : NULL;
    return rollout && is_part_of(rollout, x) ? rollout : NULL;
}

/* A text, or a whole number as one. */
static Bytes text_of_field(Exchange *x)
{
    WireField field;
    const Method *method = x->method;
    if (!method || !exchange_read_field(x, method->extras->cohort_key,
                                        method->extras->to_cohort_key, x->arena, &field))
        return BYTES_NONE;
    if (field.type == WIRE_LENGTH)
        return field.bytes;
    return bytes_of(arena_printf(x->arena, "%lld", (long long)field.value));
}

static CohortClient client_of_rollout(Exchange *x, const RolloutDefinition *rollout)
{
    bool is_own = rollout == rollout_of(x);
    CohortEvidence evidence = {
        .config = x->config,
        .identity = x->identity,
        .recorded = x->record.client,
        .head = x->call.head,
        .field = is_own && rollout->cohort.field ? text_of_field(x) : BYTES_NONE,
    };
    return cohort_client_find(&rollout->cohort, &evidence, x->arena);
}

/* ---- Told by whoever is in front ------------------------------------------------------------- */

/* "-" if there are none. */
#define NOBODYS BAGGAGE_CANDIDATES "=-"

static Bytes number_of(const RolloutDefinition *rollout)
{
    return bytes_slice(rollout->told, strlen(BAGGAGE_CANDIDATES "="), SIZE_MAX);
}

static bool is_listed(Bytes list, const RolloutDefinition *rollout)
{
    Bytes each, number = number_of(rollout);
    while (bytes_split(&list, '.', &each))
        if (bytes_equal(each, number))
            return true;
    return false;
}

/* What was decided where the request came in holds for all that it leads to, as long as the
   candidate has clients at all. */
static void obey(Exchange *x, const RolloutDefinition *rollout, Bytes told, CohortPlace *place)
{
    bool candidate = is_listed(told, rollout) && !cohort_is_over(x->loop, rollout);
    place->judged &= candidate == (place->arm == COHORT_CANDIDATE);
    place->arm = candidate ? COHORT_CANDIDATE : COHORT_BASELINE;
}

static void add_number(Buffer *list, Bytes told, const RolloutDefinition *rollout)
{
    if (!list->size)
        buffer_add_bytes(list, told);
    buffer_add_byte(list, '.');
    buffer_add_bytes(list, number_of(rollout));
}

static Fields *sent_fields(Exchange *x)
{
    return x->kind == &KIND_OPAQUE ? &client_of(x)->opaque_head->fields : &x->call.metadata;
}

void exchange_withhold_baggage(Exchange *x)
{
    const Service *service = service_of(x);
    if (service && service->no_baggage)
        fields_remove(sent_fields(x), BAGGAGE_FIELD);
}

/* The arms of all rollouts, for instances. */
static void tell_arms(Exchange *x, const RolloutDefinition *own)
{
    Fields *fields = sent_fields(x);
    Buffer list = buffer_in(x->arena); /* of several */
    Bytes told = BYTES_NONE;           /* of one */
    for (uint32_t i = 0; i < x->config->n_rollouts; i++) {
        const RolloutDefinition *rollout = &x->config->rollouts[i];
        CohortClient client;
        if (rollout != own)
            client = client_of_rollout(x, rollout);
        CohortPlace place =
            rollout == own ? x->cohort->place : cohort_look(x->loop, rollout, &client);
        if (place.arm != COHORT_CANDIDATE)
            continue;
        if (told.size)
            add_number(&list, told, rollout);
        else
            told = rollout->told;
    }
    if (!told.size)
        told = bytes_of(NOBODYS);
    if (!list.full)
        fields_add(fields, bytes_of(BAGGAGE_FIELD), list.size ? buffer_bytes(&list) : told);
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* Whoever has followed a stream to its candidate is to call again. */
static void on_rollback(CohortStream *stream)
{
    CohortCall *call = (CohortCall *)((char *)stream - offsetof(CohortCall, stream));
    Exchange *x = call->x;
    call->place.arm = COHORT_BASELINE;
    call->place.judged = false;
    exchange_run(x, exchange_fail(x, FAIL(x->arena, FAULT_ROLLED_BACK, "%s has no clients any more",
                                          rollout_of(x)->name)));
}

static void find_own(Exchange *x, const RolloutDefinition *rollout, Bytes told)
{
    CohortCall *call = arena_make(x->arena, CohortCall);
    if (!call)
        return;
    CohortClient client = client_of_rollout(x, rollout);
    call->x = x;
    if (told.data) {
        call->place = cohort_look(x->loop, rollout, &client);
        obey(x, rollout, told, &call->place);
    } else {
        call->place = cohort_find(x->loop, rollout, &client);
    }
    x->cohort = call;
    if (call->place.arm == COHORT_CANDIDATE && (!x->method || x->kind->streams)) {
        call->stream = (CohortStream){.rollout = rollout->id, .on_rollback = on_rollback};
        cohort_follow(x->loop, &call->stream);
    }
}

void exchange_find_arm(Exchange *x)
{
    const RolloutDefinition *own = rollout_of(x);
    if (x->arms_found || exchange_is_bare(x))
        return;
    x->arms_found = true;
    Bytes told = x->call.head ? baggage_find(x->call.head, BAGGAGE_CANDIDATES) : BYTES_NONE;
    if (own)
        find_own(x, own, told);
    if (!told.data && (!own || x->cohort))
        tell_arms(x, own);
}

/* ---- Being served ---------------------------------------------------------------------------- */

static bool is_served_by_candidate(const Exchange *x)
{
    const CohortCall *call = x->cohort;
    return (call->place.arm == COHORT_CANDIDATE) != call->away;
}

bool exchange_wants_candidate(const Exchange *x)
{
    return rollout_of(x)->build && is_served_by_candidate(x);
}

uint64_t exchange_versions_barred(const Exchange *x, bool older)
{
    const RolloutDefinition *rollout = rollout_of(x);
    uint64_t candidate = rollout->version ? UINT64_C(1) << rollout->version->index : 0;
    if (!candidate || (older && is_served_by_candidate(x)))
        return 0;
    return is_served_by_candidate(x) ? ~candidate : candidate;
}

/* The lists of an arm: of a version these are its own, and those of all others. */
static uint64_t lists_of(const RolloutDefinition *rollout, bool candidate)
{
    if (!rollout->version)
        return rollout->service->n_versions ? UINT64_MAX >> (64 - rollout->service->n_versions) : 1;
    uint64_t version = UINT64_C(1) << rollout->version->index;
    uint64_t all = UINT64_MAX >> (64 - rollout->service->n_versions);
    return candidate ? version : all & ~version;
}

/* The candidate's clients do not suffer from its absence. Those of the baseline get the candidate
   only where there is nothing else at all. */
bool exchange_leaves_arm(Exchange *x)
{
    CohortCall *call = x->cohort;
    const RolloutDefinition *rollout = rollout_of(x);
    const Service *service = rollout->service;
    bool candidate = call->place.arm == COHORT_CANDIDATE;
    uint64_t lists = lists_of(rollout, candidate);
    if (call->away)
        return false;
    call->away = candidate ? !pick_may_answer(x->loop, service, lists, rollout->build != NULL)
                           : !pick_has_any(x->loop, service, lists, false);
    return call->away;
}

/* ---- What has become of it ------------------------------------------------------------------- */

static bool is_blamed(const CallRecord *record)
{
    return record->why.error->fault == &FAULT_UPSTREAM_STATUS;
}

static bool was_slow(const Exchange *x, const RolloutDefinition *rollout)
{
    const Attempt *chosen = x->chosen;
    if (!chosen || !chosen->record.headed || !exchange_is_unary(x) || x->own_response)
        return false;
    return cohort_is_slow(x->loop, x->config, rollout, x->method, (CohortArm)x->cohort->place.arm,
                          chosen->record.headed - x->first.record.began);
}

/* Bits of RolloutMetric. Mistakes of the client that the gateway has found say nothing of an arm.
 */
static uint32_t failed_metrics(const Exchange *x, const RolloutDefinition *rollout)
{
    const CallRecord *record = &x->record;
    uint32_t bad = 0;
    if (record->n_losses || record->degraded)
        bad |= 1u << ROLLOUT_LOSSES;
    if (record->status.code == CODE_OK)
        return was_slow(x, rollout) ? bad | 1u << ROLLOUT_LATENCY : bad;
    if (!failed(record->why) || telemetry_side(record) != SIDE_CLIENT)
        return bad | 1u << ROLLOUT_FAILURES;
    return is_blamed(record) ? bad | 1u << ROLLOUT_CALLER_BLAMED : bad;
}

void exchange_count_arm(Exchange *x)
{
    const RolloutDefinition *rollout = rollout_of(x);
    const CohortCall *call = x->cohort;
    if (!x->first.pick.instance)
        return; /* no arm has had to do with it */
    x->record.arm = call->away                            ? ARM_INSTEAD
                    : call->place.arm == COHORT_CANDIDATE ? ARM_CANDIDATE
                                                          : ARM_BASELINE;
    if (!call->away)
        cohort_count(x->loop, rollout, &call->place, failed_metrics(x, rollout));
    else if (call->place.arm == COHORT_CANDIDATE)
        cohort_count_unserved(x->loop, rollout, &call->place);
}
