/* The inside of the desk, for the files of gateway/job_view only. */
#ifndef GATEWAY_JOB_DESK_INTERNAL_H
#define GATEWAY_JOB_DESK_INTERNAL_H

#include "gateway/job/job_messages.h"
#include "gateway/job_view/job_desk.h"

typedef struct JobAsk JobAsk;

struct JobDesk {
    JobDeskSettings settings;
    JobWatches *watches;
    JobAsk *asks; /* all that there are */
};

/* First in what a call asks. On the heap: the storage's answer may come after the call's end. */
struct JobAsk {
    JobDesk *desk;
    JobAsk *next, **at;
    bool asked; /* the storage has it, and has not answered */
    bool gone;  /* the call has ended */
};

/* `size` of the whole, cleared. `desk` NULL: there is no storage to ask. Never NULL. */
void *job_ask_new(JobDesk *desk, size_t size);

/* Before each question to the storage; the answer has this ask as its owner. */
static inline JobStorage *job_ask_storage(JobAsk *ask)
{
    ask->asked = true;
    return ask->desk->settings.storage;
}

/* The storage has answered. False: the call has ended, and the ask is freed. */
bool job_ask_answered(JobAsk *ask);

/* The call ends: the ask is freed as soon as it can be. */
void job_ask_drop(JobAsk *ask);

/* There is something to execute; or an order to carry out. */
void job_desk_tell_work(const JobDesk *desk, Bytes id);
void job_desk_tell_order(const JobDesk *desk, Bytes id);

/* What a job has as its client if it has no identity, but credentials: this, and their keyed hash,
   or nothing where the config has no key (identity_hash). */
#define JOB_OF_CREDENTIALS "authorization:"

/* Whether the client of a call, who knows the job's name, may know of the job: it is the one that
   began it, or neither has an identity. What the gateway began by itself is nobody's. `client` as
   the call's record has it. */
bool job_is_of(const JobRecord *record, Bytes client);

/* What is known of it, for job_messages.h; as long as the record. `full`: the client may know the
   causes of failures, and instances (config_errors_full); else it is told what the service said, or
   what kind of failure it was. */
JobSources job_sources(const JobRecord *record, bool full);

/* In the arena; NULL: it is full. */
JobNote *job_note(const JobRecord *record, int64_t wall, Arena *arena);

#endif
