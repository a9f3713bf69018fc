/*
 * Private state of a loop, for loop.c, socket.c and their tests only.
 */
#ifndef GATEWAY_LOOP_INTERNAL_H
#define GATEWAY_LOOP_INTERNAL_H

#include "gateway/loop/loop.h"

enum {
    LOOP_READ_SIZE = 64 * 1024,    /* one read of a socket */
    LOOP_PLAIN_SIZE = 64 * 1024,   /* decrypted bytes of one on_read */
    LOOP_RECORD_SIZE = 16 * 1024,  /* small pieces gathered into one TLS record */
    LOOP_CIPHER_SIZE = 264 * 1024, /* 256 KiB encrypted, with the records' heads and tags */
};

/* A post from another thread. Heap; freed by the loop. */
typedef struct LoopPost {
    struct LoopPost *next;
    void (*run)(Loop *loop, void *argument);
    void *argument;
} LoopPost;

struct LoopPrivate {
    uv_async_t posted;
    uv_mutex_t lock; /* of the two below */
    LoopPost *posts, **posts_end;

    uv_prepare_t before_wait;
    uv_check_t after_wait;
    uv_idle_t no_wait; /* active: the next wait is to return at once */
    uv_timer_t wake;   /* drives the wheel */
    int64_t wake_at;   /* when `wake` fires; INT64_MAX: not running */

    LoopWork *work, **work_end; /* the last one is followed by this: */
    LoopWork no_work;
    int64_t date_until;             /* monotonic: when loop->date must be updated */
    int64_t turn_began, turn_ended; /* monotonic: of the last turn that was measured */
    int64_t ran;                    /* CPU time of the thread by the end of that turn */
    int64_t look_at;                /* when a turn is measured in any case */
    uint32_t n_watched;             /* turns that are measured in any case */
    bool now_is_old;                /* no event since the wait began */

    /* Shared by all sockets of the loop, so that an idle connection holds no buffer. Valid only
       within the callback that filled them. */
    uint8_t *read_buffer, *plain_buffer, *record_buffer;
    uint8_t *cipher_buffer;
    size_t cipher_size;    /* bytes in it */
    const void *cipher_of; /* the socket that reads; NULL: none does. What its TLS engine */
    Bytes cipher_in;       /* has not taken yet, in the read buffer */
};

#endif
