/*
 * Fields that became one, and one that became several: proposed, and always for a decision.
 *
 * Three kinds have evidence enough: a whole and its parts that are called so in most APIs
 * ("first_name" and "last_name" of "name"), a list and the one that stands beside it
 * ("primary_email" and "other_emails" of "emails"), and the name of a resource whose parts the path
 * of the other version's HTTP binding has.
 *
 *     old: GET /v1/projects/{project_id}/topics/{topic_id}
 *     new: GET /v2/{name=projects/ * /topics/ *}
 */
#include "adapters/diff/schema_diff_internal.h"

/* ---- What may be part of one ----------------------------------------------------------------- */

static bool is_lost(const Match *match, int end, const Slot *slot)
{
    const FieldType *field = slot_field(slot);
    return slot->n_steps == 1 && !slot->pairing && !slot->opened && !slot->shared &&
           !slot->merged && !field->map && !field->oneof && !field->required &&
           !field->side_required && !field_default(field).data &&
           !message_field(match->ends[!end], bytes_of(field->name));
}

static Slot *lost_slot(const Match *match, int end, const char *name)
{
    for (uint32_t i = 0; i < match->n_slots[end]; i++) {
        Slot *slot = &match->slots[end][i];
        if (is_lost(match, end, slot) && strcmp(slot_field(slot)->name, name) == 0)
            return slot;
    }
    return NULL;
}

static bool is_text(const FieldType *field)
{
    return field->kind == KIND_STRING && !field->repeated;
}

static bool is_text_or_number(const FieldType *field)
{
    return is_text(field) || (kind_is_integer(field->kind) && !field->repeated);
}

static Merge *add_merge(Diffing *d, Merges *merges, int end_of_whole, Slot *whole,
                        Slot *const *parts, uint32_t n)
{
    if (merges->n == MOST_MERGES)
        return NULL;
    Merge *merge = &merges->items[merges->n++];
    *merge = (Merge){.whole = whole, .end_of_whole = end_of_whole, .n_parts = n};
    whole->merged = whole->closed = true;
    for (uint32_t i = 0; i < n; i++) {
        merge->parts[i] = parts[i];
        parts[i]->merged = parts[i]->closed = true;
    }
    return merge;
}

/* ---- A whole and its parts ------------------------------------------------------------------- */

static const struct Whole {
    const char *whole[5];
    const char *parts[MOST_PARTS];
    const char *template; /* the parts by their numbers */
    const char *question;
} wholes[] = {
    {{"name", "full_name", "display_name"},
     {"first_name", "middle_name", "last_name"},
     "{0} {1} {2}",
     "are these its parts, with a space between?"},
    {{"name", "full_name", "display_name"},
     {"first_name", "last_name"},
     "{0} {1}",
     "are these its parts, with a space between?"},
    {{"name", "full_name", "display_name"},
     {"given_name", "family_name"},
     "{0} {1}",
     "are these its parts, with a space between?"},
    {{"address", "endpoint", "host_port", "hostport", "authority"},
     {"host", "port"},
     "{0}:{1}",
     "are these its parts, with a colon between?"},
    {{"address", "endpoint", "host_port", "hostport", "authority"},
     {"hostname", "port"},
     "{0}:{1}",
     "are these its parts, with a colon between?"},
};
enum { N_WHOLES = sizeof wholes / sizeof *wholes };

/* "contact_" of contact_name, if that is what `name` is of it; NULL: it is not. */
static const char *prefix_before(Arena *arena, const char *field, const char *name)
{
    size_t size = strlen(field), end = strlen(name);
    if (size < end || strcmp(field + size - end, name) != 0 ||
        (size > end && field[size - end - 1] != '_'))
        return NULL;
    return arena_text(arena, bytes(field, size - end));
}

/* "{first_name} {last_name}" */
static const char *template_of(Arena *arena, const char *pattern, Slot *const *parts)
{
    Buffer out = buffer_in(arena);
    for (const char *at = pattern; *at; at++) {
        if (*at != '{') {
            buffer_add_byte(&out, (uint8_t)*at);
            continue;
        }
        buffer_printf(&out, "{%s}", slot_field(parts[at[1] - '0'])->name);
        at += 2;
    }
    buffer_add_byte(&out, 0);
    return (const char *)out.data;
}

static bool find_parts(Diffing *d, const Match *match, int end, const struct Whole *kind,
                       const char *prefix, Slot **parts, uint32_t *n_out)
{
    for (*n_out = 0; *n_out < MOST_PARTS && kind->parts[*n_out]; ++*n_out) {
        const char *name = arena_printf(d->arena, "%s%s", prefix, kind->parts[*n_out]);
        parts[*n_out] = lost_slot(match, end, name);
        if (!parts[*n_out] || !is_text_or_number(slot_field(parts[*n_out])))
            return false;
    }
    return true;
}

static void find_whole(Diffing *d, const Match *match, int end, Slot *whole, Merges *merges)
{
    for (size_t i = 0; i < N_WHOLES && is_text(slot_field(whole)) && !whole->merged; i++)
        for (size_t k = 0; k < 5 && wholes[i].whole[k] && !whole->merged; k++) {
            const char *prefix =
                prefix_before(d->arena, slot_field(whole)->name, wholes[i].whole[k]);
            Slot *parts[MOST_PARTS];
            uint32_t n;
            if (!prefix || !find_parts(d, match, !end, &wholes[i], prefix, parts, &n))
                continue;
            Merge *merge = add_merge(d, merges, end, whole, parts, n);
            if (merge) {
                merge->template = template_of(d->arena, wholes[i].template, parts);
                merge->question = wholes[i].question;
            }
        }
}

/* ---- A list, and the one beside it ----------------------------------------------------------- */

/* The only word of a name that the other does not have; NULL if there is none, or several. */
static const char *word_more(Diffing *d, const Slot *longer, const Slot *name)
{
    const Words *words = diff_words(d, slot_field(longer)->name),
                *rest = diff_words(d, slot_field(name)->name);
    const char *more = NULL;
    if (!words_have_all(words, rest))
        return NULL;
    for (uint32_t i = 0; i < words->n; i++) {
        if (words_have(rest, words->word[i]))
            continue;
        if (more)
            return NULL;
        more = words->word[i];
    }
    return more;
}

static void find_list(Diffing *d, const Match *match, int end, Slot *list, Merges *merges)
{
    static const char *const ones[] = {"primary", "main", "first", "default", "preferr", "prefer"};
    static const char *const others[] = {"other",     "additional", "addition", "secondary",
                                         "alternate", "alternat",   "extra",    "rest",
                                         "more",      "further"};
    Slot *parts[2] = {NULL, NULL};
    for (uint32_t i = 0; slot_field(list)->repeated && i < match->n_slots[!end]; i++) {
        Slot *slot = &match->slots[!end][i];
        const FieldType *field = slot_field(slot), *whole = slot_field(list);
        const char *more = is_lost(match, !end, slot) ? word_more(d, slot, list) : NULL;
        if (!more || field->kind != whole->kind || field->message || field->enumeration)
            continue;
        if (!field->repeated && word_is_one_of(more, ones, sizeof ones / sizeof *ones))
            parts[0] = slot;
        if (field->repeated && word_is_one_of(more, others, sizeof others / sizeof *others))
            parts[1] = slot;
    }
    Merge *merge = parts[0] && parts[1] ? add_merge(d, merges, end, list, parts, 2) : NULL;
    if (merge)
        merge->question = "is it the one, and then the others?";
}

/* ---- The name of a resource ------------------------------------------------------------------ */

static const char *behind_version(const char *path)
{
    path += *path == '/';
    if (path[0] == 'v' && path[1] >= '0' && path[1] <= '9')
        path += strcspn(path, "/");
    return path + (*path == '/');
}

/* "{name=projects/ * /topics/ *}" at the begin of a path, with the name's place in it; NULL: none.
 */
static const char *pattern_of(Arena *arena, const HttpRule *rule, const char **name_out)
{
    const char *path = behind_version(rule->path);
    size_t name = path[0] == '{' ? strcspn(path + 1, "=}") : 0;
    if (!name || path[1 + name] != '=')
        return NULL;
    *name_out = arena_text(arena, bytes(path + 1, name));
    const char *pattern = path + name + 2;
    return arena_text(arena, bytes(pattern, strcspn(pattern, "}")));
}

/* Goes along the pattern and the path: "projects/{project_id}" of both, with the parts that it
   names; NULL where they differ. */
static const char *along(Diffing *d, const Match *match, int end, const char *pattern,
                         const char *path, Slot **parts, uint32_t *n_out)
{
    Buffer template = buffer_in(d->arena);
    *n_out = 0;
    while (*pattern) {
        if (*pattern != '*') {
            if (*pattern != *path)
                return NULL;
            buffer_add_byte(&template, (uint8_t)*pattern++);
            path++;
            continue;
        }
        size_t size = path[0] == '{' ? strcspn(path, "}=") : 0;
        if (pattern[1] == '*' || !size || path[size] != '}' || *n_out == MOST_PARTS)
            return NULL;
        Slot *part = lost_slot(match, end, arena_text(d->arena, bytes(path + 1, size - 1)));
        if (!part || !is_text_or_number(slot_field(part)))
            return NULL;
        buffer_printf(&template, "{%s}", slot_field(part)->name);
        parts[(*n_out)++] = part;
        path += size + 1;
        pattern++;
    }
    buffer_add_byte(&template, 0);
    return *n_out ? (const char *)template.data : NULL;
}

static void find_name(Diffing *d, const Match *match, int end, const HttpRule *with_name,
                      const HttpRule *with_parts, Merges *merges)
{
    const char *name, *pattern = pattern_of(d->arena, with_name, &name);
    Slot *whole = pattern ? lost_slot(match, end, name) : NULL, *parts[MOST_PARTS];
    uint32_t n;
    if (!whole || !is_text(slot_field(whole)))
        return;
    const char *template =
        along(d, match, !end, pattern, behind_version(with_parts->path), parts, &n);
    Merge *merge = template ? add_merge(d, merges, end, whole, parts, n) : NULL;
    if (merge) {
        merge->template = template;
        merge->question = "are these the parts of the name, as in the HTTP binding?";
    }
}

static void find_names(Diffing *d, const Match *match, Merges *merges)
{
    const List *methods = lists_get(&d->methods_by_type[OLD], match->ends[OLD]->full_name);
    for (uint32_t i = 0; i < methods->n && i < MOST_NAMESAKES; i++) {
        const MethodType *old = methods->items[i],
                         *other = table_get(&d->methods[OLD], bytes_of(old->path));
        if (!other || old->input != match->ends[OLD] || other->input != match->ends[NEW] ||
            !old->http || !other->http)
            continue;
        find_name(d, match, NEW, other->http, old->http, merges);
        find_name(d, match, OLD, old->http, other->http, merges);
    }
}

void diff_find_merges(Diffing *d, Match *match)
{
    Merges *merges = &match->merges;
    find_names(d, match, merges);
    for (int end = 0; end < 2; end++)
        for (uint32_t i = 0; i < match->n_slots[end]; i++) {
            Slot *slot = &match->slots[end][i];
            if (!is_lost(match, end, slot))
                continue;
            find_whole(d, match, end, slot, merges);
            if (!slot->merged)
                find_list(d, match, end, slot, merges);
        }
}
