/* What goes to a collector, and where it is: Config.otlp, and Config.tracing. */
#include "base/arena.h"
#include "gateway/inventory/instance_read.h"

#define WHOLE 4294967296.0 /* of TracingConfig.share */

/* ---- Where it is ----------------------------------------------------------------------------- */

typedef struct PlaceText {
    const Passerelle__Config__Collector *collector;
    const char *url, *token_file, *path;
    int64_t timeout;
} PlaceText;

static void read_url(ConfigReader *reader, const PlaceText *text, OtlpTarget *target)
{
    const ReceiverText said = {.url = text->url, .token_file = text->token_file};
    target->receiver = arena_make(reader->arena, WebhookConfig);
    *target->receiver = (WebhookConfig){.timeout = text->timeout};
    config_read_receiver(reader, &said, text->path, target->receiver);
}

static void read_collector(ConfigReader *reader, const PlaceText *text, OtlpTarget *target)
{
    const Passerelle__Config__Collector *collector = text->collector;
    PeerText peer = {collector->address, collector->authority, collector->tls};
    Instance *instance = arena_make(reader->arena, Instance);
    if (config_read_peer(reader, &peer, config_path(reader, "%s.collector", text->path), instance))
        target->collector = instance; /* else reported */
}

/* Fills in the collector or the receiver; neither where there is none, or a mistake. */
static void read_place(ConfigReader *reader, const PlaceText *text, OtlpTarget *target)
{
    if (text->collector && text->url)
        config_tell(reader, text->path, "leave out one of them",
                    "signals go to the collector, or to the url: not to both");
    if (text->token_file && !text->url)
        config_tell(reader, config_path(reader, "%s.token_file", text->path), NULL,
                    "it belongs to a url, which is missing");
    if (text->url)
        read_url(reader, text, target);
    else if (text->collector)
        read_collector(reader, text, target);
}

static void check_batch(ConfigReader *reader, const char *path, const OtlpTarget *target)
{
    if (target->batch > target->queue)
        config_tell(reader, config_path(reader, "%s.batch", path), NULL,
                    "it is more than queue, which is %zu bytes: nothing would be sent",
                    target->queue);
}

/* ---- Config.otlp ----------------------------------------------------------------------------- */

/* Of one signal: at `suffix` of the URL, which has no slash at its end. */
static OtlpTarget target_at(ConfigReader *reader, const OtlpTarget *place, const char *suffix)
{
    OtlpTarget target = *place;
    target.on = place->collector || place->receiver;
    if (!place->receiver)
        return target;
    Bytes base = bytes_of(place->receiver->url);
    while (base.size && base.data[base.size - 1] == '/')
        base.size--;
    target.receiver = arena_make(reader->arena, WebhookConfig);
    *target.receiver = *place->receiver;
    target.receiver->url = arena_printf(reader->arena, "%.*s%s", BYTES_ARGS(base), suffix);
    return target;
}

static void read_metrics(ConfigReader *reader, const Passerelle__Config__OtlpMetrics *text,
                         const OtlpTarget *place)
{
    OtlpConfig *otlp = &reader->config->otlp;
    if (!text)
        return;
    otlp->metrics = target_at(reader, place, "/v1/metrics");
    otlp->metrics.every = text->every;
    otlp->exponential =
        text->histograms == PASSERELLE__CONFIG__OTLP_HISTOGRAMS__OTLP_HISTOGRAMS_EXPONENTIAL;
}

static void read_logs(ConfigReader *reader, const Passerelle__Config__OtlpLogs *text,
                      const OtlpTarget *place)
{
    OtlpConfig *otlp = &reader->config->otlp;
    if (!text)
        return;
    otlp->logs = target_at(reader, place, "/v1/logs");
    otlp->logs.every = text->every;
    otlp->least = (LogLevel)text->least;
}

/* Returns where spans go that have no place of their own. */
static OtlpTarget read_otlp(ConfigReader *reader)
{
    const Passerelle__Config__Config *content = reader->file.content;
    const Passerelle__Config__Otlp *text = content->otlp;
    if (!text)
        return (OtlpTarget){.service = "passerelle"};
    OtlpTarget place = {.service = text->service,
                        .batch = text->batch,
                        .queue = text->queue,
                        .timeout = text->timeout};
    const PlaceText said = {text->collector, text->url, text->token_file, "otlp", text->timeout};
    if (!text->collector && !text->url)
        config_tell(reader, "otlp", "collector: \"127.0.0.1:4317\"",
                    "nobody gets the signals: there is no collector, and no url");
    if (text->url && strpbrk(text->url, "?#"))
        config_tell(reader, "otlp.url", "for example http://127.0.0.1:4318",
                    "paths are added to it, so it has no query");
    if (!text->metrics && !text->logs && !content->tracing)
        config_tell(reader, "otlp", "metrics: 60s",
                    "nothing is sent: no metrics, logs, or tracing");
    check_batch(reader, "otlp", &place);
    read_place(reader, &said, &place);
    reader->config->otlp.collector = place.collector;
    read_metrics(reader, text->metrics, &place);
    read_logs(reader, text->logs, &place);
    return target_at(reader, &place, "/v1/traces");
}

/* ---- Config.tracing -------------------------------------------------------------------------- */

static uint64_t read_share(ConfigReader *reader, const char *text)
{
    if (strcmp(text, "none") == 0)
        return 0;
    double percent = text[0] >= '0' && text[0] <= '9' ? config_percent(text) : 0;
    if (percent <= 0)
        config_tell(reader, "tracing.share", "for example 10 %",
                    "%s is no share of the calls: above 0 and up to 100 %%, or none", text);
    return (uint64_t)(percent / 100 * WHOLE);
}

/* `shared`: where spans go without a place of their own. */
static OtlpTarget target_of_spans(ConfigReader *reader, const Passerelle__Config__Tracing *text,
                                  const OtlpTarget *shared)
{
    const PlaceText said = {text->collector, text->url, text->token_file, "tracing", text->timeout};
    OtlpTarget target = *shared;
    if (text->collector || text->url || text->token_file)
        target = (OtlpTarget){.service = shared->service};
    read_place(reader, &said, &target);
    if (!reader->file.content->otlp && !text->collector && !text->url)
        config_tell(reader, "tracing", "collector: \"127.0.0.1:4317\"",
                    "nobody gets the spans: there is no collector, and no url");
    target.on = target.collector || target.receiver;
    if (text->service)
        target.service = text->service;
    target.batch = text->batch;
    target.queue = text->queue;
    target.every = text->every;
    target.timeout = text->timeout;
    check_batch(reader, "tracing", &target);
    return target;
}

static void read_tracing(ConfigReader *reader, const OtlpTarget *shared)
{
    const Passerelle__Config__Tracing *text = reader->file.content->tracing;
    if (!text)
        return;
    reader->config->tracing = (TracingConfig){.to = target_of_spans(reader, text, shared),
                                              .parent = text->parent,
                                              .errors = text->errors,
                                              .share = read_share(reader, text->share),
                                              .slow = text->has_slow ? text->slow : INT64_MAX,
                                              .late_per_second = text->late_per_second};
}

void config_read_otlp(ConfigReader *reader)
{
    OtlpTarget shared = read_otlp(reader);
    read_tracing(reader, &shared);
}
