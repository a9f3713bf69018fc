/* The running config as JSON for operators, with the state of its instances as the loops see it. */
#ifndef GATEWAY_ADMIN_CONFIG_H
#define GATEWAY_ADMIN_CONFIG_H

#include "gateway/config/config.h"

/* One object. Any thread that holds a reference to the config. */
void admin_config_write(const Config *config, Buffer *out);

#endif
