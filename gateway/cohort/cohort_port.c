#include "gateway/cohort/cohort_port.h"

#include "base/result.h"
#include "gateway/policy/delay_sketch.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    KNOCKED = 256, /* clients of a loop that need not knock again now */
    COUNTED = 512, /* that need not be counted again */
    PACE_LEARNS = 64
};

/* How long the baseline's calls of a method take. */
typedef struct Pace {
    DelaySketch sketch;
    int64_t slow; /* from here on; 0: not known yet */
    uint32_t until;
} Pace;

/* What a sample has already. */
typedef struct Counted {
    uint64_t client, rollout, round;
    uint32_t failed;
    uint8_t arm;
} Counted;

/* What was counted of one rollout: of its latest round. */
typedef struct Tally {
    struct Tally *next;
    uint64_t rollout;
    CohortSample *sample;
} Tally;

struct CohortPort {
    CohortPort *next; /* of `ports` */
    Loop *loop;
    CohortTable *table; /* a reference; may be NULL */
    CohortStream *streams;
    pthread_mutex_t lock; /* guards: */
    Tally *tallies;
    /* Of methods, by Method.id of this generation of the config. */
    uint64_t generation;
    Pace **paces;
    uint32_t n_paces;
    uint64_t knocked[KNOCKED]; /* since: */
    int64_t knocked_from;
    Counted counted[COUNTED];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of these: */
static CohortTable *published;
static CohortPort *ports;
static Tally *told; /* from outside */

/* ---- Tallies --------------------------------------------------------------------------------- */

/* The sample of the rollout, of this round: what was counted of another one is dropped. */
static CohortSample *sample_of(Tally **tallies, uint64_t rollout, uint64_t round)
{
    Tally *tally = *tallies;
    while (tally && tally->rollout != rollout)
        tally = tally->next;
    if (!tally) {
        tally = calloc(1, sizeof *tally);
        CHECK(tally);
        *tally = (Tally){.next = *tallies, .rollout = rollout};
        *tallies = tally;
    }
    if (!tally->sample || cohort_sample_round(tally->sample) != round) {
        cohort_sample_free(tally->sample);
        tally->sample = cohort_sample_new(rollout, round);
    }
    return tally->sample;
}

/* A copy; NULL: nothing was counted in this round. */
static CohortSample *copy_of(const Tally *tally, uint64_t rollout, uint64_t round)
{
    while (tally && tally->rollout != rollout)
        tally = tally->next;
    return tally && cohort_sample_round(tally->sample) == round ? cohort_sample_copy(tally->sample)
                                                                : NULL;
}

static void tallies_free(Tally *tally)
{
    while (tally) {
        Tally *next = tally->next;
        cohort_sample_free(tally->sample);
        free(tally);
        tally = next;
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

static void put_first(CohortStream **list, CohortStream *stream)
{
    stream->next = *list;
    stream->at = list;
    if (stream->next)
        stream->next->at = &stream->next;
    *list = stream;
}

/* Those that the new table leaves without a candidate. The end of one may be that of others. */
static void end_streams(CohortPort *port)
{
    CohortStream *ending = NULL;
    for (CohortStream *stream = port->streams, *next; stream; stream = next) {
        next = stream->next;
        if (!cohort_table_is_empty(port->table, stream->rollout))
            continue;
        cohort_unfollow(stream);
        put_first(&ending, stream);
    }
    while (ending) {
        CohortStream *stream = ending;
        cohort_unfollow(stream);
        stream->on_rollback(stream);
    }
}

static void take_table(CohortPort *port)
{
    pthread_mutex_lock(&lock);
    CohortTable *before = port->table;
    port->table = published ? cohort_table_ref(published) : NULL;
    pthread_mutex_unlock(&lock);
    cohort_table_unref(before);
    port->knocked_from = 0;
    end_streams(port);
}

static void on_published(Loop *loop, void *argument)
{
    if (loop->cohorts)
        take_table(loop->cohorts);
}

void cohort_publish(CohortTable *table)
{
    pthread_mutex_lock(&lock);
    CohortTable *before = published;
    published = table;
    for (CohortPort *port = ports; port; port = port->next)
        loop_post(port->loop, on_published, NULL);
    pthread_mutex_unlock(&lock);
    cohort_table_unref(before);
}

CohortTable *cohort_published(void)
{
    pthread_mutex_lock(&lock);
    CohortTable *table = published ? cohort_table_ref(published) : NULL;
    pthread_mutex_unlock(&lock);
    return table;
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static CohortPort *port_new(Loop *loop)
{
    CohortPort *port = calloc(1, sizeof *port);
    CHECK(port && pthread_mutex_init(&port->lock, NULL) == 0);
    port->loop = loop;
    loop->cohorts = port;
    pthread_mutex_lock(&lock);
    port->next = ports;
    ports = port;
    port->table = published ? cohort_table_ref(published) : NULL;
    pthread_mutex_unlock(&lock);
    return port;
}

static CohortPort *port_of(Loop *loop)
{
    return loop->cohorts ? loop->cohorts : port_new(loop);
}

static void forget_paces(CohortPort *port)
{
    for (uint32_t i = 0; i < port->n_paces; i++)
        free(port->paces[i]);
    free(port->paces);
    port->paces = NULL;
    port->n_paces = 0;
}

void cohort_end(Loop *loop)
{
    CohortPort *port = loop->cohorts;
    if (!port)
        return;
    pthread_mutex_lock(&lock);
    CohortPort **at = &ports;
    while (*at != port)
        at = &(*at)->next;
    *at = port->next;
    pthread_mutex_unlock(&lock);
    CHECK(!port->streams);
    loop->cohorts = NULL;
    cohort_table_unref(port->table);
    tallies_free(port->tallies);
    forget_paces(port);
    pthread_mutex_destroy(&port->lock);
    free(port);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void knock(CohortPort *port, uint64_t rollout, const CohortPlace *place, Bytes client)
{
    uint64_t *knocked = &port->knocked[place->client % KNOCKED];
    if (port->loop->now >= port->knocked_from + SECOND) {
        memset(port->knocked, 0, sizeof port->knocked);
        port->knocked_from = port->loop->now;
    }
    if (*knocked != place->client && cohort_knock(rollout, place->round, client))
        *knocked = place->client;
}

CohortPlace cohort_look(Loop *loop, const RolloutDefinition *rollout, const CohortClient *client)
{
    return cohort_table_find(port_of(loop)->table, rollout, client);
}

bool cohort_is_over(Loop *loop, const RolloutDefinition *rollout)
{
    return cohort_table_is_empty(port_of(loop)->table, rollout->id);
}

CohortPlace cohort_find(Loop *loop, const RolloutDefinition *rollout, const CohortClient *client)
{
    CohortPort *port = port_of(loop);
    CohortPlace place = cohort_table_find(port->table, rollout, client);
    if (place.knocks)
        knock(port, rollout->id, &place, client->recorded);
    return place;
}

/* Whether what belongs to this place is still counted. */
static bool is_counted(const CohortPort *port, const RolloutDefinition *rollout,
                       const CohortPlace *place)
{
    return place->round && cohort_table_round(port->table, rollout->id) == place->round;
}

/* A client counts once: most calls change nothing, and need no lock. True: this one does. */
static bool is_news(CohortPort *port, uint64_t rollout, const CohortPlace *place, uint32_t failed)
{
    Counted *counted = &port->counted[place->client % COUNTED];
    if (counted->client == place->client && counted->rollout == rollout &&
        counted->round == place->round && counted->arm == place->arm) {
        failed |= counted->failed;
        if (failed == counted->failed)
            return false;
    }
    *counted = (Counted){place->client, rollout, place->round, failed, place->arm};
    return true;
}

void cohort_count(Loop *loop, const RolloutDefinition *rollout, const CohortPlace *place,
                  uint32_t failed)
{
    CohortPort *port = port_of(loop);
    failed = place->late ? 0 : failed & rollout->judging.metrics;
    if (!place->judged || !is_counted(port, rollout, place) ||
        !is_news(port, rollout->id, place, failed))
        return;
    pthread_mutex_lock(&port->lock);
    CohortSample *sample = sample_of(&port->tallies, rollout->id, place->round);
    cohort_sample_add(sample, (CohortArm)place->arm, place->client, failed);
    pthread_mutex_unlock(&port->lock);
}

void cohort_count_unserved(Loop *loop, const RolloutDefinition *rollout, const CohortPlace *place)
{
    CohortPort *port = port_of(loop);
    if (!is_counted(port, rollout, place))
        return;
    pthread_mutex_lock(&port->lock);
    cohort_sample_unserved(sample_of(&port->tallies, rollout->id, place->round));
    pthread_mutex_unlock(&port->lock);
}

/* NULL: the method is of an older config. */
static Pace *pace_of(CohortPort *port, const Config *config, const Method *method)
{
    if (config->generation < port->generation)
        return NULL;
    if (config->generation > port->generation) {
        forget_paces(port);
        port->paces = calloc(config->n_methods, sizeof(Pace *));
        CHECK(port->paces);
        port->n_paces = config->n_methods;
        port->generation = config->generation;
    }
    CHECK(method->id < port->n_paces);
    Pace **pace = &port->paces[method->id];
    if (!*pace)
        *pace = calloc(1, sizeof **pace);
    CHECK(*pace);
    return *pace;
}

static void learn(Pace *pace, double share, int64_t time)
{
    delay_sketch_add(&pace->sketch, time);
    if (pace->until-- > 0)
        return;
    pace->until = PACE_LEARNS;
    pace->slow = delay_sketch_at(&pace->sketch, share);
}

bool cohort_is_slow(Loop *loop, const Config *config, const RolloutDefinition *rollout,
                    const Method *method, CohortArm arm, int64_t time)
{
    Pace *pace = pace_of(port_of(loop), config, method);
    if (!pace)
        return false;
    bool is_slow = pace->slow && time > pace->slow;
    if (arm == COHORT_BASELINE)
        learn(pace, rollout->judging.slow, time);
    return is_slow;
}

/* ---- Streams --------------------------------------------------------------------------------- */

void cohort_follow(Loop *loop, CohortStream *stream)
{
    put_first(&port_of(loop)->streams, stream);
}

void cohort_unfollow(CohortStream *stream)
{
    if (!stream->at)
        return;
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    stream->at = NULL;
}

/* ---- What the runner gets -------------------------------------------------------------------- */

CohortSample *cohort_collect(uint64_t rollout, uint64_t round)
{
    CohortSample *sum = cohort_sample_new(rollout, round);
    pthread_mutex_lock(&lock);
    CohortSample *part = copy_of(told, rollout, round);
    for (CohortPort *port = ports;; port = port->next) {
        if (part)
            cohort_sample_merge(sum, part);
        cohort_sample_free(part);
        if (!port)
            break;
        pthread_mutex_lock(&port->lock);
        part = copy_of(port->tallies, rollout, round);
        pthread_mutex_unlock(&port->lock);
    }
    pthread_mutex_unlock(&lock);
    return sum;
}

bool cohort_tell(const RolloutDefinition *rollout, const CohortClient *client, RolloutMetric metric)
{
    pthread_mutex_lock(&lock);
    CohortPlace place = cohort_table_find(published, rollout, client);
    bool counts = place.judged && place.round && !place.late;
    if (counts)
        cohort_sample_add(sample_of(&told, rollout->id, place.round), (CohortArm)place.arm,
                          place.client, rollout->judging.metrics & 1u << metric);
    pthread_mutex_unlock(&lock);
    return counts;
}
