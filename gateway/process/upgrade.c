#include "gateway/process/process_internal.h"

#include "base/arena.h"
#include "gateway/handover/handover.h"
#include "gateway/supervisor/restarts.h"
#include "gateway/telemetry/telemetry.h"

#include <stdio.h>

/* `after`: the config of the gateway that serves now. */
static void answer(Process *p, AdminAction *action, Result result, AuditState after)
{
    if (!action)
        return;
    action->result = error_copy(action->arena, result);
    actions_answer_state(action, "upgrade", after);
    actions_audit_change(p, action, "upgrade", actions_state_of(p->config), after);
    admin_action_done(action);
}

static void end_upgrade(Process *p, Result result, AuditState after)
{
    answer(p, p->upgrade, result, after);
    p->upgrade = NULL;
    p->upgrading = false;
}

static void refuse_upgrade(Process *p, const char *why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = FAIL(arena, FAULT_NOT_UPGRADED, "%s", why);
    telemetry_event("error", "not_upgraded", r, "this process goes on");
    if (p->fleet) {
        fleet_rest(p->fleet, false);
        limit_fleet_rest(p->limit_fleet, false);
    }
    end_upgrade(p, r, actions_state_of(p->config));
    arena_free(arena);
}

void upgrade_begin(Process *p)
{
    if (!p->succession)
        refuse_upgrade(p, "there is no supervisor: start the gateway with `passerelle run "
                          "--supervise CONFIG`");
    else if (p->going)
        refuse_upgrade(p, "the gateway stops");
    else
        succession_say(NOTICE_UPGRADE, "");
}

/* Who asks while one is under way may mean a later build than the one that is being started. */
void upgrade_ask(Process *p, AdminAction *action)
{
    if (p->upgrading || p->upgrade) {
        answer(p, action,
               FAIL(action->arena, FAULT_NOT_UPGRADED,
                    "an upgrade is under way already: ask again when it has ended"),
               actions_state_of(p->config));
        return;
    }
    p->upgrade = action;
    upgrade_begin(p);
}

void upgrade_refuse_left(Process *p)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    end_upgrade(p, FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops"),
                actions_state_of(p->config));
    arena_free(arena);
}

static void on_ledger_collected(void *owner, Bytes page)
{
    (void)owner;
    (void)page;
    handover_write_all();
    succession_say(NOTICE_WRITTEN, "");
}

static void write_for_successor(Process *p)
{
    telemetry_event("info", "upgrading", OK, "a new process is started");
    p->upgrading = true;
    if (p->fleet) {
        fleet_rest(p->fleet, true);
        limit_fleet_rest(p->limit_fleet, true);
    }
    ledger_read(p->shared.ledger, on_ledger_collected, p);
}

/* "1 230c...": what a process says of its config when it serves. */
static AuditState read_state(Arena *arena, Bytes text)
{
    AuditState state = {0};
    Bytes number;
    if (!bytes_split(&text, ' ', &number) || !bytes_to_u64(number, &state.generation))
        state.generation = 0;
    state.hash = arena_text(arena, text);
    return state;
}

void upgrade_say_serving(const Process *p)
{
    char text[64 + CONFIG_HASH_SIZE];
    snprintf(text, sizeof text, "%llu %s", (unsigned long long)p->config->generation,
             p->config->hash);
    succession_say(NOTICE_SERVING, text);
}

/* A successor serves: its clients and operators come to it from now on. `state` is of its config.
 */
static void hand_over(Process *p, AuditState state)
{
    if (p->given)
        return;
    p->given = true;
    handover_give();
    telemetry_event("info", "handed_over", OK, "a new process serves; running calls may finish");
    end_upgrade(p, OK, state);
    shutdown_take_no_more(p);
    admin_leave(p->admin);
    admin_leave(p->admin_socket);
    if (p->going >= GOING_DRAIN)
        return;
    p->going = GOING_DRAIN;
    atomic_store(&p->shared.drain_time, p->config->upgrade.drain);
    shutdown_drain_workers(p);
}

void upgrade_tell_limits(const Process *p)
{
    const UpgradeConfig *upgrade = &p->config->upgrade;
    SupervisorLimits limits = {.restarts = upgrade->restarts,
                               .steady = upgrade->steady,
                               .wait = upgrade->wait,
                               .longest = upgrade->longest_wait,
                               .prove = upgrade->prove,
                               .hung = upgrade->hung};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    supervisor_limits_write(&limits, &text);
    succession_say(NOTICE_LIMITS, arena_text(arena, buffer_bytes(&text)));
    arena_free(arena);
}

static void on_proved(void *owner, Result result)
{
    Process *p = owner;
    if (!failed(result)) {
        succession_say(NOTICE_PREPARED, "");
        return;
    }
    telemetry_event("error", "not_upgraded", result, "this new process ends");
    p->unproved = error_copy(p->arena, result);
    shutdown_now(p);
}

void upgrade_end_proof(Process *p)
{
    proof_stop(p->proof);
    p->proof = NULL;
}

/* The supervisor has ended: nobody would start this process again, or stop it. */
static void on_orphaned(Process *p)
{
    telemetry_event("error", "supervisor_gone", OK, "this process stops");
    shutdown_begin(p, SIGTERM);
}

static void on_heard(void *owner, NoticeKind kind, Bytes text)
{
    Process *p = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (kind == NOTICE_NONE)
        on_orphaned(p);
    else if (kind == NOTICE_WRITE)
        write_for_successor(p);
    else if (kind == NOTICE_GO && p->proof && !p->going) {
        upgrade_end_proof(p);
        process_serve(p);
    } else if (kind == NOTICE_DRAIN)
        hand_over(p, read_state(arena, text));
    else if (kind == NOTICE_STAYS && !p->given)
        refuse_upgrade(p, arena_text(arena, text));
    else if (kind == NOTICE_LEFT && p->going == GOING_DRAIN)
        shutdown_drain_workers(p);
    arena_free(arena);
}

/* A successor serves when it has proved that it can; any other one at once. */
void upgrade_start(Process *p)
{
    p->succession = succession_start(&p->loop, on_heard, p);
    handover_wake_by(process_wake, p);
    if (!handover_succeeds())
        process_serve(p);
    else
        p->proof = proof_start(&p->loop, p->workers, p->n_workers,
                               (Admin *const[]){p->admin, p->admin_socket}, on_proved, p);
}
