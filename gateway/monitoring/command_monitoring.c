#include "gateway/monitoring/command_monitoring.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/json_text.h"
#include "gateway/monitoring/monitoring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TIME_SCALE_MOST = 86400 };

static bool read_options(const CommandLine *line, MonitoringOptions *options_out)
{
    const char *job = command_option(line, "--job"), *docs = command_option(line, "--docs");
    const char *scale = command_option(line, "--time-scale");
    char *end = "";
    long times = scale ? strtol(scale, &end, 10) : 1;
    *options_out = (MonitoringOptions){
        .job = job ? job : "passerelle",
        .host = command_option(line, "--host"),
        .docs = docs ? docs : "docs/monitoring.md",
        .time_scale = (uint32_t)times,
    };
    if (*end || times < 1 || times > TIME_SCALE_MOST)
        command_tell(line, "--time-scale is a number from 1 to %d", TIME_SCALE_MOST);
    else if (strpbrk(options_out->job, "\"\\\n"))
        command_tell(line, "--job: %s is not the name of a job", options_out->job);
    else
        return true;
    return false;
}

/* The folder, and the one in it that a file's name has. It may be there already. */
static Result make_folder(Arena *arena, const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return OK;
    return FAIL(arena, FAULT_NO_FILE, "mkdir %s: %s", path, strerror(errno));
}

static Result write_file(Arena *arena, const char *folder, const MonitoringFile *file)
{
    const char *path = arena_printf(arena, "%s/%s", folder, file->name);
    return file_replace(arena, path, file->text, NULL);
}

static Result write_files(Arena *arena, const char *folder, const MonitoringFile *files, uint32_t n)
{
    Result r = make_folder(arena, folder);
    if (!failed(r))
        r = make_folder(arena, arena_printf(arena, "%s/dashboards", folder));
    for (uint32_t i = 0; i < n && !failed(r); i++)
        r = write_file(arena, folder, &files[i]);
    return r;
}

static void print_json(const CommandLine *line, Arena *arena, const MonitoringFile *files,
                       uint32_t n)
{
    Buffer json = buffer_in(arena);
    buffer_add_text(&json, "{\"files\":[");
    for (uint32_t i = 0; i < n; i++) {
        json_text_open_item(&json);
        json_text_add_member(&json, "name", bytes_of(files[i].name));
        json_text_add_member(&json, "text", files[i].text);
        buffer_add_byte(&json, '}');
    }
    buffer_add_text(&json, "]}");
    command_print_json(line, buffer_bytes(&json));
}

static void print(const CommandLine *line, Arena *arena, const char *folder,
                  const MonitoringFile *files, uint32_t n)
{
    Buffer text = buffer_in(arena);
    print_json(line, arena, files, n);
    for (uint32_t i = 0; folder && i < n; i++)
        buffer_printf(&text, "%s/%s\n", folder, files[i].name);
    if (!folder)
        buffer_add_bytes(&text, files[0].text);
    command_print(line, &text);
}

int command_monitoring(const CommandLine *line)
{
    MonitoringOptions options;
    if (line->n != 1)
        return command_usage(line->command);
    if (!read_options(line, &options))
        return EXIT_USAGE;
    Config *config = command_config(line, 0);
    if (!config)
        return EXIT_NO;

    const char *folder = command_option(line, "--out");
    MonitoringFile files[MONITORING_FILES_MOST];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint32_t n = monitoring_files(config, &options, arena, files);
    Result r = folder ? write_files(arena, folder, files, n) : OK;
    if (failed(r))
        command_tell(line, "%s", error_text(arena, r));
    else
        print(line, arena, folder, files, n);
    arena_free(arena);
    config_unref(config);
    return failed(r) ? EXIT_NO : EXIT_WELL;
}
