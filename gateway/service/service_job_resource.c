/* What a job works on, and the methods that have to do with it while it is unfinished. */
#include "gateway/service/service_job_internal.h"

#include "base/arena.h"

static bool can_be_key(const FieldType *field)
{
    return field->kind == KIND_STRING || service_is_whole(field);
}

static const FieldType *const *key_path(const JobDraft *draft, const Method *method, Bytes said,
                                        const char *path)
{
    return service_field_path(draft->reader, method->type->input, said, path, can_be_key,
                              "a string or a whole number");
}

/* ---- Method.job ------------------------------------------------------------------------------ */

static bool is_same_path(const FieldType *const *a, const FieldType *const *b)
{
    for (; a && b && *a == *b; a++, b++)
        if (!*a)
            return true;
    return a == b;
}

static bool is_same_kind(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool agree(const JobMethod *a, const JobMethod *b)
{
    return a->use == b->use && is_same_kind(a->kind, b->kind) && is_same_path(a->key, b->key);
}

static const char *use_shown(ConfigReader *reader, const JobMethod *job)
{
    static const char *const uses[] = {[JOB_BEGINS] = "begins jobs",
                                       [JOB_READS] = "is answered from jobs",
                                       [JOB_BLOCKED] = "is blocked by jobs"};
    return job->kind ? config_path(reader, "%s of the kind %s", uses[job->use], job->kind)
                     : uses[job->use];
}

void job_claim_method(JobDraft *draft, Method *method, const char *path, const JobMethod *said)
{
    ConfigReader *reader = draft->reader;
    const JobMethod *before = method->extras->job;
    if (!draft->definition->accepts)
        return;
    if (method->extras->composed) {
        config_tell(reader, path, NULL, "%s is composed", method->type->path);
        return;
    }
    if (before && !agree(said, before)) {
        config_tell(reader, path, "the same kind and key everywhere",
                    "%s %s already, by another key or kind, or in another way", method->type->path,
                    use_shown(reader, before));
        return;
    }
    if (before)
        return;
    JobMethod *job = arena_make(reader->arena, JobMethod);
    *job = *said;
    MethodExtras *extras = method_extras(reader->arena, method);
    extras->job = job;
    extras->made_as = method;
    extras->maker = MAKER_JOB;
    extras->made_bytes =
        said->use == JOB_BEGINS ? said->definition->bytes : reader->config->limits.message_bytes;
}

/* ---- Its methods ----------------------------------------------------------------------------- */

/* In the version of the job; NULL: a mistake, which was reported. */
static Method *find_method(const JobDraft *draft, const char *said, const char *path)
{
    ConfigReader *reader = draft->reader;
    const Version *version = draft->method->version;
    const char *here = config_path(reader, "%s.method", path), *dot = said ? strchr(said, '.') : "";
    const char *name = version->service->name;
    if (!said)
        return NULL;
    if (!dot || !bytes_are(bytes(said, (size_t)(dot - said)), name)) {
        config_tell(reader, here, config_path(reader, "%s.RpcService/Method", name),
                    "%s is no method of %s, the service of the job", said, name);
        return NULL;
    }
    Method *method = service_find_method(reader, version, dot + 1, here);
    return method && service_check_unary(reader, method, here) ? method : NULL;
}

static const FieldType *const *other_key(const JobDraft *draft, const Method *method,
                                         const char *said, const char *path)
{
    return said
               ? key_path(draft, method, bytes_of(said), config_path(draft->reader, "%s.key", path))
               : NULL;
}

static Result make_read(JobDraft *draft, size_t i, JobView *view)
{
    const Passerelle__Config__JobRead *text = draft->text->resource->read[i];
    const char *path = config_path(draft->reader, "%s.resource.read[%zu]", draft->path, i);
    Method *method = find_method(draft, text->method, path);
    const FieldType *const *key = method ? other_key(draft, method, text->key, path) : NULL;
    if (!key)
        return OK;
    JobMethod job = {.use = JOB_READS, .kind = draft->definition->resource.kind, .key = key};
    job_claim_method(draft, method, config_path(draft->reader, "%s.method", path), &job);
    view->method = method;
    return job_make_read(draft, text, path, view);
}

static void make_block(JobDraft *draft, size_t i)
{
    const Passerelle__Config__JobBlock *text = draft->text->resource->block[i];
    const char *path = config_path(draft->reader, "%s.resource.block[%zu]", draft->path, i);
    Method *method = find_method(draft, text->method, path);
    const FieldType *const *key = method ? other_key(draft, method, text->key, path) : NULL;
    JobMethod job = {.use = JOB_BLOCKED, .kind = draft->definition->resource.kind, .key = key};
    if (key)
        job_claim_method(draft, method, config_path(draft->reader, "%s.method", path), &job);
}

static Result make_methods(JobDraft *draft)
{
    const Passerelle__Config__JobResource *text = draft->text->resource;
    JobResource *resource = &draft->definition->resource;
    JobView *views = arena_array(draft->reader->arena, JobView, text->n_read);
    const JobView **reads = arena_array(draft->reader->arena, const JobView *, text->n_read);
    resource->reads = reads;
    resource->n_reads = (uint32_t)text->n_read;
    for (size_t i = 0; i < text->n_read; i++) {
        reads[i] = &views[i];
        Result r = make_read(draft, i, &views[i]);
        if (failed(r))
            return r;
    }
    for (size_t i = 0; i < text->n_block; i++)
        make_block(draft, i);
    return OK;
}

/* ---- The key --------------------------------------------------------------------------------- */

/* What is known as soon as the job is accepted: the request, and its id. */
static void read_key(JobDraft *draft, const char *said)
{
    const char *path = config_path(draft->reader, "%s.resource.key", draft->path);
    Bytes rest = bytes_of(said);
    if (strcmp(said, "job.id") == 0)
        return;
    if (!bytes_start_with(rest, "request.")) {
        config_tell(draft->reader, path, "request.name, or job.id",
                    "%s is not known when the job is accepted", said);
        return;
    }
    rest = bytes_slice(rest, strlen("request."), SIZE_MAX);
    draft->definition->resource.key = key_path(draft, draft->method, rest, path);
}

Result job_make_resource(JobDraft *draft)
{
    const Passerelle__Config__JobResource *text = draft->text->resource;
    JobResource *resource = &draft->definition->resource;
    if (!text || !text->kind || !text->key)
        return OK;
    const char *path = config_path(draft->reader, "%s.resource.kind", draft->path);
    if (!config_is_word(text->kind, "-_."))
        config_tell(draft->reader, path, "letters, digits, -, _ and dots, for example site",
                    "\"%s\" cannot be the name of a kind", text->kind);
    resource->kind = text->kind;
    resource->busy = text->busy == PASSERELLE__CONFIG__JOB_BUSY__JOB_BUSY_QUEUE ? JOB_BUSY_QUEUE
                                                                                : JOB_BUSY_REFUSE;
    read_key(draft, text->key);
    return make_methods(draft);
}
