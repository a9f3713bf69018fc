/* One message of an exchange through a plan; the details of a service's error, for a client of
   another version or codec; and both messages of a call that has ended, for a copy of it. */
#include "adapters/details/details.h"
#include "adapters/paths/parameter_path.h"
#include "adapters/schema/message_check.h"
#include "base/text/json_text.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/rest/http_body.h"
#include "gateway/rest/rest_request.h"
#include "gateway/rest/update_mask.h"
#include "gateway/usage/usage_fields.h"

enum { LOST_NAMES = 512 /* bytes of names that an answer's head carries at most */ };

/* Whether the list "Order.comment, Item.gift" has the name. */
static bool is_listed(Bytes list, Bytes name)
{
    while (list.size) {
        size_t end = bytes_find(list, ',');
        if (bytes_equal(bytes_slice(list, 0, end), name))
            return true;
        list = bytes_slice(list, end + 2, list.size);
    }
    return false;
}

Losses losses_in(Arena *arena, Config *config)
{
    return (Losses){.config = config, .names = buffer_in(arena)};
}

static void name_once(Losses *losses, Bytes path)
{
    if (losses->names.size >= LOST_NAMES || is_listed(buffer_bytes(&losses->names), path))
        return;
    if (losses->names.size)
        buffer_add_text(&losses->names, ", ");
    buffer_add_bytes(&losses->names, path);
}

void losses_name(Losses *losses, Bytes path)
{
    losses->n++;
    name_once(losses, path);
}

/* A default for an absent field is counted, but not listed as lost. */
void losses_on_loss(void *owner, const Loss *loss)
{
    Losses *losses = owner;
    atomic_fetch_add_explicit(&losses->config->loss_counts[loss->index], 1, memory_order_relaxed);
    if (loss->kind != LOSS_DEFAULTED)
        losses_name(losses, bytes_of(loss->path));
}

void losses_add(Losses *losses, const Losses *more)
{
    Bytes names = buffer_bytes(&more->names), name;
    losses->n += more->n;
    while (bytes_split(&names, ',', &name))
        name_once(losses, bytes_trim(name));
}

static Result run_plan(const Plan *plan, const PlanInput *input, PlanRun *run, Conversion *c,
                       Bytes *converted_out)
{
    Buffer out = buffer_in(c->arena);
    run->on_loss = losses_on_loss;
    run->owner = c->losses;
    Result r = plan_run(plan, input, c->arena, &out, run);
    c->n_unknown += run->n_unknown;
    *converted_out = buffer_bytes(&out);
    return r;
}

enum {
    BATCH = 64 * 1024, /* bytes of messages that are converted before they are sent on */
    SPARE = 64,        /* by which a small one may grow */
};

/* Converts messages of the run up to the size of a batch, and frames them. If one fails, those
   before it are in the result. What the conversion of one needs besides is thrown away before the
   next; of a single one, with the result. */
static Result run_plan_on_run(Exchange *x, const Plan *plan, MessageRun *run, bool of_client,
                              MessageRun *converted_out)
{
    PlanRun report = {.on_loss = losses_on_loss, .owner = &x->losses, .all_mistakes = of_client};
    Buffer out = buffer_in(exchange_scratch(x));
    Arena *each = run->n > 1 ? exchange_arena_new(x) : NULL;
    PlanSeries series;
    Bytes message;
    Result r = OK;
    uint32_t n = 0;
    plan_series_begin(&series, plan, each ? each : out.arena, &out, &report);
    buffer_reserve(&out, run->frames.size < BATCH ? run->frames.size * 5 / 4 + SPARE : BATCH);
    for (; out.size < BATCH && message_run_next(run, &message); n++) {
        size_t at = message_frame_begin(&out);
        if (each)
            arena_reset(each);
        r = plan_series_next(&series, message);
        if (!failed(r))
            r = message_frame_end(&out, at);
        if (failed(r)) {
            out.size = at;
            break;
        }
    }
    x->record.n_unknown += report.n_unknown;
    *converted_out = (MessageRun){buffer_bytes(&out), n};
    r = failed(r) ? error_copy(x->arena, r) : OK;
    arena_free(each);
    return r;
}

bool exchange_copies(const Plan *plan)
{
    return !plan || plan_is_copy(plan);
}

static Result request_failed(const Attempt *attempt, Arena *arena, Result r)
{
    const Exchange *x = attempt->exchange;
    if (!failed(r) || x->version.client == attempt->pick.served)
        return r;
    return FAIL_OVER(arena, r, *r.error->fault, "converting %s of %s to %s",
                     x->method->type->input->name, x->version.client->name,
                     attempt->pick.served->name);
}

const Fault *exchange_answer_fault(const Fault *why)
{
    if (why == &FAULT_OUT_OF_MEMORY)
        return why;
    bool readable = why == &FAULT_CANNOT_CONVERT || why == &FAULT_FIELD_REQUIRED;
    return readable ? &FAULT_UPSTREAM_CONVERT : &FAULT_UPSTREAM_MESSAGE;
}

static Result answer_failed(const Attempt *attempt, Arena *arena, Result r)
{
    if (!failed(r))
        return r;
    return FAIL_OVER(arena, r, *exchange_answer_fault(r.error->fault), "converting %s of %s to %s",
                     attempt->pick.pair->target->type->output->name, attempt->pick.served->name,
                     attempt->reply_version->name);
}

static MessageRun take_all(MessageRun *run)
{
    MessageRun all = *run;
    *run = (MessageRun){.n = 0};
    return all;
}

Result attempt_convert_requests(Attempt *attempt, MessageRun *run, MessageRun *converted_out)
{
    const Plan *plan = attempt->request_plan;
    if (!exchange_copies(plan))
        return request_failed(attempt, attempt->exchange->arena,
                              run_plan_on_run(attempt->exchange, plan, run, true, converted_out));
    *converted_out = take_all(run);
    return OK;
}

Result attempt_convert_answers(Attempt *attempt, MessageRun *run, MessageRun *converted_out)
{
    const Plan *plan = attempt->response_plan;
    if (!exchange_copies(plan))
        return answer_failed(attempt, attempt->exchange->arena,
                             run_plan_on_run(attempt->exchange, plan, run, false, converted_out));
    *converted_out = take_all(run);
    return OK;
}

static Result open_message(Conversion *c, Message *message)
{
    if (!message->compressed)
        return OK;
    message->compressed = false;
    return message_reader_decompress(c->reader, message->bytes, c->arena, &message->bytes);
}

/* The request of the client's version, as protobuf that its rules allow. */
static Result apply_rules(const Exchange *x, const PlanInput *input, Conversion *c,
                          Bytes *checked_out)
{
    const Method *method = x->method;
    bool json = x->call.codec == CODEC_JSON;
    Buffer rest = buffer_in(c->arena);
    PlanRun run = {.all_mistakes = true, .rest = &rest};
    *checked_out = input->bytes;
    Result r = json ? run_plan(method->extras->to_rules, input, &run, c, checked_out) : OK;
    if (!failed(r))
        return rules_check(method->extras->rules, json, c->arena, checked_out);
    return run.has_rest
               ? rules_check_rest(method->extras->rules, json, c->arena, r, buffer_bytes(&rest))
               : r;
}

static bool says_mask(const Exchange *x)
{
    const MessageType *input = x->method->type->input;
    for (uint32_t i = 0; i < x->n_parameters; i++) {
        ParameterPath path = parameter_path(input, x->parameters[i].field_path);
        if (parameter_path_next(&path) == PARAMETER_FIELD && path.field == x->binding->mask)
            return true;
    }
    return false;
}

/* The mask that a PATCH leaves out is of what is in its body, and one more parameter. */
static Result add_mask(const Exchange *x, Arena *arena, PlanInput *input)
{
    const FieldType *field = message_field(x->method->type->input, input->body_field);
    PlanParameter mask = {.field_path = bytes_of(x->binding->mask->name)};
    JsonNode *body;
    if (says_mask(x))
        return OK;
    Result r = json_parse(arena, input->bytes, NULL, &body);
    if (!failed(r))
        r = update_mask_write(field->message, body, arena, &mask.text);
    if (failed(r) || !mask.text.size)
        return r;
    PlanParameter *all = arena_array(arena, PlanParameter, x->n_parameters + 1);
    if (!all)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "deriving an update mask");
    if (x->n_parameters)
        memcpy(all, x->parameters, x->n_parameters * sizeof *all);
    all[x->n_parameters] = mask;
    input->parameters = all;
    input->n_parameters = x->n_parameters + 1;
    return OK;
}

/* What REST has in path and query, and which part of the message is in the body. */
static Result add_rest(const Exchange *x, Arena *arena, PlanInput *input)
{
    const char *body = x->binding->rule->body;
    if (x->binding->raw_request) {
        size_t size = input->bytes.size;
        Buffer json = buffer_in(arena);
        http_body_wrap(fields_get(x->call.head, "content-type"), input->bytes, &json);
        if (json.full)
            return FAIL(arena, FAULT_OUT_OF_MEMORY, "keeping a body of %zu bytes", size);
        input->bytes = buffer_bytes(&json);
    }
    input->no_body = body[0] == '\0' || input->bytes.size == 0; /* an empty body says nothing */
    input->body_field = strcmp(body, "*") == 0 ? BYTES_NONE : bytes_of(body);
    input->parameters = x->parameters;
    input->n_parameters = x->n_parameters;
    return x->binding->mask && !input->no_body ? add_mask(x, arena, input) : OK;
}

Result exchange_read_with(const Exchange *x, Message message, const Plan *plan, Conversion *c,
                          Bytes *message_out)
{
    Result r = open_message(c, &message);
    PlanInput input = {.bytes = message.bytes};
    if (!failed(r) && x->binding)
        r = add_rest(x, c->arena, &input);
    if (failed(r))
        return r;
    *message_out = input.bytes;
    PlanRun run = {.all_mistakes = true};
    Buffer out = buffer_in(c->arena);
    if (!plan)
        return OK;
    r = plan_run(plan, &input, c->arena, &out, &run);
    *message_out = buffer_bytes(&out);
    return r;
}

Result exchange_read_by(Exchange *x, const Plan *plan, Arena *arena, Bytes *message_out)
{
    Conversion c = {.arena = arena, .reader = exchange_reader(x)};
    return exchange_read_with(x, x->message, plan, &c, message_out);
}

Result exchange_read_request(Exchange *x, Arena *arena, Bytes *message_out)
{
    return exchange_read_by(x, x->call.codec == CODEC_JSON ? x->method->extras->to_key : NULL,
                            arena, message_out);
}

void exchange_see_fields(Exchange *x, Message message)
{
    Arena *arena = exchange_arena_new(x);
    Conversion c = {.arena = arena, .reader = exchange_reader(x)};
    Result r = open_message(&c, &message);
    PlanInput input = {.bytes = message.bytes};
    if (!failed(r) && x->binding)
        r = add_rest(x, arena, &input);
    if (failed(r))
        error_ignore(r, "it is told where the request is converted");
    else
        usage_fields_see(x->method->fields,
                         &(UsageRequest){.input = &input,
                                         .json = x->call.codec == CODEC_JSON,
                                         .client = x->record.client,
                                         .wall = x->record.began},
                         arena);
    arena_free(arena);
}

static Result convert_request(const Attempt *attempt, Bytes message, Conversion *c,
                              Bytes *converted_out)
{
    const Exchange *x = attempt->exchange;
    if (!x->binding && attempt_copies_request(attempt)) {
        *converted_out = message;
        return OK;
    }
    PlanInput input = {.bytes = message};
    PlanRun run = {.all_mistakes = true};
    Result r = x->binding ? add_rest(x, c->arena, &input) : OK;
    if (failed(r))
        return r;
    if (x->method->extras->rules) {
        r = apply_rules(x, &input, c, converted_out);
        if (failed(r) || exchange_copies(attempt->request_plan))
            return r;
        input = (PlanInput){.bytes = *converted_out};
    }
    return request_failed(attempt, c->arena,
                          run_plan(attempt->request_plan, &input, &run, c, converted_out));
}

/* REST has the message taken apart, into path, query and body. */
static Result take_apart(const Attempt *attempt, Conversion *c, MadeRequest *made)
{
    if (attempt->target.dialect != DIALECT_REST)
        return OK;
    RestRequest *rest = arena_make(c->arena, RestRequest);
    if (!rest)
        return FAIL(c->arena, FAULT_OUT_OF_MEMORY, "making a request");
    made->rest = rest;
    return rest_request_write(attempt->pick.pair->target->type, made->framed.rest, c->arena, rest);
}

Result attempt_make_request(const Attempt *attempt, Message message, Conversion *c,
                            MadeRequest *made_out)
{
    const RequestTarget *target = &attempt->target;
    Result r = OK;
    made_out->compression = target->compression;
    if (!c->converted && (!message.compressed || !attempt_passes_request(attempt))) {
        r = open_message(c, &message);
        if (!failed(r))
            r = convert_request(attempt, message.bytes, c, &message.bytes);
        made_out->compression = attempt_request_compression(attempt, message.bytes.size);
    }
    if (failed(r))
        return r;
    if (!message.compressed && made_out->compression != COMPRESSION_IDENTITY &&
        message.bytes.size > c->most_closed) {
        c->unclosed = message;
        return OK;
    }
    r = message_frame(target->dialect, &message, made_out->compression, c->arena,
                      &made_out->framed);
    return failed(r) ? r : take_apart(attempt, c, made_out);
}

Result attempt_convert_request(Attempt *attempt, Bytes *converted_out)
{
    Exchange *x = attempt->exchange;
    Message message = x->message;
    Conversion c = {
        .arena = exchange_scratch(x), .reader = exchange_reader(x), .losses = &x->losses};
    Result r = open_message(&c, &message);
    if (!failed(r))
        r = convert_request(attempt, message.bytes, &c, converted_out);
    x->record.n_unknown += c.n_unknown;
    return r;
}

/* Without a plan, JSON is checked here: a REST instance may be any HTTP server. */
static Result check_json(const Attempt *attempt, Bytes message, Arena *arena)
{
    JsonCursor cursor = json_cursor(message, arena);
    bool any_kind = attempt->exchange->method->type->output->well_known != WELL_KNOWN_NONE;
    bool fits = any_kind || json_cursor_peek(&cursor) == JSON_KIND_OBJECT;
    json_cursor_skip(&cursor);
    return fits && json_cursor_finish(&cursor)
               ? OK
               : FAIL(arena, FAULT_UPSTREAM_MESSAGE, "the response of %s is not JSON of its type",
                      attempt->pick.instance->address.text);
}

Result attempt_read_answer(Attempt *attempt, Message *message, Arena *arena, Bytes *plain_out)
{
    Exchange *x = attempt->exchange;
    Conversion c = {.arena = x->arena, .reader = &attempt->side.reader};
    Result r = open_message(&c, message);
    *plain_out = message->bytes;
    if (failed(r) || attempt->target.dialect != DIALECT_REST)
        return r;
    r = rest_answer_message(attempt->rest_rule, attempt->pick.pair->target->type,
                            attempt->answer.content_type, message->bytes, arena, plain_out);
    return failed(r) ? r : check_json(attempt, *plain_out, arena);
}

static Result convert_answer(const Attempt *attempt, Bytes message, Conversion *c,
                             Bytes *converted_out)
{
    bool rest = attempt->target.dialect == DIALECT_REST;
    if (rest) {
        Result r = rest_answer_message(attempt->rest_rule, attempt->pick.pair->target->type,
                                       attempt->answer.content_type, message, c->arena, &message);
        if (failed(r))
            return r;
    }
    if (exchange_copies(attempt->response_plan)) {
        *converted_out = message;
        return rest ? check_json(attempt, message, c->arena) : OK;
    }
    PlanInput input = {.bytes = message};
    PlanRun run = {0};
    return answer_failed(attempt, c->arena,
                         run_plan(attempt->response_plan, &input, &run, c, converted_out));
}

Result attempt_make_answer(const Attempt *attempt, Message message, Conversion *c,
                           Message *converted_out)
{
    Result r = open_message(c, &message);
    if (!failed(r))
        r = convert_answer(attempt, message.bytes, c, &message.bytes);
    *converted_out = message;
    return r;
}

Result attempt_convert_answer(Attempt *attempt, Message message, Message *converted_out)
{
    Exchange *x = attempt->exchange;
    *converted_out = message;
    if (message.compressed
            ? attempt->passes
            : attempt->target.dialect != DIALECT_REST && exchange_copies(attempt->response_plan))
        return OK;
    Conversion c = {
        .arena = exchange_scratch(x), .reader = &attempt->side.reader, .losses = &x->losses};
    Result r = attempt_make_answer(attempt, message, &c, converted_out);
    x->record.n_unknown += c.n_unknown;
    return r;
}

/* ---- Whose mistake it was -------------------------------------------------------------------- */

/* The request passed unread, and is still held. */
static bool is_held_unread(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    return x->method && !exchange_is_bare(x) && !x->binding && x->has_message &&
           x->message.bytes.data && !x->method->type->client_streaming &&
           attempt_copies_request(attempt);
}

static Result blame(Arena *arena, MessageCheck found)
{
    switch (found) {
    case MESSAGE_CHECK_NOT_WIRE:
        return FAIL(arena, FAULT_BAD_MESSAGE, "the protobuf bytes are not well-formed");
    case MESSAGE_CHECK_NOT_UTF8:
        return FAIL(arena, FAULT_BAD_VALUE, "a string that is not valid UTF-8");
    case MESSAGE_CHECK_TOO_DEEP:
        return FAIL(arena, FAULT_TOO_DEEP, "nested deeper than allowed (limits.depth)");
    case MESSAGE_CHECK_INCOMPLETE:
        return FAIL(arena, FAULT_FIELD_REQUIRED, "a required field is missing");
    case MESSAGE_CHECK_VALID:
    case MESSAGE_CHECK_TOO_LONG: break;
    }
    return OK;
}

/* What cannot be looked at within what the loop may do is not known to be right: `unsure`. */
static Result check_held(Attempt *attempt, Arena *arena, bool *unsure_out)
{
    enum { LEAST = 1024 }; /* as of limits.work_bytes */
    const Exchange *x = attempt->exchange;
    size_t most = x->config->limits.work_bytes > LEAST ? x->config->limits.work_bytes : LEAST;
    Bytes message = x->message.bytes;
    *unsure_out = x->message.compressed && !message_reader_decompress_small(
                                               exchange_reader(x), message, most, arena, &message);
    *unsure_out |= x->call.codec == CODEC_JSON && message.size > most;
    if (*unsure_out)
        return OK;
    if (x->call.codec == CODEC_JSON) {
        JsonCursor cursor = json_cursor(message, arena);
        json_cursor_skip(&cursor);
        return json_cursor_finish(&cursor)
                   ? OK
                   : FAIL(x->arena, FAULT_BAD_JSON, "the message is not JSON");
    }
    MessageCheck found =
        message_check(x->method->type->input, message, x->config->limits.depth, most);
    *unsure_out = found == MESSAGE_CHECK_TOO_LONG;
    return blame(x->arena, found);
}

Result attempt_blame_request(Attempt *attempt)
{
    if (!is_held_unread(attempt))
        return OK;
    Arena *arena = exchange_arena_new(attempt->exchange);
    bool unsure;
    Result r = check_held(attempt, arena, &unsure);
    attempt->unsure = unsure;
    arena_free(arena);
    return r;
}

/* ---- Details as JSON ------------------------------------------------------------------------- */

static bool write_json(void *owner, Bytes detail, Arena *arena, Buffer *json)
{
    const Details *details = owner;
    return detail_to_json(details->to_json, detail, arena, json);
}

static bool read_json(void *owner, Bytes json, Arena *arena, Bytes *detail_out)
{
    const Details *details = owner;
    return detail_from_json(details->from_json, json, arena, detail_out);
}

DetailJson exchange_detail_json(const Exchange *x, const Version *version)
{
    const Details *details = version ? &version->details : &x->config->details;
    return (DetailJson){write_json, read_json, (void *)(uintptr_t)details};
}

/* ---- Details in the client's version --------------------------------------------------------- */

static void on_unconverted(void *owner, Bytes type, bool kept, Result why)
{
    const Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    telemetry_count(x->loop, COUNTER_DETAILS_UNCONVERTED);
    losses_name(&x->losses, bytes_copy(x->arena, type));
    if (!failed(x->record.detail_why))
        x->record.detail_why =
            FAIL_OVER(x->arena, why, FAULT_UPSTREAM_CONVERT,
                      "converting the error detail %.*s of %s to %s: %s",
                      BYTES_ARGS(bytes_cut_text(type, 200)), attempt->pick.served->name,
                      x->version.reply->name, kept ? "it stays as it is" : "it is left out");
}

/* The mapping from the service's version of the request back to the client's. */
static const Mapping *request_back(const Attempt *attempt)
{
    const MethodType *asked = attempt->pick.pair->target->type;
    const MappingSet *set = attempt->pick.served->to[attempt->exchange->version.client->index];
    CHECK(set); /* the request was converted */
    return mapping_set_input(set, asked);
}

void attempt_convert_details(Attempt *attempt, Status *status)
{
    Exchange *x = attempt->exchange;
    const Version *served = attempt->pick.served;
    bool same = !served || (served == x->version.client && served == x->version.reply);
    if (same || !status->details.size)
        return;
    const Plan *any =
        served == x->version.reply ? NULL : served->details.to[x->version.reply->index];
    const Mapping *request = served == x->version.client ? NULL : request_back(attempt);
    DetailsRun run = {.plan = {.on_loss = losses_on_loss, .owner = &x->losses},
                      .on_unconverted = on_unconverted,
                      .owner = attempt};
    Bytes converted;
    Result r = details_convert(any, request, status->details, x->arena, &run, &converted);
    x->record.n_unknown += run.plan.n_unknown;
    if (failed(r)) { /* the arena is full: the error goes without details */
        x->record.detail_why = r;
        converted = BYTES_NONE;
    }
    status->details = converted;
}

/* Without memory for those that stay, none do. */
void exchange_hide_details(const Exchange *x, Status *status)
{
    const ShownFields *shown = x->route ? x->route->shown : NULL;
    if (!shown || !status->details.size)
        return;
    Result r = details_keep(shown->details, status->details, x->arena, &status->details);
    if (failed(r))
        status->details = BYTES_NONE;
    error_ignore(r, "an error can always be sent without its details");
}

/* ---- Copies of calls ------------------------------------------------------------------------- */

/* The attempt whose response the client has got, whole and as the instance gave it; NULL: it got
   another one, or none. What is a copy itself is not copied again. */
static Attempt *copied_attempt(const Exchange *x)
{
    Attempt *attempt = x->chosen;
    bool ok = x->record.status.code == CODE_OK;
    if (!x->caller || !attempt || x->own_response || x->record.degraded || x->only ||
        attempt->passed || !(ok ? attempt->has_answer_message : attempt->has_error) ||
        fields_get(&x->call.metadata, "passerelle-shadow").data)
        return NULL;
    return attempt;
}

static Result read_both(Exchange *x, Attempt *attempt, Arena *arena, EndedCall *call)
{
    const Method *method = x->method;
    bool json = x->call.codec == CODEC_JSON;
    Message answer = attempt->answer_message;
    Result r =
        exchange_read_by(x, json ? method->extras->shadow->to_proto : NULL, arena, &call->request);
    if (!failed(r) && method->extras->rules)
        r = rules_check(method->extras->rules, json, arena, &call->request);
    if (!failed(r) && call->code == CODE_OK)
        r = attempt_read_answer(attempt, &answer, arena, &call->response);
    return r;
}

void exchange_offer_copy(Exchange *x)
{
    ShadowPort *port = x->loop->shadows;
    if (!port || random_next(&x->loop->random) >> 32 >= x->method->extras->shadow->rules->share)
        return;
    Attempt *attempt = copied_attempt(x);
    if (!attempt)
        return;
    EndedCall call = {
        .config = x->config,
        .method = x->method,
        .served = attempt->pick.served,
        .instance = attempt->pick.instance,
        .codec = attempt->pick.instance->codec,
        .metadata = &x->call.metadata,
        .request_id = x->record.request_id,
        .code = x->record.status.code,
        .identity = x->identity,
    };
    Arena *arena =
        port->admit(port, &call, x->message.bytes.size + attempt->answer_message.bytes.size);
    if (!arena)
        return;
    Result r = read_both(x, attempt, arena, &call);
    port->take(port, arena, failed(r) ? NULL : &call);
    error_ignore(r, "what cannot be read is not copied, and counted as such");
}
