/*
 * Per-thread caches of libh2o 2.2.5, which has no function to free them: up to 16 chunks of request
 * memory and 16 socket buffers.
 */
#ifndef GATEWAY_H2O_THREAD_H
#define GATEWAY_H2O_THREAD_H

/* Frees them. The thread's last use of libh2o. */
void h2o_thread_free(void);

#endif
