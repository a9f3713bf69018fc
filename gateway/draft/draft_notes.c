/* What was found, for people: the notes and the summary of a draft. */
#include "gateway/draft/draft.h"

#include "base/arena.h"

typedef struct Counts {
    uint32_t methods, rest;
} Counts;

/* Where one is among the methods of a version; zeroed at the beginning. */
typedef struct Place {
    uint32_t service, method;
} Place;

/* NULL: there are no more. */
static const MethodType *next_method(const DraftVersion *version, Place *at)
{
    const Schema *schema = version->source->schema;
    for (; at->service < schema->n_services; at->service++, at->method = 0) {
        const ServiceType *type = &schema->services[at->service];
        if (strcmp(type->package, version->package) == 0 && at->method < type->n_methods)
            return &type->methods[at->method++];
    }
    return NULL;
}

static void count(const DraftVersion *version, Counts *counts)
{
    const MethodType *method;
    for (Place at = {0}; (method = next_method(version, &at));) {
        counts->methods++;
        counts->rest += method->http != NULL;
    }
}

/* ---- The summary ----------------------------------------------------------------------------- */

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

void draft_summary(const Draft *draft, Buffer *out)
{
    for (uint32_t i = 0; i < draft->n_services; i++) {
        const DraftService *service = &draft->services[i];
        Counts counts = {0};
        buffer_printf(out, "%s:", service->name);
        for (uint32_t k = 0; k < service->n_versions; k++) {
            count(&service->versions[k], &counts);
            buffer_printf(out, "%s %s (%s)", k ? "," : "", service->versions[k].name,
                          service->versions[k].package);
        }
        buffer_printf(out, "; %u method%s, %u of them with REST; %u instance%s\n", counts.methods,
                      plural(counts.methods), counts.rest, service->n_instances,
                      plural(service->n_instances));
    }
}

/* ---- Methods --------------------------------------------------------------------------------- */

static const char *stream_of(const MethodType *method)
{
    return method->client_streaming && method->server_streaming ? "both ways"
           : method->server_streaming                           ? "responses"
           : method->client_streaming                           ? "requests"
                                                                : "";
}

static void add_rest(const HttpRule *rule, Buffer *out)
{
    if (!rule)
        return;
    buffer_printf(out, "`%s %s`", rule->verb, rule->path);
    for (uint32_t i = 0; i < rule->n_additional; i++)
        buffer_printf(out, ", `%s %s`", rule->additional[i].verb, rule->additional[i].path);
}

static void add_method(const MethodType *method, Buffer *out)
{
    buffer_printf(out, "| `%s` | ", method->path);
    add_rest(method->http, out);
    buffer_printf(out, " | %s | %s |\n", stream_of(method),
                  method->no_side_effects ? "changes nothing"
                  : method->idempotent    ? "may be repeated"
                                          : "");
}

static void add_methods(const DraftVersion *version, Buffer *out)
{
    buffer_printf(out,
                  "\n### %s: `%s`, from `%s`\n\n"
                  "| gRPC, gRPC-Web, Connect | REST | stream | |\n|---|---|---|---|\n",
                  version->name, version->package, version->source->said);
    const MethodType *method;
    for (Place at = {0}; (method = next_method(version, &at));)
        add_method(method, out);
}

static void add_service(const DraftService *service, Buffer *out)
{
    buffer_printf(out, "\n## %s\n", service->name);
    for (uint32_t i = 0; i < service->n_versions; i++)
        add_methods(&service->versions[i], out);
}

/* ---- What is next ---------------------------------------------------------------------------- */

static void add_decisions(const DraftFile *file, Buffer *out)
{
    Bytes rest = file->content, line;
    for (unsigned n = 1; file->mark && bytes_split(&rest, '\n', &line); n++)
        if (memmem(line.data, line.size, file->mark, strlen(file->mark)))
            buffer_printf(out, "- `%s:%u` %.*s\n", file->name, n, BYTES_ARGS(bytes_trim(line)));
}

/* A path that the template fits: each of its variables and stars is 1. */
static void add_path(const char *path, Buffer *out)
{
    for (; *path; path++) {
        if (*path == '{') {
            path += strcspn(path, "=}");
            if (*path == '}')
                buffer_add_byte(out, '1');
        } else if (*path == '*') {
            path += path[1] == '*';
            buffer_add_byte(out, '1');
        } else if (*path != '}') {
            buffer_add_byte(out, (uint8_t)*path);
        }
    }
}

static void add_call(const DraftTexts *texts, const MethodType *method, Buffer *out)
{
    if (method->client_streaming)
        return;
    const char *accept = method->server_streaming ? " -N -H 'Accept: text/event-stream'" : "";
    if (method->http && strcmp(method->http->verb, "GET") == 0) {
        buffer_printf(out, "    curl -i%s 'http://%s", accept, texts->listen);
        add_path(method->http->path, out);
        buffer_add_text(out, "'\n");
    } else if (!method->server_streaming)
        buffer_printf(out, "    curl -i --json '{}' http://%s%s\n", texts->listen, method->path);
}

/* Of the newest version of the first service. */
static void add_calls(const Draft *draft, const DraftTexts *texts, Buffer *out)
{
    enum { CALLS_MOST = 3 };
    const DraftVersion *version = &draft->services[0].versions[draft->services[0].n_versions - 1];
    const MethodType *method;
    Place at = {0};
    for (uint32_t n = 0; n < CALLS_MOST && (method = next_method(version, &at)); n++)
        add_call(texts, method, out);
}

void draft_notes(const Draft *draft, const DraftTexts *texts, const DraftFile *files, uint32_t n,
                 Buffer *out)
{
    buffer_add_text(out, "# What `passerelle init` found\n\n## To decide\n\n");
    size_t before = out->size;
    for (uint32_t i = 0; i < n; i++)
        add_decisions(&files[i], out);
    for (uint32_t i = 0; i < draft->n_doubts; i++)
        buffer_printf(out, "- %s\n", draft->doubts[i]);
    if (out->size == before)
        buffer_add_text(out, "Nothing.\n");
    buffer_printf(
        out,
        "\nA change list is refused until its `decide:` marks are deleted; a DECIDE in the "
        "config is a comment\nfor you, and a service without instances is refused.\n\n"
        "## Next\n\n    passerelle check %s%s\n    passerelle run %s%s\n",
        texts->folder, texts->config, texts->folder, texts->config);
    add_calls(draft, texts, out);
    for (uint32_t i = 0; i < draft->n_services; i++)
        add_service(&draft->services[i], out);
}
