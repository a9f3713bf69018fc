#include "gateway/draft/proto_compiler.h"

#include "base/arena.h"
#include "base/file/file.h"
#include "base/file/memory_file.h"
#include "base/text/printable.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MOST = 20000, SET_MOST = 1 << 30, COMPLAINTS_MOST = 1 << 20 };

/* Where packages of Debian have google/api/annotations.proto: golang-github-grpc-ecosystem-
   grpc-gateway-dev, and that of this program (in share/ beside its own folder). */
#define GO_INCLUDE                                                                                 \
    "/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis"
#define OWN_INCLUDE "share/passerelle/proto"

/* The command line of a compiler. */
typedef struct Words {
    Arena *arena;
    char **items;
    uint32_t n;
    const char *included; /* folders of imports, for an error */
} Words;

static void add_word(Words *words, const char *word)
{
    if (words->n < WORDS_MOST)
        words->items[words->n++] = (char *)word;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool is_left_out(const FTSENT *entry)
{
    return entry->fts_level > 0 &&
           (entry->fts_name[0] == '.' || strcmp(entry->fts_name, "node_modules") == 0 ||
            strcmp(entry->fts_name, "google") == 0);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Adds the .proto files below the folder, sorted; gives their number. */
static uint32_t add_files(Words *words, const char *folder)
{
    char *roots[] = {(char *)folder, NULL};
    uint32_t before = words->n;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    for (FTSENT *entry; walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_D && is_left_out(entry))
            (void)fts_set(walk, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_F && bytes_end_with(bytes_of(entry->fts_name), ".proto"))
            add_word(words, arena_string(words->arena, entry->fts_path));
    }
    if (walk)
        (void)fts_close(walk);
    return words->n - before;
}

static void add_include(Words *words, const char *folder)
{
    add_word(words, arena_printf(words->arena, "-I%s", folder));
    words->included =
        arena_printf(words->arena, "%s%s%s", words->included, *words->included ? ", " : "", folder);
}

static void add_include_if_there(Words *words, const char *folder)
{
    if (access(folder, R_OK) == 0)
        add_include(words, folder);
}

/* What comes with this program is /usr/share/passerelle/proto, if it is /usr/bin/passerelle. */
static void add_shared_includes(Words *words)
{
    char own[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    for (int i = 0; size > 0 && i < 2; i++) {
        const char *slash = memrchr(own, '/', (size_t)size);
        size = slash ? slash - own : 0;
    }
    if (size > 0)
        add_include_if_there(words,
                             arena_printf(words->arena, "%.*s/" OWN_INCLUDE, (int)size, own));
    add_include_if_there(words, GO_INCLUDE);
}

/* Whether a folder is in another one, or is that one. */
static bool is_within(const char *folder, const char *other)
{
    char inner[PATH_MAX], outer[PATH_MAX];
    if (!realpath(folder, inner) || !realpath(other, outer))
        return false;
    size_t size = strlen(outer);
    return strncmp(inner, outer, size) == 0 && (inner[size] == '/' || !inner[size]);
}

/* A file's name begins at the first include that has the file. */
static void add_includes(Words *words, const char *folder, const char *const *includes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (is_within(folder, includes[i]))
            add_include(words, includes[i]);
    add_include(words, folder);
    for (uint32_t i = 0; i < n; i++)
        if (!is_within(folder, includes[i]))
            add_include(words, includes[i]);
    add_shared_includes(words);
}

/* ---- The compiler ---------------------------------------------------------------------------- */

static Result start(Arena *arena, const Words *words, int output, int complaints, pid_t *child_out)
{
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO) == 0);
    int error = posix_spawnp(child_out, words->items[0], &actions, NULL, words->items, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return FAIL(arena, FAULT_NO_FILE,
                    "%s is not installed: it is in Debian's package protobuf-compiler",
                    words->items[0]);
    return error ? FAIL(arena, FAULT_SYSTEM, "starting %s: %s", words->items[0], strerror(error))
                 : OK;
}

/* Names of files, which it quotes, may have commands for a terminal in them. */
static void tell_complaints(Arena *arena, int complaints)
{
    Buffer text = buffer_in(arena);
    printable_add_lines(&text, memory_file_read(arena, complaints, COMPLAINTS_MOST));
    fwrite(text.data, 1, text.size, stderr);
}

/* Runs it, with its output in one file in memory, and what it complains of in another one. */
static Result run_into(Arena *arena, const Words *words, int output, int complaints,
                       Bytes *output_out)
{
    pid_t child;
    int status = 0;
    Result r = start(arena, words, output, complaints, &child);
    if (!failed(r)) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        r = status == 0 ? file_read(arena, arena_printf(arena, "/proc/self/fd/%d", output),
                                    SET_MOST, output_out)
            : words->included
                ? FAIL(arena, FAULT_BAD_SCHEMA,
                       "%s refuses it; imports were looked for in %s: --include FOLDER adds one",
                       words->items[0], words->included)
                : FAIL(arena, FAULT_BAD_SCHEMA, "%s refuses it", words->items[0]);
        tell_complaints(arena, complaints);
    }
    return r;
}

static Result run(Arena *arena, const Words *words, Bytes *output_out)
{
    int output = memfd_create("descriptor_set", MFD_CLOEXEC);
    int complaints = memfd_create("complaints", MFD_CLOEXEC);
    Result r = output < 0 || complaints < 0
                   ? FAIL(arena, FAULT_SYSTEM, "memfd_create: %s", strerror(errno))
                   : run_into(arena, words, output, complaints, output_out);
    if (output >= 0)
        close(output);
    if (complaints >= 0)
        close(complaints);
    return r;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static bool has_file(Arena *arena, const char *folder, const char *name)
{
    return access(arena_printf(arena, "%s/%s", folder, name), R_OK) == 0;
}

static bool is_buf_folder(Arena *arena, const char *folder)
{
    return has_file(arena, folder, "buf.yaml") || has_file(arena, folder, "buf.work.yaml");
}

/* Not installed is no failure: *set_out is empty then. */
static Result by_buf(Arena *arena, const char *folder, Bytes *set_out)
{
    char *items[] = {"buf", "build", (char *)folder, "-o", "-", NULL};
    Words words = {arena, items, 5, NULL};
    Result r = run(arena, &words, set_out);
    if (failed(r) && r.error->fault == &FAULT_NO_FILE) {
        error_ignore(r, "protoc does it as well, where imports are in the folder");
        return OK;
    }
    return r;
}

static Result by_protoc(Arena *arena, const char *folder, const char *const *includes,
                        uint32_t n_includes, Bytes *set_out)
{
    Words words = {.arena = arena, .included = ""};
    words.items = arena_array(arena, char *, WORDS_MOST + 1);
    add_word(&words, "protoc");
    add_includes(&words, folder, includes, n_includes);
    add_word(&words, "--include_imports");
    add_word(&words, "--include_source_info");
    add_word(&words, "--descriptor_set_out=/dev/stdout");
    if (!add_files(&words, folder))
        return FAIL(arena, FAULT_NO_FILE, "there is no .proto file below %s", folder);
    return run(arena, &words, set_out);
}

Result proto_compile(Arena *arena, const char *folder, const char *const *includes,
                     uint32_t n_includes, Bytes *set_out, const char **by_out)
{
    *set_out = BYTES_NONE;
    *by_out = "buf";
    Result r = is_buf_folder(arena, folder) ? by_buf(arena, folder, set_out) : OK;
    if (failed(r) || set_out->size)
        return r;
    *by_out = "protoc";
    return by_protoc(arena, folder, includes, n_includes, set_out);
}
