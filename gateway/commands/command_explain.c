/*
 * passerelle explain CONFIG [VERB] PATH: what would become of a request: which version and by which
 * rule, which route, who answers, and what is lost on the way there and back. Nothing is sent.
 */
#include "gateway/commands/command.h"
#include "gateway/report/explain.h"

#include "base/arena.h"

/* What is known of the client beside its name. False: it is told. */
static bool take_client(Arena *arena, const CommandLine *line, ExplainRequest *request)
{
    Claim *claims = arena_array(arena, Claim, (uint32_t)line->n_given);
    request->identity = bytes_of(command_option(line, "--client"));
    request->tenant = bytes_of(command_option(line, "--tenant"));
    request->class = bytes_of(command_option(line, "--class"));
    request->claims = claims;
    for (int i = 0; i < line->n_given; i++) {
        if (strcmp(line->given[i].option->name, "--claim") != 0)
            continue;
        const char *text = line->given[i].value, *equals = strchr(text, '=');
        if (!equals || equals == text || !equals[1]) {
            command_tell(line, "a claim is written NAME=VALUE, not %s", text);
            return false;
        }
        claims[request->n_claims++] =
            (Claim){.name = arena_text(arena, bytes(text, (size_t)(equals - text))),
                    .value = bytes_of(equals + 1)};
    }
    request->by = command_option(line, "--by");
    bool more = request->tenant.size || request->class.size || request->n_claims || request->by;
    if (more && !request->identity.size)
        command_tell(line,
                     "--tenant, --class, --claim and --by are of a client: name it with --client");
    return !more || request->identity.size;
}

/* Of a URL its path. False: there is none, which is told. */
static bool take_path(const CommandLine *line, ExplainRequest *request)
{
    const char *path = line->arguments[line->n - 1], *scheme = strstr(path, "://");
    if (*path != '/' && scheme) {
        path = strchr(scheme + 3, '/');
        path = path ? path : "/";
    }
    request->path = bytes_of(path);
    if (*path != '/')
        command_tell(line, "a path begins with /: write /%s", path);
    return *path == '/';
}

static int print(const CommandLine *line, const Config *config, const ExplainRequest *request,
                 Arena *arena)
{
    Explained found;
    if (request->by && !explain_knows_proof(config, request->by)) {
        command_tell(line,
                     "--by is token, api_key, certificate, header, or the name of a method of "
                     "`authentication`, not %s",
                     request->by);
        return EXIT_NO;
    }
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    explain(config, request, arena, &found);
    explain_text(request, &found, &text);
    explain_json(request, &found, &json);
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    if (failed(found.refused) && command_flag(line, "--quiet"))
        command_tell(line, "%s", error_text(arena, found.refused));
    return failed(found.refused) ? EXIT_NO : EXIT_WELL;
}

int command_explain(const CommandLine *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ExplainRequest request = {.fields = fields_in(arena)};
    int code = EXIT_NO;
    if (!command_take_fields(line, arena, &request.fields) || !take_client(arena, line, &request) ||
        line->n < 2 || line->n > 3) {
        code = command_usage(line->command);
        arena_free(arena);
        return code;
    }
    request.plan = command_flag(line, "--plan");
    Config *config = take_path(line, &request) ? command_config(line, 0) : NULL;
    if (config) {
        request.verb =
            line->n == 3 ? bytes_of(line->arguments[1]) : explain_verb(config, &request, arena);
        code = print(line, config, &request, arena);
        config_unref(config);
    }
    arena_free(arena);
    return code;
}
