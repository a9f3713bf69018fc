/* What of the use of a service is counted; its versions that end when nobody uses them any more,
   and their brown-outs. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

/* "5 %", "0.25 %": digits, at most two of them behind the point. False: it is anything else, or not
   above 0 and up to 100. */
static bool read_share(Bytes text, uint32_t *share_out)
{
    uint64_t whole, hundredths = 0;
    if (!text.size || text.data[text.size - 1] != '%')
        return false;
    Bytes number = bytes_trim(bytes_slice(text, 0, text.size - 1));
    size_t point = bytes_find(number, '.');
    Bytes behind = bytes_slice(number, point + 1, number.size);
    if (!bytes_to_u64(bytes_slice(number, 0, point), &whole) || whole > 100 || behind.size > 2 ||
        (point < number.size && !bytes_to_u64(behind, &hundredths)))
        return false;
    *share_out = (uint32_t)(whole * 100 + hundredths * (behind.size == 1 ? 10 : 1));
    return *share_out > 0 && *share_out <= BROWNOUT_WHOLE;
}

static bool overlaps(const Retiring *retiring, const Brownout *brownout)
{
    for (uint32_t i = 0; i < retiring->n_brownouts; i++)
        if (brownout->from < retiring->brownouts[i].until &&
            retiring->brownouts[i].from < brownout->until)
            return true;
    return false;
}

static void read_brownout(ConfigReader *reader, Retiring *retiring,
                          const Passerelle__Config__Brownout *text, const char *path)
{
    Brownout brownout = {.from = text->at, .until = text->at + text->for_};
    if (!text->at)
        return;
    if (!read_share(bytes_of(text->share), &brownout.share))
        config_tell(reader, config_path(reader, "%s.share", path), "share: 5 %",
                    "\"%s\" is no share above 0 %% and up to 100 %%", text->share);
    else if (overlaps(retiring, &brownout))
        config_tell(reader, config_path(reader, "%s.at", path), NULL,
                    "there is another brown-out of this version at the same time");
    else
        retiring->brownouts[retiring->n_brownouts++] = brownout;
}

static void read_one(ConfigReader *reader, Service *service, const Passerelle__Config__Retire *text,
                     const char *path)
{
    const char *at = config_path(reader, "%s.version", path);
    const Version *found =
        text->version ? config_find_version(reader, service, text->version, at) : NULL;
    if (!found)
        return;
    Version *version = &service->versions[found->index];
    if (version->retiring) {
        config_tell(reader, at, NULL, "%s is in the list already", version->name);
        return;
    }
    if (version->index + 1 == service->n_versions)
        config_tell(reader, at, NULL, "%s is the newest version of %s: nothing comes after it",
                    version->name, service->name);
    version->retiring = arena_make(reader->arena, Retiring);
    *version->retiring =
        (Retiring){.unused_for = text->unused_for,
                   .brownouts = arena_array(reader->arena, Brownout, text->n_brownouts)};
    for (size_t i = 0; i < text->n_brownouts; i++)
        read_brownout(reader, version->retiring, text->brownouts[i],
                      config_path(reader, "%s.brownouts[%zu]", path, i));
}

void config_read_retiring(ConfigReader *reader, Service *service, const ServicePlan *plan)
{
    service->counts_fields = plan->text->usage && plan->text->usage->fields;
    if (plan->text->usage && !reader->config->usage.on)
        config_tell(reader, config_path(reader, "%s.usage", plan->path), "usage: {}",
                    "nobody counts who uses what");
    for (size_t i = 0; i < plan->text->n_retire; i++)
        read_one(reader, service, plan->text->retire[i],
                 config_path(reader, "%s.retire[%zu]", plan->path, i));
    if (plan->text->n_retire && !reader->config->usage.on)
        config_tell(reader, config_path(reader, "%s.retire", plan->path), "usage: {}",
                    "nobody counts who uses a version");
}
