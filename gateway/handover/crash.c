#include "gateway/handover/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 64, STACK = 64 << 10 };

static int report_fd = -1;
static atomic_flag reported = ATOMIC_FLAG_INIT;

static void put(int fd, const char *text)
{
    ssize_t written = write(fd, text, strlen(text));
    (void)written; /* an error cannot be reported */
}

static void put_number(int fd, uint64_t number, unsigned base)
{
    char text[24], *at = text + sizeof text - 1;
    *at = 0;
    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    put(fd, at);
}

static void put_report(int fd, int number, const siginfo_t *info, void *const *frames, int n)
{
    put(fd, "signal ");
    put_number(fd, (uint64_t)number, 10);
    if (info->si_code > 0) {
        put(fd, " at address 0x");
        put_number(fd, (uint64_t)(uintptr_t)info->si_addr, 16);
    } else {
        put(fd, " sent by process ");
        put_number(fd, (uint64_t)info->si_pid, 10);
    }
    put(fd, ", thread ");
    put_number(fd, (uint64_t)syscall(SYS_gettid), 10);
    put(fd, "\n");
    backtrace_symbols_fd(frames, n, fd);
}

/* Async-signal-safe: backtrace has loaded its library by crash_watch, and takes no memory then. Two
   threads may crash at once; the first one reports. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    void *frames[FRAMES];
    (void)context;
    if (!atomic_flag_test_and_set(&reported)) {
        int n = backtrace(frames, FRAMES);
        put_report(report_fd, number, info, frames, n);
        put_report(STDERR_FILENO, number, info, frames, n);
    }
    /* SA_RESETHAND: it has its default effect now, and with it a core file. */
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

void crash_watch(int fd)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    static uint8_t memory[STACK]; /* for a stack that is full; of the main thread */
    void *frame[1];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    report_fd = fd;
    backtrace(frame, 1); /* loads libgcc */
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}
