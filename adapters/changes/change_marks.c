/* The comments "# decide: ..." that `diff` writes into a list where its author must decide. */
#include "adapters/changes/change_list.h"
#include "adapters/text/yaml_comments.h"

/* The path of the first node in this line: "Order.comment". */
static const char *path_in_line(ChangeList *list, const JsonNode *node, int line, const char *path)
{
    for (const JsonNode *child = node ? node->first : NULL; child; child = child->next) {
        const YamlPlace *place = yaml_place(&list->document, child);
        const char *name = child->name.size ? arena_text(list->arena, child->name) : "";
        const char *inner = path[0] && name[0] ? arena_printf(list->arena, "%s.%s", path, name)
                            : name[0]          ? name
                                               : path;
        if (place->name_line == line)
            return inner;
        const char *found = path_in_line(list, child, line, inner);
        if (found)
            return found;
    }
    return NULL;
}

static const char *path_of(ChangeList *list, int line)
{
    for (const JsonNode *section = list->document.root->first; section; section = section->next) {
        if (yaml_place(&list->document, section)->name_line == line)
            return arena_text(list->arena, section->name);
        const char *path = path_in_line(list, section, line, "");
        if (path)
            return path;
    }
    return "";
}

/* The line with each "graceful" replaced by "loud". */
static const char *loud_line(Arena *arena, Bytes line)
{
    static const char graceful[] = "graceful";
    Buffer out = buffer_in(arena);
    while (line.size) {
        if (bytes_start_with(line, graceful)) {
            buffer_add_text(&out, "loud");
            line = bytes_slice(line, sizeof graceful - 1, line.size);
        } else {
            buffer_add_byte(&out, line.data[0]);
            line = bytes_slice(line, 1, line.size);
        }
    }
    buffer_add_byte(&out, 0);
    return (const char *)out.data;
}

static const char *what_to_write(Arena *arena, Bytes line)
{
    if (line.size && line.data[line.size - 1] == ',')
        line.size--;
    if (!line.size)
        return "decide, and delete this comment";
    const char *kept = arena_text(arena, line), *loud = loud_line(arena, line);
    if (strcmp(kept, loud) == 0)
        return arena_printf(arena, "write %s, without the mark, if it is right", kept);
    return arena_printf(arena, "write %s, without the mark, or %s for an error", kept, loud);
}

void change_check_marks(ChangeList *list, Bytes yaml)
{
    static const char mark[] = "decide:";
    YamlComments comments = yaml_comments(list->arena, yaml);
    for (uint32_t i = 0; i < comments.n; i++) {
        const YamlComment *comment = &comments.items[i];
        if (!bytes_start_with(comment->text, mark))
            continue;
        Bytes why = bytes_slice(comment->text, sizeof mark - 1, comment->text.size);
        YamlPlace place = {comment->line, comment->column, comment->line, comment->column};
        change_problem(list, place, comment->before.size ? path_of(list, comment->line) : "",
                       what_to_write(list->arena, comment->before), "not decided yet:%.*s",
                       BYTES_ARGS(why));
    }
}
