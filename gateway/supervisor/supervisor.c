#include "gateway/supervisor/supervisor.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file/memory_file.h"
#include "gateway/handover/notify.h"
#include "gateway/supervisor/restarts.h"
#include "gateway/supervisor/shelf.h"
#include "gateway/supervisor/supervised.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a supervisor that replaces itself leaves what it has: the number of a memory file. */
#define STATE_VARIABLE "PASSERELLE_SUPERVISOR"

#define WRITE_TIME (5 * SECOND)       /* for the gateway to write what its successor needs */
#define ABORT_TIME (5 * SECOND)       /* from SIGABRT to SIGKILL */
#define TURN_TIME (1 * SECOND)        /* at most, until it looks at the clock again */
#define TURN_LATE (500 * MILLISECOND) /* after that it was not only slow */

enum {
    EXIT_NOT_EXECUTED = 127, /* as a shell has it */
    EXIT_WHY = 128,          /* of a prover that could not be executed: errno is added */
};

enum { CHILDREN = 16, STATE_MOST = 1 << 20, SYSTEMD_FIRST = 3, SYSTEMD_MOST = 1024 };

static const int forwarded[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT};

typedef struct Supervisor {
    const char *program, *config;
    Supervised children[CHILDREN];
    Supervised *current;   /* the one that serves, or will; NULL: it has ended */
    Supervised *successor; /* NULL: no upgrade is under way */
    pid_t prover;          /* of the build that is installed: supervisor_prove; 0: none runs */
    int64_t proving;       /* since then */
    int64_t asked;         /* since then the gateway writes for its successor; 0: it does not */
    int64_t restart_at;    /* 0: no restart is due */
    uint32_t in_row;       /* restarts */
    uint32_t refused;      /* starts in a row that were refused: since then none has served */
    SupervisorLimits limits;
    bool served;   /* one has ever served */
    bool stopping; /* no gateway is started any more */
    bool replace;  /* itself, when all that has come is done */
    bool unread;   /* some of what the supervisor before it has left says nothing to this one */
    int code;
    int signals; /* signalfd */
    Shelf shelf;
    Notice notice;
} Supervisor;

static Supervisor supervisor = {.limits = {0}};

static void tell(const char *format, ...) PRINTF_LIKE(1, 2);

static void tell(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "passerelle: supervisor: %s\n", text);
}

static void send_to(const Supervised *child, NoticeKind kind, const char *text)
{
    if (child && child->channel >= 0)
        channel_send(child->channel, kind, bytes_of(text), NULL, 0);
}

static void close_at(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- Starting a gateway ---------------------------------------------------------------------- */

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGUSR2);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        sigaddset(set, forwarded[i]);
}

static void pass_on(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

/* What is at the path now. execvp looks for a name without a slash in PATH, but runs a file that
   the system cannot execute as a script of the shell. */
static void execute_installed(const Supervisor *s, char *const arguments[])
{
    if (strchr(s->program, '/'))
        execv(s->program, arguments);
    else
        execvp(s->program, arguments);
}

_Noreturn static void end_unexecuted(const Supervisor *s, int channel, const char *why)
{
    char text[SUPERVISED_WHY];
    snprintf(text, sizeof text, "executing %s: %s", s->program, why);
    channel_send(channel, NOTICE_FAILED, bytes_of(text), NULL, 0);
    _exit(EXIT_NOT_EXECUTED);
}

/* In the new process. An upgrade executes what is at the path now; a restart what this supervisor
   is, even if its file is gone. A group of its own: Ctrl-C is for the supervisor, which tells it.
   Signals that the gateway handles stay blocked until it does. */
_Noreturn static void execute(const Supervisor *s, const Supervised *child, int channel, int roll)
{
    char number[16];
    char *arguments[] = {(char *)s->program, "run", (char *)s->config, NULL};
    sigset_t set;
    snprintf(number, sizeof number, "%d", roll);
    setenv("PASSERELLE_ROLL", number, 1);
    unsetenv(STATE_VARIABLE);
    shelf_pass_on(&s->shelf, true);
    pass_on(channel);
    pass_on(child->crash);
    pass_on(roll);
    setpgid(0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (child->role == ROLE_STARTING)
        execv("/proc/self/exe", arguments);
    execute_installed(s, arguments);
    end_unexecuted(s, channel, strerror(errno));
}

static int make_roll(const Supervisor *s, const Supervised *child, int channel)
{
    int roll = memfd_create("roll", MFD_CLOEXEC);
    if (roll < 0)
        return -1;
    bool written = dprintf(roll, "channel %d\ncrash %d\n", channel, child->crash) > 0;
    if (child->role == ROLE_SUCCESSOR)
        written &= dprintf(roll, "successor\n") > 0;
    else if (s->served)
        written &= dprintf(roll, "replaces\n") > 0;
    if (written && shelf_write(&s->shelf, roll))
        return roll;
    close(roll);
    return -1;
}

static bool fork_child(Supervisor *s, Supervised *child, int channel)
{
    int roll = make_roll(s, child, channel);
    if (roll < 0)
        return false;
    child->pid = fork();
    if (child->pid == 0)
        execute(s, child, channel, roll);
    close(roll);
    return child->pid > 0;
}

static Supervised *find_free(Supervisor *s)
{
    for (int i = 0; i < CHILDREN; i++)
        if (s->children[i].role == ROLE_NONE)
            return &s->children[i];
    return NULL;
}

/* NULL: it could not be started, which was told. */
static Supervised *start(Supervisor *s, Role role)
{
    int ends[2] = {-1, -1};
    Supervised *child = find_free(s);
    if (!child)
        return NULL;
    *child = (Supervised){.role = role,
                          .channel = -1,
                          .began = clock_now(),
                          .crash = memfd_create("crash", MFD_CLOEXEC)};
    bool started = child->crash >= 0 && channel_open(ends) && fork_child(s, child, ends[1]);
    child->channel = ends[0];
    close_at(&ends[1]);
    if (started)
        return child;
    tell("starting a gateway: %s", strerror(errno));
    close_at(&child->channel);
    close_at(&child->crash);
    child->role = ROLE_NONE;
    return NULL;
}

/* ---- Restarts -------------------------------------------------------------------------------- */

static void give_up(Supervisor *s)
{
    s->stopping = true;
    if (s->code == EXIT_SUCCESS)
        s->code = EXIT_FAILURE;
}

/* After one that served for so long. */
static void restart_later(Supervisor *s, int64_t served)
{
    RestartVerdict verdict = restarts_after(&s->limits, served, &s->in_row);
    if (!verdict.again) {
        tell("%u restarts in a row were in vain: no more", s->in_row);
        give_up(s);
        return;
    }
    s->restart_at = clock_now() + verdict.wait;
    if (verdict.wait)
        tell("the next start is in %lld ms", (long long)(verdict.wait / MILLISECOND));
}

/* After one that does not start as things are: until somebody has mended that. */
static void try_later(Supervisor *s, const char *text)
{
    int64_t wait = restarts_after_refusal(&s->limits, &s->refused);
    tell("%s", text);
    tell("the next start is in %lld ms, or with SIGHUP", (long long)(wait / MILLISECOND));
    notify_send("STATUS=The gateway does not start, and is tried again: see the log.");
    s->restart_at = clock_now() + wait;
}

/* Whoever sends SIGHUP has changed something. */
static void try_now(Supervisor *s)
{
    if (s->refused && s->restart_at)
        s->restart_at = clock_now();
}

static void restart_if_due(Supervisor *s, int64_t now)
{
    if (!s->restart_at || now < s->restart_at)
        return;
    s->restart_at = 0;
    s->current = start(s, ROLE_STARTING);
    if (!s->current)
        restart_later(s, -1);
}

/* ---- Replacing itself ------------------------------------------------------------------------ */

static bool write_state(const Supervisor *s, int state)
{
    const SupervisorLimits *l = &s->limits;
    bool written = shelf_write(&s->shelf, state);
    for (int i = 0; i < CHILDREN; i++)
        if (s->children[i].role != ROLE_NONE)
            written &= supervised_write(&s->children[i], state);
    return written && dprintf(state, "limits 0 %lld %lld %lld %lld %lld %lld\n",
                              (long long)l->restarts, (long long)l->steady, (long long)l->wait,
                              (long long)l->longest, (long long)l->prove, (long long)l->hung) > 0;
}

static void pass_all_on(Supervisor *s, bool pass)
{
    shelf_pass_on(&s->shelf, pass);
    for (int i = 0; i < CHILDREN; i++) {
        const Supervised *child = &s->children[i];
        if (child->role == ROLE_NONE)
            continue;
        fcntl(child->crash, F_SETFD, pass ? 0 : FD_CLOEXEC);
        if (child->channel >= 0)
            fcntl(child->channel, F_SETFD, pass ? 0 : FD_CLOEXEC);
    }
}

/* Executes the installed build with what this supervisor has. Returns if it cannot be done. */
static void execute_with_all(Supervisor *s, char *const arguments[])
{
    char number[16];
    int state = memfd_create("supervisor", 0);
    if (state >= 0 && write_state(s, state)) {
        snprintf(number, sizeof number, "%d", state);
        setenv(STATE_VARIABLE, number, 1);
        pass_all_on(s, true);
        execute_installed(s, arguments);
        int why = errno;
        pass_all_on(s, false);
        unsetenv(STATE_VARIABLE);
        errno = why;
    }
    if (state >= 0)
        close(state);
}

/* The process, its number and its children stay. If it cannot be done, this one goes on. */
static void replace_self(Supervisor *s)
{
    char *arguments[] = {(char *)s->program, "run", "--supervise", (char *)s->config, NULL};
    s->replace = false;
    execute_with_all(s, arguments);
    tell("the supervisor stays as it is: %s", strerror(errno));
}

/* In the new process, which ends with this one. */
_Noreturn static void prove(Supervisor *s)
{
    char *arguments[] = {(char *)s->program, "run", "--supervise", "--prove",
                         (char *)s->config,  NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    execute_with_all(s, arguments);
    _exit(EXIT_WHY + errno);
}

/* ---- Upgrades -------------------------------------------------------------------------------- */

static void refuse_upgrade(Supervisor *s, const char *why)
{
    tell("no upgrade: %s", why);
    send_to(s->current, NOTICE_STAYS, why);
}

static void begin_proof(Supervisor *s)
{
    s->prover = fork();
    if (s->prover == 0)
        prove(s);
    s->proving = clock_now();
    if (s->prover > 0)
        return;
    s->prover = 0;
    refuse_upgrade(s, strerror(errno));
}

static void end_proof(Supervisor *s)
{
    if (s->prover)
        kill(s->prover, SIGKILL);
    s->prover = 0;
}

static void begin_upgrade(Supervisor *s)
{
    if (s->prover || s->asked || s->successor || s->replace)
        tell("an upgrade is under way already");
    else if (s->stopping || !s->current || s->current->role != ROLE_SERVING)
        refuse_upgrade(s, "no gateway serves that could hand over");
    else if (!find_free(s))
        refuse_upgrade(s, "too many older gateways are still ending their calls");
    else
        begin_proof(s);
}

/* What a prover's end means that does not prove anything. */
static void say_unproved(const Supervisor *s, int status, char why[SUPERVISED_WHY])
{
    bool killed = WIFSIGNALED(status);
    int code = killed ? WTERMSIG(status) : WEXITSTATUS(status);
    if (!killed && code > EXIT_WHY)
        snprintf(why, SUPERVISED_WHY, "executing %s: %s", s->program, strerror(code - EXIT_WHY));
    else
        snprintf(why, SUPERVISED_WHY,
                 "%s does not start as a supervisor (`run --supervise --prove`): it ended %s %d",
                 s->program, killed ? "by signal" : "with exit code", code);
}

static void on_prover_ended(Supervisor *s, int status)
{
    char why[SUPERVISED_WHY];
    s->prover = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SUPERVISOR_PROVED) {
        s->asked = clock_now();
        send_to(s->current, NOTICE_WRITE, "");
        return;
    }
    say_unproved(s, status, why);
    refuse_upgrade(s, why);
}

static void start_successor(Supervisor *s)
{
    s->asked = 0;
    s->successor = start(s, ROLE_SUCCESSOR);
    if (!s->successor)
        refuse_upgrade(s, "the new process could not be started");
}

static void abandon_successor(Supervisor *s)
{
    end_proof(s);
    s->asked = 0;
    if (s->successor)
        kill(s->successor->pid, SIGTERM);
}

/* `state`: of its config, for those who have asked. */
static void hand_over(Supervisor *s, Supervised *child, Bytes state)
{
    Supervised *old = s->current;
    s->current = child;
    s->successor = NULL;
    s->in_row = 0;
    s->replace = true;
    tell("process %d serves instead of %d", (int)child->pid, old ? (int)old->pid : 0);
    if (!old)
        return;
    old->role = ROLE_DRAINING;
    if (old->channel >= 0)
        channel_send(old->channel, NOTICE_DRAIN, state, NULL, 0);
}

static void on_serving(Supervisor *s, Supervised *child, Bytes state)
{
    if (child->role == ROLE_DRAINING || child->role == ROLE_SERVING)
        return;
    if (child->role == ROLE_SUCCESSOR)
        hand_over(s, child, state);
    child->role = ROLE_SERVING;
    child->served = child->alive = clock_now();
    s->served = true;
    s->refused = 0;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void keep(Supervisor *s, bool replace)
{
    Notice *notice = &s->notice;
    if (replace)
        shelf_drop(&s->shelf, notice->text);
    for (uint32_t i = 0; i < notice->n_fds; i++) {
        if (!shelf_add(&s->shelf, notice->text, notice->fds[i]))
            tell("%.*s cannot be kept", BYTES_ARGS(notice->text));
        notice->fds[i] = -1;
    }
}

static void on_leaving(Supervisor *s, Supervised *child)
{
    child->left = true;
    if (child == s->current) {
        s->stopping = true;
        shelf_drop_sockets(&s->shelf);
        abandon_successor(s);
    }
    send_to(child, NOTICE_LEFT, "");
}

/* Text of a notice to the service manager, which wants no NUL; it is not for those who drain. */
static void notify(const Notice *notice)
{
    char lines[CHANNEL_TEXT + 1];
    snprintf(lines, sizeof lines, "%.*s", BYTES_ARGS(notice->text));
    notify_send(lines);
}

static void on_alive(Supervisor *s, Supervised *child)
{
    child->alive = clock_now();
    if (child == s->current && notify_watchdog())
        notify_send("WATCHDOG=1");
}

/* Of one that serves, or is about to. */
static void on_notice(Supervisor *s, Supervised *child)
{
    const Notice *notice = &s->notice;
    switch (notice->kind) {
    case NOTICE_KEEP: keep(s, true); break;
    case NOTICE_MORE: keep(s, false); break;
    case NOTICE_DROP: shelf_drop(&s->shelf, notice->text); break;
    case NOTICE_PREPARED: send_to(child, NOTICE_GO, ""); break;
    case NOTICE_SERVING: on_serving(s, child, notice->text); break;
    case NOTICE_FAILED:
        snprintf(child->why, sizeof child->why, "%.*s", BYTES_ARGS(notice->text));
        break;
    case NOTICE_UPGRADE:
        if (child == s->current)
            begin_upgrade(s);
        break;
    case NOTICE_WRITTEN:
        if (s->asked && child == s->current)
            start_successor(s);
        break;
    case NOTICE_LEAVING: on_leaving(s, child); break;
    case NOTICE_ALIVE: on_alive(s, child); break;
    case NOTICE_NOTIFY: notify(notice); break;
    case NOTICE_LIMITS: supervisor_limits_read(notice->text, &s->limits); break;
    case NOTICE_WRITE:
    case NOTICE_GO:
    case NOTICE_DRAIN:
    case NOTICE_STAYS:
    case NOTICE_LEFT:
    case NOTICE_NONE: break;
    }
}

static void receive(Supervisor *s, Supervised *child)
{
    while (child->channel >= 0) {
        ChannelOutcome outcome = channel_receive(child->channel, &s->notice);
        if (outcome == CHANNEL_EMPTY)
            return;
        if (outcome == CHANNEL_CLOSED) {
            close_at(&child->channel);
            return;
        }
        if (child->role != ROLE_DRAINING)
            on_notice(s, child);
        notice_close(&s->notice);
    }
}

/* ---- A gateway has ended --------------------------------------------------------------------- */

static bool ended_well(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void describe_end(const Supervised *child, int status, char *text, size_t size)
{
    if (WIFSIGNALED(status) && child->killed)
        snprintf(text, size,
                 "process %d was ended by the supervisor, by signal %d (%s), because %s",
                 (int)child->pid, WTERMSIG(status), strsignal(WTERMSIG(status)), child->why);
    else if (WIFSIGNALED(status))
        snprintf(text, size, "process %d was ended by signal %d (%s)", (int)child->pid,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "process %d ended with exit code %d%s%s", (int)child->pid,
                 WEXITSTATUS(status), *child->why ? ": " : "", child->why);
}

/* The next gateway reports it: a backtrace, if there is one, and this line. "hung": whatever the
   backtrace shows, the signal was ours. */
static void keep_crash(Supervisor *s, Supervised *child, const char *text)
{
    int64_t served = child->served ? clock_now() - child->served : 0;
    dprintf(child->crash, "%s %s after serving for %lld.%03lld s\n", child->killed ? "hung" : "end",
            text, (long long)(served / SECOND), (long long)(served % SECOND / MILLISECOND));
    shelf_drop(&s->shelf, bytes_of("blob crash"));
    shelf_add(&s->shelf, bytes_of("blob crash"), child->crash);
    child->crash = -1;
}

/* It has ended by itself before it served, and has said why: a mistake in its config, and the
   like. */
static bool refuses(const Supervised *child, int status)
{
    return WIFEXITED(status) && !child->served && *child->why;
}

static void on_current_ended(Supervisor *s, Supervised *child, int status, const char *text)
{
    s->current = NULL;
    s->asked = 0;
    end_proof(s);
    s->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    bool refused = !s->served && WIFEXITED(status); /* a mistake in its config, and the like */
    if (s->stopping || child->left || ended_well(status) || refused) {
        s->stopping = true;
        abandon_successor(s);
        return;
    }
    if (!s->successor && refuses(child, status)) {
        try_later(s, text);
        return;
    }
    tell("%s", text);
    keep_crash(s, child, text);
    notify_send("STATUS=The gateway crashed, and is started again.");
    if (!s->successor) {
        restart_later(s, child->served ? clock_now() - child->served : -1);
        return;
    }
    s->current = s->successor; /* it was to take over anyway */
    s->current->role = ROLE_STARTING;
    s->successor = NULL;
}

static void on_ended(Supervisor *s, Supervised *child, int status)
{
    char text[128 + SUPERVISED_WHY];
    receive(s, child); /* what it said at last */
    describe_end(child, status, text, sizeof text);
    if (child == s->current) {
        on_current_ended(s, child, status, text);
    } else if (child == s->successor) {
        s->successor = NULL;
        refuse_upgrade(s, child->killed ? child->why : text);
    } else if (!ended_well(status)) {
        tell("%s while its calls ended", text);
    }
    close_at(&child->channel);
    close_at(&child->crash);
    child->role = ROLE_NONE;
}

/* As process 1 of a container it also reaps what is not its own. */
static void reap(Supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->prover)
            on_prover_ended(s, status);
        for (int i = 0; i < CHILDREN; i++)
            if (s->children[i].role != ROLE_NONE && s->children[i].pid == pid)
                on_ended(s, &s->children[i], status);
    }
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void forward(Supervisor *s, int number)
{
    for (int i = 0; i < CHILDREN; i++)
        if (s->children[i].role != ROLE_NONE)
            kill(s->children[i].pid, number);
}

static void on_signal(Supervisor *s, int number)
{
    if (number == SIGCHLD) {
        reap(s);
    } else if (number == SIGUSR2) {
        begin_upgrade(s);
    } else {
        s->stopping |= number != SIGHUP;
        if (s->stopping) {
            s->asked = 0;
            end_proof(s);
        }
        try_now(s);
        forward(s, number);
    }
}

static void read_signals(Supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == sizeof info)
        on_signal(s, (int)info.ssi_signo);
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* First so that it leaves a backtrace, then for certain. */
static void end_silent(Supervised *child, int64_t now, const char *why)
{
    if (!child->killed) {
        tell("process %d: %s", (int)child->pid, why);
        snprintf(child->why, sizeof child->why, "%s", why);
        child->killed = now;
        kill(child->pid, SIGABRT);
    } else if (now - child->killed >= ABORT_TIME) {
        kill(child->pid, SIGKILL);
    }
}

static void end_hung(Supervised *child, int64_t now)
{
    char why[SUPERVISED_WHY];
    snprintf(why, sizeof why, "a thread of the gateway hangs: no sign of life for %.1f s",
             (double)(now - child->alive) / SECOND);
    end_silent(child, now, why);
}

static void end_late(Supervisor *s, int64_t now)
{
    Supervised *current = s->current, *successor = s->successor;
    if (s->prover && now - s->proving >= s->limits.prove) {
        end_proof(s);
        refuse_upgrade(s, "the new build did not prove in time that it supervises");
    }
    if (s->asked && now - s->asked >= WRITE_TIME)
        start_successor(s);
    if (successor && (successor->killed || now - successor->began >= s->limits.prove))
        end_silent(successor, now, "the new process did not prove in time that it answers");
    if (current && current->role == ROLE_SERVING && !s->stopping && s->limits.hung &&
        (current->killed || now - current->alive >= s->limits.hung))
        end_hung(current, now);
}

/* Nothing ran for a while: this process was stopped or frozen, and its gateways with it, or the
   machine was. Whatever waits gets its time anew. */
static void begin_anew(Supervisor *s, int64_t now)
{
    for (int i = 0; i < CHILDREN; i++) {
        Supervised *child = &s->children[i];
        child->began = child->began ? now : 0;
        child->alive = child->alive ? now : 0;
        child->killed = child->killed ? now : 0;
    }
    s->proving = s->proving ? now : 0;
    s->asked = s->asked ? now : 0;
}

static void sooner(int64_t *wait, int64_t since, int64_t time, int64_t now)
{
    int64_t left = since + time - now;
    if (since && left < *wait)
        *wait = left;
}

/* Until something is due, in milliseconds. */
static int time_left(const Supervisor *s)
{
    int64_t now = clock_now(), wait = TURN_TIME;
    const Supervised *current = s->current, *successor = s->successor;
    sooner(&wait, s->restart_at, 0, now);
    sooner(&wait, s->asked, WRITE_TIME, now);
    sooner(&wait, s->prover ? s->proving : 0, s->limits.prove, now);
    if (successor)
        sooner(&wait, successor->killed ? successor->killed : successor->began,
               successor->killed ? ABORT_TIME : s->limits.prove, now);
    if (current && current->role == ROLE_SERVING && s->limits.hung && !s->stopping)
        sooner(&wait, current->killed ? current->killed : current->alive,
               current->killed ? ABORT_TIME : s->limits.hung, now);
    return wait <= 0 ? 0 : (int)((wait + MILLISECOND - 1) / MILLISECOND);
}

/* ---- Taking its place ------------------------------------------------------------------------ */

static bool take_child(Supervisor *s, const Supervised *child)
{
    Supervised *place = find_free(s);
    if (!place)
        return false;
    *place = *child;
    if (place->role == ROLE_SERVING || place->role == ROLE_STARTING)
        s->current = place;
    s->served |= place->served != 0;
    return true;
}

static void take_line(Supervisor *s, const RollLine *line)
{
    Supervised child;
    bool taken = false;
    if (bytes_are(line->word, "kept") && line->fd >= 0)
        taken = shelf_add(&s->shelf, line->rest, line->fd);
    else if (bytes_are(line->word, "limits"))
        taken = supervisor_limits_read(line->rest, &s->limits);
    else if (supervised_read(line, &child))
        taken = take_child(s, &child);
    s->unread |= !taken;
}

/* True: this process was a supervisor before, and its gateway runs. */
static bool take_state(Supervisor *s)
{
    uint64_t state = 0;
    const char *text = getenv(STATE_VARIABLE);
    bool is = text && bytes_to_u64(bytes_of(text), &state) && state <= INT32_MAX;
    unsetenv(STATE_VARIABLE);
    if (!is)
        return false;
    Arena *arena = arena_new(STATE_MOST);
    Bytes rest = memory_file_read(arena, (int)state, STATE_MOST);
    for (RollLine line; roll_next(&rest, &line);)
        take_line(s, &line);
    arena_free(arena);
    close((int)state);
    pass_all_on(s, false);
    return s->current != NULL;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Sockets that systemd has opened: sd_listen_fds(3). */
static void take_systemd(Supervisor *s)
{
    uint64_t pid = 0, n = 0;
    const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
    if (pid_text && n_text && bytes_to_u64(bytes_of(pid_text), &pid) &&
        bytes_to_u64(bytes_of(n_text), &n) && pid == (uint64_t)getpid() && n <= SYSTEMD_MOST)
        for (int fd = SYSTEMD_FIRST; fd < SYSTEMD_FIRST + (int)n; fd++)
            if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
                shelf_add(&s->shelf, bytes_of("systemd"), fd);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

/* Each listener has a descriptor for each loop. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* jemalloc's, if it is there: it gives memory back on a thread of its own, and here is none to give
   back. */
int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));

static void end_threads(void)
{
    bool off = false;
    if (mallctl)
        mallctl("background_thread", NULL, NULL, &off, sizeof off);
}

static bool prepare(Supervisor *s)
{
    sigset_t set;
    set_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise_descriptors();
    end_threads();
    notify_begin();
    s->limits = supervisor_limits_default;
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signals < 0)
        tell("no descriptor for signals: %s", strerror(errno));
    return s->signals >= 0;
}

static bool set_up(Supervisor *s)
{
    if (!prepare(s))
        return false;
    if (!take_state(s)) {
        take_systemd(s);
        s->current = start(s, ROLE_STARTING);
    }
    return s->current != NULL;
}

static bool has_children(const Supervisor *s)
{
    for (int i = 0; i < CHILDREN; i++)
        if (s->children[i].role != ROLE_NONE)
            return true;
    return false;
}

/* A child without a channel has a place with a descriptor of -1, which poll passes over. */
static void wait_for_something(Supervisor *s)
{
    struct pollfd ready[CHILDREN + 1];
    for (int i = 0; i < CHILDREN; i++)
        ready[i] = (struct pollfd){s->children[i].role == ROLE_NONE ? -1 : s->children[i].channel,
                                   POLLIN, 0};
    ready[CHILDREN] = (struct pollfd){s->signals, POLLIN, 0};
    if (poll(ready, CHILDREN + 1, time_left(s)) <= 0)
        return;
    for (int i = 0; i < CHILDREN; i++)
        if (ready[i].revents && s->children[i].role != ROLE_NONE)
            receive(s, &s->children[i]);
    if (ready[CHILDREN].revents)
        read_signals(s);
}

int supervisor_run(const char *program, const char *config)
{
    Supervisor *s = &supervisor;
    s->program = program;
    s->config = config;
    if (!set_up(s))
        return EXIT_FAILURE;
    reap(s); /* those that ended while it replaced itself */
    while (has_children(s) || !s->stopping) {
        int64_t now, until = clock_now() + TURN_TIME;
        wait_for_something(s);
        now = clock_now();
        if (now - until >= TURN_LATE)
            begin_anew(s, now);
        end_late(s, now);
        if (!s->stopping)
            restart_if_due(s, now);
        if (s->replace && !s->stopping)
            replace_self(s);
    }
    return s->code;
}

int supervisor_prove(void)
{
    Supervisor *s = &supervisor;
    if (!prepare(s))
        return EXIT_FAILURE;
    if (take_state(s) && !s->unread)
        return SUPERVISOR_PROVED;
    tell("this build cannot take over from the supervisor that has started it");
    return EXIT_FAILURE;
}
