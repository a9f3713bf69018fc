/*
 * passerelle prove CONFIG: random messages through every plan between every two versions and back,
 * against a slow, obvious interpreter of the same change lists. Prints the smallest
 * counter-example.
 */
#include "gateway/commands/command.h"

#include "adapters/mapping/error_types.h"
#include "adapters/prove/prove.h"
#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { MESSAGES = 10000 };

static void on_progress(void *owner, const char *direction, uint64_t done, uint64_t all)
{
    fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 "\033[K", direction, done, all);
}

/* "--messages 5000"; false when it is there and not a number. */
static bool take_number(const CommandLine *line, const char *name, uint64_t *number)
{
    const char *text = command_option(line, name);
    if (!text || bytes_to_u64(bytes_of(text), number))
        return true;
    fprintf(stderr, "passerelle: %s wants a number, not %s\n", name, text);
    return false;
}

static bool is_connected(const Service *service, uint32_t older, uint32_t newer)
{
    for (uint32_t i = older; i < newer; i++)
        if (!service->changes[i])
            return false;
    return true;
}

/* False: a counter-example was found, or the test could not run; both are printed. */
static bool prove_pair(const Service *service, uint32_t older, uint32_t newer,
                       const ProveOptions *options)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ProveOutcome outcome = {0};
    Result r = prove_chain(arena, service->changes + older, newer - older, options, &outcome);
    if (options->on_progress)
        fprintf(stderr, "\r\033[K");
    printf("%s %s - %s: ", service->name, service->versions[older].name,
           service->versions[newer].name);
    if (failed(r))
        printf("%s\n", error_text(arena, r));
    else
        printf("%s; %" PRIu64 " messages, %" PRIu64 " converted, %" PRIu64 " refused alike\n",
               outcome.disproved ? "DISPROVED" : "agreed", outcome.n_run, outcome.n_converted,
               outcome.n_refused);
    if (outcome.disproved)
        printf("%.*s\n", BYTES_ARGS(outcome.counter_example));
    fflush(stdout);
    arena_free(arena);
    return !failed(r) && !outcome.disproved;
}

static bool prove_config(const Config *config, const ProveOptions *options)
{
    bool good = true;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t newer = 1; newer < service->n_versions; newer++)
            for (uint32_t older = newer; older-- > 0;)
                if (is_connected(service, older, newer))
                    good &= prove_pair(service, older, newer, options);
    }
    return good;
}

int command_prove(const CommandLine *line)
{
    ProveOptions options = {.n_messages = MESSAGES, .seed = 1, .json = true};
    options.on_progress = isatty(STDERR_FILENO) ? on_progress : NULL;
    if (!take_number(line, "--messages", &options.n_messages) ||
        !take_number(line, "--seed", &options.seed) || line->n != 1)
        return command_usage(line->command);
    Config *config = command_config(line->arguments[0]);
    if (!config)
        return EXIT_NO;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = error_types_load(arena, &options.common); /* as every plan knows them */
    bool good = !failed(r) && prove_config(config, &options);
    if (failed(r))
        fprintf(stderr, "passerelle: %s\n", error_text(arena, r));
    arena_free(arena);
    config_unref(config);
    return good ? EXIT_WELL : EXIT_NO;
}
