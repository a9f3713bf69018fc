/* One message of an exchange through a plan. */
#include "base/text/json_text.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/rest/http_body.h"
#include "gateway/rest/rest_request.h"

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

/* A default for an absent field is counted, but not listed as lost. */
void exchange_on_loss(void *owner, const Loss *loss)
{
    Exchange *x = owner;
    atomic_fetch_add_explicit(&x->config->loss_counts[loss->index], 1, memory_order_relaxed);
    if (loss->kind != LOSS_DEFAULTED)
        exchange_name_lost(x, bytes_of(loss->path));
}

void exchange_name_lost(Exchange *x, Bytes path)
{
    x->n_lost++;
    if (x->lost.size >= LOST_NAMES || is_listed(buffer_bytes(&x->lost), path))
        return;
    if (x->lost.size)
        buffer_add_text(&x->lost, ", ");
    buffer_add_bytes(&x->lost, path);
}

static Result run_plan(Exchange *x, const Plan *plan, const PlanInput *input, Bytes *converted_out)
{
    PlanRun run = {.on_loss = exchange_on_loss, .owner = x};
    Buffer out = buffer_in(exchange_scratch(x));
    Result r = plan_run(plan, input, exchange_scratch(x), &out, &run);
    x->record.n_unknown += run.n_unknown;
    *converted_out = buffer_bytes(&out);
    return r;
}

enum { BATCH = 64 * 1024 /* bytes of messages that are converted before they are sent on */ };

/* Converts messages of the run up to the size of a batch, and frames them. If one fails, those
   before it are in the result. */
static Result run_plan_on_run(Exchange *x, const Plan *plan, MessageRun *run,
                              MessageRun *converted_out)
{
    PlanRun report = {.on_loss = exchange_on_loss, .owner = x};
    Arena *each = exchange_arena_new(x);
    Buffer out = buffer_in(exchange_scratch(x));
    Result r = OK;
    uint32_t n = 0;
    buffer_reserve(&out, run->frames.size < BATCH ? run->frames.size * 5 / 4 : BATCH);
    for (Bytes message; out.size < BATCH && message_run_next(run, &message); n++) {
        size_t at = message_frame_begin(&out);
        PlanInput input = {.bytes = message};
        arena_reset(each);
        r = plan_run(plan, &input, each, &out, &report);
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

static Result request_failed(const Attempt *attempt, Result r)
{
    Exchange *x = attempt->exchange;
    const Version *served = attempt->pick.served;
    if (!failed(r) || x->version.client == served)
        return r;
    return FAIL_OVER(x->arena, r, *r.error->fault, "converting %s of %s to %s",
                     x->method->type->input->name, x->version.client->name, served->name);
}

/* Mistakes in the service's response are the service's fault, not the caller's. */
static Result answer_failed(const Attempt *attempt, Result r)
{
    Exchange *x = attempt->exchange;
    if (!failed(r))
        return r;
    bool readable =
        r.error->fault == &FAULT_CANNOT_CONVERT || r.error->fault == &FAULT_FIELD_REQUIRED;
    const Fault *fault = readable ? &FAULT_UPSTREAM_CONVERT : &FAULT_UPSTREAM_MESSAGE;
    if (r.error->fault == &FAULT_OUT_OF_MEMORY)
        fault = &FAULT_OUT_OF_MEMORY;
    return FAIL_OVER(x->arena, r, *fault, "converting %s of %s to %s",
                     attempt->pick.pair->target->type->output->name, attempt->pick.served->name,
                     x->version.reply->name);
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
        return request_failed(attempt,
                              run_plan_on_run(attempt->exchange, plan, run, converted_out));
    *converted_out = take_all(run);
    return OK;
}

Result attempt_convert_answers(Attempt *attempt, MessageRun *run, MessageRun *converted_out)
{
    const Plan *plan = attempt->response_plan;
    if (!exchange_copies(plan))
        return answer_failed(attempt, run_plan_on_run(attempt->exchange, plan, run, converted_out));
    *converted_out = take_all(run);
    return OK;
}

Result attempt_convert_request(Attempt *attempt, Bytes message, Bytes *converted_out)
{
    Exchange *x = attempt->exchange;
    if (!x->binding && exchange_copies(attempt->request_plan)) {
        *converted_out = message;
        return OK;
    }
    PlanInput input = {.bytes = message};
    if (x->binding) {
        const char *body = x->binding->rule->body;
        if (x->binding->raw_request) {
            Buffer json = buffer_in(exchange_scratch(x));
            http_body_wrap(fields_get(x->call.head, "content-type"), message, &json);
            if (json.full)
                return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a body of %zu bytes",
                            message.size);
            input.bytes = buffer_bytes(&json);
        }
        input.no_body = body[0] == '\0' || input.bytes.size == 0; /* an empty body says nothing */
        input.body_field = strcmp(body, "*") == 0 ? BYTES_NONE : bytes_of(body);
        input.parameters = x->parameters;
        input.n_parameters = x->n_parameters;
    }
    return request_failed(attempt, run_plan(x, attempt->request_plan, &input, converted_out));
}

/* Without a plan, JSON is checked here: a REST instance may be any HTTP server. */
static Result check_json(const Attempt *attempt, Bytes message)
{
    Exchange *x = attempt->exchange;
    JsonCursor cursor = json_cursor(message, exchange_scratch(x));
    bool any_kind = x->method->type->output->well_known != WELL_KNOWN_NONE;
    bool fits = any_kind || json_cursor_peek(&cursor) == JSON_KIND_OBJECT;
    json_cursor_skip(&cursor);
    return fits && json_cursor_finish(&cursor) ? OK
                                               : FAIL(x->arena, FAULT_UPSTREAM_MESSAGE,
                                                      "the response of %s is not JSON of its type",
                                                      attempt->pick.instance->address.text);
}

Result attempt_convert_answer(Attempt *attempt, Bytes message, Bytes *converted_out)
{
    Exchange *x = attempt->exchange;
    bool rest = attempt->target.dialect == DIALECT_REST;
    if (rest) {
        Result r = rest_answer_message(attempt->rest_rule, attempt->pick.pair->target->type,
                                       attempt->answer.content_type, message, exchange_scratch(x),
                                       &message);
        if (failed(r))
            return r;
    }
    if (exchange_copies(attempt->response_plan)) {
        *converted_out = message;
        return rest ? check_json(attempt, message) : OK;
    }
    PlanInput input = {.bytes = message};
    return answer_failed(attempt, run_plan(x, attempt->response_plan, &input, converted_out));
}
