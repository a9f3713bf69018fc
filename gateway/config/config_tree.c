#include "gateway/config/config_tree.h"

#include "adapters/document/document.h"
#include "adapters/text/variables.h"
#include "base/arena.h"
#include "base/file/file.h"
#include "gateway/config/config_reader.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct TreeReader {
    Arena *arena;   /* of the texts */
    Arena *working; /* of the tree */
    Problems *problems;
    ConfigTree *tree;
    const ConfigText *kept; /* read these; NULL: read files */
    ConfigText **end;       /* where the next text is linked */
    Table lists;            /* key -> JsonNode **: where its next element is linked */
    size_t n_bytes;
    uint32_t n_texts;
} TreeReader;

static void read_text(TreeReader *reader, ConfigText *text);

static void PRINTF_LIKE(4, 5)
    tell(TreeReader *reader, const JsonNode *node, const char *hint, const char *format, ...)
{
    char reason[1024];
    va_list args;
    va_start(args, format);
    text_format(reason, sizeof reason, format, args);
    va_end(args);
    const YamlPlace *place = yaml_place(&reader->tree->document, node);
    problem_add(reader->problems, place->file, place->line, place->column, "", hint, "%s", reason);
}

/* ---- Variables ------------------------------------------------------------------------------- */

static const char *find_variable(void *owner, const char *name)
{
    (void)owner;
    return getenv(name);
}

static Bytes variable_key(const JsonNode *node)
{
    return bytes(&node->offset, sizeof node->offset);
}

const char *config_tree_variables(const ConfigTree *tree, const JsonNode *node)
{
    return table_get(&tree->variables, variable_key(node));
}

static void expand(TreeReader *reader, JsonNode *node)
{
    Buffer out = buffer_in(reader->working), names = buffer_in(reader->working);
    VariableMistake mistake;
    if (!variables_expand(reader->working, node->text, find_variable, NULL, &out, &names,
                          &mistake)) {
        tell(reader, node, mistake.hint, "%s", mistake.reason);
        return;
    }
    node->text = buffer_bytes(&out);
    if (!names.size)
        return;
    buffer_add_bytes(&reader->tree->used, node->text);
    buffer_add_byte(&reader->tree->used, 0);
    table_put(&reader->tree->variables, variable_key(node),
              (void *)(uintptr_t)arena_text(reader->working, buffer_bytes(&names)));
}

/* In the tree, not in the text: whatever a variable has stays one value. */
static void expand_all(TreeReader *reader, JsonNode *node)
{
    bool scalar = node->kind == JSON_STRING || node->kind == JSON_TEXT;
    if (scalar && variables_are_in(node->text))
        expand(reader, node);
    for (JsonNode *child = node->first; child; child = child->next)
        expand_all(reader, child);
}

/* ---- Joining --------------------------------------------------------------------------------- */

static void drop_members(JsonNode *map, bool (*drops)(const JsonNode *member))
{
    for (JsonNode **at = &map->first; *at;) {
        if (drops(*at)) {
            *at = (*at)->next;
            map->count--;
        } else {
            at = &(*at)->next;
        }
    }
}

static bool is_for_anchors(const JsonNode *member)
{
    return bytes_start_with(member->name, "x-");
}

static bool is_include(const JsonNode *member)
{
    return bytes_are(member->name, "include");
}

static JsonNode **list_end(TreeReader *reader, JsonNode *list)
{
    JsonNode **end = table_get(&reader->lists, list->name);
    end = end ? end : &list->first;
    while (*end)
        end = &(*end)->next;
    return end;
}

static void append(TreeReader *reader, JsonNode *list, JsonNode *more)
{
    JsonNode **end = list_end(reader, list);
    *end = more->first;
    list->count += more->count;
    table_put(&reader->lists, list->name, end);
}

static void tell_twice(TreeReader *reader, const JsonNode *here, const JsonNode *before)
{
    const YamlPlace *place = yaml_place(&reader->tree->document, here);
    const YamlPlace *other = yaml_place(&reader->tree->document, before);
    problem_add(reader->problems, place->file, place->name_line, place->name_column, "",
                "leave out one of them", "the key %.*s is in %s:%d:%d, too: only lists are joined",
                BYTES_ARGS(here->name), other->file, other->name_line, other->name_column);
}

/* What the included file has becomes part of the whole. */
static void join(TreeReader *reader, JsonNode *whole, JsonNode *part)
{
    JsonNode *next;
    for (JsonNode *member = part->first; member; member = next) {
        next = member->next;
        JsonNode **at = &whole->first;
        while (*at && !bytes_equal((*at)->name, member->name))
            at = &(*at)->next;
        if (!*at) {
            member->next = NULL;
            *at = member;
            whole->count++;
        } else if ((*at)->kind == JSON_ARRAY && member->kind == JSON_ARRAY) {
            append(reader, *at, member);
        } else {
            tell_twice(reader, member, *at);
        }
    }
}

/* ---- Including ------------------------------------------------------------------------------- */

static uint32_t depth_of(const ConfigText *text)
{
    uint32_t depth = 0;
    for (; text->by; text = text->by)
        depth++;
    return depth;
}

/* The text of the same file, by whatever name. */
static const ConfigText *same_file(const TreeReader *reader, const struct stat *found)
{
    for (const ConfigText *one = reader->tree->texts; one; one = one->next)
        if (one->device == found->st_dev && one->inode == found->st_ino && one->inode)
            return one;
    return NULL;
}

static bool is_above(const ConfigText *text, const ConfigText *above)
{
    for (; text; text = text->by)
        if (text == above)
            return true;
    return false;
}

static ConfigText *add_text(TreeReader *reader, const char *file, const ConfigText *by)
{
    ConfigText *text = arena_array(reader->arena, ConfigText, 1);
    struct stat found;
    *text = (ConfigText){.file = file, .by = by};
    if (stat(file, &found) == 0) {
        text->device = found.st_dev;
        text->inode = found.st_ino;
    }
    *reader->end = text;
    reader->end = &text->next;
    reader->n_texts++;
    return text;
}

/* What speaks against another text; NULL: nothing. */
static const char *no_room(const TreeReader *reader, const char *file, const ConfigText *by)
{
    struct stat found;
    const ConfigText *same = stat(file, &found) == 0 ? same_file(reader, &found) : NULL;
    if (same && is_above(by, same))
        return arena_printf(reader->working, "%s would include itself", same->file);
    if (same)
        return arena_printf(reader->working, "%s is included already, by %s", file,
                            same->by ? same->by->file : "nobody");
    if (depth_of(by) + 1 > CONFIG_INCLUDES_DEEP)
        return arena_printf(reader->working, "files include one another more than %d deep",
                            CONFIG_INCLUDES_DEEP);
    return reader->n_texts >= CONFIG_FILES_MOST
               ? arena_printf(reader->working, "a config has more than %d files", CONFIG_FILES_MOST)
               : NULL;
}

static void include_file(TreeReader *reader, const JsonNode *node, const char *file,
                         const ConfigText *by)
{
    const char *reason = no_room(reader, file, by);
    if (reason) {
        tell(reader, node, NULL, "%s", reason);
        return;
    }
    ConfigText *text = add_text(reader, file, by);
    Result r = file_read(reader->arena, file, CONFIG_SIZE_MOST - reader->n_bytes, &text->text);
    if (failed(r)) {
        tell(reader, node, config_file_hint(reader->working, by->file, file), "%s", r.error->doing);
        return;
    }
    read_text(reader, text);
}

/* Absolute, or relative to the file that includes it: characters of that folder are themselves. */
static const char *pattern_of(Arena *arena, const char *file, const char *pattern)
{
    const char *slash = strrchr(file, '/');
    Buffer out = buffer_in(arena);
    for (const char *c = file; slash && *pattern != '/' && c <= slash; c++) {
        if (strchr("*?[\\", *c))
            buffer_add_byte(&out, '\\');
        buffer_add_byte(&out, (uint8_t)*c);
    }
    buffer_add_text(&out, pattern);
    return arena_text(arena, buffer_bytes(&out));
}

static void include_matches(TreeReader *reader, const JsonNode *node, const char *pattern,
                            const ConfigText *by)
{
    glob_t found = {0};
    const char *whole = pattern_of(reader->working, by->file, pattern);
    size_t plain = strcspn(whole, "*?[\\");
    file_note_reading(
        file_folder(reader->working, arena_text(reader->working, bytes(whole, plain))));
    int outcome = glob(whole, GLOB_ERR, NULL, &found);
    int error = errno;
    file_note_reading(NULL);
    if (outcome == GLOB_NOMATCH)
        tell(reader, node, NULL, "no file matches %s", pattern);
    else if (outcome)
        tell(reader, node, NULL, "looking for %s: %s", pattern, strerror(error));
    for (size_t i = 0; outcome == 0 && i < found.gl_pathc; i++)
        include_file(reader, node, arena_string(reader->arena, found.gl_pathv[i]), by);
    globfree(&found);
}

static void include(TreeReader *reader, const JsonNode *node, const ConfigText *by)
{
    const char *pattern = arena_text(reader->working, node->text);
    if (node->kind != JSON_STRING && node->kind != JSON_TEXT)
        tell(reader, node, "services/*.yaml", "the name of a file, or a pattern, is expected here");
    else if (strpbrk(pattern, "*?["))
        include_matches(reader, node, pattern, by);
    else
        include_file(reader, node, document_path(reader->arena, by->file, pattern), by);
}

/* As they were included when the config was read. */
static void include_kept(TreeReader *reader, const ConfigText *by)
{
    const ConfigText *kept = reader->kept, *one = kept, *made = reader->tree->texts;
    for (; made != by; made = made->next)
        one = one->next;
    for (; kept; kept = kept->next) {
        if (kept->by != one)
            continue;
        ConfigText *text = add_text(reader, kept->file, by);
        text->text = kept->text;
        read_text(reader, text);
    }
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* One pattern is as a list of it. */
static void make_list(TreeReader *reader, JsonNode *node)
{
    if (node->kind != JSON_STRING && node->kind != JSON_TEXT)
        return;
    JsonNode *only = arena_make(reader->working, JsonNode);
    *only = (JsonNode){.kind = node->kind, .offset = node->offset, .text = node->text};
    *node = (JsonNode){.kind = JSON_ARRAY,
                       .offset = node->offset,
                       .name = node->name,
                       .count = 1,
                       .first = only,
                       .next = node->next};
}

static void read_text(TreeReader *reader, ConfigText *text)
{
    YamlDocument *document = &reader->tree->document;
    reader->n_bytes += text->text.size;
    JsonNode *root =
        yaml_parse_more(reader->working, text->text, text->file, NULL, reader->problems, document);
    if (!text->by)
        document->root = root;
    if (!root || root->kind == JSON_NULL)
        return;
    if (root->kind != JSON_OBJECT) {
        if (text->by)
            tell(reader, root, NULL, "an included file is a map, with keys of the config");
        return;
    }
    drop_members(root, is_for_anchors);
    expand_all(reader, root);
    JsonNode *patterns = json_member(root, "include");
    if (patterns)
        make_list(reader, patterns);
    if (patterns && patterns->kind != JSON_ARRAY && text->by)
        tell(reader, patterns, NULL, "a list of files or patterns is expected here");
    if (text->by) {
        drop_members(root, is_include);
        join(reader, document->root, root);
    }
    if (reader->kept) {
        include_kept(reader, text);
        return;
    }
    bool list = patterns && patterns->kind == JSON_ARRAY;
    for (JsonNode *one = list ? patterns->first : NULL; one; one = one->next)
        include(reader, one, text);
}

static TreeReader reader_of(Arena *arena, Arena *working, Problems *problems, const char *file,
                            ConfigTree *tree_out)
{
    *tree_out = (ConfigTree){
        .document = {.file = file}, .variables = table_in(working), .used = buffer_in(working)};
    return (TreeReader){.arena = arena,
                        .working = working,
                        .problems = problems,
                        .tree = tree_out,
                        .end = &tree_out->texts,
                        .lists = table_in(working)};
}

void config_tree_read(Arena *arena, Arena *working, Bytes text, const char *path,
                      Problems *problems, ConfigTree *tree_out)
{
    TreeReader reader = reader_of(arena, working, problems, path, tree_out);
    size_t n_before = problems->n;
    ConfigText *first = add_text(&reader, path, NULL);
    first->text = text;
    read_text(&reader, first);
    problems_forget_equal(problems, n_before); /* of a value that aliases repeat */
}

void config_tree_again(Arena *arena, const ConfigText *texts, Problems *problems,
                       ConfigTree *tree_out)
{
    TreeReader reader = reader_of(arena, arena, problems, texts->file, tree_out);
    reader.kept = texts;
    ConfigText *first = add_text(&reader, texts->file, NULL);
    first->text = texts->text;
    read_text(&reader, first);
}
