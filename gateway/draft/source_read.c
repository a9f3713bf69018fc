#include "gateway/draft/source_read.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/text/json_text.h"
#include "gateway/config/schema_ask.h"
#include "gateway/draft/proto_compiler.h"
#include "gateway/reflect/reflection_client.h"
#include "gateway/remote/admin_address.h"
#include "gateway/service/config_load.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Names ----------------------------------------------------------------------------------- */

/* "../../" of a folder that is two below this one. NULL: it is not below it, or through a link. */
static const char *way_up(Arena *arena, const char *here, const char *folder)
{
    char real[PATH_MAX];
    const char *up = "", *down = here;
    Bytes rest = bytes_of(folder), part;
    while (bytes_split(&rest, '/', &part)) {
        if (!part.size || bytes_are(part, "."))
            continue;
        up = arena_printf(arena, "%s../", up);
        down = arena_printf(arena, "%s/%.*s", down, BYTES_ARGS(part));
        if (bytes_are(part, "..") || (realpath(down, real) && strcmp(real, down) != 0))
            return NULL;
    }
    return *folder == '/' ? NULL : up;
}

/* How a config in the folder names a file that is named here. */
static const char *seen_from(Arena *arena, const char *folder, const char *file)
{
    char here[PATH_MAX];
    if (*file == '/' || !getcwd(here, sizeof here))
        return file;
    const char *up = way_up(arena, here, folder);
    return up ? arena_printf(arena, "%s%s", up, file) : arena_printf(arena, "%s/%s", here, file);
}

/* "orders:443" of "https://orders". NULL: it has no scheme, or is no address. */
static const char *address_of_url(Arena *arena, const char *text, bool *tls_out)
{
    AdminAddress at;
    bool is_url =
        bytes_start_with(bytes_of(text), "https://") || bytes_start_with(bytes_of(text), "http://");
    if (!is_url || !admin_address_read(arena, text, &at) || !at.host)
        return NULL;
    *tls_out = at.tls;
    return arena_printf(arena, strchr(at.host, ':') ? "[%s]:%s" : "%s:%s", at.host, at.port);
}

static const DraftTls *tls_seen_from(Arena *arena, const SourcePlace *place)
{
    const DraftTls *said = &place->tls;
    DraftTls *tls = arena_make(arena, DraftTls);
    *tls = (DraftTls){.ca = said->ca ? seen_from(arena, place->folder, said->ca) : NULL,
                      .certificate = said->certificate
                                         ? seen_from(arena, place->folder, said->certificate)
                                         : NULL,
                      .key = said->key ? seen_from(arena, place->folder, said->key) : NULL};
    return tls;
}

const char *source_instance_seen_from(Arena *arena, const SourcePlace *place, const char *text,
                                      const DraftTls **tls_out)
{
    bool tls = false;
    size_t at = bytes_find(bytes_of(text), '=');
    int named = text[at] ? (int)at + 1 : 0;
    const char *address = address_of_url(arena, text + named, &tls);
    const char *socket = strstr(text, "unix:");
    *tls_out = tls ? tls_seen_from(arena, place) : NULL;
    if (address)
        return arena_printf(arena, "%.*s%s", named, text, address);
    if (!socket)
        return text;
    const char *file = socket + strlen("unix:");
    return arena_printf(arena, "%.*s%s", (int)(file - text), text,
                        seen_from(arena, place->folder, file));
}

/* "proto.binpb" of a folder, "127.0.0.1-7001.binpb" of an address. */
static const char *name_of_set(Arena *arena, const char *said)
{
    char real[PATH_MAX];
    const char *whole = realpath(said, real) ? real : said;
    const char *slash = strrchr(whole, '/');
    char *name = (char *)arena_string(arena, slash ? slash + 1 : whole);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '-';
    return arena_printf(arena, "%s.binpb", *name ? name : "schema");
}

/* ---- Files and folders ----------------------------------------------------------------------- */

static Result read_file(Arena *arena, const char *said, const SourcePlace *place,
                        DraftSource *source)
{
    if (bytes_end_with(bytes_of(said), ".proto"))
        return FAIL(arena, FAULT_BAD_CONFIG,
                    "%s is protobuf source: name its folder, from which its imports begin, or a "
                    "descriptor set",
                    said);
    source->file = seen_from(arena, place->folder, said);
    return schema_load_file(arena, said, &source->schema);
}

static Result read_folder(Arena *arena, const char *said, const SourcePlace *place,
                          DraftSource *source)
{
    const char *by;
    source->file = name_of_set(arena, said);
    Result r = proto_compile(arena, said, place->includes, place->n_includes, &source->set, &by);
    if (!failed(r))
        r = schema_load(arena, source->set, said, &source->schema);
    source->said = arena_printf(arena, "%s, by %s", said, by);
    return r;
}

/* ---- Instances ------------------------------------------------------------------------------- */

/* An instance is asked while a config is loaded that has its address: so it is read, and connected
   to, as the gateway will do it. What the config makes of the schema does not matter. */
typedef struct Asking {
    Arena *arena;
    DraftSource *source;
    Result result;
    bool asked;
} Asking;

static Result ask(void *owner, Config *config, const SchemaQuery *query, Arena *arena,
                  Bytes *set_out, const Schema **schema_out)
{
    Asking *asking = owner;
    SchemaAsk reflection = reflection_ask(NULL);
    SchemaQuery all = *query;
    all.package = all.version = all.version_header = NULL;
    all.mixins = NULL;
    all.n_mixins = 0;
    asking->asked = true;
    asking->result = reflection.ask(reflection.owner, config, &all, asking->arena,
                                    &asking->source->set, &asking->source->schema);
    return FAIL(arena, FAULT_CANCELLED, "the schema is all that was wanted");
}

/* `tls`: files as they are named here; NULL: cleartext. */
static Result ask_instance(Arena *arena, const char *address, const DraftTls *tls,
                           DraftSource *source)
{
    Asking asking = {.arena = arena, .source = source};
    SchemaAsk asks = {ask, &asking};
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "listen: ['unix:none']\nservices: [{name: asked, instances: ['unix:none'"
                           "], versions: [{name: v1, package: asked.v1, schema: {reflection: "
                           "{address: ");
    json_text_add(&text, bytes_of(address));
    draft_config_tls(tls, &text);
    buffer_add_text(&text, "}}}]}]\n");
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    Result r = config_load_text(buffer_bytes(&text), "./asked.yaml", &asks, config_arena, &problems,
                                &config);
    error_ignore(failed(r) ? error_copy(arena, r) : r, "the problems say it");
    if (!asking.asked)
        r = FAIL(arena, FAULT_BAD_CONFIG, "%s", problems.n ? problems.items[0].reason : address);
    else
        r = asking.result;
    if (config)
        config_unref(config);
    else
        arena_free(config_arena);
    return r;
}

static Result read_instance(Arena *arena, const char *said, const SourcePlace *place,
                            DraftSource *source)
{
    bool tls = false;
    const char *address = address_of_url(arena, said, &tls);
    source->file = name_of_set(arena, said);
    source->address = source_instance_seen_from(arena, place, said, &source->tls);
    Result r = ask_instance(arena, address ? address : said, tls ? &place->tls : NULL, source);
    return failed(r) && r.error->fault == &FAULT_UPSTREAM_STATUS
               ? FAIL_OVER(arena, r, *r.error->fault,
                           "without reflection, name its .proto folder, and --instance %s", said)
               : r;
}

/* ---- Which of them --------------------------------------------------------------------------- */

Result source_read(Arena *arena, const char *said, const SourcePlace *place,
                   DraftSource *source_out)
{
    struct stat found;
    *source_out = (DraftSource){.said = said};
    if (stat(said, &found) == 0)
        return S_ISDIR(found.st_mode) ? read_folder(arena, said, place, source_out)
                                      : read_file(arena, said, place, source_out);
    if (strchr(said, ':'))
        return read_instance(arena, said, place, source_out);
    return FAIL(arena, FAULT_NO_FILE,
                "%s is no descriptor set, no folder of .proto files, and no address of an instance",
                said);
}
