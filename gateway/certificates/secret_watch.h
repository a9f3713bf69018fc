/*
 * SecretWatch: files with secrets of the running config that other users may use: as a metric, and
 * each as the event `secret_open`, when the config is read and twice a day. There is one in the
 * process. The main thread only, except for the metrics.
 */
#ifndef GATEWAY_SECRET_WATCH_H
#define GATEWAY_SECRET_WATCH_H

#include "gateway/config/config.h"

#include <uv.h>

void secret_watch_start(uv_loop_t *loop);

/* Before the loop ends. */
void secret_watch_stop(void);

/* The config is running from now on: it is held until the next one is. */
void secret_watch_use(Config *config);

#endif
