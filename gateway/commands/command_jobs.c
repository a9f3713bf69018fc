/* passerelle jobs: what operators see of jobs, and do with them. */
#include "gateway/commands/admin_page.h"

#include "adapters/text/json.h"
#include "base/arena.h"

enum { NAME_COLUMN = 12 };

/* ---- Paths ----------------------------------------------------------------------------------- */

/* What would be ignored is a mistake. */
static bool options_fit(const CommandLine *line, const char *word)
{
    static const struct {
        const char *option, *word;
    } takes[] = {{"--client", "list"},   {"--service", "list"}, {"--state", "list"},
                 {"--step", "list"},     {"--older", "list"},   {"--limit", "list"},
                 {"--resource", "list"}, {"--after", "list"},   {"--to", "migrate"}};
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
        if (command_option(line, takes[i].option) && strcmp(word, takes[i].word) != 0) {
            command_tell(line, "%s: it is for %s", takes[i].option, takes[i].word);
            return false;
        }
    return true;
}

/* The gateway says which ids there are; other texts would be other paths. */
static bool is_id(const char *id)
{
    size_t letters = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return letters > 0 && !id[letters];
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *member;
    size_t width;
} columns[] = {{"ID", "id", 26},          {"STATE", "state", 8},    {"STEP", "step", 12},
               {"SECONDS", "seconds", 8}, {"METHOD", "method", 28}, {"CLIENT", "client", 16}};

enum { N_COLUMNS = sizeof columns / sizeof *columns };

/* Why it is as it is: the fault, or the order that waits. */
static Bytes note_of(Arena *arena, const JsonNode *job)
{
    const JsonNode *failure = json_member(job, "failure"), *order = json_member(job, "order");
    const JsonNode *stuck = json_member(job, "stuck");
    Bytes parked = json_member_text(job, "parked");
    bool is_stuck = stuck && stuck->kind == JSON_TRUE;
    Buffer note = buffer_in(arena);
    if (failure)
        buffer_printf(&note, "%.*s", BYTES_ARGS(json_member_text(failure, "fault")));
    else if (is_stuck)
        buffer_add_text(&note, "no such definition");
    else if (parked.size)
        buffer_printf(&note, "parked: %.*s", BYTES_ARGS(parked));
    if (order)
        buffer_printf(&note, "%s(%.*s is ordered)", note.size ? " " : "",
                      BYTES_ARGS(json_member_text(order, "what")));
    return buffer_bytes(&note);
}

/* What to do about a job that is parked. */
static void add_hint(Buffer *out, const JsonNode *job)
{
    if (json_member(job, "parked"))
        buffer_printf(out,
                      "too many jobs of this method have failed in the same way, so that no more "
                      "begin: passerelle jobs unpark %.*s --why TEXT\n",
                      BYTES_ARGS(json_member_text(job, "method")));
}

/* The first one of those that are parked stands for all: mostly they are of one method. */
static void add_hint_of_list(Buffer *out, const JsonNode *jobs)
{
    const JsonNode *job = jobs->first;
    while (job && !json_member(job, "parked"))
        job = job->next;
    if (job)
        add_hint(out, job);
}

/* False: it is no such page. */
static bool add_list(Buffer *out, Bytes page)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    const JsonNode *jobs = json_member(root, "jobs");
    if (!jobs)
        return false;
    for (size_t i = 0; jobs->count && i < N_COLUMNS; i++)
        command_add_cell(out, bytes_of(columns[i].name), columns[i].width);
    if (jobs->count)
        command_add_cell(out, bytes_of("WHY"), 0);
    for (const JsonNode *job = jobs->first; job; job = job->next) {
        for (size_t i = 0; i < N_COLUMNS; i++)
            command_add_cell(out, json_member_text(job, columns[i].member), columns[i].width);
        command_add_cell(out, note_of(out->arena, job), 0);
    }
    Bytes next = json_member_text(root, "next");
    if (next.size)
        buffer_printf(out, "there may be more: --after %.*s\n", BYTES_ARGS(next));
    if (!jobs->count)
        buffer_add_text(out, "no such jobs\n");
    add_hint_of_list(out, jobs);
    return true;
}

static void add_value(Buffer *out, const JsonNode *value)
{
    if (value->kind == JSON_STRING)
        buffer_add_bytes(out, value->text);
    else
        json_write(out, value);
    buffer_add_byte(out, '\n');
}

/* "  reserve: done", and beneath what it has responded. */
static void add_step(Buffer *out, const JsonNode *step)
{
    Bytes name = json_member_text(step, "name"), event = json_member_text(step, "event");
    const JsonNode *response = json_member(step, "response");
    buffer_printf(out, "  %.*s: %.*s%s%.*s\n", BYTES_ARGS(name),
                  BYTES_ARGS(json_member_text(step, "state")),
                  event.size ? ", waits for the event " : "", BYTES_ARGS(event));
    if (!response)
        return;
    buffer_add_text(out, "    ");
    add_value(out, response);
}

static bool add_job(Buffer *out, Bytes page)
{
    const JsonNode *root = admin_page_read(out->arena, page);
    if (!json_member(root, "id"))
        return false;
    for (const JsonNode *member = root->first; member; member = member->next) {
        int width = NAME_COLUMN - (int)member->name.size;
        buffer_printf(out, "%.*s%*s", BYTES_ARGS(member->name), width > 0 ? width : 1, "");
        if (member->kind != JSON_ARRAY) {
            add_value(out, member);
            continue;
        }
        buffer_add_byte(out, '\n');
        for (const JsonNode *step = member->first; step; step = step->next)
            add_step(out, step);
    }
    add_hint(out, root);
    return true;
}

/* "retry: 01jd2v7w3zcmq9e3f5h8k0n4rt", "unpark: hosting.Sites/Create" */
static bool add_done(Buffer *out, Bytes answer)
{
    const JsonNode *root = admin_page_read(out->arena, answer);
    if (root->kind != JSON_OBJECT)
        return false;
    Bytes job = json_member_text(root, "job"), method = json_member_text(root, "method");
    buffer_printf(out, "%.*s: %.*s%.*s\n", BYTES_ARGS(json_member_text(root, "action")),
                  BYTES_ARGS(job), BYTES_ARGS(method));
    return job.size || method.size;
}

/* ---- The command line ------------------------------------------------------------------------ */

static int ask(const CommandLine *line, AdminAsk *ask_gateway, const Buffer *path,
               AdminAnswerWriter *add)
{
    const char *text = arena_text(path->arena, buffer_bytes(path));
    return admin_print(line, ask_gateway, text, add, path->arena);
}

static int list(const CommandLine *line, Buffer *path)
{
    buffer_add_text(path, "/jobs");
    static const char *const names[] = {"client", "service",  "state", "step",
                                        "older",  "resource", "limit", "after"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        admin_path_add(path, names[i],
                       command_option(line, arena_printf(path->arena, "--%s", names[i])));
    return ask(line, admin_get, path, add_list);
}

/* Clients know a job as "operations/ID". */
static const char *id_of(const char *argument)
{
    static const char of_clients[] = "operations/";
    bool is_theirs = strncmp(argument, of_clients, sizeof of_clients - 1) == 0;
    return is_theirs ? argument + sizeof of_clients - 1 : argument;
}

static int with_one(const CommandLine *line, const char *word, Buffer *path)
{
    buffer_printf(path, "/jobs/%s", id_of(line->arguments[1]));
    if (strcmp(word, "show") == 0)
        return ask(line, admin_get, path, add_job);
    buffer_printf(path, "/%s", word);
    admin_path_add(path, "name", line->n > 2 ? line->arguments[2] : NULL);
    admin_path_add(path, "to", command_option(line, "--to"));
    return ask(line, admin_act, path, add_done);
}

static int unpark(const CommandLine *line, Buffer *path)
{
    buffer_add_text(path, "/jobs/unpark");
    admin_path_add(path, "method", line->arguments[1]);
    return ask(line, admin_act, path, add_done);
}

/* How many arguments there have to be; 0: there is no such word. */
static int arguments_of(const char *word)
{
    static const char *const words[] = {"show",    "retry",  "skip-step", "cancel", "undo",
                                        "migrate", "replay", "unpark",    NULL};
    if (strcmp(word, "list") == 0)
        return 1;
    if (strcmp(word, "event") == 0)
        return 3;
    return bytes_are_one_of(bytes_of(word), words) ? 2 : 0;
}

int command_jobs(const CommandLine *line)
{
    const char *word = line->n ? line->arguments[0] : "";
    if (!line->n || line->n != arguments_of(word))
        return command_usage(line->command);
    if (!options_fit(line, word))
        return EXIT_USAGE;
    bool unparks = strcmp(word, "unpark") == 0;
    if (line->n > 1 && !unparks && !is_id(id_of(line->arguments[1]))) {
        command_tell(line, "this is no id of a job");
        return EXIT_USAGE;
    }
    if (strcmp(word, "replay") == 0 && !command_has_reason(line)) {
        command_tell(line, "replay has effects once more: say why with --why");
        return EXIT_USAGE;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena);
    int code = unparks        ? unpark(line, &path)
               : line->n == 1 ? list(line, &path)
                              : with_one(line, word, &path);
    arena_free(arena);
    return code;
}
