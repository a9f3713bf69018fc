/*
 * passerelle init SOURCE...: a first config, change lists and notes, from descriptor sets, folders
 * of .proto files, and instances. A file that is there and differs stays as it is: what would have
 * been written is then beside it, as NAME.new. A descriptor set that the config has from an earlier
 * run is replaced: nobody edits one.
 */
#include "gateway/draft/command_init.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/json_text.h"
#include "gateway/draft/draft.h"
#include "gateway/draft/source_read.h"
#include "gateway/service/config_load.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCES_MOST = 64, FILE_MOST = 1 << 30 };

#define CONFIG_NAME "gateway.yaml"
#define NOTES_NAME "gateway-notes.md"
#define LISTEN_DEFAULT "127.0.0.1:8080"

/* What became of a file. */
typedef enum Fate { FATE_WRITTEN, FATE_UNCHANGED, FATE_REPLACED, FATE_BESIDE } Fate;

typedef struct Written {
    const DraftFile *file;
    const char *path;   /* the file itself */
    Bytes before;       /* what it was; empty: it was not there */
    const char *beside; /* "gateway.yaml.new" */
    Fate fate;
    bool tidied;  /* what an earlier run put beside it is gone */
    Bytes change; /* FATE_REPLACED: what is another contract, by lines */
} Written;

/* ---- Writing --------------------------------------------------------------------------------- */

static Result make_folder(Arena *arena, const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return OK;
    return FAIL(arena, FAULT_NO_FILE, "mkdir %s: %s", path, strerror(errno));
}

static const char *path_in(Arena *arena, const char *folder, const char *name)
{
    return strcmp(folder, ".") == 0 || name[0] == '/' ? name
                                                      : arena_printf(arena, "%s/%s", folder, name);
}

/* Whether an earlier run made it: the config has it as a schema, and it is one. */
static bool is_own_set(Arena *arena, const DraftFile *file, Bytes config, Bytes before,
                       Written *written)
{
    const Schema *schema;
    if (!file->source || !draft_config_names(arena, config, file->name))
        return false;
    Result r = schema_load(arena, before, file->name, &schema);
    if (failed(r)) {
        error_ignore(r, "a person's file, of whatever kind, is kept");
        return false;
    }
    Buffer change = buffer_in(arena);
    draft_contract(arena, file->source, schema, &change);
    written->change = buffer_bytes(&change);
    return true;
}

/* `config`: the one that is there already, or empty. */
static Result write_over(Arena *arena, const DraftFile *file, Bytes config, Written *written)
{
    Result r = file_read(arena, written->path, FILE_MOST, &written->before);
    if (failed(r))
        return r;
    written->fate = bytes_equal(written->before, file->content)                 ? FATE_UNCHANGED
                    : is_own_set(arena, file, config, written->before, written) ? FATE_REPLACED
                                                                                : FATE_BESIDE;
    if (written->fate == FATE_BESIDE)
        return file_replace(arena, written->beside, file->content, NULL);
    written->tidied = unlink(written->beside) == 0;
    return written->fate == FATE_REPLACED ? file_replace(arena, written->path, file->content, NULL)
                                          : OK;
}

static Result write_file(Arena *arena, const char *folder, const DraftFile *file, Bytes config,
                         Written *written_out)
{
    const char *path = path_in(arena, folder, file->name);
    *written_out = (Written){.file = file, .path = path, .fate = FATE_WRITTEN};
    written_out->beside = arena_printf(arena, "%s.new", path);
    if (access(path, F_OK) == 0)
        return write_over(arena, file, config, written_out);
    return file_replace(arena, path, file->content, NULL);
}

/* The first one is the config. */
static Result write_files(Arena *arena, const char *folder, const DraftFile *files, uint32_t n,
                          Written *written)
{
    Result r = make_folder(arena, folder);
    for (uint32_t i = 0; i < n && !failed(r); i++)
        r = write_file(arena, folder, &files[i], i ? written[0].before : BYTES_NONE, &written[i]);
    return r;
}

/* ---- Printing -------------------------------------------------------------------------------- */

static void add_written(const Written *written, Buffer *out)
{
    uint32_t n = written->file->n_decisions;
    switch (written->fate) {
    case FATE_WRITTEN: buffer_printf(out, "written    %s", written->path); break;
    case FATE_UNCHANGED: buffer_printf(out, "unchanged  %s", written->path); break;
    case FATE_REPLACED: buffer_printf(out, "replaced   %s", written->path); break;
    case FATE_BESIDE:
        buffer_printf(out, "kept       %s: it differs from what is in %s.new", written->path,
                      written->path);
    }
    if (n && written->fate != FATE_UNCHANGED)
        buffer_printf(out, ", with %u decision%s", n, n == 1 ? "" : "s");
    buffer_add_byte(out, '\n');
    if (written->tidied)
        buffer_printf(out, "removed    %s, of an earlier run\n", written->beside);
    Bytes change = written->change;
    for (Bytes line; bytes_split(&change, '\n', &line);)
        if (line.size)
            buffer_printf(out, "new in it  %.*s\n", BYTES_ARGS(line));
}

static void add_text(const Draft *draft, const Written *written, uint32_t n, Bytes lacks,
                     Buffer *out)
{
    draft_summary(draft, out);
    for (uint32_t i = 0; i < n; i++)
        add_written(&written[i], out);
    buffer_add_bytes(out, lacks);
    for (uint32_t i = 0; i < draft->n_doubts; i++)
        buffer_printf(out, "%s\n", draft->doubts[i]);
    buffer_printf(out, "next: passerelle check %s\n", written[0].path);
}

static void add_service_json(const DraftService *service, Buffer *out)
{
    json_text_open_item(out);
    json_text_add_member(out, "name", bytes_of(service->name));
    json_text_open_list(out, "versions");
    for (uint32_t i = 0; i < service->n_versions; i++) {
        json_text_open_item(out);
        json_text_add_member(out, "name", bytes_of(service->versions[i].name));
        json_text_add_member(out, "package", bytes_of(service->versions[i].package));
        json_text_add_member(out, "schema", bytes_of(service->versions[i].source->file));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    json_text_open_list(out, "instances");
    for (uint32_t i = 0; i < service->n_instances; i++) {
        json_text_add_element(out);
        json_text_add(out, bytes_of(service->instances[i].address));
    }
    buffer_add_text(out, "]}");
}

static void add_line_json(Bytes line, Buffer *out)
{
    if (!line.size)
        return;
    json_text_add_element(out);
    json_text_add(out, line);
}

static void add_file_json(const Written *written, Buffer *out)
{
    static const char *const fates[] = {"written", "unchanged", "replaced", "beside"};
    json_text_open_item(out);
    json_text_add_member(out, "name", bytes_of(written->path));
    json_text_add_member(out, "state", bytes_of(fates[written->fate]));
    json_text_add_number(out, "decisions", written->file->n_decisions);
    json_text_open_list(out, "changes");
    Bytes change = written->change;
    for (Bytes line; bytes_split(&change, '\n', &line);)
        add_line_json(line, out);
    buffer_add_text(out, "]}");
}

static void add_json(const Draft *draft, const Written *written, uint32_t n, Bytes lacks,
                     Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_open_list(out, "services");
    for (uint32_t i = 0; i < draft->n_services; i++)
        add_service_json(&draft->services[i], out);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "files");
    for (uint32_t i = 0; i < n; i++)
        add_file_json(&written[i], out);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "lacking");
    for (Bytes line; bytes_split(&lacks, '\n', &line);)
        add_line_json(line, out);
    buffer_add_byte(out, ']');
    json_text_open_list(out, "doubts");
    for (uint32_t i = 0; i < draft->n_doubts; i++)
        add_line_json(bytes_of(draft->doubts[i]), out);
    buffer_add_text(out, "]}");
}

/* What the config and the change lists that were kept have not of the draft. */
static Bytes lacks_of(const Draft *draft, const Written *written, uint32_t n)
{
    Buffer lacks = buffer_in(draft->arena);
    if (written[0].fate == FATE_BESIDE)
        draft_lacks(draft, written[0].before, written[0].path, &lacks);
    for (uint32_t i = 1; i < n; i++)
        if (written[i].fate == FATE_BESIDE && written[i].file->mark)
            draft_lacks_lines(draft->arena, written[i].before, written[i].file->content,
                              written[i].path, &lacks);
    return buffer_bytes(&lacks);
}

static void print(const CommandLine *line, const Draft *draft, const Written *written, uint32_t n)
{
    Bytes lacks = lacks_of(draft, written, n);
    Buffer text = buffer_in(draft->arena), json = buffer_in(draft->arena);
    add_text(draft, written, n, lacks, &text);
    command_print(line, &text);
    add_json(draft, written, n, lacks, &json);
    command_print_json(line, buffer_bytes(&json));
}

/* ---- The command ----------------------------------------------------------------------------- */

/* All values of an option that may be repeated. */
static uint32_t values_of(const CommandLine *line, const char *name, const char **values)
{
    uint32_t n = 0;
    for (int i = 0; i < line->n_given; i++)
        if (strcmp(line->given[i].option->name, name) == 0)
            values[n++] = line->given[i].value;
    return n;
}

static Result read_sources(Arena *arena, const CommandLine *line, const SourcePlace *place,
                           DraftSource *sources)
{
    Result r = OK;
    for (int i = 0; i < line->n && !failed(r); i++)
        r = source_read(arena, line->arguments[i], place, &sources[i]);
    return r;
}

static Result add_instances(const CommandLine *line, const SourcePlace *place, Draft *draft)
{
    const char *instances[COMMAND_GIVEN_MOST];
    uint32_t n = values_of(line, "--instance", instances);
    Result r = OK;
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        const DraftTls *tls;
        const char *text = source_instance_seen_from(draft->arena, place, instances[i], &tls);
        r = draft_add_instance(draft, text, tls);
    }
    return r;
}

/* Files that nothing is connected to with would be left out in silence. */
static Result check_tls(Arena *arena, const CommandLine *line, const DraftTls *tls)
{
    const char *instances[COMMAND_GIVEN_MOST];
    uint32_t n = values_of(line, "--instance", instances), n_tls = 0;
    for (uint32_t i = 0; i < n; i++)
        n_tls += strstr(instances[i], "https://") != NULL;
    for (int i = 0; i < line->n; i++)
        n_tls += strstr(line->arguments[i], "https://") != NULL;
    return n_tls || !(tls->ca || tls->certificate || tls->key)
               ? OK
               : FAIL(arena, FAULT_BAD_CONFIG,
                      "--ca, --cert and --key are for instances that are named https://HOST:PORT, "
                      "and there is none");
}

/* As the config that is made will be read. */
static Result check_listen(Arena *arena, const char *listen)
{
    Problems problems = problems_in(arena);
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "listen: [");
    json_text_add(&text, bytes_of(listen));
    buffer_add_text(&text, "]\n");
    Config *config;
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Result r = config_load_text(buffer_bytes(&text), "./listen.yaml", NULL, config_arena, &problems,
                                &config);
    error_ignore(failed(r) ? error_copy(arena, r) : r, "the problems say it");
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    for (size_t i = 0; i < problems.n; i++) {
        const Problem *problem = &problems.items[i];
        if (bytes_start_with(bytes_of(problem->path), "listen"))
            return FAIL(arena, FAULT_BAD_CONFIG, "--listen: %s%s%s", problem->reason,
                        problem->hint ? ": " : "", problem->hint ? problem->hint : "");
    }
    return OK;
}

/* The config of an earlier run says what its change lists are called. */
static void keep_names(Draft *draft, const char *folder)
{
    const char *path = path_in(draft->arena, folder, CONFIG_NAME);
    Bytes config;
    if (access(path, F_OK) != 0)
        return;
    Result r = file_read(draft->arena, path, FILE_MOST, &config);
    if (failed(r))
        error_ignore(r, "it is told when the config is written");
    else
        draft_keep_names(draft, config, folder);
}

static Result init(Arena *arena, const CommandLine *line)
{
    const char *out = command_option(line, "--out"), *listen = command_option(line, "--listen");
    const char *folder = out ? out : ".";
    const DraftTexts texts = {.config = CONFIG_NAME,
                              .notes = NOTES_NAME,
                              .listen = listen ? listen : LISTEN_DEFAULT,
                              .listen_said = listen != NULL,
                              .folder = path_in(arena, folder, "")};
    const char *includes[COMMAND_GIVEN_MOST];
    const SourcePlace place = {.folder = folder,
                               .includes = includes,
                               .n_includes = values_of(line, "--include", includes),
                               .tls = {command_option(line, "--ca"), command_option(line, "--cert"),
                                       command_option(line, "--key")}};
    DraftSource sources[SOURCES_MOST];
    Draft draft;
    Result r = listen ? check_listen(arena, listen) : OK;
    if (!failed(r))
        r = check_tls(arena, line, &place.tls);
    if (!failed(r))
        r = read_sources(arena, line, &place, sources);
    if (!failed(r))
        r = draft_make(arena, sources, (uint32_t)line->n, &draft);
    if (!failed(r))
        r = add_instances(line, &place, &draft);
    if (failed(r))
        return r;
    keep_names(&draft, folder);
    const DraftFile *files;
    uint32_t n;
    draft_files(&draft, &texts, sources, (uint32_t)line->n, &files, &n);
    Written *written = arena_array(arena, Written, n);
    r = write_files(arena, folder, files, n, written);
    if (!failed(r))
        print(line, &draft, written, n);
    return r;
}

int command_init(const CommandLine *line)
{
    if (line->n < 1 || line->n > SOURCES_MOST)
        return command_usage(line->command);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = init(arena, line);
    if (failed(r))
        command_tell(line, "%s", error_text(arena, r));
    arena_free(arena);
    return failed(r) ? EXIT_NO : EXIT_WELL;
}
