/* The page of many services: how large it is, and how long it takes. The latter is told, and judged
   only where a number of milliseconds is given: `meson test --benchmark metrics_page`. */
#include "tests/unit/check.h"

#include "gateway/telemetry/metrics.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { SERVICES = 1000, PAGE_MOST = 10 << 20, ROUNDS = 5 };

static double time_most; /* milliseconds; 0: it may take any time */

/* Another service like that of the fixture. */
static void make_service(Config *config, Service *service, uint32_t number)
{
    const Service *model = &config->services[0];
    Arena *arena = config->arena;
    *service = (Service){.name = arena_printf(arena, "service-with-a-long-name-%u", number),
                         .index = number,
                         .n_versions = 2};
    service->versions = arena_array(arena, Version, 2);
    for (uint32_t v = 0; v < 2; v++) {
        Method *method = arena_make(arena, Method);
        service->versions[v] = model->versions[v];
        service->versions[v].service = service;
        service->versions[v].methods = method;
        service->versions[v].to = NULL;
        *method = model->versions[v].methods[0];
        method->version = &service->versions[v];
    }
}

static Config *many_services(void)
{
    Config *config = fixture_config(2);
    Service *services = arena_array(config->arena, Service, SERVICES);
    services[0] = config->services[0]; /* with its instances */
    for (uint32_t i = 1; i < SERVICES; i++)
        make_service(config, &services[i], i);
    config->services = services;
    config->n_services = SERVICES;
    return config;
}

/* Clients of both versions call; some calls fail. */
static void call_all(Fixture *f, const Config *config)
{
    CallRecord record = f->record;
    record.attempts = NULL;
    for (uint32_t i = 0; i < SERVICES * 4; i++) {
        const Service *service = &config->services[i / 4];
        record.method = service->versions[i % 2].methods;
        record.client_version = &service->versions[i % 2];
        record.served_version = &service->versions[1];
        record.why = i % 4 == 3 ? FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting") : OK;
        record.time_total = (int64_t)i * MILLISECOND;
        telemetry_record(&f->loop, &record);
    }
}

/* Processor time, in milliseconds: other programs run beside it. */
static double write_once(MetricsFormat format, Buffer *out)
{
    clock_t began = clock();
    metrics_write(format, out);
    return (double)(clock() - began) * 1000 / CLOCKS_PER_SEC;
}

static void write_page(MetricsFormat format, const char *name)
{
    double least = INFINITY;
    for (int i = 0; i < (time_most > 0 ? ROUNDS : 1); i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Buffer out = buffer_in(arena);
        double took = write_once(format, &out);
        least = took < least ? took : least;
        if (i == 0)
            printf("%s: %.1f MB\n", name, (double)out.size / (1 << 20));
        assert_in_range(out.size, SERVICES * 1000, PAGE_MOST);
        arena_free(arena);
    }
    printf("%s: %.1f ms\n", name, least);
    assert_true(time_most <= 0 || least <= time_most);
}

static void the_page_of_a_thousand_services_is_below_ten_megabytes(void **state)
{
    Fixture *f = *state;
    Config *config = many_services();
    telemetry_adopt(config);
    call_all(f, config);
    write_page(METRICS_TEXT, "text");
    write_page(METRICS_OPENMETRICS, "OpenMetrics");
    write_page(METRICS_PROTOBUF, "protobuf");
    config_unref(config);
}

int main(int n, char **arguments)
{
    time_most = n > 1 ? atof(arguments[1]) : 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_of_a_thousand_services_is_below_ten_megabytes,
                                        fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
