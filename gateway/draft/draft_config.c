/* The config of a draft. */
#include "gateway/draft/draft.h"

#include "base/arena.h"
#include "base/text/json_text.h"

/* Where comments begin, if the line is not longer. */
enum { COMMENT_COLUMN = 48 };

/* ---- Lines ----------------------------------------------------------------------------------- */

/* A comment behind what the buffer's last line has, and the end of the line. */
static void end_line(Buffer *out, const char *comment)
{
    size_t width = 0;
    while (width < out->size && out->data[out->size - 1 - width] != '\n')
        width++;
    if (comment)
        buffer_printf(out, "%*s# %s", width < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - width) : 2,
                      "", comment);
    buffer_add_byte(out, '\n');
}

/* Texts in quotes are the same in YAML and JSON. */
static void add_quoted(Buffer *out, const char *text)
{
    json_text_add(out, bytes_of(text));
}

static void add_head(const DraftTexts *texts, Buffer *out)
{
    buffer_printf(
        out,
        "# A first config, made by `passerelle init`. What schemas do not say is marked DECIDE:\n"
        "# look at each, then delete the mark. `passerelle check %s%s` judges it;\n"
        "# %s says what was found. All keys: docs/config.md.\n",
        texts->folder, texts->config, texts->notes);
    buffer_add_text(out, "listen: [");
    add_quoted(out, texts->listen);
    buffer_add_byte(out, ']');
    end_line(out, texts->listen_said
                      ? "every protocol on one port"
                      : "DECIDE: clients on this machine only; 0.0.0.0:8080 for all");
    static const char admin[] = "admin: \"unix:admin.sock\"";
    buffer_add_text(out, admin);
    buffer_printf(
        out, "%*s# for operators: passerelle errors --admin %sadmin.sock; metrics and health\n",
        COMMENT_COLUMN - (int)strlen(admin), "", texts->folder);
    buffer_add_text(out, "log: \"-\"");
    end_line(out, "one line of JSON for each call");
    buffer_add_text(out, "errors: full");
    end_line(out, "DECIDE: tells clients causes and instances; public for strangers");
}

/* ---- Services -------------------------------------------------------------------------------- */

static void add_version(const DraftVersion *version, Buffer *out)
{
    buffer_printf(out, "      - {name: %s, package: %s, schema: ", version->name, version->package);
    add_quoted(out, version->source->file);
    buffer_add_byte(out, '}');
    end_line(out, version->guessed ? "DECIDE: the name; the package does not say a version" : NULL);
}

static void add_changes(const Draft *draft, const DraftService *service, Buffer *out)
{
    if (service->n_versions < 2)
        return;
    buffer_add_text(out, "    changes: [");
    for (uint32_t i = 0; i + 1 < service->n_versions; i++) {
        buffer_add_text(out, i ? ", " : "");
        add_quoted(out, draft_changes_name(draft, service, i));
    }
    buffer_add_byte(out, ']');
    end_line(out, "refused while a line in them says `decide:`");
    buffer_printf(out, "    default_version: %s", service->versions[0].name);
    end_line(out, "DECIDE: of clients that name none; those from before versions speak the oldest");
}

static void add_mixins(const DraftService *service, Buffer *out)
{
    if (!service->n_mixins)
        return;
    buffer_add_text(out, "    mixins: [");
    for (uint32_t i = 0; i < service->n_mixins; i++)
        buffer_printf(out, "%s%s", i ? ", " : "", service->mixins[i]);
    buffer_add_byte(out, ']');
    end_line(out, "served by its instances besides");
}

static void add_file(const char *name, const char *file, const char **separator, Buffer *out)
{
    if (!file)
        return;
    buffer_printf(out, "%s%s: ", *separator, name);
    add_quoted(out, file);
    *separator = ", ";
}

void draft_config_tls(const DraftTls *tls, Buffer *out)
{
    const char *separator = "";
    if (!tls)
        return;
    buffer_add_text(out, ", tls: {");
    add_file("ca", tls->ca, &separator, out);
    add_file("certificate", tls->certificate, &separator, out);
    add_file("key", tls->key, &separator, out);
    buffer_add_byte(out, '}');
}

static void add_instance(const DraftService *service, const DraftInstance *instance, Buffer *out)
{
    const char *separator = ", versions: [";
    buffer_add_text(out, "      - {address: ");
    add_quoted(out, instance->address);
    draft_config_tls(instance->tls, out);
    for (uint32_t i = 0; service->n_versions > 1 && i < service->n_versions; i++)
        if (instance->versions >> i & 1) {
            buffer_printf(out, "%s%s", separator, service->versions[i].name);
            separator = ", ";
        }
    if (service->n_versions > 1 && !instance->versions)
        buffer_printf(out, "%s%s", separator, service->versions[service->n_versions - 1].name);
    buffer_add_text(out, service->n_versions > 1 ? "]}" : "}");
    end_line(out, instance->versions ? NULL : "DECIDE: which versions it speaks");
}

static void add_instances(const DraftService *service, Buffer *out)
{
    if (!service->n_instances) {
        buffer_add_text(out, "    instances: []");
        end_line(out, service->n_versions > 1
                          ? "DECIDE: where it runs: [{address: \"127.0.0.1:7001\", versions: [v1]}]"
                          : "DECIDE: where it runs: [\"127.0.0.1:7001\"]");
        return;
    }
    buffer_add_text(out, "    instances:");
    end_line(out, "gRPC; `protocol` says otherwise");
    for (uint32_t i = 0; i < service->n_instances; i++)
        add_instance(service, &service->instances[i], out);
}

static void add_service(const Draft *draft, const DraftService *service, Buffer *out)
{
    buffer_printf(out, "  - name: %s\n    versions:", service->name);
    end_line(out, service->n_versions > 1 ? "oldest first" : NULL);
    for (uint32_t i = 0; i < service->n_versions; i++)
        add_version(&service->versions[i], out);
    add_changes(draft, service, out);
    add_mixins(service, out);
    add_instances(service, out);
}

void draft_config(const Draft *draft, const DraftTexts *texts, Buffer *out)
{
    add_head(texts, out);
    buffer_add_text(out, "\nservices:\n");
    for (uint32_t i = 0; i < draft->n_services; i++)
        add_service(draft, &draft->services[i], out);
    buffer_add_text(out, "\nroutes:");
    end_line(out, "DECIDE: how long clients wait, and what they get when it fails");
    for (uint32_t i = 0; i < draft->n_services; i++)
        buffer_printf(out, "  - {match: %s, timeout: 10s, on_failure: loud}\n",
                      draft->services[i].name);
}
