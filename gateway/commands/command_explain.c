/*
 * passerelle explain CONFIG [VERB] PATH: what would become of a request: which version and by which
 * rule, which route, who answers, and what is lost on the way there and back. Nothing is sent.
 */
#include "gateway/commands/command.h"
#include "gateway/commands/explain.h"

#include "base/arena.h"

#include <ctype.h>
#include <stdio.h>

/* All "-H 'Name: value'"; false when one has no colon, which is told. */
static bool take_fields(Arena *arena, const CommandLine *line, Fields *fields)
{
    for (int i = 0; i < line->n_given; i++) {
        if (strcmp(line->given[i].option->name, "-H") != 0)
            continue;
        const char *text = line->given[i].value;
        Bytes rest = bytes_of(text), name;
        if (bytes_find(rest, ':') == rest.size) {
            fprintf(stderr, "passerelle: a field is written 'Name: value', not %s\n", text);
            return false;
        }
        bytes_split(&rest, ':', &name);
        char *lower = arena_array(arena, char, name.size + 1);
        for (size_t k = 0; k < name.size; k++)
            lower[k] = (char)tolower(name.data[k]);
        fields_add(fields, bytes(lower, name.size), bytes_trim(rest));
    }
    return true;
}

int command_explain(const CommandLine *line)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ExplainRequest request = {.fields = fields_in(arena)};
    request.plan = command_flag(line, "--plan");
    const char *client = command_option(line, "--client");
    request.identity = client ? bytes_of(client) : BYTES_NONE;
    int code = EXIT_USAGE;
    if (!take_fields(arena, line, &request.fields) || line->n < 2 || line->n > 3) {
        code = command_usage(line->command);
        arena_free(arena);
        return code;
    }
    request.verb = bytes_of(line->n == 3 ? line->arguments[1] : "POST");
    request.path = bytes_of(line->arguments[line->n - 1]);

    Config *config = command_config(line->arguments[0]);
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
