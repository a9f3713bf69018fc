#include "base/file/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, Bytes text)
{
    while (text.size) {
        ssize_t n = write(fd, text.data, text.size);
        if (n < 0 && errno != EINTR)
            return false;
        text = bytes_slice(text, n > 0 ? (size_t)n : 0, SIZE_MAX);
    }
    return true;
}

int memory_file_make(const char *name, Bytes text)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (write_all(fd, text) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

Bytes memory_file_read(Arena *arena, int fd, size_t most)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0)
        return BYTES_NONE;
    size_t size = (size_t)info.st_size < most ? (size_t)info.st_size : most, got = 0;
    Buffer text = buffer_in(arena);
    if (!buffer_reserve(&text, size))
        return BYTES_NONE;
    while (got < size) {
        ssize_t n = pread(fd, text.data + got, size - got, (off_t)got);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    text.size = got;
    return buffer_bytes(&text);
}
