/* Loaded before libc (LD_PRELOAD), it makes a folder hang like a network mount whose server is
   gone: whoever opens or looks at a file in it waits, as long as a file that the environment names
   exists. For mounts.py. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_for(const char *path)
{
    const char *folder = getenv("HUNG_FOLDER"), *hangs = getenv("HUNG_WHILE");
    if (strncmp(path, folder, strlen(folder)) != 0)
        return;
    while (access(hangs, F_OK) == 0)
        usleep(10000);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        int (*real)(const char *, int, ...) =                                                      \
            (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                                  \
        va_end(more);                                                                              \
        wait_for(path);                                                                            \
        return real(path, flags, mode);                                                            \
    }

#define STAT(name, type)                                                                           \
    int name(const char *path, struct type *out)                                                   \
    {                                                                                              \
        int (*real)(const char *, struct type *) =                                                 \
            (int (*)(const char *, struct type *))dlsym(RTLD_NEXT, #name);                         \
        wait_for(path);                                                                            \
        return real(path, out);                                                                    \
    }

OPEN(open)
OPEN(open64)
STAT(stat, stat)
STAT(stat64, stat64)
