/* Which calls are recorded as spans, and where the collector is. */
#include "base/arena.h"
#include "gateway/inventory/instance_read.h"

#define WHOLE 4294967296.0 /* of TracingConfig.share */

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

static void read_url(ConfigReader *reader, const Passerelle__Config__Tracing *text,
                     WebhookConfig *receiver)
{
    const ReceiverText said = {.url = text->url, .token_file = text->token_file};
    config_read_receiver(reader, &said, "tracing", receiver);
    receiver->timeout = text->timeout;
}

static void read_receiver(ConfigReader *reader, const Passerelle__Config__Tracing *text,
                          TracingConfig *tracing)
{
    const Passerelle__Config__Collector *collector = text->collector;
    if (!collector == !text->url)
        config_tell(reader, "tracing", "collector: \"127.0.0.1:4317\"", "%s",
                    collector ? "spans go to the collector, or to the url: not to both"
                              : "nobody gets the spans: there is no collector, and no url");
    if (text->token_file && !text->url)
        config_tell(reader, "tracing.token_file", NULL, "it belongs to a url, which is missing");
    if (text->url) {
        tracing->receiver = arena_make(reader->arena, WebhookConfig);
        *tracing->receiver = (WebhookConfig){0};
        read_url(reader, text, tracing->receiver);
    } else if (collector) {
        PeerText peer = {collector->address, collector->authority, collector->tls};
        tracing->collector = arena_make(reader->arena, Instance);
        if (!config_read_peer(reader, &peer, "tracing.collector", tracing->collector))
            return; /* reported */
    }
    tracing->on = true;
}

void config_read_tracing(ConfigReader *reader)
{
    const Passerelle__Config__Tracing *text = reader->file.content->tracing;
    if (!text)
        return;
    TracingConfig *tracing = &reader->config->tracing;
    *tracing = (TracingConfig){.service = text->service,
                               .parent = text->parent,
                               .errors = text->errors,
                               .share = read_share(reader, text->share),
                               .slow = text->has_slow ? text->slow : INT64_MAX,
                               .late_per_second = text->late_per_second,
                               .batch = text->batch,
                               .queue = text->queue,
                               .every = text->every,
                               .timeout = text->timeout};
    if (text->batch > text->queue)
        config_tell(reader, "tracing.batch", NULL,
                    "it is more than queue, which is %llu bytes: nothing would be sent",
                    (unsigned long long)text->queue);
    read_receiver(reader, text, tracing);
}
