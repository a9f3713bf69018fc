#include "base/problem.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void problem_add(Problems *problems, const char *file, int line, int column, const char *path,
                 const char *hint, const char *reason_format, ...)
{
    if (problems->n == problems->capacity) {
        size_t capacity = problems->capacity ? problems->capacity * 2 : 16;
        Problem *grown = arena_grow(problems->arena, problems->items, problems->n * sizeof(Problem),
                                    capacity * sizeof(Problem));
        CHECK(grown); /* load-time arenas have no limit */
        problems->items = grown;
        problems->capacity = capacity;
    }

    Buffer reason = buffer_in(problems->arena);
    char text[1024];
    va_list args;
    va_start(args, reason_format);
    text_format(text, sizeof text, reason_format, args);
    va_end(args);
    buffer_add(&reason, text, strlen(text) + 1);

    problems->items[problems->n++] = (Problem){
        .file = arena_string(problems->arena, file),
        .line = line,
        .column = column,
        .path = arena_string(problems->arena, path),
        .reason = (const char *)reason.data,
        .hint = hint ? arena_string(problems->arena, hint) : NULL,
    };
}

static bool is_equal(const Problem *a, const Problem *b)
{
    return a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->reason, b->reason) == 0;
}

void problems_forget_equal(Problems *problems, size_t first)
{
    size_t n = first;
    for (size_t i = first; i < problems->n; i++) {
        size_t known = first;
        while (known < n && !is_equal(&problems->items[known], &problems->items[i]))
            known++;
        if (known == n)
            problems->items[n++] = problems->items[i];
    }
    problems->n = n;
}

static bool same_place(const Problem *a, const Problem *b)
{
    return a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0;
}

void problems_forget_following(Problems *problems, size_t first)
{
    size_t n = first;
    for (size_t i = first; i < problems->n; i++) {
        size_t known = 0;
        while (known < first && !same_place(&problems->items[known], &problems->items[i]))
            known++;
        if (known == first)
            problems->items[n++] = problems->items[i];
    }
    problems->n = n;
}

static int by_place(const void *a, const void *b)
{
    const Problem *p = *(const Problem *const *)a, *q = *(const Problem *const *)b;
    int order = strcmp(p->file, q->file);
    if (order == 0)
        order = (p->line > q->line) - (p->line < q->line);
    if (order == 0)
        order = (p->column > q->column) - (p->column < q->column);
    return order ? order : (p > q) - (p < q);
}

void problems_print(const Problems *problems, Buffer *out)
{
    const Problem **sorted = arena_array(problems->arena, const Problem *, problems->n);
    CHECK(sorted);
    for (size_t i = 0; i < problems->n; i++)
        sorted[i] = &problems->items[i];
    qsort(sorted, problems->n, sizeof *sorted, by_place);

    for (size_t i = 0; i < problems->n; i++) {
        const Problem *p = sorted[i];
        if (p->line)
            buffer_printf(out, "%s:%d:%d: ", p->file, p->line, p->column);
        else
            buffer_printf(out, "%s: ", p->file);
        if (p->path[0])
            buffer_printf(out, "%s: ", p->path);
        buffer_add_text(out, p->reason);
        if (p->hint)
            buffer_printf(out, " (%s)", p->hint);
        buffer_add_byte(out, '\n');
    }
}

/* Levenshtein distance; `most` + 1 if a word is too long. */
static size_t edit_distance(Bytes a, Bytes b, size_t most)
{
    size_t row[64];
    if (b.size >= 64 || a.size >= 64)
        return most + 1;
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.size];
}

/* "cert" for "certificate"; NULL if there are several, or less than three letters. */
static const char *abbreviated(Bytes word, const char *const *words, size_t n)
{
    const char *found = NULL;
    for (size_t i = 0; i < n && word.size >= 3; i++) {
        if (strlen(words[i]) < word.size || memcmp(words[i], word.data, word.size) != 0)
            continue;
        if (found)
            return NULL;
        found = words[i];
    }
    return found;
}

/* Who slips twice has the first letter right. */
static bool may_be_meant(Bytes word, Bytes other, size_t distance)
{
    return other.size && (distance <= 1 || (word.size && word.data[0] == other.data[0]));
}

const char *nearest_word(Bytes word, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t best = word.size / 3 + 1;
    for (size_t i = 0; i < n; i++) {
        size_t distance = edit_distance(word, bytes_of(words[i]), best);
        if (distance <= best && (!nearest || distance < best) &&
            may_be_meant(word, bytes_of(words[i]), distance)) {
            nearest = words[i];
            best = distance;
        }
    }
    return nearest ? nearest : abbreviated(word, words, n);
}
