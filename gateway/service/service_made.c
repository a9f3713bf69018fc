/* Methods whose responses the gateway makes itself, by composing them or by jobs: in which version
   for the clients of the others, and that none needs itself. */
#include "gateway/service/service_internal.h"

#include "base/arena.h"

/* The version that the response of another one's method is made in: as an instance would be picked.
 */
static void choose_made(Arena *arena, const Service *service)
{
    for (uint32_t i = 0; i < service->n_versions; i++)
        for (uint32_t k = 0; k < service->versions[i].n_methods; k++) {
            Method *method = &service->versions[i].methods[k];
            for (uint32_t n = method->n_preferred; n-- > 0;) {
                const Method *target = method->pairs[method->preferred[n]->index].target;
                if (target && target->extras->made_as == target)
                    method_extras(arena, method)->made_as = target;
            }
        }
}

/* ---- Circles --------------------------------------------------------------------------------- */

static bool needs(const Method *by, const Method *method, bool *seen);

/* Whether a call of `called`, in the version in which it is made, needs a call of the method. */
static bool leads_to(const Method *called, const Method *method, bool *seen)
{
    return called && (called == method || needs(called, method, seen));
}

/* The calls of a job go to instances, also of methods that have to do with jobs. */
static bool step_leads_to(const JobCall *call, const Method *method, bool *seen)
{
    const Method *called = call ? call->method->extras->made_as : NULL;
    return called && called->extras->composed && needs(called, method, seen);
}

/* Whether the method is called by one of the legs or steps of `by`, or by theirs. `seen` by method
   id. */
static bool needs(const Method *by, const Method *method, bool *seen)
{
    if (seen[by->id])
        return false;
    seen[by->id] = true;
    const Composed *composed = by->extras->composed;
    const JobDefinition *job = by->extras->job ? by->extras->job->definition : NULL;
    for (uint32_t i = 0; composed && i < composed->n_legs; i++)
        if (composed->legs[i].method &&
            leads_to(composed->legs[i].method->extras->made_as, method, seen))
            return true;
    for (uint32_t i = 0; job && i < job->rules.n_steps; i++)
        if (step_leads_to(job->steps[i].call, method, seen) ||
            step_leads_to(job->steps[i].undo, method, seen))
            return true;
    return false;
}

static bool needs_itself(const ConfigReader *reader, const Method *method)
{
    return needs(method, method, arena_array(reader->arena, bool, reader->config->n_methods));
}

static void check_compositions(ConfigReader *reader, const Version *version, const char *path)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Method *method = &version->methods[i];
        if (method->extras->composed && needs_itself(reader, method))
            config_tell(reader, path, "call another method in one of the legs",
                        "%s is composed of itself, through its legs", method->type->path);
    }
}

static void check_jobs(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        const JobDefinition *job = &config->jobs[i];
        if (job->accepts && needs_itself(reader, job->method))
            config_tell(reader, "jobs", "call another method in one of the steps",
                        "a job of %s begins another one of it, through its steps", job->name);
    }
}

/* ---- What is not made ------------------------------------------------------------------------ */

/* The method of the same name in a version whose calls go to instances all the same. */
static const Method *find_passing(const Version *version, const Method *job)
{
    for (uint32_t i = 0; i < version->n_methods; i++) {
        const Method *method = &version->methods[i];
        if (!method->extras->made_as && strcmp(method->type->name, job->type->name) == 0 &&
            strcmp(method->type->service->name, job->type->service->name) == 0)
            return method;
    }
    return NULL;
}

static void doubt_passing(ConfigReader *reader, const Method *job)
{
    const Service *service = job->version->service;
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const Method *method = find_passing(&service->versions[i], job);
        if (method)
            config_doubt(reader, "jobs", "complete the change lists between the two versions",
                         "calls of %s go to instances, past the jobs of %s: it has no counterpart "
                         "there",
                         method->type->path, job->type->path);
    }
}

static void doubt_methods_past_jobs(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++) {
            const Version *version = &config->services[i].versions[k];
            for (uint32_t m = 0; m < version->n_methods; m++)
                if (version->methods[m].extras->job)
                    doubt_passing(reader, &version->methods[m]);
        }
}

/* ---- All ------------------------------------------------------------------------------------- */

void service_choose_made(ConfigReader *reader)
{
    const Config *config = reader->config;
    for (uint32_t i = 0; i < config->n_services; i++)
        choose_made(reader->arena, &config->services[i]);
    for (uint32_t i = 0; i < config->n_services; i++)
        for (uint32_t k = 0; k < config->services[i].n_versions; k++)
            check_compositions(
                reader, &config->services[i].versions[k],
                config_path(reader, "%s.versions[%u].compose", reader->services[i].path, k));
    check_jobs(reader);
    doubt_methods_past_jobs(reader);
}
