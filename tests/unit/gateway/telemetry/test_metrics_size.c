/* The page of many services: how large it is; and how long it takes, which is only told. */
#include "tests/unit/check.h"

#include "gateway/telemetry/metrics.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include <time.h>

enum { SERVICES = 1000, PAGE_MOST = 10 << 20 };

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

static void write_page(Arena *arena, MetricsFormat format, const char *name)
{
    Buffer out = buffer_in(arena);
    clock_t began = clock(); /* processor time: other programs run beside it */
    metrics_write(format, &out);
    printf("%s: %.1f MB in %.1f ms\n", name, (double)out.size / (1 << 20),
           (double)(clock() - began) * 1000 / CLOCKS_PER_SEC);
    assert_in_range(out.size, SERVICES * 1000, PAGE_MOST);
}

static void the_page_of_a_thousand_services_is_below_ten_megabytes(void **state)
{
    Fixture *f = *state;
    Config *config = many_services();
    telemetry_adopt(config);
    call_all(f, config);
    write_page(f->arena, METRICS_TEXT, "text");
    write_page(f->arena, METRICS_OPENMETRICS, "OpenMetrics");
    write_page(f->arena, METRICS_PROTOBUF, "protobuf");
    config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_of_a_thousand_services_is_below_ten_megabytes,
                                        fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
