/* The store for data that must outlive the process. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "base/file/file.h"

#include <libpq-fe.h>
#include <sys/stat.h>

enum { KEY_FILE_MOST = 4096 };

static const char create_it[] = "create it, and let the gateway write in it";

/* Only a doubt: the folder may exist on the machine that runs the gateway. Whether it can be
   written is a warning of `check` (config_warnings.h), since who checks may be another user. */
static void doubt_folder(ConfigReader *reader, const char *path, const char *hint, const char *file)
{
    const char *slash = strrchr(file, '/');
    struct stat found;
    if (!slash || slash == file)
        return;
    const char *folder = arena_text(reader->arena, bytes(file, (size_t)(slash - file)));
    if (stat(folder, &found) != 0 || !S_ISDIR(found.st_mode))
        config_doubt(reader, path, hint, "the folder %s does not exist", folder);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool is_key_id(const char *id)
{
    return config_is_word(id, "-._") && strlen(id) <= STORE_KEY_ID_MOST;
}

static bool is_taken(const StoreKeys *keys, const char *id)
{
    for (uint32_t i = 0; i < keys->n; i++)
        if (strcmp(keys->keys[i].id, id) == 0)
            return true;
    return false;
}

/* False: a mistake, which was reported. */
static bool read_key_file(ConfigReader *reader, const char *file, const char *path,
                          uint8_t key[STORE_KEY_SIZE])
{
    Bytes text = BYTES_NONE;
    config_secret_file(reader, path, file);
    Result r = file_read(reader->arena, file, KEY_FILE_MOST, &text);
    while (text.size && strchr("\r\n", text.data[text.size - 1]))
        text.size--;
    bool good = !failed(r) && config_read_hex(text, key, STORE_KEY_SIZE);
    if (failed(r))
        config_tell(reader, path, NULL, "%s", r.error->doing);
    else if (!good)
        config_tell(reader, path, "openssl rand -hex 32", "%s does not have 64 hexadecimal digits",
                    file);
    return good;
}

/* Only a doubt: nothing fails now. But a key that is taken away because it seems to be an old one
   takes the newer one with it. */
static void doubt_same_key(ConfigReader *reader, const StoreKeys *keys, const char *path)
{
    const StoreKey *key = &keys->keys[keys->n - 1];
    for (uint32_t i = 0; i + 1 < keys->n; i++)
        if (memcmp(keys->keys[i].key, key->key, STORE_KEY_SIZE) == 0) {
            config_doubt(reader, path, "openssl rand -hex 32", "%s has the same key as %s",
                         key->file, keys->keys[i].file);
            return;
        }
}

static void read_keys(ConfigReader *reader, const Passerelle__Config__Store *text)
{
    StoreKeys *keys = &reader->config->store.keys;
    keys->keys = arena_array(reader->arena, StoreKey, text->n_keys);
    for (size_t i = 0; i < text->n_keys; i++) {
        const Passerelle__Config__StoreKey *one = text->keys[i];
        const char *path = config_path(reader, "store.keys[%zu].id", i);
        if (!one->id || !one->file)
            continue; /* reported as missing */
        if (!is_key_id(one->id))
            config_tell(reader, path, "for example 2026-11",
                        "a key's id has 1 to %d letters, digits, '-', '.' and '_'",
                        STORE_KEY_ID_MOST);
        else if (is_taken(keys, one->id))
            config_tell(reader, path, NULL, "another key has the id %s already", one->id);
        StoreKey *key = &keys->keys[keys->n++];
        key->id = one->id;
        key->file = one->file;
        path = config_path(reader, "store.keys[%zu].file", i);
        if (read_key_file(reader, one->file, path, key->key))
            doubt_same_key(reader, keys, path);
    }
}

/* ---- The store ------------------------------------------------------------------------------- */

/* Of a gateway without a store; it is used as one. */
static bool is_port(const char *text)
{
    return !text || strspn(text, "0123456789,") == strlen(text);
}

/* What libpq says of one that it cannot read quotes parts of it, such as passwords: so it is not to
   be asked when a connection is made. */
static bool is_connection_string(const char *text)
{
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    bool good = options != NULL;
    for (PQconninfoOption *option = options; good && option->keyword; option++)
        good = strcmp(option->keyword, "port") != 0 || is_port(option->val);
    PQconninfoFree(options);
    return good;
}

static void read_rollouts_file(ConfigReader *reader)
{
    static const Passerelle__Config__Store defaults = PASSERELLE__CONFIG__STORE__INIT;
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    config->store = (StoreConfig){.queue = defaults.queue, .time = defaults.time};
    config->rollouts_file =
        text->rollouts_file ? text->rollouts_file : "/var/lib/passerelle/rollouts.db";
    if (!text->n_rollouts || text->store)
        return;
    if (text->rollouts_file)
        doubt_folder(reader, "rollouts_file", create_it, config->rollouts_file);
    else
        doubt_folder(reader, "rollouts", "rollouts_file: rollouts.db, or create it",
                     config->rollouts_file);
}

void config_read_store(ConfigReader *reader)
{
    static const Passerelle__Config__Keep default_keep = PASSERELLE__CONFIG__KEEP__INIT;
    static const Passerelle__Config__JobExecution default_jobs =
        PASSERELLE__CONFIG__JOB_EXECUTION__INIT;
    const Passerelle__Config__Store *text = reader->file.content->store;
    read_rollouts_file(reader);
    if (!text)
        return;
    const Passerelle__Config__Keep *keep = text->keep ? text->keep : &default_keep;
    const Passerelle__Config__JobExecution *jobs = text->jobs ? text->jobs : &default_jobs;
    StoreConfig *store = &reader->config->store;
    *store = (StoreConfig){
        .postgresql = text->postgresql,
        .connections = text->connections,
        .queue = text->queue,
        .time = text->time,
        .keep_gateways = keep->gateways,
        .keep_audit = keep->audit,
        .keep_failures = keep->failures,
        .keep_annotations = keep->annotations,
        .job_lease = jobs->lease,
        .job_look = jobs->look,
        .jobs_held = jobs->held,
        .job_waits = jobs->waits,
        .job_waits_per_client = jobs->waits_per_client,
        .job_wait = jobs->wait,
        .keep_idempotency = keep->idempotency,
    };
    read_keys(reader, text);
    if (text->postgresql && text->sqlite)
        config_tell(reader, "store", "leave out one of them",
                    "the store has both sqlite and postgresql");
    else if (text->postgresql && !*text->postgresql)
        config_tell(reader, "store.postgresql", "for example service=passerelle", "it is empty");
    else if (text->postgresql && !is_connection_string(text->postgresql))
        config_tell(reader, "store.postgresql",
                    "for example host=db user=gw password='with spaces', or "
                    "postgresql://gw:PERCENT-ENCODED@db/gw",
                    "it is no connection string of PostgreSQL");
    else if (!text->postgresql) {
        store->sqlite = text->sqlite ? text->sqlite : "/var/lib/passerelle/store.db";
        doubt_folder(reader, "store.sqlite", create_it, store->sqlite);
    }
}
