/* Loaded before libc (LD_PRELOAD), it lets no thread be made as long as a file that the environment
   names exists: as a container whose pids.max is reached. For threads.py. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    if (access(getenv("NO_THREADS_WHILE"), F_OK) == 0)
        return EAGAIN;
    return real(thread, attributes, start, argument);
}
