#include "gateway/log_output/log_readable.h"

#include "base/text/printable.h"

#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"
#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

typedef struct Writing {
    const LogView *view;
    Buffer *out;
    bool colours;
} Writing;

/* With a blank before it; nothing of what is empty. */
static void add(Writing *w, Bytes text)
{
    if (!text.size)
        return;
    buffer_add_byte(w->out, ' ');
    printable_add(w->out, text);
}

static void add_colour(Writing *w, const char *colour)
{
    if (w->colours && colour)
        buffer_add_text(w->out, colour);
}

/* "2026-11-30T10:33:00.123Z": the day is today's, mostly. */
static void add_time(Writing *w)
{
    Bytes time = log_view_get(w->view, "time");
    size_t day = bytes_find(time, 'T') + 1;
    add_colour(w, DIM);
    printable_add(w->out, bytes_slice(time, day, time.size > day ? time.size - day - 1 : 0));
    add_colour(w, PLAIN);
}

static const char *colour_of(const LogView *view)
{
    switch (log_view_severity(view)) {
    case 3: return RED;
    case 4: return YELLOW;
    default: return NULL;
    }
}

static void add_level(Writing *w)
{
    switch (log_view_severity(w->view)) {
    case 3: add(w, bytes_of("ERROR")); break;
    case 4: add(w, bytes_of("WARNING")); break;
    default: break;
    }
}

/* "UPSTREAM_DOWN: connecting to x, ..." */
static void add_causes(Writing *w)
{
    Bytes fault = log_view_get(w->view, "causes.0.fault"), doing;
    const char *path[] = {"causes.0.doing", "causes.1.doing", "causes.2.doing", "causes.3.doing"};
    if (!fault.size)
        return;
    add(w, fault);
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        doing = log_view_get(w->view, path[i]);
        if (!doing.size)
            continue;
        buffer_add_text(w->out, i ? ", " : ": ");
        printable_add(w->out, doing);
    }
}

static void add_versions(Writing *w)
{
    Bytes client = log_view_get(w->view, "client_version");
    Bytes served = log_view_get(w->view, "served_version");
    add(w, client);
    if (!served.size || bytes_equal(client, served))
        return;
    buffer_add_byte(w->out, client.size ? '>' : ' ');
    printable_add(w->out, served);
}

static void add_figure(Writing *w, const char *member, const char *behind)
{
    Bytes figure = log_view_get(w->view, member);
    if (!figure.size || bytes_are(figure, "0"))
        return;
    add(w, figure);
    buffer_add_text(w->out, behind);
}

static void add_call(Writing *w)
{
    const LogView *view = w->view;
    add(w, log_view_get(view, "code"));
    add_figure(w, "total_ms", "ms");
    add(w, log_view_get(view, "client"));
    add(w, log_view_get(view, "verb"));
    add(w, log_view_get(view, "path"));
    add(w, log_view_get(view, "method"));
    add_versions(w);
    add(w, log_view_get(view, "instance"));
    if (log_view_find(view, bytes_of("degraded")).size) {
        add(w, bytes_of("degraded by"));
        add(w, log_view_get(view, "degraded_by"));
    }
    add_figure(w, "losses", " lost");
    add_causes(w);
    add(w, log_view_get(view, "request_id"));
}

static void add_event(Writing *w)
{
    add(w, log_view_get(w->view, "event"));
    buffer_add_byte(w->out, ':');
    add(w, log_view_get(w->view, "message"));
    add_causes(w);
}

void log_readable_write(const LogView *view, bool colours, Buffer *out)
{
    Writing w = {.view = view, .out = out, .colours = colours};
    const char *colour = colour_of(view);
    add_time(&w);
    add_colour(&w, colour);
    add_level(&w);
    if (log_view_is_event(view))
        add_event(&w);
    else
        add_call(&w);
    if (colour)
        add_colour(&w, PLAIN);
}
