/*
 * ConfigValues: what the text of a config says, value by value, with the line of each; and of each
 * part that it has the defaults of what it does not say. Pure.
 */
#ifndef GATEWAY_CONFIG_VALUES_H
#define GATEWAY_CONFIG_VALUES_H

#include "gateway/config/config.h"

enum { CONFIG_VALUES_MOST = 10000 };

/*
 * [{"path": "routes[0].timeout", "value": "2s", "line": 12}, ...]: a default has no `line`, and
 * what is secret has `secret` and no `value`. Returns how many are left out, beyond
 * CONFIG_VALUES_MOST. The text is that of a config that was loaded.
 */
uint32_t config_values_write(Bytes text, const char *file, Buffer *out);

#endif
