/*
 * passerelle explain CONFIG [VERB] PATH: what would become of a request: which version and by which
 * rule, which route, who answers, and what is lost on the way there and back. Nothing is sent.
 */
#include "gateway/commands/command.h"
#include "gateway/commands/explain.h"

#include "base/arena.h"

#include <ctype.h>
#include <stdio.h>

/* Takes all "-H 'Name: value'" out; false when one has no colon. */
static bool take_fields(Arena *arena, int *n, char **arguments, Fields *fields)
{
    for (const char *text; (text = command_option(n, arguments, "-H"));) {
        Bytes rest = bytes_of(text), name;
        if (bytes_find(rest, ':') == rest.size) {
            fprintf(stderr, "passerelle: a field is written 'Name: value', not %s\n", text);
            return false;
        }
        bytes_split(&rest, ':', &name);
        char *lower = arena_array(arena, char, name.size + 1);
        for (size_t i = 0; i < name.size; i++)
            lower[i] = (char)tolower(name.data[i]);
        fields_add(fields, bytes(lower, name.size), bytes_trim(rest));
    }
    return true;
}

int command_explain(const Command *command, int n, char **arguments)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ExplainRequest request = {.fields = fields_in(arena)};
    request.plan = command_flag(&n, arguments, "--plan");
    const char *client = command_option(&n, arguments, "--client");
    request.identity = client ? bytes_of(client) : BYTES_NONE;
    int code = EXIT_USAGE;
    if (!take_fields(arena, &n, arguments, &request.fields) || n < 2 || n > 3) {
        code = command_usage(command);
        arena_free(arena);
        return code;
    }
    request.verb = bytes_of(n == 3 ? arguments[1] : "POST");
    request.path = bytes_of(arguments[n - 1]);

    Config *config = command_config(arguments[0]);
    if (config) {
        Buffer out = buffer_in(arena);
        Result r = explain(config, &request, arena, &out);
        fwrite(out.data, 1, out.size, stdout);
        if (failed(r))
            fprintf(stdout, "refused   %s\n", error_text(arena, r));
        code = failed(r) ? EXIT_NO : EXIT_WELL;
        config_unref(config);
    } else {
        code = EXIT_NO;
    }
    arena_free(arena);
    return code;
}
