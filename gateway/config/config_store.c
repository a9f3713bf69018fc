/* The store for data that must outlive the process. */
#include "gateway/config/config_internal.h"

#include "base/arena.h"

#include <sys/stat.h>

/* Only a doubt: the folder may exist on the machine that runs the gateway. */
static void doubt_folder(ConfigReader *reader, const char *file)
{
    const char *slash = strrchr(file, '/');
    struct stat found;
    if (!slash || slash == file)
        return;
    const char *folder = arena_text(reader->arena, bytes(file, (size_t)(slash - file)));
    if (stat(folder, &found) != 0 || !S_ISDIR(found.st_mode))
        config_doubt(reader, "store.sqlite", "create it, and let the gateway write in it",
                     "the folder %s does not exist", folder);
}

void config_read_store(ConfigReader *reader)
{
    static const Passerelle__Config__Keep default_keep = PASSERELLE__CONFIG__KEEP__INIT;
    const Passerelle__Config__Store *text = reader->file.content->store;
    if (!text)
        return;
    const Passerelle__Config__Keep *keep = text->keep ? text->keep : &default_keep;
    StoreConfig *store = &reader->config->store;
    *store = (StoreConfig){
        .postgresql = text->postgresql,
        .connections = text->connections,
        .queue = text->queue,
        .time = text->time,
        .keep_gateways = keep->gateways,
        .keep_audit = keep->audit,
    };
    if (text->postgresql && text->sqlite)
        config_tell(reader, "store", "leave out one of them",
                    "the store has both sqlite and postgresql");
    else if (text->postgresql && !*text->postgresql)
        config_tell(reader, "store.postgresql", "for example service=passerelle", "it is empty");
    else if (!text->postgresql) {
        store->sqlite = text->sqlite ? text->sqlite : "/var/lib/passerelle/store.db";
        doubt_folder(reader, store->sqlite);
    }
}
