/* What clients may read about the services. */
#include "gateway/settings/settings.h"

#include "base/arena.h"
#include "protocols/http/http_path.h"

static const char *without_slash(ConfigReader *reader, const char *text)
{
    Bytes whole = bytes_of(text);
    while (bytes_end_with(whole, "/"))
        whole.size--;
    return arena_text(reader->arena, whole);
}

/* Clients ask for it as it is written. */
static void check_path(ConfigReader *reader, const char *path)
{
    Bytes normal;
    Result r = http_path_normalize(bytes_of(path), reader->arena, &normal);
    bool good = path[0] == '/' && path[1] && !strpbrk(path, "?#{} ") && !failed(r) &&
                bytes_are(normal, path);
    if (failed(r))
        error_ignore(r, "it is told as a mistake of the config");
    if (!good)
        config_tell(reader, "catalog.path", "/apis", "%s is not a path", path);
}

static void check_url(ConfigReader *reader, const char *url)
{
    bool good = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    if (!good || strpbrk(url, "?#{} \"<>\\"))
        config_tell(reader, "catalog.url", "https://api.example.com",
                    "%s is not the URL of a gateway", url);
}

static void doubt_sizes(ConfigReader *reader, const CatalogConfig *catalog)
{
    if (catalog->openapi && catalog->kept_bytes && catalog->kept_bytes < catalog->document_bytes)
        config_doubt(reader, "catalog.kept_bytes", NULL,
                     "less than document_bytes: a document between the two is made anew each "
                     "time that it is asked for");
}

void config_read_catalog(ConfigReader *reader)
{
    const Passerelle__Config__Catalog *text = reader->file.content->catalog;
    if (!text)
        return;
    CatalogConfig *catalog = arena_make(reader->arena, CatalogConfig);
    check_path(reader, text->path);
    if (text->url)
        check_url(reader, text->url);
    *catalog = (CatalogConfig){.path = without_slash(reader, text->path),
                               .url = text->url ? without_slash(reader, text->url) : "",
                               .openapi = text->openapi,
                               .document_bytes = text->document_bytes,
                               .kept_bytes = text->kept_bytes};
    doubt_sizes(reader, catalog);
    reader->config->catalog = catalog;
}
