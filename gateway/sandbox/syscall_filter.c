#include "gateway/sandbox/syscall_filter.h"

#include "base/arena.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

/* With any arguments, by what they are for. Names that an architecture does not have are left out
   there. */
static const char *const plain[] = {
    /* Bytes, and what happens next. */
    "read readv pread64 preadv write writev pwrite64 pwritev lseek sendfile close poll "
    "ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
    "eventfd2 pipe pipe2 timerfd_create timerfd_settime timerfd_gettime dup dup2 dup3 "
    "fcntl",
    /* Sockets; `socket` is below. */
    "connect accept accept4 bind listen shutdown getsockname getpeername getsockopt "
    "setsockopt sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg",
    /* Files: logs, stores, certificates, lists of instances. */
    "open openat creat stat fstat lstat newfstatat statx statfs fstatfs access faccessat "
    "faccessat2 readlink readlinkat getdents64 getcwd fsync fdatasync ftruncate "
    "fallocate fadvise64 flock rename renameat renameat2 unlink unlinkat mkdir mkdirat "
    "rmdir chmod fchmod fchmodat fchown fchownat umask utimensat memfd_create inotify_init1 "
    "inotify_add_watch inotify_rm_watch",
    /* Memory; `mmap` and `mprotect` are below. */
    "munmap mremap madvise msync brk membarrier",
    /* Threads and signals; `clone`, `kill` and `tgkill` are below. */
    "futex set_robust_list rseq set_tid_address sched_yield sched_getaffinity "
    "sched_setaffinity sched_getparam sched_getscheduler getcpu gettid exit exit_group "
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait rt_sigpending "
    "rt_sigsuspend sigaltstack restart_syscall",
    /* Times, random numbers, and what it is itself. */
    "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time getrandom "
    "timer_create timer_settime timer_delete " /* of this process, for profiles */
    "uname sysinfo getrusage getrlimit times getpid getppid getuid geteuid getgid "
    "getegid getgroups getresuid getresgid",
};

/* ---- Calls that are refused ------------------------------------------------------------------ */

static atomic_uint_fast64_t refused[SYSCALL_NUMBERS];
static _Atomic(void (*)(void)) told;

/* The call returns -EPERM in place of what it would have done. */
static void on_refused(int number, siginfo_t *info, void *context)
{
    (void)number;
    ucontext_t *here = context;
#if defined __x86_64__
    here->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined __aarch64__
    here->uc_mcontext.regs[0] = (uint64_t)-EPERM;
#else
#error "where does this architecture return the result of a system call?"
#endif
    int call = info->si_syscall;
    atomic_fetch_add(&refused[call >= 0 && call < SYSCALL_NUMBERS ? call : SYSCALL_NUMBERS - 1], 1);
    void (*tell)(void) = atomic_load(&told);
    if (tell)
        tell();
}

uint64_t syscall_filter_refused(int number)
{
    return atomic_load(&refused[number]);
}

void syscall_filter_told_to(void (*tell)(void))
{
    atomic_store(&told, tell);
}

const char *syscall_filter_name(Arena *arena, int number)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    const char *copy = name ? arena_string(arena, name) : arena_printf(arena, "number %d", number);
    free(name);
    return copy;
}

/* ---- The filter ------------------------------------------------------------------------------ */

/* Each is 0, or a negative error. */
static int allow_name(scmp_filter_ctx filter, Bytes name)
{
    char text[32];
    CHECK(name.size < sizeof text);
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    int number = seccomp_syscall_resolve_name(text);
    return number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static int allow_plain(scmp_filter_ctx filter)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        Bytes rest = bytes_of(plain[i]), name;
        while (!wrong && bytes_split(&rest, ' ', &name))
            wrong = allow_name(filter, name);
    }
    return wrong;
}

/* Netlink is for the addresses of this machine, by which names are resolved. */
static int allow_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    int wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                                 SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    for (size_t i = 0; !wrong && i < sizeof families / sizeof *families; i++)
        for (unsigned type = SOCK_STREAM; !wrong && type <= SOCK_DGRAM; type++)
            wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]),
                                     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, type));
    if (wrong)
        return wrong;
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                            SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, 0));
}

/* No bytes that it has written become code; libraries are loaded from files. */
static int allow_memory(scmp_filter_ctx filter)
{
    int wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!wrong)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!wrong)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
                                 SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
    return wrong;
}

/* Threads, but no processes; signals to itself, but to nobody else. glibc does without clone3. */
static int allow_threads(scmp_filter_ctx filter)
{
    scmp_datum_t self = (scmp_datum_t)getpid();
    int wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (!wrong)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!wrong)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                 SCMP_A0(SCMP_CMP_EQ, self));
    if (!wrong)
        wrong =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_EQ, self));
    if (!wrong)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                 SCMP_A0(SCMP_CMP_EQ, 0));
    return wrong;
}

static int allow_options(scmp_filter_ctx filter)
{
    static const unsigned requests[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS};
    static const int options[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ};
    int wrong = 0;
    for (size_t i = 0; !wrong && i < sizeof requests / sizeof *requests; i++)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_EQ, requests[i]));
    for (size_t i = 0; !wrong && i < sizeof options / sizeof *options; i++)
        wrong = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i]));
    return wrong;
}

static int load(scmp_filter_ctx filter)
{
    int (*const parts[])(scmp_filter_ctx) = {allow_plain, allow_sockets, allow_memory,
                                             allow_threads, allow_options};
    int wrong = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!wrong) /* looked up in a tree: a list of a hundred would be read for each call */
        wrong = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; !wrong && i < sizeof parts / sizeof *parts; i++)
        wrong = parts[i](filter);
    return wrong ? wrong : seccomp_load(filter);
}

Result syscall_filter_load(Arena *arena)
{
    struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) != 0)
        return FAIL(arena, FAULT_SYSTEM, "sandbox: handling SIGSYS: %s", strerror(errno));
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int wrong = filter ? load(filter) : -ENOMEM;
    seccomp_release(filter);
    return wrong
               ? FAIL(arena, FAULT_SYSTEM, "sandbox: filtering system calls: %s", strerror(-wrong))
               : OK;
}
