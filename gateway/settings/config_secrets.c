/* The files that a config was read from, and those of them that have secrets. */
#include "gateway/config/config_reader.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(ConfigReader *reader, const char *path, const char *file, bool shown)
{
    Config *config = reader->config;
    if (!config || !file)
        return;
    SecretFile *one = arena_array(reader->arena, SecretFile, 1);
    *one = (SecretFile){.path = arena_string(reader->arena, path), .file = file, .shown = shown};
    SecretFile **at = &config->secrets;
    while (*at)
        at = &(*at)->next;
    *at = one;
}

void config_secret_file(ConfigReader *reader, const char *path, const char *file)
{
    add(reader, path, file, false);
}

void config_shown_file(ConfigReader *reader, const char *path, const char *file)
{
    add(reader, path, file, true);
}

static void PRINTF_LIKE(3, 4) tell(SecretSeen *see, void *owner, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    see(owner, text);
}

/* As ssh has it: whoever reads the key reads what it protects. */
void config_open_secrets(const Config *config, SecretSeen *see, void *owner)
{
    struct stat found;
    for (const SecretFile *one = config->secrets; one; one = one->next) {
        unsigned mode = stat(one->file, &found) == 0 ? (unsigned)found.st_mode & 0777 : 0;
        if (!one->shown && mode & (S_IRWXG | S_IRWXO))
            tell(see, owner, "%s: other users may use %s (mode %03o): chmod 600", one->path,
                 one->file, mode);
        if (one->shown && mode & (S_IWGRP | S_IWOTH))
            tell(see, owner,
                 "%s: other users may write in %s (mode %03o), and so add keys: chmod go-w",
                 one->path, one->file, mode);
    }
}

/* ---- What can be read again ------------------------------------------------------------------ */

/* A file that is missing is another mistake, which a reload tells. */
static bool may_read(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool refused = fd < 0 && (errno == EACCES || errno == EPERM);
    if (fd >= 0)
        close(fd);
    return !refused;
}

static void add_owner(Buffer *out, const char *file)
{
    struct stat found;
    if (stat(file, &found) != 0) {
        buffer_printf(out, "%s (its folder cannot be entered)", file);
        return;
    }
    const struct passwd *owner = getpwuid(found.st_uid);
    if (owner)
        buffer_printf(out, "%s (of %s, mode %03o)", file, owner->pw_name,
                      (unsigned)found.st_mode & 0777);
    else
        buffer_printf(out, "%s (of %u, mode %03o)", file, (unsigned)found.st_uid,
                      (unsigned)found.st_mode & 0777);
}

static bool was_seen(const ConfigSource *first, const ConfigSource *until)
{
    while (first != until && strcmp(first->file, until->file) != 0)
        first = first->next;
    return first != until;
}

bool config_unreadable(const Config *config, Buffer *out)
{
    bool any = false;
    for (const ConfigSource *one = config->sources; one; one = one->next) {
        if (was_seen(config->sources, one) || may_read(one->file))
            continue;
        if (any)
            buffer_add_text(out, ", ");
        add_owner(out, one->file);
        any = true;
    }
    return any;
}
