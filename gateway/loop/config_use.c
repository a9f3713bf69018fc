#include "gateway/loop/config_use.h"
#include "gateway/config/config.h"

#include <stdlib.h>

struct ConfigUse {
    Config *config; /* a reference */
    ConfigUse *next;
    uint32_t calls;
};

Config *config_use(Loop *loop)
{
    ConfigUse *use = loop->uses;
    if (!use || use->config != loop->config) {
        use = malloc(sizeof *use);
        CHECK(use);
        *use = (ConfigUse){.config = config_ref(loop->config), .next = loop->uses};
        loop->uses = use;
    }
    use->calls++;
    return use->config;
}

static ConfigUse *use_of(Loop *loop, const Config *config)
{
    ConfigUse *use = loop->uses;
    while (use->config != config || use->calls == 0)
        use = use->next;
    return use;
}

Config *config_use_again(Loop *loop, Config *config)
{
    use_of(loop, config)->calls++;
    return config;
}

void config_release(Loop *loop, Config *config)
{
    ConfigUse *use = use_of(loop, config);
    use->calls--;
    if (use->calls == 0 && config != loop->config)
        config_uses_trim(loop);
}

void config_uses_trim(Loop *loop)
{
    for (ConfigUse **at = &loop->uses; *at;) {
        ConfigUse *use = *at;
        if (use->calls) {
            at = &use->next;
            continue;
        }
        *at = use->next;
        config_unref(use->config);
        free(use);
    }
}
