/* What is found in a config that is there already. */
#include "gateway/config.h"

const ListenerConfig *config_listener(const Config *config, const char *address)
{
    for (uint32_t i = 0; config && i < config->n_listeners; i++) {
        if (strcmp(config->listeners[i].address.text, address) == 0)
            return &config->listeners[i];
    }
    return NULL;
}
