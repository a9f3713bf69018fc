#include "gateway/certificates/certificate_watch.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>

#define DAY (86400 * SECOND)
#define WARNED (30 * DAY)
#define AGAIN (DAY / 2) /* between two warnings */

static struct {
    uv_timer_t timer;
    pthread_mutex_t lock; /* for the next two, which the thread of a metrics page reads */
    Arena *arena;
    CertificateEnd *first;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void tell(const CertificateEnd *one, int64_t now)
{
    char day[DATE_DAY_SIZE];
    date_write_day(one->end / SECOND, day);
    if (one->end <= now)
        telemetry_event("error", "certificate_ends", OK, "%s: %s ended on %.*s", one->where,
                        one->what, DATE_DAY_SIZE, day);
    else if (one->end - now <= WARNED)
        telemetry_event("warning", "certificate_ends", OK, "%s: %s ends on %.*s, in %lld days",
                        one->where, one->what, DATE_DAY_SIZE, day,
                        (long long)((one->end - now) / DAY));
}

static void tell_all(void)
{
    int64_t now = clock_wall();
    for (const CertificateEnd *one = watch.first; one; one = one->next)
        tell(one, now);
}

static void on_timer(uv_timer_t *timer)
{
    tell_all();
}

static void see(void *owner, const char *where, const char *what, int64_t begin, int64_t end)
{
    (void)begin;
    CertificateEnd **at = owner;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->where, where) == 0) {
            if (end < (*at)->end) {
                (*at)->what = what;
                (*at)->end = end;
            }
            return;
        }
    *at = arena_array(watch.arena, CertificateEnd, 1);
    **at = (CertificateEnd){.where = where, .what = what, .end = end};
}

void certificate_watch_use(const Config *config)
{
    pthread_mutex_lock(&watch.lock);
    if (watch.arena)
        arena_free(watch.arena);
    watch.arena = arena_new(ARENA_UNLIMITED);
    watch.first = NULL;
    config_certificates(config, watch.arena, see, &watch.first);
    pthread_mutex_unlock(&watch.lock);
    tell_all();
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    pthread_mutex_lock(&watch.lock);
    if (watch.first)
        exposition_family(e, "passerelle_certificate_ends_timestamp_seconds", METRIC_GAUGE,
                          "When the first certificate or revocation list there ends, in seconds "
                          "since 1970.");
    for (const CertificateEnd *one = watch.first; one; one = one->next)
        exposition_number(e, "", &(Label){"where", one->where}, 1,
                          one->end > 0 ? (uint64_t)(one->end / SECOND) : 0);
    pthread_mutex_unlock(&watch.lock);
}

void certificate_watch_start(uv_loop_t *loop)
{
    CHECK(uv_timer_init(loop, &watch.timer) == 0);
    CHECK(uv_timer_start(&watch.timer, on_timer, AGAIN / MILLISECOND, AGAIN / MILLISECOND) == 0);
    uv_unref((uv_handle_t *)&watch.timer);
    metrics_add_writer(write_metrics, &watch);
}

void certificate_watch_stop(void)
{
    uv_close((uv_handle_t *)&watch.timer, NULL);
    metrics_remove_writer(&watch);
    pthread_mutex_lock(&watch.lock);
    if (watch.arena)
        arena_free(watch.arena);
    watch.arena = NULL;
    watch.first = NULL;
    pthread_mutex_unlock(&watch.lock);
}
