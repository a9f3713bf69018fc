/* How each list is, for Prometheus. */
#include "gateway/discovery/watch.h"

#include "base/clock.h"

enum { LABELS = 2 };

static void labels_of(const Watch *watch, Label labels[LABELS])
{
    labels[0] = (Label){"service", watch->name};
    labels[1] = (Label){"source", watch->place};
}

typedef uint64_t ListNumber(const ListState *state);

static uint64_t readings_of(const ListState *state)
{
    return state->n_readings;
}

static uint64_t failures_of(const ListState *state)
{
    return state->n_failures;
}

static uint64_t failing_of(const ListState *state)
{
    return state->failing;
}

static uint64_t refused_of(const ListState *state)
{
    return state->n_refused;
}

static void write_family(Exposition *e, const Watching *watching, const char *name, MetricType type,
                         const char *help, ListNumber *number)
{
    exposition_family(e, name, type, help);
    for (const Watch *watch = watching->first; watch; watch = watch->next) {
        Label labels[LABELS];
        labels_of(watch, labels);
        exposition_number(e, "", labels, LABELS, number(&watch->state));
    }
}

static void write_ages(Exposition *e, const Watching *watching)
{
    int64_t now = clock_now();
    exposition_family(e, "passerelle_discovery_age_seconds", METRIC_GAUGE,
                      "Time since the list of instances was last read, or etcd last answered.");
    for (const Watch *watch = watching->first; watch; watch = watch->next) {
        Label labels[LABELS];
        labels_of(watch, labels);
        if (watch->state.read_at)
            exposition_seconds(e, "", labels, LABELS, now - watch->state.read_at);
    }
}

void discovery_metrics_write(Exposition *e, void *owner)
{
    Watching *watching = owner;
    pthread_mutex_lock(&watching->mutex);
    if (watching->first) {
        write_family(e, watching, "passerelle_discovery_failing", METRIC_GAUGE,
                     "1 while a list of instances, or a part of it, cannot be read, and the last "
                     "known instances are used.",
                     failing_of);
        write_ages(e, watching);
        write_family(e, watching, "passerelle_discovery_readings", METRIC_COUNTER,
                     "Readings of a list of instances, failed ones included.", readings_of);
        write_family(e, watching, "passerelle_discovery_failures", METRIC_COUNTER,
                     "Readings of a list of instances that failed.", failures_of);
        write_family(e, watching, "passerelle_discovery_refused", METRIC_GAUGE,
                     "Invalid entries of a list of instances, which are left out.", refused_of);
    }
    pthread_mutex_unlock(&watching->mutex);
}
