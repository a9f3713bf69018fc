#include "tests/unit/check.h"

#include "base/thread/thread_signals.h"
#include "gateway/profile/cpu_sampler.h"
#include "gateway/profile/symbols.h"
#include "gateway/profile/unwind.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ThreadSanitizer hands signals on when it suits it, and then the stack is another one. */
#if defined __SANITIZE_THREAD__
#define SIGNALS_ARRIVE 0
#elif defined __has_feature
#define SIGNALS_ARRIVE !__has_feature(thread_sanitizer)
#else
#define SIGNALS_ARRIVE 1
#endif

#define ENOUGH (300 * MILLISECOND) /* of CPU time, however long that takes */

static atomic_bool over; /* the busy thread has run long enough */
static volatile uint64_t work_done;

/* Not static: it has a symbol, and is no part of who calls it. */
__attribute__((noinline)) void busy_by_design(void);
void busy_by_design(void)
{
    struct timespec ran = {0};
    while (ran.tv_sec * SECOND + ran.tv_nsec < ENOUGH) {
        for (int i = 0; i < 10000; i++)
            work_done += (uint64_t)i * work_done;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
    }
}

static void *be_busy(void *name)
{
    pthread_setname_np(pthread_self(), name);
    busy_by_design();
    atomic_store(&over, true);
    return NULL;
}

/* `thread` NULL: of any. */
static int64_t periods_in(Symbols *symbols, const StackBook *book, const char *function,
                          const char *thread)
{
    int64_t n = 0;
    for (const Stack *stack = book->first; stack; stack = stack->next) {
        bool in = false;
        for (uint32_t i = 0; i < stack->n; i++) {
            const char *name = symbols_function(symbols, stack->frames[i]);
            in |= name && strcmp(name, function) == 0;
        }
        if (in && (!thread || strcmp(stack->thread, thread) == 0))
            n += stack->values[0];
    }
    return n;
}

static bool is_over(void *flag)
{
    return atomic_load((atomic_bool *)flag);
}

static CpuSampled sample(Arena *arena, int64_t lasts, StackBook *book)
{
    CpuSampled sampled;
    *book = stack_book_in(arena);
    assert_ok(arena, cpu_sampler_run(arena, lasts, &(ProfileEnd){is_over, &over}, book, &sampled));
    return sampled;
}

static void what_a_thread_does_is_seen_down_to_its_start(void **state)
{
    if (!SIGNALS_ARRIVE)
        skip();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StackBook book;
    pthread_t thread;
    sigset_t others, before;
    atomic_store(&over, false);
    thread_signals_of_others(&others); /* as threads of the gateway have them */
    pthread_sigmask(SIG_SETMASK, &others, &before);
    assert_int_equal(pthread_create(&thread, NULL, be_busy, "worker"), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    CpuSampled sampled = sample(arena, 60 * SECOND, &book);
    pthread_join(thread, NULL);
    Symbols *symbols = symbols_open(arena);
    assert_true(sampled.n_samples > 0);
    assert_int_equal(sampled.n_lost, 0);
    assert_int_equal(sampled.n_unseen, 0);
    assert_int_equal(sampled.n_broken, 0);
    assert_in_range(sampled.lasted, ENOUGH, 60 * SECOND);
    assert_true(periods_in(symbols, &book, "busy_by_design", "worker") > 0);
    /* Each of its stacks leads back to who has called it. */
    assert_int_equal(periods_in(symbols, &book, "busy_by_design", "worker"),
                     periods_in(symbols, &book, "be_busy", "worker"));
    symbols_close(symbols);
    arena_free(arena);
}

static void *begin_another(void *another)
{
    usleep(150000);
    (void)pthread_create(another, NULL, be_busy, "late");
    return NULL;
}

static void a_thread_that_begins_meanwhile_is_seen_too(void **state)
{
    if (!SIGNALS_ARRIVE)
        skip();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StackBook book;
    pthread_t first, another;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&first, NULL, begin_another, &another), 0);
    CpuSampled sampled = sample(arena, 60 * SECOND, &book);
    pthread_join(first, NULL);
    pthread_join(another, NULL);
    Symbols *symbols = symbols_open(arena);
    assert_in_range(sampled.n_threads, 2, 3);
    assert_true(periods_in(symbols, &book, "busy_by_design", NULL) > 0);
    symbols_close(symbols);
    arena_free(arena);
}

static void it_ends_when_nobody_wants_it_any_more(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StackBook book;
    atomic_store(&over, true);
    CpuSampled sampled = sample(arena, 60 * SECOND, &book);
    assert_in_range(sampled.lasted, 0, 30 * SECOND);
    arena_free(arena);
}

/* Late ones, and those of others, are nobody's. */
static void a_signal_outside_of_a_profile_does_no_harm(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StackBook book;
    atomic_store(&over, false);
    assert_in_range(sample(arena, MILLISECOND, &book).lasted, MILLISECOND, 30 * SECOND);
    assert_int_equal(raise(SIGPROF), 0);
    arena_free(arena);
}

/* ---- Unwinding ------------------------------------------------------------------------------- */

static uint64_t frames[UNWIND_DEPTH];
static uint32_t n_frames;
static bool broken;

static void on_probe(int number, siginfo_t *info, void *context)
{
    n_frames = unwind_interrupted(context, frames, &broken);
}

#if defined __x86_64__
/* A function whose unwind tables say that its caller's frame is where nothing can be read. */
void lies_about_its_frame(int pid, int thread, int number);
__asm__(".text\n"
        ".globl lies_about_its_frame\n"
        ".type lies_about_its_frame, @function\n"
        "lies_about_its_frame:\n"
        ".cfi_startproc\n"
        "pushq %rbx\n"
        "movq $0x1234567, %rbx\n"
        ".cfi_def_cfa rbx, 0\n"
        "movl $234, %eax\n" /* tgkill */
        "syscall\n"
        "popq %rbx\n"
        ".cfi_def_cfa rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size lies_about_its_frame, . - lies_about_its_frame\n");

static void wrong_tables_cost_frames_and_nothing_else(void **state)
{
    if (!SIGNALS_ARRIVE)
        skip();
    struct sigaction action = {.sa_sigaction = on_probe, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    unwind_guard();
    for (int i = 0; i < 3; i++) {
        n_frames = 0;
        lies_about_its_frame((int)getpid(), (int)syscall(SYS_gettid), SIGUSR1);
        assert_int_equal(n_frames, 1);
        assert_true(broken);
    }
    raise(SIGUSR1); /* and good ones are good again */
    unwind_unguard();
    assert_true(n_frames > 3);
    assert_false(broken);
}
#endif

static volatile sig_atomic_t n_faults;

static void on_own_fault(int number)
{
    n_faults++;
}

static void a_fault_that_is_not_of_the_unwinding_reaches_who_waits_for_it(void **state)
{
    struct sigaction action = {.sa_handler = on_own_fault}, before, after;
    assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
    unwind_guard();
    raise(SIGSEGV);
    assert_int_equal(n_faults, 1);
    unwind_unguard();
    assert_int_equal(sigaction(SIGSEGV, &before, &after), 0);
    assert_ptr_equal(after.sa_handler, on_own_fault);
}

static void functions_have_names_and_files_have_ids(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Symbols *symbols = symbols_open(arena);
    uint32_t n;
    const SymbolFile *files = symbols_files(symbols, &n);
    uint64_t here = (uint64_t)(uintptr_t)busy_by_design + 1;
    assert_string_equal(symbols_function(symbols, here), "busy_by_design");
    /* getpid, or another name of it */
    assert_non_null(strstr(symbols_function(symbols, (uint64_t)(uintptr_t)getpid + 1), "getpid"));
    assert_null(symbols_function(symbols, 1));
    assert_true(n > 2);
    assert_non_null(strstr(files[0].name, "/test_cpu_sampler"));
    assert_true(files[0].start <= here && here < files[0].limit);
    size_t size = strlen(files[0].build_id); /* as the linker makes it: of 8 to 20 bytes */
    assert_true(size >= 16 && size <= 40);
    symbols_close(symbols);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_names_and_files_have_ids),
        cmocka_unit_test(what_a_thread_does_is_seen_down_to_its_start),
        cmocka_unit_test(a_thread_that_begins_meanwhile_is_seen_too),
        cmocka_unit_test(it_ends_when_nobody_wants_it_any_more),
        cmocka_unit_test(a_signal_outside_of_a_profile_does_no_harm),
#if defined __x86_64__
        cmocka_unit_test(wrong_tables_cost_frames_and_nothing_else),
#endif
        cmocka_unit_test(a_fault_that_is_not_of_the_unwinding_reaches_who_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
