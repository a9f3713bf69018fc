/* What operators see of rollouts, and do with them. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/rollout_run/rollout_query.h"
#include "gateway/rollout_run/rollout_runner_internal.h"

enum { TRIES = 3 }; /* of an order, if somebody else acts at the same time */

/* A question until its answer, in its arena. */
struct RolloutAsked {
    RolloutRunner *runner;
    RolloutAsked *next, **at; /* in runner->asked */
    RolloutQuestion question;
    RolloutQuery query;
    RolloutEvent order;
    int n_tries;
    RolloutOnAnswered *on_answered;
    void *owner;
};

static const struct {
    const char *word;
    RolloutEvent event;
} orders[] = {
    {"start", ROLLOUT_ORDER_START},        {"advance", ROLLOUT_ORDER_ADVANCE},
    {"pause", ROLLOUT_ORDER_PAUSE},        {"resume", ROLLOUT_ORDER_RESUME},
    {"rollback", ROLLOUT_ORDER_ROLL_BACK},
};

enum { N_ORDERS = sizeof orders / sizeof *orders };

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer(RolloutAsked *asked, Result result, Bytes json)
{
    *asked->at = asked->next;
    if (asked->next)
        asked->next->at = asked->at;
    asked->on_answered(asked->owner, result, json);
}

static void refuse(RolloutAsked *asked, Result why)
{
    answer(asked, why, BYTES_NONE);
}

static void fail_by_store(RolloutAsked *asked, Result why)
{
    Arena *arena = asked->question.arena;
    refuse(asked,
           FAIL_OVER(arena, error_copy(arena, why), *why.error->fault, "asking for a rollout"));
}

static void refuse_unfit(RolloutAsked *asked, const HeldRollout *held, const char *why)
{
    refuse(asked, FAIL(asked->question.arena, FAULT_ROLLOUT_UNFIT, "%s: %s", held->name, why));
}

void rollout_asked_refuse_all(RolloutRunner *runner)
{
    while (runner->asked)
        refuse(runner->asked,
               FAIL(runner->asked->question.arena, FAULT_SHUTTING_DOWN, "the gateway stops"));
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void add_rollout(const HeldRollout *held, Buffer *out)
{
    RolloutStory story = held_story(held);
    json_text_add_element(out);
    rollout_story_begin(&story, out);
}

/* Of a name that is withdrawn: that one only. */
static void show_all(RolloutAsked *asked)
{
    Buffer out = buffer_in(asked->question.arena);
    const HeldRollout *held = asked->query.name.size ? NULL : asked->runner->held;
    buffer_add_text(&out, "{\"rollouts\":[");
    for (; held; held = held->next) {
        add_rollout(held, &out);
        buffer_add_byte(&out, '}');
    }
    withdrawals_show(&asked->runner->withdrawals, asked->runner->settings.config, asked->query.name,
                     &out);
    buffer_add_text(&out, "]}\n");
    answer(asked, OK, buffer_bytes(&out));
}

static void add_act(const RolloutAct *act, Buffer *out)
{
    json_text_open_item(out);
    json_text_add_time(out, "at", act->at / SECOND, (int32_t)(act->at % SECOND));
    json_text_add_number(out, "trial", (uint64_t)act->trial);
    json_text_add_number(out, "revision", (uint64_t)act->revision);
    if (act->content.size) {
        json_text_add_key(out, "deed");
        buffer_add_bytes(out, act->content);
    }
    buffer_add_byte(out, '}');
}

typedef struct Telling {
    RolloutAsked *asked;
    HeldRollout *held;
} Telling;

static void on_history(void *owner, Result result, const RolloutAct *acts, uint32_t n)
{
    Telling telling = *(Telling *)owner;
    RolloutAsked *asked = telling.asked;
    if (failed(result) || !telling.held->definition) {
        Result gone = FAIL(asked->question.arena, FAULT_UNKNOWN_PATH, "the config has changed");
        fail_by_store(asked, failed(result) ? result : gone);
        held_end(telling.held);
        return;
    }
    Buffer out = buffer_in(asked->question.arena);
    buffer_add_text(&out, "{\"rollouts\":[");
    add_rollout(telling.held, &out);
    json_text_add_key(&out, "latest_members");
    rollout_story_members(&telling.held->roster, &out);
    json_text_add_key(&out, "trail");
    rollout_story_trail(telling.held->definition, &telling.held->trail, &out);
    json_text_open_list(&out, "history");
    for (uint32_t i = 0; i < n; i++)
        add_act(&acts[i], &out);
    buffer_add_text(&out, "]}]}\n");
    held_end(telling.held);
    answer(asked, OK, buffer_bytes(&out));
}

static void show_one(RolloutAsked *asked, HeldRollout *held)
{
    Telling *telling = arena_make(asked->question.arena, Telling);
    *telling = (Telling){asked, held};
    held_begin(held);
    rollout_table_history(asked->runner->table, bytes_of(held->name), on_history, telling);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static void give_order(RolloutAsked *asked, HeldRollout *held)
{
    RolloutActor actor = {asked->question.who, asked->question.why, asked};
    if (asked->order == ROLLOUT_ORDER_START && !asked->question.why.size) {
        refuse_unfit(asked, held, "this needs a reason: --why, or the field passerelle-why");
        return;
    }
    if (!held->known || !held->stored) {
        refuse(asked, FAIL(asked->question.arena, FAULT_STORE_DOWN,
                           "%s: the store has not said yet how it stands", held->name));
        return;
    }
    RolloutStep step =
        rollout_step(held->definition, &held->record.state, asked->order, clock_wall());
    if (asked->order == ROLLOUT_ORDER_ADVANCE && !held_has_begun(held))
        refuse_unfit(asked, held, "its tier has not begun yet");
    else if (step.taken)
        held_act(held, &step, asked->order, &actor);
    else
        refuse_unfit(asked, held, step.refusal ? step.refusal : "that changes nothing");
}

static void end_order(RolloutAsked *asked, const HeldRollout *held)
{
    Buffer out = buffer_in(asked->question.arena);
    RolloutStory story = held_story(held);
    buffer_add_text(&out, "{");
    json_text_add_member(&out, "action", asked->question.word);
    json_text_add_member(&out, "rollout", bytes_of(held->name));
    json_text_add_member(&out, "state", bytes_of(rollout_phase_text(story.record->state.phase)));
    buffer_add_text(&out, "}\n");
    answer(asked, OK, buffer_bytes(&out));
}

/* Who lost against another act sees first what that one has done. */
static void on_looked(void *owner, Result result, const RolloutSeen *seen)
{
    Telling telling = *(Telling *)owner;
    HeldRollout *held = telling.held;
    bool there = held->definition != NULL;
    for (uint32_t i = 0; there && i < seen->n_rows; i++)
        if (bytes_are(seen->rows[i].id, held->name))
            held_see_row(held, &seen->rows[i]);
    held_end(held);
    if (failed(result))
        fail_by_store(telling.asked, result);
    else if (there)
        give_order(telling.asked, held);
    else
        refuse(telling.asked,
               FAIL(telling.asked->question.arena, FAULT_UNKNOWN_PATH, "the config has changed"));
}

void rollout_asked_written(RolloutAsked *asked, HeldRollout *held, Result result, bool written)
{
    if (failed(result)) {
        fail_by_store(asked, result);
    } else if (written && held->definition) {
        end_order(asked, held);
    } else if (held->definition && ++asked->n_tries < TRIES) {
        Telling *telling = arena_make(asked->question.arena, Telling);
        *telling = (Telling){asked, held};
        held_begin(held);
        rollout_table_look(asked->runner->table, NULL, 0, on_looked, telling);
    } else {
        refuse(asked, FAIL(asked->question.arena, FAULT_STORE_CONFLICT,
                           "%s: others act at the same time", held->name));
    }
}

/* ---- What is told of clients ----------------------------------------------------------------- */

static RolloutMetric posted_of(const RolloutDefinition *definition, Bytes name)
{
    const RolloutJudging *judging = &definition->judging;
    uint32_t i = 0;
    while (i < judging->n_posted && !bytes_are(name, judging->posted[i]))
        i++;
    return i < judging->n_posted ? (RolloutMetric)(ROLLOUT_POSTED + i) : ROLLOUT_METRICS;
}

static void take_telling(RolloutAsked *asked, const HeldRollout *held)
{
    Arena *arena = asked->question.arena;
    const RolloutQuery *query = &asked->query;
    RolloutMetric metric = posted_of(held->definition, query->metric);
    if (metric == ROLLOUT_METRICS || !query->client.size) {
        refuse(asked, FAIL(arena, FAULT_BAD_VALUE,
                           "metric=NAME&client=NAME: one of judge.posted of the rollout, and whom "
                           "it is told of"));
        return;
    }
    const Config *config = asked->runner->settings.config;
    Identity identity = {.name = query->client, .how = PROOF_HEADER};
    CohortClient client = {query->client, identity_shown(&identity, config, arena)};
    bool counts = query->bad && cohort_tell(held->definition, &client, metric);
    Buffer out = buffer_in(arena);
    atomic_fetch_add(&asked->runner->n_told, 1);
    buffer_printf(&out, "{\"action\":\"tell\",\"counts\":%s}\n", counts ? "true" : "false");
    answer(asked, OK, buffer_bytes(&out));
}

/* ---- Questions ------------------------------------------------------------------------------- */

static HeldRollout *find(const RolloutRunner *runner, Bytes name)
{
    HeldRollout *held = runner->held;
    while (held && !bytes_are(name, held->name) &&
           !bytes_are(name, held->definition->service->name))
        held = held->next;
    return held;
}

/* What is said of a name that the config does not have. */
static void take_unknown(RolloutAsked *asked)
{
    const RolloutRunner *runner = asked->runner;
    Arena *arena = asked->question.arena;
    Bytes name = bytes_cut_text(asked->query.name, 100);
    Buffer has = buffer_in(arena);
    const Withdrawal *withdrawn =
        withdrawals_find(&runner->withdrawals, runner->settings.config, asked->query.name);
    for (const HeldRollout *held = runner->held; held; held = held->next)
        buffer_printf(&has, "%s%s", has.size ? ", " : ": it has ", held->name);
    if (withdrawn && !asked->question.word.size)
        show_all(asked);
    else if (withdrawn)
        refuse(asked,
               FAIL(arena, FAULT_ROLLOUT_UNFIT,
                    "%s: the config has no entry of it: put that back first", withdrawn->rollout));
    else
        refuse(asked, FAIL(arena, FAULT_UNKNOWN_PATH, "the config has no rollout \"%.*s\"%.*s",
                           BYTES_ARGS(name), BYTES_ARGS(buffer_bytes(&has))));
}

static bool read_word(RolloutAsked *asked)
{
    Bytes word = asked->question.word;
    for (size_t i = 0; i < N_ORDERS; i++)
        if (bytes_are(word, orders[i].word)) {
            asked->order = orders[i].event;
            return true;
        }
    asked->order = ROLLOUT_EVENTS;
    return word.size == 0 || bytes_are(word, "tell");
}

static void take_question(RolloutAsked *asked)
{
    Arena *arena = asked->question.arena;
    Result r = rollout_query_read(asked->question.query, arena, &asked->query);
    if (!failed(r) && !read_word(asked))
        r = FAIL(arena, FAULT_UNKNOWN_PATH, "nothing is done with rollouts by that word");
    if (!failed(r) && !asked->runner->table)
        r = FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops");
    if (failed(r)) {
        refuse(asked, r);
        return;
    }
    HeldRollout *held = find(asked->runner, asked->query.name);
    if (!asked->query.name.size && !asked->question.word.size)
        show_all(asked);
    else if (!held)
        take_unknown(asked);
    else if (asked->order != ROLLOUT_EVENTS)
        give_order(asked, held);
    else if (asked->question.word.size)
        take_telling(asked, held);
    else
        show_one(asked, held);
}

void rollout_runner_ask(RolloutRunner *runner, const RolloutQuestion *question,
                        RolloutOnAnswered *on_answered, void *owner)
{
    RolloutAsked *asked = arena_make(question->arena, RolloutAsked);
    *asked = (RolloutAsked){.runner = runner,
                            .next = runner->asked,
                            .at = &runner->asked,
                            .question = *question,
                            .on_answered = on_answered,
                            .owner = owner};
    if (asked->next)
        asked->next->at = &asked->next;
    runner->asked = asked;
    take_question(asked);
}
