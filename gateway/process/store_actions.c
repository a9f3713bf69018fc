/* What operators see of jobs, idempotency keys and rollouts, and do with them. */
#include "gateway/process/process_internal.h"

#include "base/arena.h"

/* A question on its way to the store, or to the runner of rollouts. */
typedef struct Asking {
    Process *process;
    AdminAction *action;
} Asking;

static Asking *asking_of(Process *p, AdminAction *action)
{
    Asking *asking = arena_make(action->arena, Asking);
    *asking = (Asking){p, action};
    return asking;
}

static void on_answered(void *owner, Result result, Bytes json)
{
    const Asking *asking = owner;
    asking->action->result = result;
    asking->action->body = json;
    admin_action_done(asking->action);
}

/* ---- Jobs
 * ----------------------------------------------------------------------------------------
 */

/* Empty: no single one's. */
static Bytes id_of(const AdminAction *action)
{
    size_t slash = bytes_find(action->target, '/');
    bool orders = action->what == ADMIN_ORDER_JOB;
    return action->what == ADMIN_READ_JOBS || (orders && slash == action->target.size)
               ? BYTES_NONE
               : bytes_slice(action->target, 0, slash);
}

/* Empty: it is read. */
static Bytes word_of(const AdminAction *action)
{
    size_t slash = bytes_find(action->target, '/');
    if (action->what != ADMIN_ORDER_JOB)
        return BYTES_NONE;
    return slash == action->target.size ? action->target
                                        : bytes_slice(action->target, slash + 1, SIZE_MAX);
}

/* "ID", "ID name=approved", "method=hosting.Sites/Create", and why. */
static Bytes subject_of(const AdminAction *action)
{
    Bytes id = id_of(action);
    return bytes_of(arena_printf(
        action->arena, "%.*s%s%.*s%s%.*s", BYTES_ARGS(bytes_cut_text(id, 100)),
        id.size && action->text.size ? " " : "", BYTES_ARGS(bytes_cut_text(action->text, 100)),
        action->why.size ? ": " : "", BYTES_ARGS(action->why)));
}

/* "job_skip_step" */
static const char *name_of(const AdminAction *action)
{
    Bytes word = word_of(action);
    Buffer name = buffer_in(action->arena);
    buffer_add_text(&name, "job_");
    for (size_t i = 0; i < word.size; i++)
        buffer_add_byte(&name, word.data[i] == '-' ? '_' : word.data[i]);
    return arena_text(action->arena, buffer_bytes(&name));
}

static void on_done(void *owner, Result result, Bytes json)
{
    const Asking *asking = owner;
    AdminAction *action = asking->action;
    action->result = result;
    action->why = subject_of(action);
    actions_audit(asking->process, action, name_of(action),
                  actions_state_of(asking->process->config));
    on_answered(owner, result, json);
}

void job_actions_tell_work(void *owner)
{
    Process *p = owner;
    if (p->shared.jobs.executor)
        job_executor_accepted(p->shared.jobs.executor);
}

void job_actions_do(Process *p, AdminAction *action)
{
    if (!p->job_admin) {
        action->result = FAIL(action->arena, FAULT_UNKNOWN_PATH, "this gateway has no store");
        admin_action_done(action);
        return;
    }
    JobQuestion question = {.id = id_of(action),
                            .word = word_of(action),
                            .query = action->text,
                            .who = action->who,
                            .why = action->why,
                            .arena = action->arena};
    job_admin_ask(p->job_admin, &question, question.word.size ? on_done : on_answered,
                  asking_of(p, action));
}

/* ---- Idempotency keys
 * ------------------------------------------------------------------------------------
 */

typedef struct KeyAsking {
    Asking asking; /* first */
    ClaimAdmin admin;
} KeyAsking;

/* "8e03978e: ada has no such order". The client is not named: audits outlive it. */
static Bytes key_subject(const KeyAsking *asking)
{
    const AdminAction *action = asking->asking.action;
    return bytes_of(arena_printf(action->arena, "%.*s%s%.*s",
                                 BYTES_ARGS(bytes_cut_text(asking->admin.key, 300)),
                                 action->why.size ? ": " : "", BYTES_ARGS(action->why)));
}

static void on_key_forgotten(void *owner, Result result, Bytes json)
{
    const Asking *asking = owner;
    AdminAction *action = asking->action;
    action->result = result;
    action->why = key_subject(owner);
    actions_audit(asking->process, action, "idempotency_forget",
                  actions_state_of(asking->process->config));
    on_answered(owner, result, json);
}

void claim_actions_do(Process *p, AdminAction *action)
{
    bool forgets = action->what == ADMIN_FORGET_KEY;
    KeyAsking *asking = arena_make(action->arena, KeyAsking);
    *asking = (KeyAsking){.asking = {p, action},
                          .admin = {.port = p->port,
                                    .config = &p->config,
                                    .query = action->text,
                                    .forgets = forgets,
                                    .arena = action->arena,
                                    .on_answered = forgets ? on_key_forgotten : on_answered,
                                    .owner = asking}};
    if (p->port)
        claim_admin_ask(&asking->admin);
    else
        asking->admin.on_answered(
            asking, FAIL(action->arena, FAULT_UNKNOWN_PATH, "this gateway has no store"),
            BYTES_NONE);
}

/* ---- Rollouts
 * ------------------------------------------------------------------------------------
 */

/* "name=orders: the fault is mended" */
static Bytes rollout_subject(const AdminAction *action)
{
    return bytes_of(arena_printf(action->arena, "%.*s%s%.*s",
                                 BYTES_ARGS(bytes_cut_text(action->text, 200)),
                                 action->why.size ? ": " : "", BYTES_ARGS(action->why)));
}

static void on_rollout_done(void *owner, Result result, Bytes json)
{
    const Asking *asking = owner;
    AdminAction *action = asking->action;
    action->result = result;
    action->why = rollout_subject(action);
    actions_audit(asking->process, action,
                  arena_printf(action->arena, "rollout_%.*s", BYTES_ARGS(action->target)),
                  actions_state_of(asking->process->config));
    on_answered(owner, result, json);
}

/* Without one there is nothing to show, and nothing to do. */
static void answer_none(AdminAction *action)
{
    if (action->what == ADMIN_READ_ROLLOUTS)
        action->body = bytes_of("{\"rollouts\":[]}\n");
    else
        action->result = FAIL(action->arena, FAULT_UNKNOWN_PATH, "the config has no rollouts");
    admin_action_done(action);
}

/* What is told of clients comes all the time, and is no change by an operator. */
static bool is_audited(const AdminAction *action)
{
    return action->what == ADMIN_ORDER_ROLLOUT && !bytes_are(action->target, "tell");
}

void rollout_actions_do(Process *p, AdminAction *action)
{
    if (!p->rollouts) {
        answer_none(action);
        return;
    }
    bool orders = action->what == ADMIN_ORDER_ROLLOUT;
    RolloutQuestion question = {.word = orders ? action->target : BYTES_NONE,
                                .query = action->text,
                                .who = action->who,
                                .why = action->why,
                                .arena = action->arena};
    rollout_runner_ask(p->rollouts, &question, is_audited(action) ? on_rollout_done : on_answered,
                       asking_of(p, action));
}
