#include "gateway/certificates/secret_watch.h"

#include "base/clock.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#define AGAIN (43200 * SECOND)

static struct {
    uv_timer_t timer;
    Config *config;
    atomic_uint n_open;
} watch;

static void see(void *owner, const char *text)
{
    unsigned *n = owner;
    (*n)++;
    telemetry_event("warning", "secret_open", OK, "%s", text);
}

static void look(void)
{
    unsigned n = 0;
    if (watch.config)
        config_open_secrets(watch.config, see, &n);
    atomic_store(&watch.n_open, n);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    look();
}

void secret_watch_use(Config *config)
{
    if (watch.config)
        config_unref(watch.config);
    watch.config = config_ref(config);
    look();
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    exposition_family(e, "passerelle_secrets_open", METRIC_GAUGE,
                      "Files with secrets that other users may use, when it was last looked.");
    exposition_number(e, "", NULL, 0, atomic_load(&watch.n_open));
}

void secret_watch_start(uv_loop_t *loop)
{
    CHECK(uv_timer_init(loop, &watch.timer) == 0);
    CHECK(uv_timer_start(&watch.timer, on_timer, AGAIN / MILLISECOND, AGAIN / MILLISECOND) == 0);
    uv_unref((uv_handle_t *)&watch.timer);
    metrics_add_writer(write_metrics, &watch);
}

void secret_watch_stop(void)
{
    uv_close((uv_handle_t *)&watch.timer, NULL);
    metrics_remove_writer(&watch);
    if (watch.config)
        config_unref(watch.config);
    watch.config = NULL;
}
