#include "gateway/profile/unwind.h"

#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { FAULTS = 2 };

static const int fault_signals[FAULTS] = {SIGSEGV, SIGBUS};
static struct sigaction before[FAULTS];

/* Where the thread goes on when its unwinding has failed; NULL: it does not unwind. */
static _Thread_local sigjmp_buf *volatile way_out;

static uint64_t interrupted_at(const void *context)
{
    const ucontext_t *here = context;
#if defined __x86_64__
    return (uint64_t)here->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return here->uc_mcontext.pc;
#else
#error "which register of this architecture has the address of the next instruction?"
#endif
}

/* ---- The guard ------------------------------------------------------------------------------- */

/* That of somebody else: it is as it was before, and happens again. */
static void pass_on(int number, const siginfo_t *info)
{
    for (int i = 0; i < FAULTS; i++)
        if (fault_signals[i] == number)
            sigaction(number, &before[i], NULL);
    if (info->si_code <= 0) /* it was sent */
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (way_out && info->si_code > 0)
        siglongjmp(*way_out, 1);
    pass_on(number, info);
}

void unwind_guard(void)
{
    /* SA_NODEFER: the handler is left by a jump, which does not restore the mask of signals. */
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    void *frame[1];
    backtrace(frame, 1); /* loads libgcc, if nobody has */
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &action, &before[i]);
}

void unwind_unguard(void)
{
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &before[i], NULL);
}

/* ---- A stack --------------------------------------------------------------------------------- */

/* How many addresses it has found. They are written one by one, so that those before a fault
   stay. */
static int walk(void **found, int most, bool *broken_out)
{
    sigjmp_buf here;
    *broken_out = sigsetjmp(here, 0) != 0;
    int n = 0;
    if (!*broken_out) {
        way_out = &here;
        n = backtrace(found, most);
    }
    way_out = NULL;
    while (*broken_out && n < most && found[n])
        n++;
    return n;
}

uint32_t unwind_interrupted(const void *context, uint64_t frames[UNWIND_DEPTH], bool *broken_out)
{
    void *found[UNWIND_DEPTH + UNWIND_OWN];
    uint64_t pc = interrupted_at(context);
    memset(found, 0, sizeof found);
    int n = walk(found, UNWIND_DEPTH + UNWIND_OWN, broken_out), at = 0;
    while (at < n && (uint64_t)(uintptr_t)found[at] != pc)
        at++;
    uint32_t kept = 0;
    frames[kept++] = pc;
    while (++at < n && kept < UNWIND_DEPTH)
        frames[kept++] = (uint64_t)(uintptr_t)found[at] - 1;
    return kept;
}
