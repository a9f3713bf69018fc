#include "base/result.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT(name, http, grpc, retryable, side, text, advice)                                     \
    const Fault FAULT_##name = {#name, text, http, grpc, retryable, side};
#include "base/faults.def"
#undef FAULT

const Fault *const fault_table[] = {
#define FAULT(name, http, grpc, retryable, side, text, advice) &FAULT_##name,
#include "base/faults.def"
#undef FAULT
    NULL,
};

const Fault *fault_by_name(const char *name)
{
    for (size_t i = 0; fault_table[i]; i++) {
        if (strcmp(fault_table[i]->name, name) == 0)
            return fault_table[i];
    }
    return NULL;
}

static const char *format_in(Arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        return "";

    char *text = arena_alloc(arena, (size_t)size + 1);
    if (!text)
        return "";
    vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

/* The chain that `error` is put before. An arena at its limit gives its one spare error again,
   which the chain may already contain at any place: it is left out then, for a chain has an end. */
static const Error *chain_beneath(const Error *error, const Error *cause)
{
    for (const Error *link = cause; link; link = link->cause) {
        if (link == error)
            return NULL;
    }
    return cause;
}

Result error_new(Arena *arena, const Fault *fault, Result cause, const char *field,
                 const char *file, int line, const char *format, ...)
{
    Error *error = arena_error(arena);
    va_list args;
    va_start(args, format);
    *error = (Error){
        .fault = fault,
        .cause = chain_beneath(error, cause.error),
        .doing = format_in(arena, format, args),
        .field = field && *field ? arena_string(arena, field) : NULL,
        .told = field != NULL,
        .file = file,
        .line = line,
    };
    va_end(args);
    return (Result){error};
}

/* An arena at its limit gives its one spare error again: it has no others beside it then. */
static const Error *beside(Arena *arena, const Error *first, const Error *others)
{
    Error *error = arena_error(arena);
    for (const Error *other = others; other; other = other->also) {
        if (other == error)
            return first;
    }
    *error = *first;
    error->also = others;
    return error;
}

Result error_with_others(Arena *arena, const Result *mistakes, size_t n)
{
    const Error *all = NULL;
    for (size_t i = n; i > 0; i--)
        all = all ? beside(arena, mistakes[i - 1].error, all) : mistakes[i - 1].error;
    return (Result){all};
}

static const Error *copy_chain(Arena *arena, const Error *from)
{
    if (!from)
        return NULL;
    Error *copy = arena_error(arena);
    const Error *cause = copy_chain(arena, from->cause);
    *copy = *from;
    copy->cause = chain_beneath(copy, cause);
    copy->doing = arena_string(arena, from->doing);
    copy->field = from->field ? arena_string(arena, from->field) : NULL;
    copy->also = NULL;
    return from->also ? beside(arena, copy, copy_chain(arena, from->also)) : copy;
}

Result error_copy(Arena *arena, Result r)
{
    return (Result){copy_chain(arena, r.error)};
}

const char *error_text(Arena *arena, Result r)
{
    if (!failed(r))
        return "ok";

    size_t size = 1;
    for (const Error *e = r.error; e; e = e->cause)
        size += strlen("; because ") + strlen(e->fault->name) + strlen(": ") + strlen(e->doing);

    char *text = arena_alloc(arena, size);
    if (!text)
        return r.error->fault->name;
    char *end = text;
    for (const Error *e = r.error; e; e = e->cause)
        end += sprintf(end, "%s%s: %s", e == r.error ? "" : "; because ", e->fault->name, e->doing);
    return text;
}

const Error *error_with_field(Result r)
{
    const Error *e = r.error;
    while (e && !e->field)
        e = e->cause;
    return e;
}

const Error *error_origin(Result r)
{
    const Error *e = r.error;
    while (e && e->cause)
        e = e->cause;
    return e;
}

void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: bug: %s does not hold\n", file, line, condition);
    abort();
}
