/*
 * passerelle prove CONFIG: random messages through every plan between every two versions and back,
 * against a slow, obvious interpreter of the same change lists. Prints the smallest
 * counter-example.
 */
#include "gateway/commands/command.h"

#include "adapters/mapping/error_types.h"
#include "adapters/prove/prove.h"
#include "base/arena.h"
#include "base/text/json_text.h"

#include <inttypes.h>
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
    command_tell(line, "%s wants a number, not %s", name, text);
    return false;
}

static bool is_connected(const Service *service, uint32_t older, uint32_t newer)
{
    for (uint32_t i = older; i < newer; i++)
        if (!service->changes[i])
            return false;
    return true;
}

/* The pairs of versions, so far. */
typedef struct Proof {
    const CommandLine *line;
    const ProveOptions *options;
    Buffer json;
    bool good; /* no counter-example was found, and each test could run */
} Proof;

static void print_pair(const Proof *proof, const Service *service, uint32_t older, uint32_t newer,
                       Result r, const ProveOutcome *outcome, Arena *arena)
{
    Buffer out = buffer_in(arena);
    buffer_printf(&out, "%s %s - %s: ", service->name, service->versions[older].name,
                  service->versions[newer].name);
    if (failed(r))
        buffer_printf(&out, "%s\n", error_text(arena, r));
    else
        buffer_printf(
            &out, "%s; %" PRIu64 " messages, %" PRIu64 " converted, %" PRIu64 " refused alike\n",
            outcome->disproved ? "DISPROVED" : "agreed", outcome->n_run, outcome->n_converted,
            outcome->n_refused);
    if (outcome->disproved)
        buffer_printf(&out, "%.*s\n", BYTES_ARGS(outcome->counter_example));
    command_print(proof->line, &out);
    fflush(stdout);
}

static void add_pair(Proof *proof, const Service *service, uint32_t older, uint32_t newer, Result r,
                     const ProveOutcome *outcome, Arena *arena)
{
    Buffer *out = &proof->json;
    json_text_open_item(out);
    json_text_add_member(out, "service", bytes_of(service->name));
    json_text_add_member(out, "older", bytes_of(service->versions[older].name));
    json_text_add_member(out, "newer", bytes_of(service->versions[newer].name));
    json_text_add_bool(out, "ok", !failed(r) && !outcome->disproved);
    if (failed(r))
        json_text_add_member(out, "failure", bytes_of(error_text(arena, r)));
    json_text_add_number(out, "messages", outcome->n_run);
    json_text_add_number(out, "converted", outcome->n_converted);
    json_text_add_number(out, "refused", outcome->n_refused);
    if (outcome->disproved)
        json_text_add_member(out, "counter_example", outcome->counter_example);
    buffer_add_byte(out, '}');
}

static void prove_pair(Proof *proof, const Service *service, uint32_t older, uint32_t newer)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ProveOutcome outcome = {0};
    Result r =
        prove_chain(arena, service->changes + older, newer - older, proof->options, &outcome);
    if (proof->options->on_progress)
        fprintf(stderr, "\r\033[K");
    print_pair(proof, service, older, newer, r, &outcome, arena);
    add_pair(proof, service, older, newer, r, &outcome, arena);
    proof->good &= !failed(r) && !outcome.disproved;
    arena_free(arena);
}

static void prove_config(Proof *proof, const Config *config)
{
    buffer_add_text(&proof->json, "{\"pairs\":[");
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        for (uint32_t newer = 1; newer < service->n_versions; newer++)
            for (uint32_t older = newer; older-- > 0;)
                if (is_connected(service, older, newer))
                    prove_pair(proof, service, older, newer);
    }
    buffer_add_byte(&proof->json, ']');
    json_text_add_bool(&proof->json, "ok", proof->good);
    buffer_add_byte(&proof->json, '}');
}

static bool prove(const CommandLine *line, const Config *config, ProveOptions *options)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Proof proof = {.line = line, .options = options, .json = buffer_in(arena), .good = true};
    Result r = error_types_load(arena, &options->common); /* as every plan knows them */
    if (failed(r)) {
        command_tell(line, "%s", error_text(arena, r));
        proof.good = false;
    } else {
        prove_config(&proof, config);
        command_print_json(line, buffer_bytes(&proof.json));
    }
    arena_free(arena);
    return proof.good;
}

int command_prove(const CommandLine *line)
{
    ProveOptions options = {.n_messages = MESSAGES, .seed = 1, .json = true};
    bool watched = isatty(STDERR_FILENO) && !command_flag(line, "--quiet");
    options.on_progress = watched ? on_progress : NULL;
    if (!take_number(line, "--messages", &options.n_messages) ||
        !take_number(line, "--seed", &options.seed) || line->n != 1)
        return command_usage(line->command);
    Config *config = command_config(line, 0);
    if (!config)
        return EXIT_NO;
    bool good = prove(line, config, &options);
    config_unref(config);
    return good ? EXIT_WELL : EXIT_NO;
}
