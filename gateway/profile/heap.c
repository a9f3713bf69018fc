#include "gateway/profile/heap.h"

#include "base/arena.h"
#include "base/file/memory_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* jemalloc's. A build for sanitizers has their allocator instead, and none of these. */
int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));
void malloc_stats_print(void (*write)(void *owner, const char *text), void *owner,
                        const char *options) __attribute__((weak));

static Result unsupported(Arena *arena)
{
    return FAIL(arena, FAULT_UNSUPPORTED,
                "this gateway was started with another allocator than jemalloc, or with one that "
                "cannot sample (MALLOC_CONF)");
}

/* ---- Samples --------------------------------------------------------------------------------- */

void heap_watch(bool on)
{
    if (mallctl)
        mallctl("prof.active", NULL, NULL, &on, sizeof on);
}

bool heap_is_watched(void)
{
    bool on = false;
    size_t size = sizeof on;
    return mallctl && mallctl("prof.active", &on, &size, NULL, 0) == 0 && on;
}

/* The allocator writes to a file that it opens by its name: to one without a place on a disk. */
static Result dump_to(Arena *arena, int file)
{
    const char *name = arena_printf(arena, "/proc/self/fd/%d", file);
    int error = mallctl("prof.dump", NULL, NULL, &name, sizeof name);
    return error ? FAIL(arena, FAULT_SYSTEM, "jemalloc could not write its samples to %s: %s", name,
                        strerror(error))
                 : OK;
}

Result heap_dump_write(Arena *arena, Bytes *text_out)
{
    bool can = false;
    size_t size = sizeof can;
    if (!mallctl || mallctl("opt.prof", &can, &size, NULL, 0) != 0 || !can)
        return unsupported(arena);
    int file = memfd_create("heap", MFD_CLOEXEC);
    if (file < 0)
        return FAIL(arena, FAULT_SYSTEM, "making a file in memory: %s", strerror(errno));
    Result r = dump_to(arena, file);
    if (!failed(r))
        *text_out = memory_file_read(arena, file, SIZE_MAX);
    close(file);
    return failed(r) || text_out->size
               ? r
               : FAIL(arena, FAULT_SYSTEM, "reading jemalloc's samples: %s", strerror(errno));
}

/* An allocator that is a part of the program cannot be told from it. */
bool heap_is_own_code(uint64_t address)
{
    Dl_info allocator, program, here;
    return mallctl && dladdr((const void *)(uintptr_t)mallctl, &allocator) &&
           dladdr((const void *)(uintptr_t)heap_is_own_code, &program) &&
           dladdr((const void *)(uintptr_t)address, &here) &&
           here.dli_fbase == allocator.dli_fbase && here.dli_fbase != program.dli_fbase;
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static void add_text(void *owner, const char *text)
{
    buffer_add_text(owner, text);
}

Result heap_statistics(Arena *arena, Buffer *out)
{
    if (!malloc_stats_print)
        return unsupported(arena);
    malloc_stats_print(add_text, out, "J");
    return OK;
}
