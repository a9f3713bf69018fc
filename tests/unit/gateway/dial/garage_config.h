/* The garage's config, loaded: v1 to v3, of which instances speak v1 (in JSON) and v3. v3 has no
   change list from v2. */
#ifndef TESTS_GARAGE_CONFIG_H
#define TESTS_GARAGE_CONFIG_H

#include "gateway/service/config_load.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

typedef struct Fixture {
    Arena *arena;
    Config *config;
} Fixture;

static Fixture fixture;

static inline int load_garage(const char *text)
{
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(config_arena);
    fixture.arena = arena_new(ARENA_UNLIMITED);
    Result r = config_load_text(bytes_of(text), FILES "a.yaml", NULL, config_arena, &problems,
                                &fixture.config);
    assert_ok(fixture.arena, r);
    if (!fixture.config) {
        Buffer told = buffer_in(fixture.arena);
        problems_print(&problems, &told);
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&told)));
    }
    return 0;
}

static inline int free_garage(void **state)
{
    config_unref(fixture.config);
    arena_free(fixture.arena);
    return 0;
}

/* Of the service `garage`. */
static inline const Method *garage_method(const char *version, const char *name)
{
    const Service *service = config_service(fixture.config, "garage");
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            const Method *method = &service->versions[i].methods[k];
            if (strcmp(service->versions[i].name, version) == 0 &&
                strcmp(method->type->name, name) == 0)
                return method;
        }
    fail_msg("%s has no %s", version, name);
    return NULL;
}

#endif
