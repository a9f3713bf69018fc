#include "gateway/openapi_file/command_openapi.h"

#include "base/arena.h"
#include "gateway/openapi/openapi.h"
#include "gateway/version/version_text.h"

/* "orders, stock" */
static const char *names_of_services(const Config *config, Arena *arena)
{
    Buffer names = buffer_in(arena);
    for (uint32_t i = 0; i < config->n_services; i++)
        if (config->services[i].n_versions)
            buffer_printf(&names, "%s%s", names.size ? ", " : "", config->services[i].name);
    return arena_text(arena, buffer_bytes(&names));
}

/* Without a name the only one. */
static const Service *find_service(const Config *config, const char *name)
{
    const Service *only = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        if (!service->n_versions || (name && strcmp(service->name, name) != 0))
            continue;
        only = service;
        n++;
    }
    return n == 1 ? only : NULL;
}

/* NULL: there is no such version, which is told. */
static const Version *find_version(const CommandLine *line, const Config *config, Arena *arena)
{
    const char *name = command_option(line, "--service"),
               *version_name = command_option(line, "--version");
    const Service *service = find_service(config, name);
    if (!service) {
        command_tell(line, "%s%s: the services are %s", name ? "there is no service " : "--service",
                     name ? name : " is needed", names_of_services(config, arena));
        return NULL;
    }
    const Version *version = version_name ? version_by_name(service, bytes_of(version_name))
                                          : &service->versions[service->n_versions - 1];
    if (!version)
        command_tell(line, "%s has no version %s: there are %s", service->name, version_name,
                     service_version_names(service, arena));
    return version;
}

/* NULL: where clients have the document from. */
static const char *url_of(const CommandLine *line, const Config *config)
{
    const char *said = command_option(line, "--url"),
               *own = config->catalog ? config->catalog->url : "";
    if (said)
        return said;
    return *own ? own : NULL;
}

static int print(const CommandLine *line, const Config *config, const Version *version,
                 Arena *arena)
{
    OpenApiQuestion question = {.config = config, .version = version, .url = url_of(line, config)};
    Buffer json = buffer_in(arena), shown = buffer_in(arena);
    Result r = openapi_write(&question, &json);
    if (failed(r)) {
        command_tell(line, "%s", error_text(arena, r));
        return EXIT_NO;
    }
    openapi_indent(buffer_bytes(&json), &shown);
    command_print(line, &shown);
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

int command_openapi(const CommandLine *line)
{
    if (line->n != 1)
        return command_usage(line->command);
    Config *config = command_config(line, 0);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const Version *version = find_version(line, config, arena);
    int code = version ? print(line, config, version, arena) : EXIT_NO;
    arena_free(arena);
    config_unref(config);
    return code;
}
