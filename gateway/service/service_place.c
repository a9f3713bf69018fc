/* Fields that get their values by paths, and the methods that such messages belong to: what
   composed methods and jobs have in common. */
#include "gateway/service/service_internal.h"

#include "adapters/compile/plan_compile.h"
#include "adapters/mapping/expr.h"
#include "base/arena.h"

#include <ctype.h>

/* ---- Methods --------------------------------------------------------------------------------- */

const char *service_method_text(ConfigReader *reader, const Method *method)
{
    return config_path(reader, "%s/%s", method->type->service->name, method->type->name);
}

Method *service_find_method(ConfigReader *reader, const Version *version, const char *name,
                            const char *path)
{
    const char **names = arena_array(reader->arena, const char *, version->n_methods);
    for (uint32_t i = 0; i < version->n_methods; i++) {
        names[i] = service_method_text(reader, &version->methods[i]);
        if (strcmp(names[i], name) == 0)
            return &version->methods[i];
    }
    config_tell(reader, path, config_hint(reader, name, names, version->n_methods),
                "%s of %s has no method %s", version->name, version->service->name, name);
    return NULL;
}

bool service_check_unary(ConfigReader *reader, const Method *method, const char *path)
{
    if (!method->type->client_streaming && !method->type->server_streaming)
        return true;
    config_tell(reader, path, NULL, "%s is a stream: it must take one message and give one",
                method->type->path);
    return false;
}

Method *service_named_method(ConfigReader *reader, const char *name, const char *version_name,
                             const char *path)
{
    const char *method_path = config_path(reader, "%s.method", path);
    const char *dot = name ? strchr(name, '.') : NULL;
    if (name && !dot)
        config_tell(reader, method_path, "service.RpcService/Method", "%s is no method", name);
    const Service *service = dot ? config_find_service(reader, name, method_path) : NULL;
    const Version *version = service ? service->default_version : NULL;
    if (service && version_name)
        version = config_find_version(reader, service, version_name,
                                      config_path(reader, "%s.version", path));
    if (!version || !version->schema)
        return NULL;
    Method *method = service_find_method(reader, version, dot + 1, method_path);
    return method && service_check_unary(reader, method, method_path) ? method : NULL;
}

/* ---- Names of sources ------------------------------------------------------------------------ */

static bool is_source_name(const char *name)
{
    return config_is_word(name, "_") && isalpha((unsigned char)*name);
}

void service_check_policy(ConfigReader *reader, const char *path, const Method *caller,
                          const Method *called)
{
    if (!called->route || !caller->route)
        return;
    const PolicyUse *asked = &called->route->access.policy, *before = &caller->route->access.policy;
    if (!asked->server || (before->said && before->server == asked->server))
        return;
    config_tell(reader, path,
                config_path(reader, "policy_server: %s in the route of %s", asked->server->name,
                            service_method_text(reader, caller)),
                "the policy server %s would not be asked about this call of %s: it is asked about "
                "calls of clients only",
                asked->server->name, called->type->path);
}

void service_check_source_name(ConfigReader *reader, const PlaceNames *names, uint32_t i,
                               const char *path)
{
    const char *name = names->names[i];
    if (!is_source_name(name))
        config_tell(reader, path, "letters, digits and _, for example sites",
                    "\"%s\" cannot be the name of a %s", name, names->one);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(names->names[k], name) == 0)
            config_tell(reader, path, NULL, "there already is a %s %s", names->one, name);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

/* `path` is cut to what follows the source. False: it begins with none. */
static bool take_source(const PlaceNames *names, Bytes *path, uint32_t *source_out)
{
    Bytes rest = *path, first = BYTES_NONE, name = BYTES_NONE;
    bytes_split(&rest, '.', &first);
    *source_out = 0;
    if (bytes_are(first, names->all)) {
        bytes_split(&rest, '.', &name);
        while (*source_out < names->n && !bytes_are(name, names->names[*source_out]))
            ++*source_out;
        if (++*source_out > names->n)
            return false;
    } else if (names->last && bytes_are(first, names->last)) {
        *source_out = names->n + 1;
    } else if (!bytes_are(first, "request")) {
        return false;
    }
    *path = rest.size ? rest : bytes_of(".");
    return true;
}

bool service_take_source(ConfigReader *reader, const PlaceNames *names, const char *said,
                         const char *path, uint32_t *source_out, Bytes *rest_out)
{
    *rest_out = bytes_of(said);
    if (take_source(names, rest_out, source_out))
        return true;
    const char **words = arena_array(reader->arena, const char *, names->n + 2);
    uint32_t n = 0;
    words[n++] = "request";
    if (names->last)
        words[n++] = names->last;
    for (uint32_t i = 0; i < names->n; i++)
        words[n++] = config_path(reader, "%s.%s", names->all, names->names[i]);
    config_tell(reader, path, config_hint(reader, said, words, n),
                "%s is no path: it begins with request%s%s, or with %s and the name of a %s", said,
                names->last ? ", with " : "", names->last ? names->last : "", names->all,
                names->one);
    return false;
}

void service_place(ConfigReader *reader, Placement *placement, const char *into, uint32_t source,
                   Bytes from, const char *path)
{
    PlaceMistake mistake = placement_move(placement, bytes_of(into), source, from);
    if (mistake.what)
        config_tell(reader, config_path(reader, "%s.%s", path, into), mistake.hint, "%s",
                    mistake.what);
}

bool service_is_whole(const FieldType *field)
{
    return kind_is_number(field->kind) && field->kind != KIND_DOUBLE && field->kind != KIND_FLOAT;
}

const FieldType *const *service_field_path(ConfigReader *reader, const MessageType *type,
                                           Bytes said, const char *path, FieldTest *fits,
                                           const char *what)
{
    const FieldType **fields = arena_array(reader->arena, const FieldType *, said.size + 2);
    uint32_t n = 0;
    Bytes rest = bytes_are(said, ".") ? BYTES_NONE : said,
          name; /* the whole message has no value */
    while (bytes_split(&rest, '.', &name)) {
        const FieldType *field = message_field(type, name);
        const char *near = field ? NULL : message_nearest_field(type, name, reader->arena);
        if (!field) {
            config_tell(reader, path, near ? config_path(reader, "did you mean %s?", near) : NULL,
                        "%s has no field %.*s", type->full_name, BYTES_ARGS(name));
            return NULL;
        }
        fields[n++] = field;
        if (rest.size && (!field->message || field->repeated)) {
            config_tell(reader, path, NULL,
                        "%s.%s is not a single message: there is no way into it", type->full_name,
                        field->name);
            return NULL;
        }
        type = field->message;
    }
    if (n && !fields[n - 1]->repeated && fits(fields[n - 1]))
        return fields;
    config_tell(reader, path, NULL, "%s must be %s", n ? fields[n - 1]->name : type->full_name,
                what);
    return NULL;
}

Result service_place_plan(ConfigReader *reader, Placement *placement, bool read,
                          const Plan **plan_out)
{
    PlanOptions options = {
        .from = CODEC_PROTO, .to = CODEC_PROTO, .unknown = UNKNOWN_COUNT, .walk_all = read};
    if (reader->problems->n)
        return OK; /* there is no config */
    return service_plan(reader, placement_mapping(placement), &options, plan_out);
}
