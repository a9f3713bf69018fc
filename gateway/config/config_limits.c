/* The limits of the data plane. Defaults are those of config.proto. */
#include "gateway/config/config_reader.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory/machine.h"

#include <uv.h>

static const Passerelle__Config__Limits defaults = PASSERELLE__CONFIG__LIMITS__INIT;

/* Two limits that only make sense in one order. */
static void check_order(ConfigReader *reader, uint64_t small, uint64_t large,
                        const char *small_name, const char *large_name)
{
    if (small > large)
        config_tell(reader, config_path(reader, "limits.%s", small_name), NULL,
                    "it is more than %s, which is %llu", large_name, (unsigned long long)large);
}

void config_read_limits(ConfigReader *reader)
{
    const Passerelle__Config__Limits *text =
        reader->file.content->limits ? reader->file.content->limits : &defaults;
    reader->config->limits = (Limits){
        .http =
            {
                .head_bytes = text->head_bytes,
                .head_fields = text->head_fields,
                .path_bytes = text->path_bytes,
                .streams = text->streams,
                .stream_window = text->stream_window,
                .connection_window = text->connection_window,
                .resets_per_second = text->resets_per_second,
                .control_frames = text->control_frames,
                .queue_high = text->queue_high,
                .queue_low = text->queue_low,
                .requests = text->requests,
            },
        .head_time = text->head_time,
        .body_time = text->body_time,
        .idle_time = text->idle_time,
        .max_age = text->max_age,
        .send_time = text->send_time,
        .handshake_time = text->handshake_time,
        .session_time = text->session_time,
        .call_time = text->call_time,
        .connections = text->connections,
        .message_bytes = text->message_bytes,
        .answer_bytes = text->answer_bytes,
        .compress_least = text->compress_least,
        .compression_ratio = text->compression_ratio,
        .work_bytes = text->work_bytes,
        .work_waits = text->work_waits,
        .call_memory = text->call_memory,
        .memory = text->memory,
        .depth = text->depth,
        .elements = text->elements,
        .connect_time = text->connect_time,
        .connect_patience = text->connect_patience,
        .instance_idle_time = text->instance_idle_time,
        .instance_max_age = text->instance_max_age,
        .ping_time = text->ping_time,
        .http1_connections = text->http1_connections,
        .http2_connections = text->http2_connections,
        .http1_uploads = text->http1_uploads,
        .instance_waits = text->instance_waits,
        .warm_connections = text->warm_connections,
        .series = text->series,
        .max_hops = text->max_hops,
    };
    reader->config->connections_said = text->has_connections;
    if (text->max_age && text->max_age < SECOND)
        config_tell(reader, "limits.max_age", "0: none", "must be at least 1s");
    check_order(reader, text->queue_low, text->queue_high, "queue_low", "queue_high");
    check_order(reader, text->stream_window, text->connection_window, "stream_window",
                "connection_window");
    check_order(reader, text->http1_uploads, text->http1_connections, "http1_uploads",
                "http1_connections");
    check_order(reader, text->path_bytes, text->head_bytes, "path_bytes", "head_bytes");
    check_order(reader, text->message_bytes, text->call_memory, "message_bytes", "call_memory");
    check_order(reader, text->answer_bytes, text->call_memory, "answer_bytes", "call_memory");
}

uint64_t limits_memory(const Limits *limits)
{
    uint64_t memory = limits->memory ? limits->memory : machine_memory("") / 2;
    return memory ? memory : UINT64_MAX;
}

uint32_t limits_connections(const Limits *limits, bool http2)
{
    uint32_t most = http2 ? limits->http2_connections : limits->http1_connections;
    return most ? most : http2 ? defaults.http2_connections : defaults.http1_connections;
}

/* The most connections to instances. Of those that may join later, nobody knows the number. */
static uint64_t instance_connections(const Config *config, uint32_t n_loops)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (config->services[i].discovery)
            return UINT64_MAX;
        for (uint32_t k = 0; k < config->services[i].n_instances; k++)
            n += limits_connections(&config->limits, config->services[i].instances[k].http2);
    }
    return n * n_loops;
}

uint32_t config_n_loops(const Config *config)
{
    return config->n_loops ? config->n_loops : uv_available_parallelism();
}

/* A file, its log and index, its journal and folder; or connections, and for each loop and the main
   thread a connection that hears, and what wakes it. */
static uint32_t store_descriptors(const StoreConfig *store, uint32_t n_loops)
{
    if (store->postgresql)
        return store->connections + 2 * (n_loops + 1);
    return store->sqlite ? 8 : 0;
}

void config_share_descriptors(Config *config)
{
    uint32_t n_loops = config_n_loops(config);
    config->descriptors = descriptors_share(
        descriptors_most(), &(DescriptorNeeds){.loops = n_loops,
                                               .listeners = config->n_listeners,
                                               .store = store_descriptors(&config->store, n_loops),
                                               .instances = instance_connections(config, n_loops)});
}

bool config_few_descriptors(const Config *config, Buffer *out)
{
    const Descriptors *d = &config->descriptors;
    if (d->most == 0 || d->room >= config->limits.connections)
        return false;
    buffer_printf(
        out,
        "limits.connections is %u%s, but of the %u file descriptors that the process may have "
        "(ulimit -Hn, LimitNOFILE=) about %u are left for clients: more are refused",
        config->limits.connections, config->connections_said ? "" : " by default", d->most,
        d->room);
    return true;
}
