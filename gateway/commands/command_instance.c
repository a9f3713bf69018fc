/* passerelle instance eject, drain, return; service pin, unpin: what operators do by hand. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"

#include <unistd.h>

#define LOOK_EVERY (200 * MILLISECOND) /* while a drain is waited for */
#define WAIT_MOST (600 * SECOND)       /* where no --timeout is given */

/* "orders: 2 of 3 instances get calls" */
static void add_service(Buffer *out, const JsonNode *row)
{
    buffer_printf(out, "%.*s: %.*s of %.*s instances get calls\n",
                  BYTES_ARGS(json_member_text(row, "service")),
                  BYTES_ARGS(json_member_text(row, "left")),
                  BYTES_ARGS(json_member_text(row, "instances")));
}

/* False: it is no such answer. */
static bool add_answer(Buffer *out, Bytes answer)
{
    const JsonNode *root = admin_page_read(out->arena, answer);
    const JsonNode *services = json_member(root, "services");
    const JsonNode *lifted = json_member(root, "lifted");
    if (!services || !json_member_text(root, "action").size)
        return false;
    buffer_printf(out, "%.*s: %.*s", BYTES_ARGS(json_member_text(root, "action")),
                  BYTES_ARGS(json_member_text(root, "target")));
    if (json_member_text(root, "to").size)
        buffer_printf(out, " to %.*s", BYTES_ARGS(json_member_text(root, "to")));
    if (json_member_text(root, "until").size)
        buffer_printf(out, " until %.*s", BYTES_ARGS(json_member_text(root, "until")));
    buffer_add_text(out,
                    lifted && lifted->kind == JSON_FALSE ? ": there was nothing to lift\n" : "\n");
    for (const JsonNode *row = services->first; row; row = row->next)
        add_service(out, row);
    return true;
}

static int act(const CommandLine *line, Buffer *path, Arena *arena, Bytes *answer_out)
{
    int code = admin_act(line, arena_text(arena, buffer_bytes(path)), arena, answer_out);
    Buffer text = buffer_in(arena);
    if (code == EXIT_WELL && !add_answer(&text, *answer_out))
        return admin_tell_stranger(line);
    if (code == EXIT_WELL)
        command_print(line, &text);
    return code;
}

/* ---- Until the calls have ended -------------------------------------------------------------- */

/* The calls that run on the instances at the address, by the page /config. */
static uint64_t count_running(const JsonNode *config, Bytes address)
{
    uint64_t n = 0;
    const JsonNode *services = json_member(config, "services");
    for (const JsonNode *row = services ? services->first : NULL; row; row = row->next) {
        const JsonNode *instances = json_member(row, "instances");
        for (const JsonNode *at = instances ? instances->first : NULL; at; at = at->next)
            if (bytes_equal(json_member_text(at, "address"), address))
                n += (uint64_t)json_member_number(at, "running");
    }
    return n;
}

static int look(const CommandLine *line, Bytes address, uint64_t *running_out)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes page;
    JsonNode *config;
    int code = admin_get(line, "/config", arena, &page);
    Result r = code == EXIT_WELL ? json_parse(arena, page, &(JsonLimits){0}, &config) : OK;
    error_ignore(r, "the gateway's own page");
    if (failed(r))
        code = admin_tell_stranger(line);
    else if (code == EXIT_WELL)
        *running_out = count_running(config, address);
    arena_free(arena);
    return code;
}

/* Asks again and again: a connection that stays open would hold up a gateway that stops. */
static int wait_for_end(const CommandLine *line, Bytes address, int64_t most, uint64_t *running_out)
{
    int64_t until = clock_now() + most;
    for (;;) {
        int code = look(line, address, running_out);
        if (code != EXIT_WELL || *running_out == 0)
            return code;
        if (clock_now() >= until) {
            command_tell(line, "%llu call%s still running on %.*s: it goes on being drained",
                         (unsigned long long)*running_out, *running_out == 1 ? " is" : "s are",
                         BYTES_ARGS(address));
            return EXIT_NO;
        }
        usleep(LOOK_EVERY / 1000);
    }
}

/* The answer with one member more. */
static Bytes with_running(Arena *arena, Bytes answer, uint64_t running)
{
    Buffer out = buffer_in(arena);
    while (answer.size && answer.data[answer.size - 1] != '}')
        answer.size--;
    CHECK(answer.size); /* it was read as an object before */
    buffer_add_bytes(&out, bytes_slice(answer, 0, answer.size - 1));
    json_text_add_number(&out, "running", running);
    buffer_add_byte(&out, '}');
    return buffer_bytes(&out);
}

/* *answer: of the drain. */
static int wait_for_drain(const CommandLine *line, int64_t most, Arena *arena, Bytes *answer)
{
    JsonNode *root;
    uint64_t running = 0;
    Result r = json_parse(arena, *answer, &(JsonLimits){0}, &root);
    CHECK(!failed(r)); /* it was read before */
    Bytes address = json_member_text(root, "target");
    int code = wait_for_end(line, address, most, &running);
    Buffer text = buffer_in(arena);
    buffer_printf(&text, "no call runs on %.*s any more\n", BYTES_ARGS(address));
    if (code == EXIT_WELL)
        command_print(line, &text);
    *answer = with_running(arena, *answer, running);
    return code;
}

/* Whether --wait and --timeout are right; *most_out: how long, 0: not at all. */
static bool read_wait(const CommandLine *line, bool drains, int64_t *most_out)
{
    const char *timeout = command_option(line, "--timeout");
    bool waits = command_flag(line, "--wait");
    *most_out = waits ? WAIT_MOST : 0;
    if ((waits && !drains) || (timeout && !waits))
        command_tell(line,
                     waits ? "--wait: only a drain is waited for" : "--timeout: it is for --wait");
    else if (timeout && (!spelling_duration(bytes_of(timeout), most_out) || *most_out <= 0))
        command_tell(line, "--timeout: %s is not a time: for example 30s or 10m", timeout);
    else
        return true;
    return false;
}

/* ---- The command line ------------------------------------------------------------------------ */

/* What would be ignored is a mistake. */
static bool time_fits(const CommandLine *line, bool lasts)
{
    bool fits = lasts || !command_option(line, "--for");
    if (!fits)
        command_tell(line, "--for: %s ends what has a time: leave it out", line->arguments[0]);
    return fits;
}

int command_instance(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    bool lasts = strcmp(word, "eject") == 0 || strcmp(word, "drain") == 0;
    if (line->n != 2 || (!lasts && strcmp(word, "return") != 0) || !line->arguments[1][0])
        return command_usage(line->command);
    int64_t wait;
    if (!time_fits(line, lasts) || !read_wait(line, strcmp(word, "drain") == 0, &wait))
        return EXIT_USAGE;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    Bytes answer;
    buffer_printf(&path, "/instance/%s", word);
    admin_path_add(&path, "address", line->arguments[1]);
    admin_path_add(&path, "for", command_option(line, "--for"));
    int code = act(line, &path, arena, &answer);
    bool done = code == EXIT_WELL;
    if (done && wait)
        code = wait_for_drain(line, wait, arena, &answer);
    if (done)
        command_print_json(line, answer);
    arena_free(arena);
    return code;
}

/* The service may be left out where there is only one. */
int command_service(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    bool pins = strcmp(word, "pin") == 0;
    int most = pins ? 3 : 2;
    if ((!pins && strcmp(word, "unpin") != 0) || line->n > most || line->n < most - 1)
        return command_usage(line->command);
    if (!time_fits(line, pins))
        return EXIT_USAGE;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    buffer_printf(&path, "/service/%s", word);
    admin_path_add(&path, "service", line->n == most ? line->arguments[1] : NULL);
    admin_path_add(&path, "to", pins ? line->arguments[most - 1 - (line->n < most)] : NULL);
    admin_path_add(&path, "for", command_option(line, "--for"));
    Bytes answer;
    int code = act(line, &path, arena, &answer);
    if (code == EXIT_WELL)
        command_print_json(line, answer);
    arena_free(arena);
    return code;
}
