/*
 * ConfigValues: what the text of a config says, value by value, with the line of each; and of each
 * part that it has the defaults of what it does not say. Pure.
 */
#ifndef GATEWAY_CONFIG_VALUES_H
#define GATEWAY_CONFIG_VALUES_H

#include "gateway/config/config.h"

enum { CONFIG_VALUES_MOST = 10000 };

/* One value. Valid until the call returns. */
typedef struct ConfigValue {
    const char *path; /* "routes[0].timeout" */
    Bytes text;       /* empty if it is secret */
    bool secret;
    const char *file;      /* that it is written in; NULL: it is the default */
    int line;              /* there; 0: it is the default */
    const char *variables; /* "HOST, PORT (not set)": in it; NULL: none */
    const char *from;      /* the file that the secret is read from; NULL: none */
} ConfigValue;

typedef void ConfigOnValue(void *owner, const ConfigValue *value);

/* Calls `on_value` for each value of a config that was loaded, in its order. */
void config_values(const ConfigText *texts, ConfigOnValue *on_value, void *owner);

/* Adds {"path": "routes[0].timeout", "value": "2s", "line": 12}. A default has no `line`, what is
   secret has `secret` and no `value`; a value may have `variables` and `from`, and one of another
   file than `main` has `file`. */
void config_value_write(const ConfigValue *value, const char *main, Buffer *out);

/* An array of them. Returns how many are left out, beyond CONFIG_VALUES_MOST. `texts` may be NULL:
   there are none. */
uint32_t config_values_write(const ConfigText *texts, Buffer *out);

#endif
