/*
 * What a config means, for people and for programs: the listeners, who answers which version, and
 * the loss report of every pair of versions. For `passerelle check`.
 */
#ifndef GATEWAY_CONFIG_REPORT_H
#define GATEWAY_CONFIG_REPORT_H

#include "gateway/config/config.h"

void config_report(const Config *config, Buffer *out);

/* One JSON object: "ok", "problems", and of a good config "services" with the losses of each pair
   of versions (null: no way between them) and "warnings", texts. `config` may be NULL. */
void config_report_json(const Config *config, const Problems *problems, const Problems *warnings,
                        Buffer *out);

#endif
