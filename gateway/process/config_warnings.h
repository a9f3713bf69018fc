/*
 * ConfigWarnings: what operators should know of a config that is in use, as events. Main thread.
 */
#ifndef GATEWAY_CONFIG_WARNINGS_H
#define GATEWAY_CONFIG_WARNINGS_H

#include "gateway/config/config.h"

/* Settings that take effect only after a restart. */
void config_warn_restart(const Config *old, const Config *config);

/* What is allowed, and probably not meant. */
void config_warn_doubts(const Config *config);

/* There are fewer file descriptors than the limits of the config may need. */
void config_warn_descriptors(const Config *config);

#endif
