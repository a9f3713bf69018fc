#include "gateway/dial/dial_show.h"

#include "adapters/mapping/loss.h"
#include "base/arena.h"
#include "base/text/json_text.h"
#include "base/text/printable.h"
#include "gateway/dial/dial_marks.h"

#define BOLD "1"
#define RED "31"
#define GREEN "32"
#define YELLOW "33"

#define MILLISECONDS(time) ((unsigned long long)((time) / 1000000))

static void colour(const DialShow *show, const char *code)
{
    if (show->colours)
        buffer_printf(show->out, "\x1b[%sm", code);
}

static void plain(const DialShow *show)
{
    colour(show, "0");
}

DialShow dial_show_in(Arena *arena, Buffer *out)
{
    return (DialShow){
        .arena = arena, .out = out, .requests = buffer_in(arena), .responses = buffer_in(arena)};
}

static const char *name_of(const Method *method, Arena *arena)
{
    return arena_printf(arena, "%s.%s/%s", method->version->service->name,
                        method->type->service->name, method->type->name);
}

void dial_show_begin(DialShow *show, const DialPlans *plans, const char *where)
{
    const Method *method = plans->method;
    show->where = where;
    show->n_requests = show->n_responses = 0;
    show->requests = buffer_in(show->arena);
    show->responses = buffer_in(show->arena);
    colour(show, BOLD);
    buffer_add_text(show->out, name_of(method, show->arena));
    plain(show);
    buffer_printf(show->out, " as a client of %s, ", method->version->name);
    if (show->through)
        buffer_printf(show->out, "through the gateway at %s; by this config it is served as %s\n",
                      where, plans->served->name);
    else
        buffer_printf(show->out, "served as %s by %s\n", plans->served->name, where);
}

/* ---- Messages as text ------------------------------------------------------------------------ */

static const char *const markers[] = {[DIAL_SAME] = " ", [DIAL_DIFFERS] = "", [DIAL_LOST] = "!"};

static void add_line(DialShow *show, const DialLine *line, bool before)
{
    static const char *const colours[] = {[DIAL_DIFFERS] = YELLOW, [DIAL_LOST] = RED};
    const char *code = line->mark == DIAL_DIFFERS && !before ? GREEN : colours[line->mark];
    const char *marker = line->mark == DIAL_DIFFERS ? (before ? "-" : "+") : markers[line->mark];
    bool marked = line->mark != DIAL_SAME;
    show->marked |= marked;
    if (marked)
        colour(show, code);
    buffer_printf(show->out, "   %s %*s", marker, (int)line->depth * 2, "");
    printable_add(show->out, line->text);
    if (line->loss)
        buffer_printf(show->out, "    <- %s", loss_kind_name(line->loss->loss->kind));
    if (marked)
        plain(show);
    buffer_add_byte(show->out, '\n');
}

static void add_raw(DialShow *show, Bytes json)
{
    buffer_add_text(show->out, "     ");
    printable_add(show->out, json);
    buffer_add_byte(show->out, '\n');
}

static void add_title(DialShow *show, const char *title, const Version *version, uint32_t n)
{
    buffer_add_byte(show->out, '\n');
    colour(show, BOLD);
    buffer_printf(show->out, "%s (%s)", title, version->name);
    if (n > 1)
        buffer_printf(show->out, ", message %u", n);
    plain(show);
    buffer_add_byte(show->out, '\n');
}

static void add_lines(DialShow *show, const DialSide *side)
{
    DialLines lines;
    Result r = dial_marks_make(side, show->arena, &lines);
    for (uint32_t i = 0; i < lines.n && !failed(r); i++)
        add_line(show, &lines.items[i], side->source);
    if (failed(r))
        add_raw(show, side->json);
    error_ignore(r, "it is shown without marks, as it is");
}

static void add_losses(DialShow *show, const DialSides *sides)
{
    for (uint32_t i = 0; i < sides->n_losses; i++) {
        const Loss *loss = sides->losses[i].loss;
        bool lost = loss->kind != LOSS_DEFAULTED;
        colour(show, lost ? RED : GREEN);
        buffer_printf(show->out, "   %s %s %s",
                      lost ? "lost:" : "filled in:", loss_kind_name(loss->kind), loss->path);
        if (sides->losses[i].n > 1)
            buffer_printf(show->out, ", %u times", sides->losses[i].n);
        if (loss->how[0])
            buffer_printf(show->out, ": %s", loss->how);
        if (loss->file)
            buffer_printf(show->out, " [%s:%d]", loss->file, loss->line);
        plain(show);
        buffer_add_byte(show->out, '\n');
    }
    if (sides->n_unknown) {
        colour(show, RED);
        buffer_printf(show->out, "   lost: %u fields that the schema does not have",
                      sides->n_unknown);
        plain(show);
        buffer_add_byte(show->out, '\n');
    }
}

/* What is said of a message in one direction. */
typedef struct Direction {
    const char *first, *second, *both; /* titles */
    const Version *from, *to;
    const MessageType *from_type, *to_type;
    Bytes before, after;
} Direction;

static void add_message(DialShow *show, const Direction *d, const DialSides *sides, uint32_t n)
{
    if (d->from == d->to && bytes_equal(d->before, d->after)) {
        add_title(show, d->both, d->from, n);
        add_lines(show, &(DialSide){.type = d->from_type, .json = d->before, .source = true});
        return;
    }
    DialSide side = {d->from_type, d->before, d->after, sides->losses, sides->n_losses, true};
    add_title(show, d->first, d->from, n);
    add_lines(show, &side);
    if (d->after.data) {
        side = (DialSide){d->to_type, d->after, d->before, sides->losses, sides->n_losses, false};
        add_title(show, d->second, d->to, n);
        add_lines(show, &side);
    }
    add_losses(show, sides);
}

/* ---- Messages as JSON ------------------------------------------------------------------------ */

static void add_json(Buffer *out, const char *name, Bytes json)
{
    if (!json.data)
        return;
    json_text_add_key(out, name);
    buffer_add_bytes(out, json);
}

static void add_losses_json(const DialSides *sides, Buffer *out)
{
    json_text_open_list(out, "losses");
    for (uint32_t i = 0; i < sides->n_losses; i++) {
        const DialLoss *each = &sides->losses[i];
        json_text_open_item(out);
        json_text_add_member(out, "path", bytes_of(each->loss->path));
        json_text_add_member(out, "what", bytes_of(loss_kind_name(each->loss->kind)));
        json_text_add_member(out, "how", bytes_of(each->loss->how));
        json_text_add_number(out, "n", each->n);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_message_json(const DialSides *sides, Buffer *out)
{
    json_text_open_item(out);
    add_json(out, "client", sides->client);
    add_json(out, "instance", sides->instance);
    add_losses_json(sides, out);
    json_text_add_number(out, "unknown_fields", sides->n_unknown);
    buffer_add_byte(out, '}');
}

void dial_show_request(DialShow *show, const DialPlans *plans, const DialSides *sides)
{
    const Method *method = plans->method;
    const MethodType *target = method->pairs[plans->served->index].target->type;
    Direction d = {.first = "1  request of the client",
                   .second = show->through ? "2  request to an instance, by this config"
                                           : "2  request to the instance",
                   .both = "1, 2  request, not converted",
                   .from = method->version,
                   .to = plans->served,
                   .from_type = method->type->input,
                   .to_type = target->input,
                   .before = sides->client,
                   .after = sides->instance};
    add_message(show, &d, sides, ++show->n_requests);
    add_message_json(sides, &show->requests);
    show->lost |= dial_sides_lose(sides);
}

void dial_show_response(DialShow *show, const DialPlans *plans, const DialSides *sides)
{
    const Method *method = plans->method;
    const MethodType *target = method->pairs[plans->served->index].target->type;
    Direction d = {.first = "3  response of the instance",
                   .second = "4  response to the client",
                   .both = "3, 4  response, not converted",
                   .from = plans->served,
                   .to = method->version,
                   .from_type = target->output,
                   .to_type = method->type->output,
                   .before = sides->instance,
                   .after = sides->client};
    uint32_t n = ++show->n_responses;
    if (show->through) {
        add_title(show, d.second, d.to, n);
        add_lines(show, &(DialSide){.type = d.to_type, .json = sides->client});
    } else {
        add_message(show, &d, sides, n);
    }
    add_message_json(sides, &show->responses);
    show->lost |= dial_sides_lose(sides);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* One line for each link of the chain. */
static void add_chain(DialShow *show, const Error *error)
{
    for (; error; error = error->cause) {
        buffer_printf(show->out, "   because %s: ", error->fault->name);
        printable_add(show->out, bytes_of(error->doing));
        buffer_add_byte(show->out, '\n');
        for (const Error *also = error->also; also; also = also->also) {
            buffer_printf(show->out, "   and %s: ", also->fault->name);
            printable_add(show->out, bytes_of(also->doing));
            buffer_add_byte(show->out, '\n');
        }
    }
}

static void add_details(DialShow *show, const DialPlans *plans, const DialSides *sides)
{
    if (!sides->client.data || bytes_are(sides->client, "[]"))
        return;
    Direction d = {.first = "3  details of the error from the instance",
                   .second = "4  details of the error to the client",
                   .both = "3, 4  details of the error",
                   .from = plans->served,
                   .to = plans->method->version,
                   .before = sides->instance,
                   .after = sides->client};
    if (show->through)
        d.from = d.to;
    add_message(show, &d, sides, 1);
}

static void add_legend(DialShow *show)
{
    if (show->marked)
        buffer_add_text(show->out, "- and + differ from the other side: renamed, moved, converted "
                                   "or filled in; ! is lost\n");
}

static void add_end(DialShow *show, const DialEnd *end)
{
    const Status *status = &end->status;
    bool good = status->code == CODE_OK;
    buffer_add_byte(show->out, '\n');
    colour(show, good ? GREEN : RED);
    buffer_add_text(show->out, code_name(status->code));
    plain(show);
    if (end->time)
        buffer_printf(show->out, " after %llu ms", MILLISECONDS(end->time));
    if (status->message.size && !status->error) {
        buffer_add_text(show->out, ": ");
        printable_add(show->out, status->message);
    }
    buffer_add_byte(show->out, '\n');
    add_chain(show, status->error);
    add_legend(show);
}

static void add_fields_json(const char *name, const Fields *fields, Buffer *out)
{
    json_text_open_list(out, name);
    for (uint32_t i = 0; i < fields->n; i++) {
        json_text_open_item(out);
        json_text_add_member(out, "name", fields->items[i].name);
        json_text_add_member(out, "value", fields->items[i].value);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_chain_json(const Error *error, Buffer *out)
{
    json_text_open_list(out, "causes");
    for (; error; error = error->cause) {
        json_text_open_item(out);
        json_text_add_member(out, "fault", bytes_of(error->fault->name));
        json_text_add_member(out, "doing", bytes_of(error->doing));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_list(Buffer *out, const char *name, const Buffer *elements)
{
    json_text_open_list(out, name);
    buffer_add_bytes(out, buffer_bytes(elements));
    buffer_add_byte(out, ']');
}

static void add_names_json(const DialShow *show, const DialPlans *plans, Buffer *out)
{
    if (!plans)
        return;
    json_text_add_member(out, "method", bytes_of(name_of(plans->method, show->arena)));
    json_text_add_member(out, "version", bytes_of(plans->method->version->name));
    json_text_add_member(out, "served_version", bytes_of(plans->served->name));
    json_text_add_member(out, show->through ? "gateway" : "instance", bytes_of(show->where));
}

static void write_json(const DialShow *show, const DialPlans *plans, const DialEnd *end,
                       const DialSides *details, Buffer *out)
{
    const Status *status = &end->status;
    buffer_add_byte(out, '{');
    add_names_json(show, plans, out);
    add_list(out, "requests", &show->requests);
    add_list(out, "responses", &show->responses);
    json_text_add_member(out, "code", bytes_of(code_name(status->code)));
    json_text_add_member(out, "message", status->message);
    add_chain_json(status->error, out);
    json_text_open_list(out, "details");
    if (details->client.data)
        add_message_json(details, out);
    buffer_add_byte(out, ']');
    json_text_add_bool(out, "lost", show->lost);
    json_text_add_bool(out, "reached", !end->unreached);
    json_text_add_number(out, "ms", MILLISECONDS(end->time));
    add_fields_json("head", &end->head, out);
    add_fields_json("trailers", &end->trailers, out);
    buffer_add_byte(out, '}');
}

void dial_show_end(DialShow *show, const DialPlans *plans, const DialEnd *end)
{
    DialSides details = {.client = BYTES_NONE};
    Result r = OK;
    if (plans && end->status.details.size)
        r = dial_details_convert(plans, end->status.details, show->arena, &details);
    error_ignore(r, "without its details the error is the same");
    if (plans)
        add_details(show, plans, &details);
    show->lost |= dial_sides_lose(&details);
    add_end(show, end);
    if (!show->json)
        return;
    *show->out = buffer_in(show->arena);
    write_json(show, plans, end, &details, show->out);
}
