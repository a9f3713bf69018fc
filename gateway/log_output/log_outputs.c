#include "gateway/log_output/log_outputs.h"

#include "base/arena.h"
#include "base/file/log_file.h"
#include "gateway/log_output/journal_entry.h"
#include "gateway/log_output/log_readable.h"
#include "gateway/log_output/log_socket.h"
#include "gateway/log_output/log_template.h"
#include "gateway/log_output/syslog_message.h"
#include "gateway/log_output/tail.h"
#include "gateway/redaction/redaction.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 1 << 16 /* bytes that are collected for a file */ };

/* ---- What is lost ---------------------------------------------------------------------------- */

/* Of the process: outputs come and go with configs. */
typedef struct Counts {
    char *name;
    atomic_ullong lost, cut;
} Counts;

static Counts all_counts[LOG_FIGURES_MOST];
static atomic_uint n_counts;
static pthread_mutex_t counts_lock = PTHREAD_MUTEX_INITIALIZER;

static Counts *find_counts(const char *name)
{
    uint32_t n = atomic_load(&n_counts);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(all_counts[i].name, name) == 0)
            return &all_counts[i];
    if (n == LOG_FIGURES_MOST)
        return &all_counts[n - 1];
    all_counts[n].name = text_copy(n + 1 == LOG_FIGURES_MOST ? "other" : name);
    atomic_store(&n_counts, n + 1);
    return &all_counts[n];
}

static Counts *counts_of(const char *name)
{
    pthread_mutex_lock(&counts_lock);
    Counts *counts = find_counts(name);
    pthread_mutex_unlock(&counts_lock);
    return counts;
}

uint32_t log_outputs_figures(LogOutputFigures figures_out[LOG_FIGURES_MOST])
{
    uint32_t n = atomic_load(&n_counts);
    for (uint32_t i = 0; i < n; i++)
        figures_out[i] = (LogOutputFigures){.name = all_counts[i].name,
                                            .lost = atomic_load(&all_counts[i].lost),
                                            .cut = atomic_load(&all_counts[i].cut)};
    return n;
}

/* ---- One output ------------------------------------------------------------------------------ */

typedef struct Output {
    LogOutputConfig config; /* its texts are not used any more */
    Counts *counts;
    const LogTemplate *template; /* NULL: none */
    bool plain;                  /* a file that gets lines as they are */
    LogTarget *file;             /* NULL: none */
    Buffer batch;                /* for the file */
    LogSocket socket;            /* without a file */
    SyslogForm form;
} Output;

typedef struct LogOutputs {
    LogTarget target; /* first */
    Arena *arena;
    Arena *scratch; /* for what is written just now */
    const char *const *redact;
    Output outputs[LOG_OUTPUTS_MOST];
    uint32_t n;
    bool all_plain; /* nobody looks into the lines */
} LogOutputs;

static void count_lost(Output *output, uint64_t lines, uint64_t *lost)
{
    atomic_fetch_add_explicit(&output->counts->lost, lines, memory_order_relaxed);
    *lost += lines;
}

static void flush(Output *output, uint64_t *lost)
{
    const struct iovec parts[2] = {{output->batch.data, output->batch.size}, {NULL, 0}};
    if (!output->batch.size)
        return;
    uint64_t failed = output->file->write(output->file, parts);
    if (failed)
        count_lost(output, failed, lost);
    output->batch.size = 0;
}

/* The line in the form of the output. */
static Bytes text_for(const Output *output, const LogView *view)
{
    bool for_people = output->config.readable && !output->template;
    if (!output->template && !for_people)
        return view->line;
    Buffer text = buffer_in(view->arena);
    if (output->template)
        log_template_write(output->template, view, &text);
    else
        log_readable_write(view, false, &text);
    return buffer_bytes(&text);
}

static void add_to_batch(Output *output, Bytes text, uint64_t *lost)
{
    buffer_add_bytes(&output->batch, text);
    buffer_add_byte(&output->batch, '\n');
    if (output->batch.size >= BATCH)
        flush(output, lost);
}

static void send_message(Output *output, const LogView *view, Bytes text, uint64_t *lost)
{
    Buffer message = buffer_in(view->arena);
    if (output->config.to == LOG_TO_JOURNAL)
        journal_entry_write(view, text, &message);
    else if (!syslog_message_write(&output->form, view, text, &message))
        atomic_fetch_add_explicit(&output->counts->cut, 1, memory_order_relaxed);
    if (!log_socket_send(&output->socket, buffer_bytes(&message)))
        count_lost(output, 1, lost);
}

static bool takes(const Output *output, bool is_event)
{
    return output->config.lines != (is_event ? LOG_CALLS : LOG_EVENTS);
}

static void write_to(Output *output, const LogView *view, uint64_t *lost)
{
    Bytes text = text_for(output, view);
    if (output->file)
        add_to_batch(output, text, lost);
    else
        send_message(output, view, text, lost);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void write_to_stderr(Bytes line)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)line.data, line.size}, {"\n", 1}};
    if (writev(STDERR_FILENO, parts, 2) < 0)
        return; /* there is nobody else to be told */
}

static void write_line(LogOutputs *o, Bytes line, uint64_t *lost)
{
    LogView view;
    bool taken = false;
    if (o->redact) {
        Buffer shown = buffer_in(o->scratch);
        redact_record(line, o->redact, &shown);
        line = buffer_bytes(&shown);
    }
    if (!log_view_read(line, o->scratch, &view)) { /* of a line that was larger than can be: none */
        ++*lost;
        return;
    }
    bool is_event = log_view_is_event(&view);
    for (uint32_t i = 0; i < o->n; i++) {
        if (!takes(&o->outputs[i], is_event))
            continue;
        taken = true;
        write_to(&o->outputs[i], &view, lost);
    }
    if (!taken && is_event)
        write_to_stderr(line);
    tail_tell(&view);
}

/* The next line; it is copied if it begins in the first part and ends in the second. */
static bool next_line(LogOutputs *o, Bytes *first, Bytes *second, Bytes *line_out)
{
    size_t end = bytes_find(*first, '\n');
    if (end == first->size && first->size) {
        Buffer whole = buffer_in(o->scratch);
        size_t rest = bytes_find(*second, '\n');
        buffer_add_bytes(&whole, *first);
        buffer_add_bytes(&whole, bytes_slice(*second, 0, rest));
        *first = bytes_slice(*second, rest + 1, SIZE_MAX);
        *second = BYTES_NONE;
        *line_out = buffer_bytes(&whole);
        return true;
    }
    if (!first->size) {
        *first = *second;
        *second = BYTES_NONE;
    }
    return first->size && bytes_split(first, '\n', line_out);
}

static uint64_t write_each(LogOutputs *o, const struct iovec parts[2])
{
    uint64_t lost = 0;
    Bytes first = bytes(parts[0].iov_base, parts[0].iov_len), line;
    Bytes second = bytes(parts[1].iov_base, parts[1].iov_len);
    while (next_line(o, &first, &second, &line)) {
        write_line(o, line, &lost);
        if (arena_size(o->scratch) > BATCH)
            arena_reset(o->scratch);
    }
    arena_reset(o->scratch);
    for (uint32_t i = 0; i < o->n; i++)
        if (o->outputs[i].file)
            flush(&o->outputs[i], &lost);
    tail_wake();
    return lost;
}

static uint64_t outputs_write(LogTarget *target, const struct iovec parts[2])
{
    LogOutputs *o = (LogOutputs *)target;
    if (!o->all_plain || tail_is_read())
        return write_each(o, parts);
    uint64_t lost = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        uint64_t failed = o->outputs[i].file->write(o->outputs[i].file, parts);
        if (failed)
            count_lost(&o->outputs[i], failed, &lost);
    }
    return lost;
}

static void outputs_free(LogTarget *target)
{
    LogOutputs *o = (LogOutputs *)target;
    for (uint32_t i = 0; i < o->n; i++) {
        if (o->outputs[i].file)
            o->outputs[i].file->free(o->outputs[i].file);
        else
            log_socket_close(&o->outputs[i].socket);
    }
    arena_free(o->scratch);
    arena_free(o->arena);
    free(o);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *const *copy_names(Arena *arena, const char *const *names)
{
    size_t n = 0;
    while (names && names[n])
        n++;
    if (!n)
        return NULL;
    const char **copy = arena_array(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_string(arena, names[i]);
    return copy;
}

static Result open_place(Output *output, const LogOutputConfig *config, Arena *arena)
{
    if (config->to == LOG_TO_FILE)
        return log_file_open(arena, config->path, &output->file);
    if (log_socket_init(&output->socket, config))
        return OK;
    return FAIL(arena, FAULT_BAD_CONFIG, "%s is neither a path of a socket nor an IP address",
                config->path ? config->path : config->host);
}

static Result open_output(LogOutputs *o, Output *output, const LogOutputConfig *config,
                          const char *node, Arena *arena)
{
    *output = (Output){.config = *config,
                       .batch = buffer_in(o->arena),
                       .plain = config->to == LOG_TO_FILE && !config->format && !config->readable &&
                                config->lines == LOG_ALL_LINES,
                       .counts = counts_of(config->name),
                       .form = {.local = config->transport == LOG_BY_UNIX,
                                .counted = config->transport == LOG_BY_TCP,
                                .facility = config->facility,
                                .most = config->most,
                                .host = arena_string(o->arena, node ? node : ""),
                                .process = (long)getpid()}};
    Result r = config->format
                   ? log_template_read(o->arena, bytes_copy(o->arena, bytes_of(config->format)),
                                       &output->template)
                   : OK;
    return failed(r) ? error_copy(arena, r) : open_place(output, config, arena);
}

LogConfig log_config_of_file(const char *path, LogOutputConfig *output)
{
    *output = (LogOutputConfig){.name = path ? path : "stderr", .path = path};
    return (LogConfig){.outputs = output, .n_outputs = 1};
}

Result log_outputs_open(Arena *arena, const LogConfig *config, const char *node,
                        LogTarget **target_out)
{
    LogOutputs *o = calloc(1, sizeof *o);
    CHECK(o);
    CHECK(config->n_outputs <= LOG_OUTPUTS_MOST);
    o->target = (LogTarget){outputs_write, outputs_free};
    o->arena = arena_new(ARENA_UNLIMITED);
    o->scratch = arena_new(ARENA_UNLIMITED);
    o->redact = copy_names(o->arena, config->redact);
    o->all_plain = !o->redact;
    Result r = OK;
    for (uint32_t i = 0; i < config->n_outputs && !failed(r); i++) {
        Output *output = &o->outputs[i];
        r = open_output(o, output, &config->outputs[i], node, arena);
        o->all_plain = o->all_plain && output->plain;
        o->n += !failed(r);
    }
    if (failed(r))
        outputs_free(&o->target);
    else
        *target_out = &o->target;
    return r;
}

static bool are_same(const LogOutputConfig *a, const LogOutputConfig *b)
{
    return a->to == b->to && a->transport == b->transport && a->lines == b->lines &&
           a->readable == b->readable && a->port == b->port && a->facility == b->facility &&
           a->most == b->most && text_equal(a->path, b->path) && text_equal(a->host, b->host) &&
           text_equal(a->format, b->format);
}

static bool are_same_names(const char *const *a, const char *const *b)
{
    static const char *const none[] = {NULL};
    a = a ? a : none;
    b = b ? b : none;
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return !*a && !*b;
}

bool log_outputs_are_same(const LogConfig *a, const LogConfig *b)
{
    bool same = a->n_outputs == b->n_outputs && are_same_names(a->redact, b->redact);
    for (uint32_t i = 0; same && i < a->n_outputs; i++)
        same = are_same(&a->outputs[i], &b->outputs[i]);
    return same;
}

Result log_outputs_check(Arena *arena, const LogConfig *config)
{
    for (uint32_t i = 0; i < config->n_outputs; i++) {
        const LogOutputConfig *output = &config->outputs[i];
        Result r = output->to == LOG_TO_FILE ? log_file_check(arena, output->path) : OK;
        if (failed(r))
            return r;
    }
    return OK;
}
