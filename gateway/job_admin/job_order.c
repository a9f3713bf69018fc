/* What operators do with jobs. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text/json_text.h"
#include "gateway/job/job_messages.h"
#include "gateway/job_admin/job_admin_internal.h"
#include "gateway/job_admin/job_migration.h"
#include "gateway/job_admin/job_page.h"

typedef struct Word {
    const char *name;
    unsigned may_say;                                      /* JOB_QUERY_EVENT, JOB_QUERY_TO, or 0 */
    void (*act)(JobAsked *asked, const JobRecord *record); /* NULL: of no single job */
    JobEvent event;                                        /* of those that order */
    const char *takes;
} Word;

static const Word *word_of(const JobAsked *asked);

static Arena *arena_of(const JobAsked *asked)
{
    return asked->question.arena;
}

static const Config *config_of(const JobAsked *asked)
{
    return asked->admin->settings.config;
}

static void tell_work(const JobAsked *asked)
{
    asked->admin->settings.on_work(asked->admin->settings.owner);
}

/* {"action": "job_retry", "job": ID}, open for more. */
static Buffer begin_answer(const JobAsked *asked, Bytes job)
{
    Buffer out = buffer_in(arena_of(asked));
    buffer_printf(&out, "{\"action\":\"%.*s\"", BYTES_ARGS(asked->question.word));
    json_text_add_member(&out, "job", job);
    return out;
}

static void end_answer(JobAsked *asked, Buffer *out)
{
    buffer_add_text(out, "}\n");
    job_asked_answer(asked, OK, buffer_bytes(out));
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* Of what was ordered, or moved. */
static void on_changed(void *owner, Result result, JobOrderOutcome outcome)
{
    JobAsked *asked = owner;
    if (failed(result)) {
        job_asked_fail_by_store(asked, result);
    } else if (outcome == JOB_NOT_THERE) {
        job_asked_refuse_unknown(asked);
    } else if (outcome == JOB_UNFIT) {
        job_asked_refuse(asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                                     "it has changed meanwhile, or another order waits to be "
                                     "carried out: look at it again"));
    } else {
        Buffer out = begin_answer(asked, asked->question.id);
        tell_work(asked);
        end_answer(asked, &out);
    }
}

static void order(JobAsked *asked, const JobRecord *record)
{
    const Word *word = word_of(asked);
    JobState state = record->position.state;
    if (!job_order_fits(word->event, state)) {
        job_asked_refuse(asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT, "it is %s: %s takes %s",
                                     job_state_name(state), word->name, word->takes));
        return;
    }
    JobOrder order = {.given = true,
                      .event = word->event,
                      .who = bytes_of(asked->question.who),
                      .why = asked->question.why};
    JobStorage *storage = asked->admin->storage;
    storage->order(storage, asked->question.id, &order, on_changed, asked);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The event that it waits for; NULL: for none. */
static const char *awaited(const JobAsked *asked, const JobRecord *record)
{
    const JobDefinition *definition = job_definition_of(config_of(asked), record);
    const JobPosition *p = &record->position;
    bool waits = definition && p->state == JOB_WAITING && p->step < definition->rules.n_steps;
    return waits ? definition->steps[p->step].event : NULL;
}

static bool is_unknown(const JobAsked *asked, const JobRecord *record)
{
    return record->position.state == JOB_WAITING && !job_definition_of(config_of(asked), record);
}

static void deliver(JobAsked *asked, const JobRecord *record)
{
    const char *event = awaited(asked, record);
    if (is_unknown(asked, record))
        job_asked_refuse(asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                                     "the config has no definition of its revision %u with its "
                                     "steps, so that nobody knows which event it waits for",
                                     record->revision));
    else if (!event)
        job_asked_refuse(asked,
                         FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                              "it is %s%s%.*s, and waits for no "
                              "event",
                              job_state_name(record->position.state),
                              record->step.size ? " in step " : "", BYTES_ARGS(record->step)));
    else if (!bytes_are(asked->query.name, event))
        job_asked_refuse(
            asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT, "it waits for the event %s", event));
    else
        order(asked, record);
}

/* ---- Another revision ------------------------------------------------------------------------ */

/* 0: the one that accepts new jobs. */
static const JobDefinition *revision_of(const Config *config, Bytes name, uint32_t revision)
{
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        const JobDefinition *definition = &config->jobs[i];
        if (bytes_are(name, definition->name) &&
            (revision ? definition->revision == revision : definition->accepts))
            return definition;
    }
    return NULL;
}

static Result choose_migration(const JobAsked *asked, const JobRecord *record,
                               const JobDefinition **to_out)
{
    const JobDefinition *from = job_definition_of(config_of(asked), record);
    const JobDefinition *to = *to_out =
        revision_of(config_of(asked), record->definition, asked->query.to);
    if (!to)
        return FAIL(arena_of(asked), FAULT_JOB_UNFIT, "the config has no such revision of %.*s",
                    BYTES_ARGS(record->definition));
    if (to->revision == record->revision && to->structure == record->structure)
        return FAIL(arena_of(asked), FAULT_JOB_UNFIT, "it is of revision %u already", to->revision);
    if (!from)
        return FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                    "the config has no definition of its revision %u as it was: both are needed, "
                    "to compare them",
                    record->revision);
    return job_migration_check(record, from, to, arena_of(asked));
}

static void migrate(JobAsked *asked, const JobRecord *record)
{
    const JobDefinition *to;
    Result r = choose_migration(asked, record, &to);
    if (failed(r)) {
        job_asked_refuse(asked, r);
        return;
    }
    JobStorage *storage = asked->admin->storage;
    storage->migrate(storage, record, to->revision, to->structure, on_changed, asked);
}

/* ---- The same once more ---------------------------------------------------------------------- */

static void on_replayed(void *owner, Result result, JobAcceptance acceptance, Bytes busy)
{
    JobAsked *asked = owner;
    if (failed(result)) {
        job_asked_fail_by_store(asked, result);
    } else if (acceptance == JOB_RESOURCE_BUSY) {
        job_asked_refuse(asked,
                         FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                              "another job works on the same thing: %.*s", BYTES_ARGS(busy)));
    } else if (acceptance == JOB_TOO_MANY) {
        job_asked_refuse(asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                                     "the client has as many queued jobs as it may have"));
    } else if (acceptance == JOB_TOO_MUCH) {
        job_asked_refuse(asked, FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                                     "as much is stored of the client's jobs as may be"));
    } else {
        Buffer out = begin_answer(asked, asked->replayed->id);
        json_text_add_member(&out, "of", asked->question.id);
        tell_work(asked);
        end_answer(asked, &out);
    }
}

static Bytes make_id(Arena *arena, int64_t wall)
{
    Random random;
    char id[JOB_ID_SIZE + 1];
    random_seed(&random);
    job_id_new(&random, wall, id);
    return bytes_copy(arena, bytes_of(id));
}

/* By the definition that accepts jobs now, if it reads the same request; else by its own. */
static const JobDefinition *replaying(const JobAsked *asked, const JobRecord *record)
{
    const JobDefinition *own = job_definition_of(config_of(asked), record);
    const JobDefinition *now = revision_of(config_of(asked), record->definition, 0);
    return own && now && now->method->version == own->method->version ? now : own;
}

static Result check_replay(const JobAsked *asked, const JobRecord *record)
{
    JobState state = record->position.state;
    if (!asked->question.why.size)
        return FAIL(arena_of(asked), FAULT_BAD_VALUE,
                    "replay has effects once more: say why (--why, or the field passerelle-why)");
    if (!job_is_at_rest(state))
        return FAIL(arena_of(asked), FAULT_JOB_UNFIT,
                    "it is %s: replay takes one that has ended, or has failed",
                    job_state_name(state));
    if (record->damage.size || !replaying(asked, record))
        return FAIL(arena_of(asked), FAULT_JOB_UNFIT, "%s: its request cannot be read",
                    record->damage.size ? arena_text(arena_of(asked), record->damage)
                                        : "the config has no definition of its revision and "
                                          "structure");
    return OK;
}

/* Of the same client, so that it sees it as the first one. */
static Result make_replay(const JobAsked *asked, const JobRecord *record,
                          const JobDefinition *definition, JobRecord *new_out)
{
    Arena *arena = arena_of(asked);
    int64_t wall = clock_wall();
    const JobRecord *copy = job_record_copy(record, arena);
    *new_out = job_record_of(definition, make_id(arena, wall), wall);
    new_out->client = copy->client;
    new_out->request_id = copy->request_id;
    new_out->impact = copy->impact;
    new_out->request = copy->request;
    new_out->forwarded = copy->forwarded;
    new_out->identity = copy->identity;
    return job_resource(definition->method->extras->job, new_out->request, new_out->id, arena,
                        &new_out->resource);
}

static void replay(JobAsked *asked, const JobRecord *record)
{
    JobRecord *new = arena_make(arena_of(asked), JobRecord);
    const JobDefinition *definition = replaying(asked, record);
    Result r = check_replay(asked, record);
    if (!failed(r))
        r = make_replay(asked, record, definition, new);
    if (failed(r)) {
        job_asked_refuse(asked, r);
        return;
    }
    asked->replayed = new;
    JobAdmission admission = job_admission_of(new, definition);
    JobStorage *storage = asked->admin->storage;
    storage->accept(storage, &admission, on_replayed, asked);
}

/* ---- Parked methods -------------------------------------------------------------------------- */

static void on_unparked(void *owner, Result result)
{
    JobAsked *asked = owner;
    if (failed(result)) {
        job_asked_fail_by_store(asked, result);
        return;
    }
    Buffer out = buffer_in(arena_of(asked));
    buffer_add_text(&out, "{\"action\":\"unpark\"");
    json_text_add_member(&out, "method", asked->query.name);
    tell_work(asked);
    end_answer(asked, &out);
}

void job_asked_order_all(JobAsked *asked)
{
    JobStorage *storage = asked->admin->storage;
    if (revision_of(config_of(asked), asked->query.name, 0))
        storage->unpark(storage, asked->query.name, on_unparked, asked);
    else
        job_asked_refuse(asked,
                         FAIL(arena_of(asked), FAULT_UNKNOWN_PATH, "the config has no jobs of %.*s",
                              BYTES_ARGS(bytes_cut_text(asked->query.name, 200))));
}

/* ---- Words ----------------------------------------------------------------------------------- */

static const Word words[] = {
    {"retry", 0, order, JOB_RETRY, "one that has failed"},
    {"skip-step", 0, order, JOB_SKIP, "one that has failed"},
    {"cancel", 0, order, JOB_CANCEL, "one that has not ended"},
    {"undo", 0, order, JOB_UNDO, "one that is done or has failed"},
    {"event", JOB_QUERY_EVENT, deliver, JOB_ARRIVED, "one that waits"},
    {"migrate", JOB_QUERY_TO, migrate, JOB_TAKEN, NULL},
    {"replay", 0, replay, JOB_TAKEN, NULL},
    {"unpark", JOB_QUERY_METHOD, NULL, JOB_TAKEN, NULL},
};

enum { N_WORDS = sizeof words / sizeof *words };

static const Word *word_of(const JobAsked *asked)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (bytes_are(asked->question.word, words[i].name))
            return &words[i];
    return NULL;
}

bool job_asked_check(JobAsked *asked)
{
    const Word *word = word_of(asked);
    Arena *arena = arena_of(asked);
    bool fits = word && (word->act != NULL) == (asked->question.id.size > 0);
    Result r = fits ? job_query_read(asked->question.query, word->may_say, arena, &asked->query)
                    : FAIL(arena, FAULT_UNKNOWN_PATH, "nothing is done with jobs by that word");
    if (failed(r))
        job_asked_refuse(asked, r);
    return !failed(r);
}

void job_asked_order(JobAsked *asked, const JobRecord *record)
{
    word_of(asked)->act(asked, record);
}
