/*
 * What libh2o 2.2.5 keeps for each thread that used it, for use again, and has no call to free: up
 * to 16 chunks of request memory and 16 socket buffers.
 */
#ifndef GATEWAY_H2O_THREAD_H
#define GATEWAY_H2O_THREAD_H

/* Frees it. The last thing that a thread does with libh2o. */
void h2o_thread_free(void);

#endif
