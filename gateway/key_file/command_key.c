#include "gateway/key_file/command_key.h"

#include "adapters/text/json.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "base/text/date.h"
#include "base/text/json_text.h"
#include "gateway/commands/admin_client.h"
#include "gateway/config/config_reader.h"
#include "gateway/token/api_keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MOST = 64 << 20, HASH_TEXT_SIZE = 2 * API_KEY_HASH_SIZE };

typedef Passerelle__Config__ApiKey KeyText;

/* The file as it is, or as it is to be. */
typedef struct KeyFile {
    const char *path;
    Bytes text;
    YamlDocument document;
    const Passerelle__Config__ApiKeyFile *content; /* NULL: it is empty */
} KeyFile;

/* ---- The file -------------------------------------------------------------------------------- */

static size_t size_of(const KeyFile *file)
{
    return file->content ? file->content->n_keys : 0;
}

/* False: it has mistakes, which were told unless `quiet`. */
static bool parse(const CommandLine *line, KeyFile *file, bool quiet, Arena *arena)
{
    Problems problems = problems_in(arena);
    ProtobufCMessage *message;
    Result r = config_document_read(arena, file->text, file->path,
                                    &passerelle__config__api_key_file__descriptor, &problems,
                                    &problems, &file->document, &message);
    file->content = (const Passerelle__Config__ApiKeyFile *)message;
    if (!failed(r) && !problems.n)
        return true;
    Buffer told = buffer_in(arena);
    problems_print(&problems, &told);
    if (!quiet)
        command_tell_lines(buffer_bytes(&told));
    error_ignore(r, "it comes from mistakes of the file, which are told");
    return false;
}

/* One that is not there is empty, if `fresh`. */
static bool open_file(const CommandLine *line, bool fresh, KeyFile *file, Arena *arena)
{
    *file = (KeyFile){.path = line->arguments[1]};
    if (fresh && access(file->path, F_OK) != 0)
        return true;
    Result r = file_read(arena, file->path, FILE_BYTES_MOST, &file->text);
    if (failed(r))
        command_tell(line, "%s", r.error->doing);
    return !failed(r) && parse(line, file, false, arena);
}

/* A new file is for its owner only, who may give it to the gateway's user. */
static bool replace(const CommandLine *line, const KeyFile *file, Arena *arena)
{
    struct stat old;
    char *real = realpath(file->path, NULL);
    const char *path = arena_string(arena, real ? real : file->path);
    free(real);
    if (stat(path, &old) != 0)
        old = (struct stat){.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()};
    Result r = file_replace(arena, path, file->text, &old);
    if (failed(r))
        command_tell(line, "%s cannot be written: %s", path, r.error->doing);
    return !failed(r);
}

/* ---- make ------------------------------------------------------------------------------------ */

static void add_member(Buffer *out, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_printf(out, ", %s: ", name);
    json_text_add(out, bytes_of(value));
}

static void add_claims(const CommandLine *line, Buffer *out)
{
    bool first = true;
    for (int i = 0; i < line->n_given; i++) {
        if (strcmp(line->given[i].option->name, "--claim") != 0)
            continue;
        Bytes rest = bytes_of(line->given[i].value), name;
        bytes_split(&rest, '=', &name);
        buffer_add_text(out, first ? ", claims: {" : ", ");
        json_text_add(out, name);
        buffer_add_text(out, ": ");
        json_text_add(out, rest);
        first = false;
    }
    buffer_add_text(out, first ? "" : "}");
}

/* The key as a line of the file. */
static void describe(const CommandLine *line, const char *key, const uint8_t *hash, Buffer *out)
{
    buffer_printf(out, "  - {id: %.*s, sha256: ", API_KEY_ID_SIZE, key);
    for (int i = 0; i < API_KEY_HASH_SIZE; i++)
        buffer_printf(out, "%02x", hash[i]);
    add_member(out, "client", line->arguments[2]);
    add_member(out, "tenant", command_option(line, "--tenant"));
    add_member(out, "class", command_option(line, "--class"));
    add_claims(line, out);
    if (command_option(line, "--expires"))
        buffer_printf(out, ", expires: %s", command_option(line, "--expires"));
    buffer_add_text(out, "}\n");
}

/* What is wrong with a text of a client, which logs and fields are to have; NULL: nothing. */
static const char *mistake_in_text(const char *text)
{
    if (!*text)
        return "it is empty";
    for (; *text; text++)
        if ((uint8_t)*text < ' ' || *text == 0x7f)
            return "it has a control character";
    return NULL;
}

static const char *mistake_in_day(const char *text)
{
    int64_t day;
    if (!date_read_day(bytes_of(text), &day))
        return "it is no day, as 2027-01-31";
    return day * SECOND <= clock_wall() ? "the key would have ended already" : NULL;
}

static const char *mistake_in_claim(const char *text)
{
    Bytes rest = bytes_of(text), name;
    bytes_split(&rest, '=', &name);
    return name.size && rest.size ? mistake_in_text(text) : "it is not NAME=VALUE";
}

static const char *mistake_in(const char *option, const char *value)
{
    if (strcmp(option, "--expires") == 0)
        return mistake_in_day(value);
    if (strcmp(option, "--claim") == 0)
        return mistake_in_claim(value);
    return strcmp(option, "--tenant") == 0 || strcmp(option, "--class") == 0
               ? mistake_in_text(value)
               : NULL;
}

/* Whether all that is said of the key can be; tells what cannot. */
static bool is_good(const CommandLine *line)
{
    const char *mistake = mistake_in_text(line->arguments[2]);
    if (mistake)
        command_tell(line, "the client: %s", mistake);
    for (int i = 0; !mistake && i < line->n_given; i++) {
        mistake = mistake_in(line->given[i].option->name, line->given[i].value);
        if (mistake)
            command_tell(line, "%s: %s", line->given[i].option->name, mistake);
    }
    return !mistake;
}

/* Whether the file with the line is one with one key more. */
static bool append(const CommandLine *line, const KeyFile *file, Bytes entry, KeyFile *new_out,
                   Arena *arena)
{
    Buffer text = buffer_in(arena);
    buffer_add_bytes(&text, size_of(file) ? file->text : bytes_of("keys:"));
    if (text.data[text.size - 1] != '\n')
        buffer_add_byte(&text, '\n');
    buffer_add_bytes(&text, entry);
    *new_out = (KeyFile){.path = file->path, .text = buffer_bytes(&text)};
    return parse(line, new_out, false, arena) && size_of(new_out) == size_of(file) + 1;
}

static void print_made(const CommandLine *line, const char *key, Arena *arena)
{
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    buffer_printf(&text, "%s\n", key);
    command_print(line, &text);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "id", bytes(key, API_KEY_ID_SIZE));
    json_text_add_member(&json, "client", bytes_of(line->arguments[2]));
    json_text_add_member(&json, "key", bytes_of(key));
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
}

static int make(const CommandLine *line, Arena *arena)
{
    KeyFile file, new;
    char key[API_KEY_SIZE + 1];
    uint8_t hash[API_KEY_HASH_SIZE];
    Buffer entry = buffer_in(arena);
    if (!is_good(line))
        return EXIT_USAGE;
    api_key_make(key, hash);
    describe(line, key, hash, &entry);
    if (!open_file(line, true, &file, arena))
        return EXIT_NO;
    if (!append(line, &file, buffer_bytes(&entry), &new, arena)) {
        command_tell(line,
                     "%s cannot take a line at its end; it needs `keys:` with a line for each "
                     "key, and nothing behind them",
                     file.path);
        return EXIT_NO;
    }
    if (!replace(line, &new, arena))
        return EXIT_NO;
    print_made(line, key, arena);
    return EXIT_WELL;
}

/* ---- list ------------------------------------------------------------------------------------ */

static const char *day_of(const KeyText *key, Arena *arena)
{
    char day[DATE_DAY_SIZE];
    if (!key->has_expires)
        return "";
    date_write_day(key->expires / SECOND, day);
    return arena_text(arena, bytes(day, sizeof day));
}

/* What a gateway says of a key. */
typedef struct KeyTold {
    Bytes last;     /* a time; empty: it was never used */
    uint64_t calls; /* how often it was used */
} KeyTold;

static void add_told(Buffer *out, const KeyTold *told)
{
    Bytes last = told->last.size ? told->last : bytes_of("never");
    command_add_cell(out, last, 20);
    command_add_cell(
        out, bytes_of(arena_printf(out->arena, "%llu", (unsigned long long)told->calls)), 0);
}

static void add_row(Buffer *out, const KeyText *key, const char *ends, const KeyTold *told)
{
    command_add_cell(out, bytes_of(key->id), API_KEY_ID_SIZE);
    command_add_cell(out, bytes_of(key->client), 24);
    command_add_cell(out, bytes_of(key->tenant), 12);
    command_add_cell(out, bytes_of(key->class_), 12);
    command_add_cell(out, bytes_of(ends), told ? 10 : 0);
    if (told)
        add_told(out, told);
}

static void add_object(Buffer *out, const KeyText *key, const char *ends, const KeyTold *told)
{
    const struct {
        const char *name, *value;
    } members[] = {{"id", key->id},
                   {"client", key->client},
                   {"tenant", key->tenant},
                   {"class", key->class_},
                   {"expires", ends}};
    buffer_add_byte(out, '{');
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].value && *members[i].value)
            json_text_add_member(out, members[i].name, bytes_of(members[i].value));
    if (told && told->last.size)
        json_text_add_member(out, "last", told->last);
    if (told)
        json_text_add_number(out, "calls", told->calls);
    buffer_add_byte(out, '}');
}

/* The keys that a gateway knows; NULL: nobody was asked. Gives an exit code. */
static int ask_used(const CommandLine *line, Arena *arena, const JsonNode **keys_out)
{
    Bytes page;
    JsonNode *root;
    *keys_out = NULL;
    if (!command_flag(line, "--used"))
        return EXIT_WELL;
    int code = admin_get(line, "/keys", arena, &page);
    if (code != EXIT_WELL)
        return code;
    Result r = json_parse(arena, page, &(JsonLimits){0}, &root);
    *keys_out = !failed(r) && root->kind == JSON_OBJECT ? json_member(root, "keys") : NULL;
    error_ignore(r, "it is told as something else that answers");
    return *keys_out ? EXIT_WELL : admin_tell_stranger(line);
}

static KeyTold told_of(const JsonNode *keys, const KeyText *key)
{
    for (const JsonNode *one = keys->first; one; one = one->next) {
        Bytes name = json_member_text(one, "key");
        if (name.size && bytes_equal_nocase(name, bytes_slice(bytes_of(key->sha256), 0, name.size)))
            return (KeyTold){json_member_text(one, "last"),
                             (uint64_t)json_member_number(one, "calls")};
    }
    return (KeyTold){BYTES_NONE, 0};
}

static void add_keys(const KeyFile *file, const JsonNode *used, Buffer *text, Buffer *json)
{
    static const KeyTold nothing;
    for (size_t i = 0; i < size_of(file); i++) {
        const KeyText *key = file->content->keys[i];
        const char *ends = day_of(key, text->arena);
        KeyTold told = used ? told_of(used, key) : nothing;
        add_row(text, key, ends, used ? &told : NULL);
        buffer_add_text(json, i ? "," : "");
        add_object(json, key, ends, used ? &told : NULL);
    }
}

static void add_heads(Buffer *text, bool used)
{
    KeyText heads = PASSERELLE__CONFIG__API_KEY__INIT;
    heads.id = "ID", heads.client = "CLIENT", heads.tenant = "TENANT", heads.class_ = "CLASS";
    if (used)
        add_row(text, &heads, "EXPIRES    LAST USED            CALLS", NULL);
    else
        add_row(text, &heads, "EXPIRES", NULL);
}

static int list(const CommandLine *line, Arena *arena)
{
    KeyFile file;
    const JsonNode *used;
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    if (!open_file(line, false, &file, arena))
        return EXIT_NO;
    int code = ask_used(line, arena, &used);
    if (code != EXIT_WELL)
        return code;
    add_heads(&text, used != NULL);
    buffer_add_text(&json, "{\"keys\":[");
    add_keys(&file, used, &text, &json);
    buffer_add_text(&json, "]}");
    command_print(line, &text);
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

/* ---- revoke ---------------------------------------------------------------------------------- */

/* The index of the only key with this id; -1: there is none, or there are several. */
static int find(const KeyFile *file, const char *id)
{
    int found = -1;
    for (size_t i = 0; i < size_of(file); i++) {
        if (!file->content->keys[i]->id || strcmp(file->content->keys[i]->id, id) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    return found;
}

static const JsonNode *node_at(const KeyFile *file, int index)
{
    const JsonNode *keys = json_member(file->document.root, "keys");
    const JsonNode *node = keys ? keys->first : NULL;
    while (node && index-- > 0)
        node = node->next;
    return node;
}

/* The text from a line (from 1) on; of a line behind the last one, its end. */
static Bytes from_line(Bytes text, int line)
{
    Bytes skipped;
    while (line-- > 1 && bytes_split(&text, '\n', &skipped))
        ;
    return text;
}

/* The lines of the key, up to those of the next one. */
static Bytes without(const KeyFile *file, int index, Arena *arena)
{
    const JsonNode *node = node_at(file, index), *next = node_at(file, index + 1);
    if (size_of(file) == 1)
        return bytes_of("keys: []\n");
    Buffer text = buffer_in(arena);
    Bytes begin = from_line(file->text, yaml_place(&file->document, node)->line);
    buffer_add_bytes(&text, bytes(file->text.data, (size_t)(begin.data - file->text.data)));
    if (next)
        buffer_add_bytes(&text, from_line(file->text, yaml_place(&file->document, next)->line));
    return buffer_bytes(&text);
}

static int take_out(const CommandLine *line, Arena *arena)
{
    KeyFile file;
    if (!open_file(line, false, &file, arena))
        return EXIT_NO;
    int index = find(&file, line->arguments[2]);
    if (index < 0) {
        command_tell(line, "%s has not exactly one key with the id %s", file.path,
                     line->arguments[2]);
        return EXIT_NO;
    }
    KeyFile new = {.path = file.path, .text = without(&file, index, arena)};
    if (!parse(line, &new, true, arena) || size_of(&new) + 1 != size_of(&file) ||
        find(&new, line->arguments[2]) >= 0) {
        command_tell(line, "%s has no line of its own for each key: take this one out by hand",
                     file.path);
        return EXIT_NO;
    }
    if (!replace(line, &new, arena))
        return EXIT_NO;
    Buffer text = buffer_in(arena), json = buffer_in(arena);
    buffer_printf(&text, "revoked: %s\n", line->arguments[2]);
    command_print(line, &text);
    buffer_add_byte(&json, '{');
    json_text_add_member(&json, "revoked", bytes_of(line->arguments[2]));
    buffer_add_byte(&json, '}');
    command_print_json(line, buffer_bytes(&json));
    return EXIT_WELL;
}

int command_key(const CommandLine *line)
{
    static const struct {
        const char *word;
        int n;
        int (*run)(const CommandLine *line, Arena *arena);
    } words[] = {{"make", 3, make}, {"list", 2, list}, {"revoke", 3, take_out}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (line->n != words[i].n || strcmp(line->arguments[0], words[i].word) != 0)
            continue;
        Arena *arena = arena_new(ARENA_UNLIMITED);
        int code = words[i].run(line, arena);
        arena_free(arena);
        return code;
    }
    return command_usage(line->command);
}
