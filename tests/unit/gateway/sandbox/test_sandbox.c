#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/sandbox/privileges.h"
#include "gateway/sandbox/syscall_filter.h"
#include "gateway/thread/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_ok(arena, privileges_drop(arena, NULL, NULL));
    assert_ok(arena, syscall_filter_load(arena));
    arena_free(arena);
}

/* A child enters the sandbox, and calls `act`, whose result is 0 or an error number. */
static int in_sandbox(int (*act)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enter();
        _exit(act());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int outcome(long result)
{
    return result < 0 ? errno : 0;
}

/* ---- What is refused ------------------------------------------------------------------------- */

static int start_program(void)
{
    char *arguments[] = {(char[]){"true"}, NULL};
    return outcome(execv("/bin/true", arguments));
}

static int fork_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return outcome(child);
}

static int trace_parent(void)
{
    return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int read_parent(void)
{
    return outcome(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int signal_parent(void)
{
    return outcome(kill(getppid(), 0));
}

static int open_packets(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int open_raw(void)
{
    return outcome(socket(AF_INET, SOCK_RAW, 1));
}

static int open_netlink_of_audit(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, 9));
}

static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int turn_into_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int load_module(void)
{
    return outcome(syscall(SYS_init_module, NULL, 0, ""));
}

static int mount_something(void)
{
    return outcome(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
}

static int program_kernel(void)
{
    return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int use_uring(void)
{
    return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static int leave_namespace(void)
{
    return outcome(unshare(CLONE_NEWUSER));
}

static int fake_input(void)
{
    return outcome(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"));
}

static int be_dumped(void)
{
    return outcome(prctl(PR_SET_DUMPABLE, 1));
}

static void what_it_does_not_need_is_refused_and_counted(void **state)
{
    static int (*const acts[])(void) = {
        start_program,
        fork_process,
        trace_parent,
        read_parent,
        signal_parent,
        open_packets,
        open_raw,
        make_code,
        turn_into_code,
        load_module,
        mount_something,
        program_kernel,
        use_uring,
        fake_input,
        leave_namespace,
        be_dumped,
        open_netlink_of_audit,
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        assert_int_equal(in_sandbox(acts[i]), EPERM);
}

static int n_told;

static void count(void)
{
    n_told++;
}

static int execute_twice(void)
{
    syscall_filter_told_to(count);
    start_program();
    start_program();
    return syscall_filter_refused(SYS_execve) == 2 && n_told == 2 ? 0 : 1;
}

static void each_refusal_is_counted_and_told(void **state)
{
    assert_int_equal(in_sandbox(execute_twice), 0);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(syscall_filter_name(arena, SYS_execve), "execve");
    assert_string_equal(syscall_filter_name(arena, 1023), "number 1023");
    arena_free(arena);
}

static void *start_program_there(void *result_out)
{
    *(int *)result_out = start_program();
    return NULL;
}

/* A thread that blocked SIGSYS would end the process. */
static int start_program_on_a_thread(void)
{
    pthread_t thread;
    int result = -1;
    if (thread_make(&thread, start_program_there, &result) != 0)
        return -1;
    pthread_join(thread, NULL);
    return result;
}

static void on_threads_of_the_gateway_too_what_is_refused_fails(void **state)
{
    assert_int_equal(in_sandbox(start_program_on_a_thread), EPERM);
}

/* ---- What goes on ---------------------------------------------------------------------------- */

static void *nothing(void *unused)
{
    return unused;
}

static int use_files_threads_and_sockets(void)
{
    pthread_t thread;
    char name[] = "/tmp/sandboxXXXXXX";
    int fd = mkstemp(name);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int pair[2];
    bool good =
        fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && unlink(name) == 0 && tcp >= 0 &&
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && socket(AF_NETLINK, SOCK_RAW, 0) >= 0 &&
        pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
    return good ? 0 : errno;
}

static void what_a_gateway_does_goes_on(void **state)
{
    assert_int_equal(in_sandbox(use_files_threads_and_sockets), 0);
}

static volatile sig_atomic_t crashed;

static void on_crash(int number)
{
    crashed = number;
}

static int raise_signal(void)
{
    signal(SIGUSR1, on_crash);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    for (int i = 0; i < 1000 && !crashed; i++)
        usleep(1000); /* ThreadSanitizer hands signals on when something waits */
    return crashed == SIGUSR1 ? 0 : 1;
}

static void it_may_send_signals_to_itself(void **state)
{
    assert_int_equal(in_sandbox(raise_signal), 0);
}

/* ---- Privileges ------------------------------------------------------------------------------ */

static int look_at_capabilities(void)
{
    char line[256];
    int n = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        unsigned long long mask;
        if (sscanf(line, "CapPrm: %llx", &mask) == 1 || sscanf(line, "CapEff: %llx", &mask) == 1)
            n += (mask & ~(1ull << 10)) == 0;
        else if (sscanf(line, "CapInh: %llx", &mask) == 1)
            n += mask == 0;
        else
            n += strcmp(line, "NoNewPrivs:\t1\n") == 0 || strcmp(line, "Seccomp:\t2\n") == 0;
    }
    return n;
}

static void capabilities_are_gone_but_that_for_low_ports(void **state)
{
    assert_int_equal(in_sandbox(look_at_capabilities), 5);
}

static void wrong_names_are_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    pid_t child = fork();
    if (child == 0) {
        Result a = privileges_drop(arena, "no-such-user", NULL);
        Result b = privileges_drop(arena, "nobody", "no-such-group");
        bool good = failed(a) && failed(b) &&
                    strcmp(a.error->doing, "sandbox: there is no user no-such-user") == 0 &&
                    strcmp(b.error->doing, "sandbox: there is no group no-such-group") == 0;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    arena_free(arena);
}

/* Root becomes somebody else, and anybody else cannot. */
static void only_root_becomes_another_user(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        bool root = geteuid() == 0;
        Result r = privileges_drop(arena, "nobody", NULL);
        bool changed = !failed(r) && getuid() != 0 && geteuid() != 0 && getgid() != 0 &&
                       setuid(0) != 0 && !failed(privileges_drop(arena, "nobody", NULL));
        bool refused = failed(r) && strstr(r.error->doing, "only root can become nobody");
        _exit((root ? changed : refused) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void see_who(void *owner)
{
    int fd = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
    bool refused = fd < 0 && errno == EACCES;
    if (fd >= 0)
        close(fd);
    *(bool *)owner = refused && geteuid() != 0 && getegid() != 0;
}

static void root_tries_as_another_user_and_comes_back(void **state)
{
    bool tried = false, root = geteuid() == 0;
    assert_int_equal(privileges_try("nobody", NULL, see_who, &tried), root);
    assert_int_equal(tried, root);
    assert_int_equal(geteuid() == 0, root);
    tried = false;
    assert_false(privileges_try("no-such-user", NULL, see_who, &tried));
    assert_false(tried);
    assert_int_equal(geteuid() == 0, root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_does_not_need_is_refused_and_counted),
        cmocka_unit_test(each_refusal_is_counted_and_told),
        cmocka_unit_test(on_threads_of_the_gateway_too_what_is_refused_fails),
        cmocka_unit_test(what_a_gateway_does_goes_on),
        cmocka_unit_test(it_may_send_signals_to_itself),
        cmocka_unit_test(capabilities_are_gone_but_that_for_low_ports),
        cmocka_unit_test(wrong_names_are_told),
        cmocka_unit_test(only_root_becomes_another_user),
        cmocka_unit_test(root_tries_as_another_user_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
