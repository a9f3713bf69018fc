/* The files with secrets that a config names. */
#include "gateway/config/config_reader.h"

#include "base/arena.h"

#include <sys/stat.h>

void config_secret_file(ConfigReader *reader, const char *path, const char *file)
{
    Config *config = reader->config;
    if (!config || !file)
        return;
    SecretFile *one = arena_array(reader->arena, SecretFile, 1);
    *one = (SecretFile){.path = arena_string(reader->arena, path), .file = file};
    SecretFile **at = &config->secrets;
    while (*at)
        at = &(*at)->next;
    *at = one;
}

/* As ssh has it: whoever reads the key reads what it protects. */
void config_open_secrets(const Config *config, SecretSeen *see, void *owner)
{
    struct stat found;
    for (const SecretFile *one = config->secrets; one; one = one->next)
        if (stat(one->file, &found) == 0 && found.st_mode & (S_IRWXG | S_IRWXO))
            see(owner, one, (unsigned)found.st_mode & 0777);
}
