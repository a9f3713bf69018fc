#include "gateway/job_store/job_owners.h"

#include "base/result.h"

#include <stdlib.h>
#include <string.h>

static JobOwner *find(const JobOwners *owners, Bytes name)
{
    JobOwner *owner = owners->first;
    while (owner && !bytes_equal(owner->name, name))
        owner = owner->next;
    return owner;
}

static JobOwner *add(JobOwners *owners, Bytes name)
{
    JobOwner *owner = calloc(1, sizeof *owner + name.size);
    CHECK(owner);
    bytes_put(owner->text, name);
    owner->name = bytes(owner->text, name.size);
    owner->next = owners->first;
    owners->first = owner;
    return owner;
}

void job_owners_set_self(JobOwners *owners, Bytes name)
{
    free(owners->self);
    owners->self = text_copy_bytes(name);
}

void job_owners_mourn(JobOwners *owners, Bytes name)
{
    free(owners->late);
    owners->late = text_copy_bytes(name);
}

void job_owners_see(JobOwners *owners, Bytes name, int64_t beat, int64_t lease, int64_t now)
{
    JobOwner *owner = find(owners, name);
    if (!owner || owner->beat != beat) {
        owner = owner ? owner : add(owners, name);
        owner->beat = beat;
        owner->since = now;
        owner->gone = owners->late && bytes_are(name, owners->late);
    }
    owner->lease = lease;
    owner->listed = true;
}

void job_owners_listed(JobOwners *owners)
{
    free(owners->late);
    owners->late = NULL;
    for (JobOwner **at = &owners->first, *owner; (owner = *at);) {
        if (owner->listed) {
            owner->listed = false;
            at = &owner->next;
        } else {
            *at = owner->next;
            free(owner);
        }
    }
}

static bool is_dead(const JobOwners *owners, const JobOwner *owner, int64_t now)
{
    return !bytes_are(owner->name, owners->self) &&
           (owner->gone || now - owner->since >= owner->lease);
}

const JobOwner *job_owners_dead(const JobOwners *owners, const JobOwner *from, int64_t now)
{
    const JobOwner *owner = from ? from->next : owners->first;
    while (owner && !is_dead(owners, owner, now))
        owner = owner->next;
    return owner;
}

void job_owners_free(JobOwners *owners)
{
    for (JobOwner *next, *owner = owners->first; owner; owner = next) {
        next = owner->next;
        free(owner);
    }
    free(owners->self);
    free(owners->late);
    *owners = (JobOwners){NULL};
}
