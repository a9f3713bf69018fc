/*
 * Faults: what the gateway asks of its surroundings fails when a test says so.
 *
 * Linked into the program passerelle-faults, whose own functions take the place of those of the C
 * library, OpenSSL and c-ares, also for calls from within shared libraries (libuv, c-ares, libpq).
 * A test and the gateway share a file of 4 KiB, which PASSERELLE_FAULTS names: the test says there
 * what fails, and sees how often it was asked for and how often it has failed. It may do so at any
 * time, so that one process goes through many faults. Without such a file nothing fails.
 *
 * Sockets and files fail, not pipes: what wakes up a loop must not be lost.
 */
#include "base/blocks.h"
#include "base/result.h"

#include <ares.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* In the order of KINDS in faults.py. */
typedef enum Kind {
    KIND_READ,         /* a connection is reset while it is read */
    KIND_READ_END,     /* it ends too early */
    KIND_WRITE,        /* it is broken while it is written */
    KIND_WRITE_FULL,   /* the kernel accepts nothing for now */
    KIND_WRITE_SHORT,  /* it accepts one byte */
    KIND_CONNECT,      /* it fails at once */
    KIND_CONNECT_LATE, /* it fails later */
    KIND_SOCKET,       /* no descriptor is left */
    KIND_ACCEPT,       /* the same, for a client */
    KIND_ACCEPT_GONE,  /* the client has left already */
    KIND_RESOLVE,      /* asking for a name, and each packet of it */
    KIND_FILE,         /* a file is opened, read, written or synced */
    KIND_TLS,          /* a handshake, or a record that is read or written */
    KIND_TLS_MEMORY,   /* memory of OpenSSL */
    KIND_MEMORY,       /* memory that may be missing: block_try */
    KIND_COUNT,
} Kind;

/* The file's content; the test writes the upper half, the process the lower one. */
typedef struct Control {
    _Atomic uint64_t kinds;  /* those that may fail: 1 << Kind, ... */
    _Atomic uint64_t nth;    /* of a kind, counted from 1, fails; 0: none does */
    _Atomic uint64_t one_in; /* as many fail by chance; 0: none do */
    _Atomic uint64_t seed;
    _Atomic uint64_t seen[16];
    _Atomic uint64_t failed[16];
} Control;

static Control nothing;
static Control *control = &nothing;

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("PASSERELLE_FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    close(file);
    control = memory;
}

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014. */
static uint64_t scatter(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* Whether this one fails; it is counted. What fails depends on the seed and its number only. */
static bool fails(Kind kind)
{
    if (!(control->kinds >> kind & 1))
        return false;
    uint64_t number = atomic_fetch_add(&control->seen[kind], 1) + 1;
    bool chosen = number == control->nth;
    if (control->one_in)
        chosen = scatter(scatter(control->seed + kind) + number) % control->one_in == 0;
    if (chosen)
        atomic_fetch_add(&control->failed[kind], 1);
    return chosen;
}

/* The function of this name that comes after ours. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    *(void **)&real = find_real(#name)

static void *find_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    CHECK(found);
    return found;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static bool is_socket(int fd, int wanted)
{
    int type, error = errno;
    socklen_t size = sizeof(type);
    bool is = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == wanted;
    errno = error;
    return is;
}

static bool is_file(int fd)
{
    struct stat info;
    int error = errno;
    bool is = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    errno = error;
    return is;
}

static bool refuses(int error)
{
    errno = error;
    return true;
}

/* True: the call returns *result_out at once. */
static bool reading_fails(int fd, ssize_t *result_out)
{
    if (control->kinds == 0)
        return false;
    *result_out = -1;
    if (is_socket(fd, SOCK_DGRAM))
        return fails(KIND_RESOLVE) && refuses(ECONNREFUSED);
    if (!is_socket(fd, SOCK_STREAM))
        return is_file(fd) && fails(KIND_FILE) && refuses(EIO);
    if (fails(KIND_READ))
        return refuses(ECONNRESET);
    *result_out = 0;
    return fails(KIND_READ_END);
}

static bool writing_fails(int fd)
{
    if (control->kinds == 0)
        return false;
    if (is_socket(fd, SOCK_DGRAM))
        return fails(KIND_RESOLVE) && refuses(ENETUNREACH);
    if (!is_socket(fd, SOCK_STREAM))
        return is_file(fd) && fails(KIND_FILE) && refuses(ENOSPC);
    if (fails(KIND_WRITE))
        return refuses(EPIPE);
    return fails(KIND_WRITE_FULL) && refuses(EAGAIN);
}

static bool is_short(int fd)
{
    return control->kinds && is_socket(fd, SOCK_STREAM) && fails(KIND_WRITE_SHORT);
}

ssize_t read(int fd, void *data, size_t size)
{
    REAL(read);
    ssize_t result;
    return reading_fails(fd, &result) ? result : real(fd, data, size);
}

ssize_t readv(int fd, const struct iovec *vectors, int n)
{
    REAL(readv);
    ssize_t result;
    return reading_fails(fd, &result) ? result : real(fd, vectors, n);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    REAL(recv);
    ssize_t result;
    return reading_fails(fd, &result) ? result : real(fd, data, size, flags);
}

ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, __SOCKADDR_ARG peer,
                 socklen_t *restrict peer_size)
{
    REAL(recvfrom);
    ssize_t result;
    return reading_fails(fd, &result) ? result : real(fd, data, size, flags, peer, peer_size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    ssize_t result;
    return reading_fails(fd, &result) ? result : real(fd, message, flags);
}

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    return writing_fails(fd) ? -1 : real(fd, data, is_short(fd) && size ? 1 : size);
}

ssize_t writev(int fd, const struct iovec *vectors, int n)
{
    REAL(writev);
    if (writing_fails(fd))
        return -1;
    if (n > 0 && is_short(fd))
        return write(fd, vectors[0].iov_base, vectors[0].iov_len ? 1 : 0);
    return real(fd, vectors, n);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    REAL(send);
    return writing_fails(fd) ? -1 : real(fd, data, is_short(fd) && size ? 1 : size, flags);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG peer,
               socklen_t peer_size)
{
    REAL(sendto);
    return writing_fails(fd) ? -1 : real(fd, data, size, flags, peer, peer_size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg);
    return writing_fails(fd) ? -1 : real(fd, message, flags);
}

int socket(int family, int type, int protocol)
{
    REAL(socket);
    return fails(KIND_SOCKET) && refuses(EMFILE) ? -1 : real(family, type, protocol);
}

int connect(int fd, __CONST_SOCKADDR_ARG peer, socklen_t size)
{
    REAL(connect);
    bool stream = control->kinds && is_socket(fd, SOCK_STREAM);
    return stream && fails(KIND_CONNECT) && refuses(ECONNREFUSED) ? -1 : real(fd, peer, size);
}

/* How a connect went that was begun before. */
int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size)
{
    REAL(getsockopt);
    int result = real(fd, level, option, value, size);
    if (result == 0 && level == SOL_SOCKET && option == SO_ERROR && fails(KIND_CONNECT_LATE))
        *(int *)value = ETIMEDOUT;
    return result;
}

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *restrict size, int flags)
{
    REAL(accept4);
    if (fails(KIND_ACCEPT) && refuses(EMFILE))
        return -1;
    return fails(KIND_ACCEPT_GONE) && refuses(ECONNABORTED) ? -1 : real(fd, peer, size, flags);
}

/* ---- Files ----------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails(KIND_FILE) && refuses(EIO) ? -1 : real(path, flags, mode);
}

ssize_t pread(int fd, void *data, size_t size, off_t at)
{
    REAL(pread);
    return fails(KIND_FILE) && refuses(EIO) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(pwrite);
    return fails(KIND_FILE) && refuses(ENOSPC) ? -1 : real(fd, data, size, at);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return fails(KIND_FILE) && refuses(EIO) ? -1 : real(fd);
}

int fsync(int fd)
{
    REAL(fsync);
    return fails(KIND_FILE) && refuses(EIO) ? -1 : real(fd);
}

int ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    return fails(KIND_FILE) && refuses(EIO) ? -1 : real(fd, size);
}

/* ---- Libraries ------------------------------------------------------------------------------- */

void ares_query(ares_channel channel, const char *name, int class, int type, ares_callback on_end,
                void *owner)
{
    REAL(ares_query);
    if (fails(KIND_RESOLVE))
        on_end(owner, ARES_ENOMEM, 0, NULL, 0);
    else
        real(channel, name, class, type, on_end, owner);
}

static bool tls_fails(void)
{
    if (!fails(KIND_TLS))
        return false;
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
    return true;
}

int SSL_do_handshake(SSL *tls)
{
    REAL(SSL_do_handshake);
    return tls_fails() ? -1 : real(tls);
}

int SSL_read_ex(SSL *tls, void *data, size_t size, size_t *size_out)
{
    REAL(SSL_read_ex);
    return tls_fails() ? 0 : real(tls, data, size, size_out);
}

int SSL_write_ex(SSL *tls, const void *data, size_t size, size_t *size_out)
{
    REAL(SSL_write_ex);
    return tls_fails() ? 0 : real(tls, data, size, size_out);
}

static CRYPTO_malloc_fn crypto_take;
static CRYPTO_realloc_fn crypto_resize;

static void *take_or_fail(size_t size, const char *file, int line)
{
    return fails(KIND_TLS_MEMORY) ? NULL : crypto_take(size, file, line);
}

static void *resize_or_fail(void *memory, size_t size, const char *file, int line)
{
    return size && fails(KIND_TLS_MEMORY) ? NULL : crypto_resize(memory, size, file, line);
}

int CRYPTO_set_mem_functions(CRYPTO_malloc_fn take, CRYPTO_realloc_fn resize, CRYPTO_free_fn give)
{
    REAL(CRYPTO_set_mem_functions);
    crypto_take = take;
    crypto_resize = resize;
    return real(take_or_fail, resize_or_fail, give);
}

/* ---- The gateway's own: the linker leads calls here (--wrap) --------------------------------- */

void *__real_block_try(size_t size);
void *__real_block_resize(void *block, size_t size);
void *__wrap_block_try(size_t size);
void *__wrap_block_resize(void *block, size_t size);

void *__wrap_block_try(size_t size)
{
    return fails(KIND_MEMORY) ? NULL : __real_block_try(size);
}

void *__wrap_block_resize(void *block, size_t size)
{
    return fails(KIND_MEMORY) ? NULL : __real_block_resize(block, size);
}
