/* Proves one chain of change lists on the schemas given: see usage. Ends with 0 only if it
   holds. */
#include "adapters/mapping/loss.h"
#include "adapters/prove/prove.h"
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_LISTS = 8, MOST_BYTES = 1 << 22 };

typedef struct Chain {
    Arena *arena;
    Problems problems;
    ChangeSide sides[MOST_LISTS + 1];
    const ChangeList *lists[MOST_LISTS];
    uint32_t n_lists;
} Chain;

static int usage(void)
{
    fputs("usage: prove_corpus MESSAGES SCHEMA PACKAGE (SCHEMA PACKAGE LIST)...\n"
          "       prove_corpus losses SCHEMA PACKAGE (SCHEMA PACKAGE LIST)...\n",
          stderr);
    return 2;
}

static int fail(Chain *chain, Result r)
{
    fprintf(stderr, "%s\n", error_text(chain->arena, r));
    return 1;
}

static Bytes read_whole(Arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = arena_alloc(arena, MOST_BYTES);
    size_t size = file && data ? fread(data, 1, MOST_BYTES, file) : 0;
    if (file)
        fclose(file);
    return bytes(data, size);
}

/* A version is called as the last part of its package. */
static Result load_side(Chain *chain, uint32_t at, const char *schema, const char *package)
{
    const char *dot = strrchr(package, '.');
    chain->sides[at] = (ChangeSide){dot ? dot + 1 : package, NULL, package};
    return schema_load_file(chain->arena, schema, &chain->sides[at].schema);
}

static Result load_list(Chain *chain, const char *path)
{
    uint32_t at = chain->n_lists++;
    return changes_load(chain->arena, read_whole(chain->arena, path), path, &chain->sides[at],
                        &chain->sides[at + 1], &chain->problems, &chain->lists[at]);
}

static bool tell_problems(Chain *chain)
{
    Buffer text = buffer_in(chain->arena);
    problems_print(&chain->problems, &text);
    fprintf(stderr, "%.*s", BYTES_ARGS(buffer_bytes(&text)));
    return chain->problems.n != 0;
}

static int print_losses(Chain *chain)
{
    for (int upwards = 1; upwards >= 0; upwards--) {
        const MappingSet *set;
        LossReport report;
        Buffer text = buffer_in(chain->arena);
        Result r = changes_compose(chain->arena, chain->lists, chain->n_lists, upwards,
                                   &chain->problems, &set);
        if (failed(r))
            return fail(chain, r);
        if (tell_problems(chain))
            return 1;
        loss_report_all(chain->arena, set, &report);
        buffer_printf(&text, "%s to %s\n", set->from_version, set->to_version);
        loss_report_text(&report, false, &text);
        fwrite(text.data, 1, text.size, stdout);
    }
    return 0;
}

static void on_progress(void *owner, const char *direction, uint64_t done, uint64_t all)
{
    (void)owner;
    fprintf(stderr, "\r%s: %llu of %llu ", direction, (unsigned long long)done,
            (unsigned long long)all);
}

static int prove(Chain *chain, const char *messages)
{
    const char *seed = getenv("SEED");
    ProveOptions options = {.n_messages = strtoull(messages, NULL, 10),
                            .seed = seed ? strtoull(seed, NULL, 10) : 1,
                            .json = true,
                            .on_progress = isatty(2) ? on_progress : NULL};
    ProveOutcome outcome;
    Result r = prove_chain(chain->arena, chain->lists, chain->n_lists, &options, &outcome);
    if (failed(r))
        return fail(chain, r);
    printf("%llu messages: %llu converted alike, %llu refused alike\n",
           (unsigned long long)outcome.n_run, (unsigned long long)outcome.n_converted,
           (unsigned long long)outcome.n_refused);
    if (outcome.disproved)
        printf("disproved: %.*s", BYTES_ARGS(outcome.counter_example));
    return outcome.disproved || outcome.n_converted == 0;
}

int main(int n_args, char **args)
{
    if (n_args < 7 || (n_args - 4) % 3 != 0 || n_args > 4 + 3 * MOST_LISTS)
        return usage();
    Chain chain = {.arena = arena_new(ARENA_UNLIMITED)};
    chain.problems = problems_in(chain.arena);
    Result r = load_side(&chain, 0, args[2], args[3]);
    for (int i = 4; !failed(r) && i < n_args; i += 3) {
        r = load_side(&chain, chain.n_lists + 1, args[i], args[i + 1]);
        if (!failed(r))
            r = load_list(&chain, args[i + 2]);
    }
    int code = failed(r)                        ? fail(&chain, r)
               : tell_problems(&chain)          ? 1
               : strcmp(args[1], "losses") == 0 ? print_losses(&chain)
                                                : prove(&chain, args[1]);
    arena_free(chain.arena);
    return code;
}
