/* What a name of a file may have meant. */
#include "gateway/config/config_reader.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <dirent.h>
#include <unistd.h>

enum { NAMES_MOST = 1000 };

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Of those with the same first letter: other similar names are there by chance. */
static const char *nearest_in(Arena *arena, const char *folder, const char *name)
{
    const char **names = arena_array(arena, const char *, NAMES_MOST);
    size_t n = 0;
    DIR *open = opendir(folder);
    if (!open)
        return NULL;
    for (const struct dirent *one; n < NAMES_MOST && (one = readdir(open));)
        if (one->d_name[0] == name[0] && strcmp(one->d_name, name) != 0)
            names[n++] = arena_string(arena, one->d_name);
    closedir(open);
    return nearest_word(bytes_of(name), names, n);
}

/* As it is written in that document. */
static const char *written(Arena *arena, const char *document, const char *folder, const char *name)
{
    const char *slash = strrchr(document, '/');
    size_t own = slash ? (size_t)(slash - document) : 0;
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    if (!slash && strcmp(folder, ".") == 0)
        return name;
    return slash && strncmp(path, document, own + 1) == 0 ? path + own + 1 : path;
}

const char *config_file_hint(Arena *arena, const char *document, const char *file)
{
    const char *name = base_of(file), *folder = file_folder(arena, file);
    if (access(document_path(arena, document, name), F_OK) == 0)
        return arena_printf(arena, "did you mean %s", name);
    const char *near = nearest_in(arena, folder, name);
    return near ? arena_printf(arena, "did you mean %s", written(arena, document, folder, near))
                : "file names are relative to this file";
}
