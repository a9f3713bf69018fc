#include "gateway/dial/dial_method.h"

#include "base/arena.h"
#include "base/problem.h"
#include "gateway/report/explain.h"

enum { NAMED_MOST = 20 /* methods in an error */, NAMES_MOST = 1000 };

/* ---- Names ----------------------------------------------------------------------------------- */

static bool take(Bytes *rest, const char *text)
{
    if (!bytes_start_with(*rest, text))
        return false;
    *rest = bytes_slice(*rest, strlen(text), rest->size);
    return true;
}

static bool is_method_of(Bytes name, const char *service, const MethodType *type)
{
    return take(&name, service) && take(&name, "/") && bytes_are(name, type->name);
}

/* How exactly the name says which method it is; NAME_OF_ANOTHER: it is another one's. */
typedef enum NameForm {
    NAME_OF_ANOTHER,
    NAME_SHORT,   /* Orders/Get */
    NAME_USUAL,   /* orders.Orders/Get */
    NAME_COMPLETE /* shop.orders.v1.Orders/Get */
} NameForm;

static NameForm name_form(const Method *method, Bytes name)
{
    const MethodType *type = method->type;
    Bytes rest = name;
    if (is_method_of(name, type->service->full_name, type))
        return NAME_COMPLETE;
    if (take(&rest, method->version->service->name) && take(&rest, ".") &&
        is_method_of(rest, type->service->name, type))
        return NAME_USUAL;
    return is_method_of(name, type->service->name, type) ? NAME_SHORT : NAME_OF_ANOTHER;
}

typedef struct Search {
    Bytes name;
    const char *version;   /* NULL: any */
    NameForm form;         /* the most exact one so far, in which it is found: */
    const Method *found;   /* NULL: not in that version */
    const Service *in;     /* in any version */
    const Service *second; /* another service; NULL: there is none */
} Search;

/* Of two versions of a method. */
static bool is_better(const Method *method, const Method *than)
{
    const Version *usual = method->version->service->default_version;
    if (!than || method->version == usual)
        return true;
    return than->version != usual && method->version->index > than->version->index;
}

static void look_at(Search *search, const Method *method)
{
    NameForm form = name_form(method, search->name);
    const Service *service = method->version->service;
    if (form == NAME_OF_ANOTHER || form < search->form)
        return;
    if (form > search->form)
        *search = (Search){search->name, search->version, form, NULL, service, NULL};
    if (service != search->in) {
        search->second = service;
        return;
    }
    bool named = search->version && strcmp(search->version, method->version->name) == 0;
    if (named || (!search->version && is_better(method, search->found)))
        search->found = method;
}

typedef void SeeMethod(void *owner, const Method *method);

static void each_method(const Config *config, SeeMethod *see, void *owner)
{
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t j = 0; j < config->services[i].n_versions; j++) {
            const Version *version = &config->services[i].versions[j];
            for (uint32_t k = 0; k < version->n_methods; k++)
                see(owner, &version->methods[k]);
        }
}

static void see_one(void *owner, const Method *method)
{
    look_at(owner, method);
}

/* ---- What there is --------------------------------------------------------------------------- */

typedef struct Names {
    Arena *arena;
    const char *texts[NAMES_MOST];
    size_t n;
} Names;

static void see_name(void *owner, const Method *method)
{
    Names *names = owner;
    const MethodType *type = method->type;
    const char *text = arena_printf(names->arena, "%s.%s/%s", method->version->service->name,
                                    type->service->name, type->name);
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->texts[i], text) == 0)
            return;
    if (names->n < NAMES_MOST)
        names->texts[names->n++] = text;
}

/* As they are written in full, or without their service. */
static const char *nearest_name(const Names *names, Bytes name)
{
    const char *shorter[NAMES_MOST];
    for (size_t i = 0; i < names->n; i++)
        shorter[i] = strchr(names->texts[i], '.') + 1;
    const char *nearest = nearest_word(name, names->texts, names->n);
    return nearest ? nearest : nearest_word(name, shorter, names->n);
}

static Result unknown_method(const Config *config, Bytes name, Arena *arena)
{
    Names *names = arena_make(arena, Names);
    Buffer list = buffer_in(arena);
    names->arena = arena;
    each_method(config, see_name, names);
    const char *nearest = nearest_name(names, name);
    for (size_t i = 0; i < names->n && i < NAMED_MOST; i++)
        buffer_printf(&list, "%s%s", i ? ", " : "", names->texts[i]);
    return FAIL(arena, FAULT_UNKNOWN_METHOD, "no method is named %.*s%s%s; there are %.*s%s",
                BYTES_ARGS(name), nearest ? " (did you mean " : "",
                nearest ? arena_printf(arena, "%s)", nearest) : "", BYTES_ARGS(buffer_bytes(&list)),
                names->n > NAMED_MOST ? ", ..." : "");
}

static Result unknown_version(const Search *search, Arena *arena)
{
    return FAIL(arena, FAULT_UNKNOWN_VERSION, "%.*s is not in %s; the versions of %s are %s",
                BYTES_ARGS(search->name), search->version, search->in->name,
                service_version_names(search->in, arena));
}

Result dial_version_find(const Service *service, const char *name, Arena *arena,
                         const Version **version_out)
{
    *version_out = service_version(service, bytes_of(name));
    if (*version_out)
        return OK;
    return FAIL(arena, FAULT_UNKNOWN_VERSION, "there is no version %s; the versions of %s are %s",
                name, service->name, service_version_names(service, arena));
}

Result dial_method_find(const Config *config, const char *name, const char *version, Arena *arena,
                        const Method **method_out)
{
    Bytes text = bytes_of(*name == '/' ? name + 1 : name);
    Search search = {.name = text, .version = version};
    each_method(config, see_one, &search);
    *method_out = search.found;
    if (!search.in)
        return unknown_method(config, text, arena);
    if (search.second)
        return FAIL(arena, FAULT_UNKNOWN_METHOD, "%s and %s both have %.*s: write %s.%.*s",
                    search.in->name, search.second->name, BYTES_ARGS(text), search.in->name,
                    BYTES_ARGS(text));
    return search.found ? OK : unknown_version(&search, arena);
}

/* ---- Places ---------------------------------------------------------------------------------- */

static void add_places(const Version *served, DialPlaces *places)
{
    const Service *service = served->service;
    for (uint32_t i = 0; i < service->n_instances; i++)
        if (service->instances[i].versions >> served->index & 1)
            places->items[places->n++] = (DialPlace){&service->instances[i], served};
}

/* As a client of that version says it, so that the rules that end versions hold. */
static void ask(const Config *config, const Method *method, const Fields *fields, Arena *arena,
                Explained *found_out)
{
    Fields said = fields_copy(arena, fields, 1);
    fields_set(&said, method->version->service->version_header, bytes_of(method->version->name));
    explain(config,
            &(ExplainRequest){
                .verb = bytes_of("POST"), .path = bytes_of(method->type->path), .fields = said},
            arena, found_out);
}

Result dial_places_find(const Config *config, const Method *method, const Fields *fields,
                        Arena *arena, DialPlaces *places_out)
{
    Explained found;
    *places_out = (DialPlaces){.n = 0};
    ask(config, method, fields, arena, &found);
    if (failed(found.refused))
        return found.refused;
    if (found.method != method)
        return FAIL(arena, FAULT_UNKNOWN_VERSION,
                    "by the rules of %s (negotiate) this is a request of %s, not of %s: say the "
                    "version with -H as its clients do",
                    method->version->service->name, found.method->version->name,
                    method->version->name);
    if (method_is_made(method))
        return FAIL(arena, FAULT_UNSUPPORTED,
                    "the gateway makes the response of %s itself: call a running one, --to URL",
                    method->type->path);
    const Service *service = method->version->service;
    places_out->best = found.served[0];
    places_out->items =
        arena_array(arena, DialPlace, (size_t)service->n_instances * found.n_served);
    for (uint32_t i = 0; i < found.n_served; i++)
        add_places(found.served[i], places_out);
    return OK;
}
