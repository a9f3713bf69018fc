#include "gateway/process/process_internal.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/query.h"
#include "gateway/healing/manual.h"
#include "gateway/identity/identity.h"

AuditState actions_state_of(const Config *config)
{
    return (AuditState){config->generation, config->hash};
}

void actions_answer_state(AdminAction *action, const char *done, AuditState after)
{
    Buffer body = buffer_in(action->arena);
    buffer_printf(&body, "{\"action\":\"%s\",\"generation\":%llu,\"config\":\"%s\"}\n", done,
                  (unsigned long long)after.generation, after.hash);
    action->body = buffer_bytes(&body);
}

void actions_audit_change(Process *p, const AdminAction *action, const char *done,
                          AuditState before, AuditState after)
{
    audit_write(p->audit, &(AuditEntry){.action = done,
                                        .who = action->who,
                                        .by = action->by,
                                        .why = action->why,
                                        .before = before,
                                        .after = after,
                                        .result = action->result});
}

void actions_audit(Process *p, const AdminAction *action, const char *done, AuditState before)
{
    actions_audit_change(p, action, done, before, actions_state_of(p->config));
}

static void on_audit_read(void *owner, Result result, Bytes json)
{
    AdminAction *action = owner;
    action->result = error_copy(action->arena, result);
    action->body = bytes_copy(action->arena, json);
    admin_action_done(action);
}

static void drain(Process *p, AdminAction *action)
{
    actions_answer_state(action, "drain", actions_state_of(p->config));
    actions_audit(p, action, "drain", actions_state_of(p->config));
    admin_action_done(action);
    if (!p->going)
        shutdown_begin(p, SIGTERM);
}

/* ---- The ledger ------------------------------------------------------------------------------ */

/* An action on its way to the store. */
typedef struct Storing {
    Process *process;
    AdminAction *action;
} Storing;

static Storing *storing_of(Process *p, AdminAction *action)
{
    Storing *storing = arena_make(action->arena, Storing);
    *storing = (Storing){p, action};
    return storing;
}

static void on_errors_read(void *owner, Bytes json)
{
    AdminAction *action = owner;
    action->body = bytes_copy(action->arena, json);
    admin_action_done(action);
}

static void on_request_found(void *owner, Bytes json)
{
    AdminAction *action = owner;
    if (json.size)
        action->body = bytes_copy(action->arena, json);
    else
        action->result =
            FAIL(action->arena, FAULT_UNKNOWN_PATH,
                 "this gateway has no record of such a call: it is older than an hour, gave way to "
                 "newer ones (ledger.requests), or was another gateway's");
    admin_action_done(action);
}

static void list_requests(Process *p, AdminAction *action)
{
    action->result =
        ledger_list(p->shared.ledger, action->text, action->arena, on_errors_read, action);
    if (failed(action->result))
        admin_action_done(action);
}

static void end_saying(const Storing *storing, Result result, const char *act)
{
    AdminAction *action = storing->action;
    action->result = error_copy(action->arena, result);
    action->why = bytes_of(arena_printf(action->arena, "%.*s: %.*s", BYTES_ARGS(action->target),
                                        BYTES_ARGS(action->why)));
    actions_answer_state(action, act, actions_state_of(storing->process->config));
    actions_audit(storing->process, action, act, actions_state_of(storing->process->config));
    admin_action_done(action);
}

static void on_annotated(void *owner, Result result)
{
    end_saying(owner, result, "annotate");
}

static void annotate(Process *p, AdminAction *action)
{
    ledger_annotate(p->shared.ledger,
                    &(LedgerSaying){.fingerprint = action->target,
                                    .json = action->text,
                                    .who = action->who,
                                    .why = action->why},
                    on_annotated, storing_of(p, action));
}

/* ---- By hand --------------------------------------------------------------------------------- */

/* "10.0.0.7:7001 for 10m: broken disk" */
static Bytes why_of(const AdminAction *action, const char *subject)
{
    if (!subject[0])
        return action->why;
    return bytes_of(arena_printf(action->arena, "%s%s%.*s", subject, action->why.size ? ": " : "",
                                 BYTES_ARGS(action->why)));
}

static void do_by_hand(Process *p, AdminAction *action, const char *of)
{
    Buffer answer = buffer_in(action->arena);
    const char *subject;
    action->result = manual_order(&(ManualOrder){.word = action->target,
                                                 .query = action->text,
                                                 .who = action->who,
                                                 .by = action->by,
                                                 .why = action->why},
                                  action->arena, &answer, &subject);
    action->body = buffer_bytes(&answer);
    action->why = why_of(action, subject);
    actions_audit(p, action, arena_printf(action->arena, "%s_%.*s", of, BYTES_ARGS(action->target)),
                  actions_state_of(p->config));
    admin_action_done(action);
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static void on_usage_read(void *owner, Result result, Bytes json)
{
    AdminAction *action = owner;
    action->result = error_copy(action->arena, result);
    action->body = bytes_copy(action->arena, json);
    admin_action_done(action);
}

/* On its way to the store. */
typedef struct RetireAction {
    Process *process;
    AdminAction *action;
    RetireOrder order;
} RetireAction;

static void on_ordered(void *owner, Result result)
{
    const RetireAction *ordered = owner;
    AdminAction *action = ordered->action;
    const RetireOrder *order = &ordered->order;
    const char *done = order->again ? "retire_again" : "retire";
    Buffer body = buffer_in(action->arena);
    action->result = error_copy(action->arena, result);
    action->why =
        bytes_of(arena_printf(action->arena, "%.*s of %.*s: %.*s", BYTES_ARGS(order->version),
                              BYTES_ARGS(order->service), BYTES_ARGS(action->why)));
    buffer_add_byte(&body, '{');
    json_text_add_member(&body, "action", bytes_of(done));
    json_text_add_member(&body, "service", order->service);
    json_text_add_member(&body, "version", order->version);
    buffer_add_text(&body, "}\n");
    action->body = buffer_bytes(&body);
    actions_audit(ordered->process, action, done, actions_state_of(ordered->process->config));
    admin_action_done(action);
}

static void retire(Process *p, AdminAction *action)
{
    RetireAction *ordered = arena_make(action->arena, RetireAction);
    *ordered = (RetireAction){
        .process = p, .action = action, .order = {.who = action->who, .why = action->why}};
    Result r = retire_order_read(action->text, action->arena, &ordered->order);
    if (failed(r))
        on_ordered(ordered, r);
    else
        usage_retire(p->shared.usage, &ordered->order, on_ordered, ordered);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void on_acknowledged(void *owner, Result result)
{
    end_saying(owner, result, "acknowledge");
}

static void acknowledge(Process *p, AdminAction *action)
{
    signals_acknowledge(p->weak_signals,
                        &(SignalSeen){.id = action->target, .who = action->who, .why = action->why},
                        on_acknowledged, storing_of(p, action));
}

/* ---- Feedback -------------------------------------------------------------------------------- */

static void on_feedback(void *owner, Result result, Bytes json)
{
    const Storing *storing = owner;
    AdminAction *action = storing->action;
    action->result = error_copy(action->arena, result);
    action->body = bytes_copy(action->arena, json);
    actions_audit(storing->process, action, "feedback", actions_state_of(storing->process->config));
    admin_action_done(action);
}

/* ---- Forgetting a client --------------------------------------------------------------------- */

static void on_forgotten(void *owner, Result result, StoreTask *task)
{
    const Storing *storing = owner;
    AdminAction *action = storing->action;
    Buffer body = buffer_in(action->arena);
    action->result = error_copy(action->arena, result);
    if (failed(result) && result.error->fault == &FAULT_STORE_CONFLICT)
        action->result = FAIL_OVER(action->arena, action->result, FAULT_STORE_CONFLICT,
                                   "the store has the schema of a newer gateway, and may have "
                                   "records that this one does not know: ask a newer gateway");
    if (!failed(result))
        buffer_printf(&body, "{\"action\":\"client_forget\",\"records\":%lld}\n",
                      (long long)store_kinds_forgotten(task));
    action->body = buffer_bytes(&body);
    actions_audit(storing->process, action, "client_forget",
                  actions_state_of(storing->process->config));
    admin_action_done(action);
}

/* The name is in the query, for paths are logged where a request is refused; and nothing else: of
   two names one would be forgotten, and nobody knows which was meant. Empty: it is not so. */
static Bytes client_of(const AdminAction *action)
{
    QueryPair pair;
    Bytes query = action->text;
    bool one = query_next(&query, action->arena, &pair) && bytes_are(pair.name, "name");
    return one && !query.size ? pair.value : BYTES_NONE;
}

/* A pseudonym is new each time: two clients that were forgotten do not become one. */
static void forget(Process *p, AdminAction *action, Bytes client)
{
    Random random;
    random_seed(&random);
    const char *pseudonym =
        arena_printf(action->arena, "forgotten-%016llx", (unsigned long long)random_next(&random));
    Bytes hash = identity_hash(client, p->config, action->arena);
    if (!hash.size && p->config->identity.hash_key.size) {
        on_forgotten(storing_of(p, action),
                     FAIL(action->arena, FAULT_OUT_OF_MEMORY, "hashing the name"), NULL);
        return;
    }
    usage_forget_client(p->shared.usage, hash.size ? hash : client);
    signals_forget_client(p->weak_signals, hash.size ? hash : client);
    store_submit(p->port,
                 store_kinds_forget_client(&store_kinds, bytes_of(pseudonym), client,
                                           hash.size ? hash : client),
                 on_forgotten, storing_of(p, action));
}

static void forget_client(Process *p, AdminAction *action)
{
    Bytes client = client_of(action);
    if (client.size) {
        forget(p, action, client);
        return;
    }
    action->detail =
        bytes_of("this takes the name of one client, and nothing else: /client/forget?name=NAME");
    action->result = FAIL(action->arena, FAULT_BAD_VALUE, "reading the name of a client");
    admin_action_done(action);
}

/* ---- The queue ------------------------------------------------------------------------------- */

static void refuse_action(AdminAction *action)
{
    action->result = FAIL(action->arena, FAULT_SHUTTING_DOWN, "the gateway stops");
    admin_action_done(action);
}

void actions_ask(void *owner, AdminAction *action)
{
    Process *p = owner;
    pthread_mutex_lock(&p->mutex);
    bool over = p->over;
    if (!over) {
        action->next = p->asked;
        p->asked = action;
    }
    pthread_mutex_unlock(&p->mutex);
    if (over)
        refuse_action(action);
    else
        process_wake(p);
}

static AdminAction *take_asked(Process *p)
{
    pthread_mutex_lock(&p->mutex);
    AdminAction *asked = p->asked;
    p->asked = NULL;
    pthread_mutex_unlock(&p->mutex);
    return asked;
}

static void do_action(Process *p, AdminAction *action)
{
    switch (action->what) {
    case ADMIN_WRITE: break; /* the admin thread does that */
    case ADMIN_RELOAD:
        action->next = p->waiting;
        p->waiting = action;
        reloads_reopen_log(p);
        reloads_begin(p);
        break;
    case ADMIN_DRAIN: drain(p, action); break;
    case ADMIN_UPGRADE: upgrade_ask(p, action); break;
    case ADMIN_READ_AUDIT: audit_read(p->audit, on_audit_read, action); break;
    case ADMIN_FORGET_CLIENT: forget_client(p, action); break;
    case ADMIN_READ_ERRORS: ledger_read(p->shared.ledger, on_errors_read, action); break;
    case ADMIN_READ_REQUEST:
        ledger_find(p->shared.ledger, action->target, on_request_found, action);
        break;
    case ADMIN_LIST_REQUESTS: list_requests(p, action); break;
    case ADMIN_ANNOTATE: annotate(p, action); break;
    case ADMIN_INSTANCE: do_by_hand(p, action, "instance"); break;
    case ADMIN_SERVICE: do_by_hand(p, action, "service"); break;
    case ADMIN_READ_USAGE: usage_ask(p->shared.usage, action->text, on_usage_read, action); break;
    case ADMIN_READ_API_KEYS: key_uses_ask(p->key_uses, on_usage_read, action); break;
    case ADMIN_READ_SIGNALS: signals_read(p->weak_signals, on_usage_read, action); break;
    case ADMIN_ACKNOWLEDGE: acknowledge(p, action); break;
    case ADMIN_POST_FEEDBACK:
        feedback_post(p->feedback, action->text, on_feedback, storing_of(p, action));
        break;
    case ADMIN_LIST_FEEDBACK:
        feedback_ask(p->feedback, BYTES_NONE, action->text, on_usage_read, action);
        break;
    case ADMIN_READ_FEEDBACK:
        feedback_ask(p->feedback, action->target, BYTES_NONE, on_usage_read, action);
        break;
    case ADMIN_RETIRE: retire(p, action); break;
    case ADMIN_READ_JOBS:
    case ADMIN_READ_JOB:
    case ADMIN_ORDER_JOB: job_actions_do(p, action); break;
    case ADMIN_READ_KEY:
    case ADMIN_FORGET_KEY: claim_actions_do(p, action); break;
    case ADMIN_READ_ROLLOUTS:
    case ADMIN_ORDER_ROLLOUT: rollout_actions_do(p, action); break;
    }
}

void actions_do(Process *p)
{
    for (AdminAction *next, *action = take_asked(p); action; action = next) {
        next = action->next;
        do_action(p, action);
    }
}

void actions_refuse_left(Process *p)
{
    for (AdminAction *next, *action = take_asked(p); action; action = next) {
        next = action->next;
        refuse_action(action);
    }
}
