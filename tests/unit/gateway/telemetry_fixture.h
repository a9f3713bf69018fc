/*
 * A small config made by hand and a log in a file of its own, for the tests of what operators see.
 */
#ifndef TESTS_UNIT_GATEWAY_TELEMETRY_FIXTURE_H
#define TESTS_UNIT_GATEWAY_TELEMETRY_FIXTURE_H

#include "base/clock.h"
#include "gateway/instances/instance_set.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/loop/loop.h"
#include "gateway/telemetry/telemetry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Fixture {
    Arena *arena;
    char log[32];
    Loop loop, other_loop; /* only their counters are used */
    Config *config;
    CallRecord record;
} Fixture;

/* The configs here are made by hand and freed by their arena alone. */
Config *config_ref(Config *config)
{
    atomic_fetch_add(&config->references, 1);
    return config;
}

void config_unref(Config *config)
{
    if (atomic_fetch_sub(&config->references, 1) != 1)
        return;
    if (config->let_go)
        config->let_go(config);
    arena_free(config->arena);
}

/* Services "orders" with v1 and v2, one method each; an opaque route; two instances; a loss. */
static inline Config *fixture_config(uint64_t generation)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Config *config = arena_make(arena, Config);
    Service *service = arena_make(arena, Service);
    Version *versions = arena_array(arena, Version, 2);
    Instance *instances = arena_array(arena, Instance, 2);
    Route *routes = arena_array(arena, Route, 2);
    MethodType *types = arena_array(arena, MethodType, 2);
    Loss *loss = arena_make(arena, Loss);
    MappingSet *set = arena_make(arena, MappingSet);

    *config = (Config){.generation = generation,
                       .arena = arena,
                       .file = "shop.yaml",
                       .services = service,
                       .n_services = 1,
                       .routes = routes,
                       .n_routes = 1,
                       .http_routes = routes + 1,
                       .n_http_routes = 1,
                       .n_losses = 1};
    atomic_init(&config->references, 1);
    config->losses = arena_array(arena, const Loss *, 1);
    config->loss_counts = arena_array(arena, atomic_ullong, 1);
    config->losses[0] = loss;
    *loss = (Loss){.kind = LOSS_DROPPED, .path = "Order.comment"};
    *set = (MappingSet){
        .from_version = "v1", .to_version = "v2", .losses = config->losses, .n_losses = 1};
    *service = (Service){.name = "orders",
                         .versions = versions,
                         .n_versions = 2,
                         .instances = instances,
                         .n_instances = 2};
    for (uint32_t v = 0; v < 2; v++) {
        Method *method = arena_make(arena, Method);
        const char *name = v ? "v2" : "v1";
        types[v] = (MethodType){.path = arena_printf(arena, "/shop.orders.%s.Orders/Get", name)};
        *method = (Method){.version = &versions[v],
                           .type = &types[v],
                           .extras = &method_no_extras,
                           .route = &routes[0]};
        versions[v] = (Version){
            .name = name, .index = v, .service = service, .methods = method, .n_methods = 1};
        instances[v] = (Instance){.address = {.text = v ? "127.0.0.1:7002" : "127.0.0.1:7001",
                                              .host = "127.0.0.1",
                                              .port = v ? 7002 : 7001},
                                  .versions = UINT64_C(1) << v,
                                  .build = "3.1.0",
                                  .service = service,
                                  .authority = "orders"};
    }
    versions[0].to = arena_array(arena, const MappingSet *, 2);
    versions[0].to[1] = set;
    routes[0] = (Route){.match = "orders",
                        .impact = IMPACT_HIGH,
                        .on_failure = FAILURE_GRACEFUL,
                        .service = service};
    routes[1] = (Route){.match = "/legacy", .path_prefix = "/legacy"};
    instances_adopt(config, NULL);
    return config;
}

static const TraceContext fixture_trace = {.known = true,
                                           .trace_id = "0af7651916cd43dd8448eb211c80319c"};

/* A good call from v1 to v2. */
static inline CallRecord fixture_record(const Config *config)
{
    const Service *service = &config->services[0];
    AttemptRecord *attempt = arena_make(config->arena, AttemptRecord);
    *attempt = (AttemptRecord){
        .instance = &service->instances[1],
        .began = SECOND,
        .asked = SECOND + 1 * MILLISECOND,
        .headed = SECOND + 3 * MILLISECOND,
        .ended = SECOND + 3 * MILLISECOND + 400 * MICROSECOND,
    };
    return (CallRecord){
        .request_id = bytes_of("0123456789abcdef0123456789abcdef"),
        .trace = &fixture_trace,
        .peer = "127.0.0.1:52314",
        .listener = "127.0.0.1:8080",
        .dialect = DIALECT_REST,
        .codec = CODEC_JSON,
        .verb = bytes_of("GET"),
        .path = bytes_of("/v1/orders/42"),
        .method = &service->versions[0].methods[0],
        .route = service->versions[0].methods[0].route,
        .client_version = &service->versions[0],
        .reply_version = &service->versions[0],
        .served_version = &service->versions[1],
        .rule = "prefix",
        .served_why = "fewest losses",
        .instance = &service->instances[1],
        .attempts = attempt,
        .n_attempts = 1,
        .http_status = 200,
        .bytes_in = 10,
        .bytes_out = 57,
        .messages_in = 1,
        .messages_out = 1,
        .began = 1772366400 * SECOND + 123 * MILLISECOND,
        .time_total = 3 * MILLISECOND + 456 * MICROSECOND + 789,
        .time_to_upstream = 1 * MILLISECOND,
        .time_upstream_head = 3 * MILLISECOND,
    };
}

static inline int fixture_begin(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(ARENA_UNLIMITED);
    strcpy(f->log, "/tmp/telemetry.XXXXXX");
    close(mkstemp(f->log));
    LogOutputConfig output;
    LogConfig log = log_config_of_file(f->log, &output);
    if (failed(telemetry_start(f->arena, &log, "node-1")))
        return -1;
    f->loop.telemetry = telemetry_new();
    f->other_loop.telemetry = telemetry_new();
    f->config = fixture_config(1);
    telemetry_adopt(f->config);
    f->record = fixture_record(f->config);
    *state = f;
    return 0;
}

static inline int fixture_end(void **state)
{
    Fixture *f = *state;
    telemetry_stop();
    if (f->config)
        config_unref(f->config);
    unlink(f->log);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* Ends telemetry, so that all of the log is in its file. */
static inline Bytes fixture_log(Fixture *f)
{
    telemetry_stop();
    f->loop.telemetry = NULL;
    Buffer out = buffer_in(f->arena);
    int file = open(f->log, O_RDONLY);
    ssize_t n;
    do {
        buffer_reserve(&out, 65536);
        n = read(file, out.data + out.size, 65536);
        out.size += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    close(file);
    return buffer_bytes(&out);
}

#endif
