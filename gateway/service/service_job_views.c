/* What clients see of a job: the response of its method, its operation, and the responses of the
   methods that read what it works on. */
#include "gateway/service/service_job_internal.h"

#include "base/arena.h"

#include <ctype.h>

static const char *const state_keys[JOB_STATES] = {
    [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running", [JOB_WAITING] = "waiting",
    [JOB_FAILED] = "failed", [JOB_UNDOING] = "undoing", [JOB_UNDONE] = "undone",
    [JOB_DONE] = "done",
};

/* ---- What the config says -------------------------------------------------------------------- */

typedef struct Entry {
    const char *key, *value;
} Entry;

/* A map of strings. */
typedef struct Entries {
    Entry *items;
    size_t n;
    const char *path; /* "jobs[0].answer" */
} Entries;

/* Maps of jobs, and of methods that read, are of types of the same shape. */
#define READ_ENTRIES(entries, reader, from, n_from, its_path)                                      \
    do {                                                                                           \
        (entries)->items = arena_array((reader)->arena, Entry, n_from);                            \
        (entries)->n = (n_from);                                                                   \
        (entries)->path = (its_path);                                                              \
        for (size_t entry_ = 0; entry_ < (n_from); entry_++)                                       \
            (entries)->items[entry_] = (Entry){(from)[entry_]->key, (from)[entry_]->value};        \
    } while (0)

typedef struct ViewText {
    Entries answer, states;
    const char *state; /* the field of it; NULL: none */
    const char *state_path;
} ViewText;

/* ---- The state ------------------------------------------------------------------------------- */

static bool can_tell_state(const FieldType *field)
{
    return field->kind == KIND_STRING || field->enumeration;
}

static void check_state_names(const JobDraft *draft, const Entries *states)
{
    ConfigReader *reader = draft->reader;
    for (size_t i = 0; i < states->n; i++) {
        const char *key = states->items[i].key;
        JobState state = 0;
        while (state < JOB_STATES && strcmp(state_keys[state], key) != 0)
            state++;
        if (state == JOB_STATES)
            config_tell(reader, config_path(reader, "%s.%s", states->path, key),
                        config_hint(reader, key, state_keys, JOB_STATES), "%s is no state of a job",
                        key);
    }
}

/* What the config says for the state; NULL: nothing. */
static const char *said_for(const Entries *states, JobState state)
{
    for (size_t i = 0; i < states->n; i++)
        if (strcmp(states->items[i].key, state_keys[state]) == 0)
            return states->items[i].value;
    return NULL;
}

/* "RUNNING", or "SITE_STATE_RUNNING"; NULL: the enum has none. */
static const EnumValue *usual_value(const EnumType *type, const char *key)
{
    char name[16];
    size_t size = strlen(key);
    for (size_t i = 0; i <= size; i++)
        name[i] = (char)toupper((unsigned char)key[i]);
    const EnumValue *value = enum_value_by_name(type, bytes(name, size));
    for (uint32_t i = 0; !value && i < type->n_values; i++) {
        Bytes each = bytes_of(type->values[i].name);
        if (each.size > size + 1 && each.data[each.size - size - 1] == '_' &&
            bytes_are(bytes_slice(each, each.size - size, size), name))
            value = &type->values[i];
    }
    return value;
}

static void tell_no_value(const JobDraft *draft, const ViewText *text, const EnumType *type,
                          JobState state, const char *said)
{
    ConfigReader *reader = draft->reader;
    const char **names = arena_array(reader->arena, const char *, type->n_values);
    for (uint32_t i = 0; i < type->n_values; i++)
        names[i] = type->values[i].name;
    config_tell(reader, config_path(reader, "%s.%s", text->states.path, state_keys[state]),
                config_hint(reader, said, names, type->n_values), "%s has no value %s",
                type->full_name, said);
}

/* All at once, with what is to be written. */
static void check_all_said(const JobDraft *draft, const ViewText *text, const EnumType *type)
{
    Arena *arena = draft->reader->arena;
    Buffer missing = buffer_in(arena), hint = buffer_in(arena);
    for (JobState state = 0; state < JOB_STATES; state++) {
        if (said_for(&text->states, state) || usual_value(type, state_keys[state]))
            continue;
        const char *comma = missing.size ? ", " : "";
        buffer_printf(&missing, "%s%s", comma, state_keys[state]);
        buffer_printf(&hint, "%s%s: %s", comma, state_keys[state], type->values[0].name);
    }
    if (missing.size)
        config_tell(draft->reader, text->state_path,
                    arena_printf(arena, "states: {%.*s}", BYTES_ARGS(buffer_bytes(&hint))),
                    "%s has no value for %.*s", type->full_name,
                    BYTES_ARGS(buffer_bytes(&missing)));
}

static JobWord word_of(const JobDraft *draft, const ViewText *text, const FieldType *field,
                       JobState state)
{
    const char *said = said_for(&text->states, state);
    const EnumType *type = field->enumeration;
    if (!type)
        return (JobWord){.text = bytes_of(said ? said : state_keys[state])};
    const EnumValue *value =
        said ? enum_value_by_name(type, bytes_of(said)) : usual_value(type, state_keys[state]);
    if (!value && said)
        tell_no_value(draft, text, type, state, said);
    return value ? (JobWord){.text = bytes_of(value->name), .number = value->number}
                 : (JobWord){.number = 0};
}

static const FieldType *last_of(const FieldType *const *path)
{
    while (path[1])
        path++;
    return *path;
}

/* A method that reads has the words of the job, where they fit. */
static bool shares_words(const JobDraft *draft, const ViewText *text, JobView *view)
{
    const JobView *own = &draft->definition->view;
    if (view == own || text->states.n || !own->state)
        return false;
    const FieldType *field = last_of(view->state), *of_job = last_of(own->state);
    if (field->kind != of_job->kind || field->enumeration != of_job->enumeration)
        return false;
    memcpy(view->words, own->words, sizeof view->words);
    return true;
}

static void read_state(const JobDraft *draft, const ViewText *text, JobView *view)
{
    check_state_names(draft, &text->states);
    if (!text->state)
        return;
    view->state = service_field_path(draft->reader, view->type, bytes_of(text->state),
                                     text->state_path, can_tell_state, "a string or an enum");
    if (!view->state || shares_words(draft, text, view))
        return;
    if (last_of(view->state)->enumeration)
        check_all_said(draft, text, last_of(view->state)->enumeration);
    for (JobState state = 0; state < JOB_STATES; state++)
        view->words[state] = word_of(draft, text, last_of(view->state), state);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static void place(const JobDraft *draft, const ViewText *text, const Entry *entry,
                  Placement *placement, JobView *view)
{
    uint32_t source;
    Bytes rest;
    const char *path = config_path(draft->reader, "%s.%s", text->answer.path, entry->key);
    if (text->state && strcmp(text->state, entry->key) == 0)
        config_tell(draft->reader, path, "leave it out", "%s is the field of the state",
                    entry->key);
    if (!job_take_source(draft, entry->value, path, &view->needs, &source, &rest))
        return;
    if (source > draft->names.n && bytes_are(rest, "key"))
        config_tell(draft->reader, path, "job.id", "job.key is only known to a step");
    service_place(draft->reader, placement, entry->key, source, rest, text->answer.path);
}

/* ---- Versions -------------------------------------------------------------------------------- */

/* Of a response its own mapping, of what an operation results in that of its type. NULL: there is
   none. */
static const Mapping *mapping_to(const JobDraft *draft, const JobView *view, const Version *to)
{
    const Version *from = draft->method->version;
    const MappingSet *set = from->to[to->index];
    if (!set)
        return NULL;
    return view->type == view->method->type->output ? mapping_set_output(set, view->method->type)
                                                    : mapping_set_find(set, view->type);
}

/* The method in that version, if its route hides something of what the view is; else NULL. */
static const Method *hiding_method(const JobView *view, const Version *to)
{
    const Method *method = view->method;
    if (to != method->version)
        method = method->pairs[to->index].target;
    return method && method->extras->shown && view->type == view->method->type->output ? method
                                                                                       : NULL;
}

static Result make_conversion(const JobDraft *draft, const JobView *view, const Version *to,
                              MessageConversion *conversion)
{
    const Version *from = draft->method->version;
    const Mapping *mapping = mapping_to(draft, view, to);
    const Method *hiding = hiding_method(view, to);
    PlanOptions options = {.from = CODEC_PROTO,
                           .to = CODEC_PROTO,
                           .unknown = UNKNOWN_COUNT,
                           .types = from->to[to->index]};
    if (to == from && !hiding) {
        conversion->type = view->type;
        return OK;
    }
    if (!mapping)
        return OK;
    if (hiding) {
        mapping = config_restrict(draft->reader, hiding, mapping);
        config_show_options(hiding, &options);
    }
    conversion->type = mapping->to;
    return service_plan(draft->reader, mapping, &options, &conversion->plan);
}

static Result make_conversions(const JobDraft *draft, JobView *view)
{
    const Service *service = draft->method->version->service;
    MessageConversion *to =
        arena_array(draft->reader->arena, MessageConversion, service->n_versions);
    view->to = to;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        Result r = make_conversion(draft, view, &service->versions[i], &to[i]);
        if (failed(r))
            return r;
    }
    return OK;
}

/* ---- Views ----------------------------------------------------------------------------------- */

static Result make_view(const JobDraft *draft, const ViewText *text, JobView *view)
{
    Placement *placement = placement_new(draft->reader->arena, draft->envelope, view->type);
    for (size_t i = 0; i < text->answer.n; i++)
        place(draft, text, &text->answer.items[i], placement, view);
    read_state(draft, text, view);
    Result r = service_place_plan(draft->reader, placement, false, &view->plan);
    return failed(r) || draft->reader->problems->n ? r : make_conversions(draft, view);
}

static ViewText text_of(const JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const Passerelle__Config__Job *said = draft->text;
    ViewText text = {.state = said->state,
                     .state_path = config_path(reader, "%s.state", draft->path)};
    READ_ENTRIES(&text.answer, reader, said->answer, said->n_answer,
                 config_path(reader, "%s.answer", draft->path));
    READ_ENTRIES(&text.states, reader, said->states, said->n_states,
                 config_path(reader, "%s.states", draft->path));
    return text;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static bool is_operation(const MessageType *type)
{
    return strcmp(type->full_name, "google.longrunning.Operation") == 0;
}

/* What the operation results in; NULL: a mistake, which was reported. */
static const MessageType *result_type(const JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const MethodType *method = draft->method->type;
    const char *path = config_path(reader, "%s.result", draft->path), *said = draft->text->result;
    const MessageType *type = method->operation_response;
    if (said)
        type = schema_message(draft->method->version->schema, bytes_of(said));
    if (!type && said)
        config_tell(reader, path, "its full name, for example hosting.v2.Site",
                    "the schema of %s has no message %s", draft->method->version->name, said);
    else if (!type)
        config_tell(reader, draft->path, "result: the full name of a message",
                    "%s begins an operation, and nothing says what is in its response",
                    method->path);
    return type;
}

static Result make_metadata(const JobDraft *draft)
{
    ConfigReader *reader = draft->reader;
    const MessageType *type = draft->method->type->operation_metadata;
    ViewText text = {.state = NULL};
    READ_ENTRIES(&text.answer, reader, draft->text->metadata, draft->text->n_metadata,
                 config_path(reader, "%s.metadata", draft->path));
    if (!text.answer.n)
        return OK;
    if (!type) {
        config_tell(reader, text.answer.path, "leave it out",
                    "google.longrunning.operation_info of %s does not say what metadata is",
                    draft->method->type->path);
        return OK;
    }
    JobView *view = arena_make(reader->arena, JobView);
    *view = (JobView){.method = draft->method, .type = type};
    draft->definition->metadata = view;
    return make_view(draft, &text, view);
}

static void check_no_operation(const JobDraft *draft)
{
    if (draft->text->result)
        config_tell(draft->reader, config_path(draft->reader, "%s.result", draft->path),
                    "leave it out", "the response of %s is no google.longrunning.Operation",
                    draft->method->type->path);
    if (draft->text->n_metadata)
        config_tell(draft->reader, config_path(draft->reader, "%s.metadata", draft->path),
                    "leave it out", "the response of %s is no google.longrunning.Operation",
                    draft->method->type->path);
}

Result job_make_views(JobDraft *draft)
{
    JobDefinition *definition = draft->definition;
    const MessageType *output = draft->method->type->output;
    ViewText text = text_of(draft);
    definition->is_operation = is_operation(output);
    definition->view.method = draft->method;
    definition->view.type = definition->is_operation ? result_type(draft) : output;
    if (!definition->is_operation)
        check_no_operation(draft);
    if (!definition->view.type)
        return OK;
    Result r = make_view(draft, &text, &definition->view);
    return failed(r) || !definition->is_operation ? r : make_metadata(draft);
}

/* ---- Methods that read ----------------------------------------------------------------------- */

/* The same message is the same view. */
static Result share_view(JobDraft *draft, const char *path, JobView *view)
{
    const JobView *own = &draft->definition->view;
    const Method *method = view->method;
    if (view->type == own->type) {
        *view = *own;
        view->method = method;
    } else {
        config_tell(draft->reader, path, "answer: {...}",
                    "the response of %s is %s, and not %s, which the job is", method->type->path,
                    view->type->full_name, own->type ? own->type->full_name : "a message");
    }
    return OK;
}

Result job_make_read(JobDraft *draft, const Passerelle__Config__JobRead *said, const char *path,
                     JobView *view)
{
    ConfigReader *reader = draft->reader;
    view->type = view->method->type->output;
    if (!said->n_answer)
        return share_view(draft, path, view);
    ViewText text = {.state = said->state, .state_path = config_path(reader, "%s.state", path)};
    READ_ENTRIES(&text.answer, reader, said->answer, said->n_answer,
                 config_path(reader, "%s.answer", path));
    READ_ENTRIES(&text.states, reader, said->states, said->n_states,
                 config_path(reader, "%s.states", path));
    return make_view(draft, &text, view);
}
