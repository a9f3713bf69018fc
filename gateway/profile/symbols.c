#include "gateway/profile/symbols.h"

#include "base/arena.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

struct Symbols {
    Arena *arena;
    Dwfl *dwfl; /* NULL: no files can be read */
    char program[PATH_MOST];
    SymbolFile *files;
    uint32_t n, capacity;
};

/* ---- Files ----------------------------------------------------------------------------------- */

/* A note: its sizes, its type, its name, what it says; both filled up to four bytes. */
static const char *read_build_id(Arena *arena, const uint8_t *at, const uint8_t *end)
{
    ElfW(Nhdr) note;
    while ((size_t)(end - at) >= sizeof note) {
        memcpy(&note, at, sizeof note);
        const uint8_t *name = at + sizeof note;
        const uint8_t *said = name + ((note.n_namesz + 3u) & ~3u);
        if (said > end || note.n_descsz > (size_t)(end - said))
            break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            Buffer text = buffer_in(arena);
            for (uint32_t i = 0; i < note.n_descsz; i++)
                buffer_printf(&text, "%02x", said[i]);
            return arena_text(arena, buffer_bytes(&text));
        }
        at = said + ((note.n_descsz + 3u) & ~3u);
    }
    return "";
}

static const char *build_id_of(Arena *arena, const struct dl_phdr_info *info)
{
    const char *found = "";
    for (int i = 0; i < info->dlpi_phnum && !found[0]; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const uint8_t *at = (const uint8_t *)(info->dlpi_addr + part->p_vaddr);
        if (part->p_type == PT_NOTE)
            found = read_build_id(arena, at, at + part->p_memsz);
    }
    return found;
}

static void add_file(Symbols *symbols, const SymbolFile *file)
{
    if (symbols->n == symbols->capacity) {
        uint32_t more = symbols->capacity ? 2 * symbols->capacity : 32;
        symbols->files = arena_grow(symbols->arena, symbols->files,
                                    symbols->capacity * sizeof *file, more * sizeof *file);
        CHECK(symbols->files);
        symbols->capacity = more;
    }
    symbols->files[symbols->n++] = *file;
}

/* The first one is the program, which has no name here. */
static int on_loaded(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    Symbols *symbols = owner;
    const char *name = info->dlpi_name[0] ? info->dlpi_name
                       : symbols->n       ? "[vdso]"
                                          : symbols->program;
    const char *build_id = build_id_of(symbols->arena, info);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            add_file(symbols,
                     &(SymbolFile){.start = info->dlpi_addr + part->p_vaddr,
                                   .limit = info->dlpi_addr + part->p_vaddr + part->p_memsz,
                                   .offset = part->p_offset,
                                   .name = arena_string(symbols->arena, name),
                                   .build_id = build_id});
    }
    return 0;
}

const SymbolFile *symbols_files(const Symbols *symbols, uint32_t *n_out)
{
    *n_out = symbols->n;
    return symbols->files;
}

/* ---- Functions ------------------------------------------------------------------------------- */

/* What runs may have been replaced on the disk, by the package of the next version. */
static int find_program(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                        char **file_name, Elf **elf)
{
    char program[PATH_MOST];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = '\0';
    if (strcmp(name, program) == 0)
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return dwfl_linux_proc_find_elf(module, user, name, base, file_name, elf);
}

static Dwfl *open_files(void)
{
    /* Not dwfl_standard_find_debuginfo: it asks servers, if the environment names some. */
    static const Dwfl_Callbacks callbacks = {.find_elf = find_program,
                                             .find_debuginfo = dwfl_build_id_find_debuginfo};
    Dwfl *dwfl = dwfl_begin(&callbacks);
    bool read = dwfl && dwfl_linux_proc_report(dwfl, getpid()) == 0 &&
                dwfl_report_end(dwfl, NULL, NULL) == 0;
    if (read || !dwfl)
        return dwfl;
    dwfl_end(dwfl);
    return NULL;
}

const char *symbols_function(Symbols *symbols, uint64_t address)
{
    Dwfl_Module *module = symbols->dwfl ? dwfl_addrmodule(symbols->dwfl, address) : NULL;
    const char *name = module ? dwfl_module_addrname(module, address) : NULL;
    return name && name[0] ? arena_string(symbols->arena, name) : NULL;
}

Symbols *symbols_open(Arena *arena)
{
    Symbols *symbols = arena_make(arena, Symbols);
    symbols->arena = arena;
    ssize_t size = readlink("/proc/self/exe", symbols->program, sizeof symbols->program - 1);
    symbols->program[size > 0 ? size : 0] = '\0';
    dl_iterate_phdr(on_loaded, symbols);
    symbols->dwfl = open_files();
    return symbols;
}

void symbols_close(Symbols *symbols)
{
    dwfl_end(symbols->dwfl);
}
