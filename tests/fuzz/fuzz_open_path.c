/* A template of google.api.http as a path of OpenAPI: each parameter is in it once, by a name of
   its own; without the names it is its shape. */
#include "base/arena.h"
#include "gateway/openapi/open_path.h"
#include "protocols/rest/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const OpenPath *path, uint32_t at)
{
    const char *name = path->parameters[at].name;
    CHECK(*name && !strpbrk(name, "./{}*"));
    for (uint32_t i = 0; i < at; i++)
        CHECK(strcmp(path->parameters[i].name, name) != 0);
}

/* "/v1/{a}/{b}" and "/v1/{}/{}" */
static void check_shape(const OpenPath *path)
{
    const char *text = path->text, *shape = path->shape;
    for (uint32_t i = 0; i < path->n_parameters; i++) {
        const char *name = path->parameters[i].name;
        size_t before = strcspn(shape, "{");
        CHECK(shape[before] && strncmp(text, shape, before + 1) == 0);
        text += before + 1;
        shape += before + 1;
        CHECK(strncmp(text, name, strlen(name)) == 0);
        text += strlen(name);
    }
    CHECK(strcmp(text, shape) == 0 && !strchr(shape, '{'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes rule = bytes(data, size);
    const RestTemplate *template;
    if (!memchr(data, 0, size) && !failed(rest_template_parse(arena, rule, &template))) {
        OpenPath path = open_path(arena_text(arena, rule), arena);
        for (uint32_t i = 0; i < path.n_parameters; i++)
            check_name(&path, i);
        check_shape(&path);
    }
    arena_free(arena);
    return 0;
}
