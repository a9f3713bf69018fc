/* The running config as JSON for operators, with the state of its instances as the loops see it. */
#ifndef GATEWAY_CONFIG_PAGE_H
#define GATEWAY_CONFIG_PAGE_H

#include "gateway/config/config.h"

/* One object. Any thread that holds a reference to the config. */
void config_page_write(const Config *config, Buffer *out);

#endif
