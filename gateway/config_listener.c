/* Where clients and operators connect. */
#include "gateway/config_internal.h"

#include "base/arena.h"
#include "gateway/tls_context.h"

void config_tell_tls(ConfigReader *reader, Result r, const char *path)
{
    const Error *error = error_with_field(r);
    const char *key = error ? error->field : "certificate";
    config_tell(reader, config_path(reader, "%s.%s", path, key), NULL, "%s",
                error ? error->doing : r.error->doing);
}

static void read_tls(ConfigReader *reader, const Passerelle__Config__ListenerTls *text,
                     const char *path, ListenerConfig *listener)
{
    if (!text->certificate || !text->key)
        return;
    TlsFiles files = {
        .certificate = text->certificate,
        .key = text->key,
        .authorities = text->client_ca,
        .certificate_optional = text->client_certificate_optional,
    };
    if (text->client_certificate_optional && !text->client_ca)
        config_tell(reader, path, NULL,
                    "client_certificate_optional means something with client_ca only");
    Result r = tls_server_context(reader->arena, &files, &listener->tls);
    if (failed(r))
        config_tell_tls(reader, r, path);
    listener->client_certificate = text->client_ca != NULL;
}

/* The same address twice; port 0 is another one each time. */
static void tell_duplicate(ConfigReader *reader, uint32_t at, const char *path)
{
    const ListenerConfig *listeners = reader->config->listeners;
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(listeners[i].address.text, listeners[at].address.text) == 0 &&
            (listeners[at].address.port || listeners[at].address.path)) {
            config_tell(reader, path, NULL, "listen[%u] has the address %s already", i,
                        listeners[at].address.text);
            return;
        }
}

void config_read_listeners(ConfigReader *reader)
{
    const Passerelle__Config__Config *text = reader->file.content;
    Config *config = reader->config;
    config->listeners = arena_array(reader->arena, ListenerConfig, text->n_listen);
    for (size_t i = 0; i < text->n_listen; i++) {
        const char *path = config_path(reader, "listen[%zu]", i);
        ListenerConfig *listener = &config->listeners[config->n_listeners];
        if (!text->listen[i]->address)
            continue;
        if (config_address(reader, text->listen[i]->address, true,
                           config_path(reader, "%s.address", path), &listener->address))
            tell_duplicate(reader, config->n_listeners, config_path(reader, "%s.address", path));
        listener->errors = config_errors(text->listen[i]->has_errors, text->listen[i]->errors);
        config->n_listeners++;
        if (text->listen[i]->tls)
            read_tls(reader, text->listen[i]->tls, config_path(reader, "%s.tls", path), listener);
    }

    if (!text->admin || !text->admin->address ||
        !config_address(reader, text->admin->address, true, "admin.address", &config->admin))
        return;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        if (strcmp(config->listeners[i].address.text, config->admin.text) == 0 &&
            (config->admin.port || config->admin.path))
            config_tell(reader, "admin.address", NULL, "listen[%u] has the address %s already", i,
                        config->admin.text);
}
