#include "gateway/job_store/job_content.h"

#include "base/arena.h"
#include "gateway/job_store/job_content.pb-c.h"

typedef Passerelle__Jobs__Content Content;
typedef Passerelle__Jobs__Field ContentField;
typedef Passerelle__Jobs__Response ContentResponse;
typedef Passerelle__Jobs__Identity ContentIdentity;

/* ---- Writing --------------------------------------------------------------------------------- */

/* protobuf-c does not change what it packs. */
static ProtobufCBinaryData data_of(Bytes from)
{
    return (ProtobufCBinaryData){from.size, (uint8_t *)from.data};
}

static ContentField *field_of(Bytes name, Bytes value, Arena *arena)
{
    ContentField *field = arena_make(arena, ContentField);
    passerelle__jobs__field__init(field);
    field->has_name = field->has_value = true;
    field->name = data_of(name);
    field->value = data_of(value);
    return field;
}

static void put_forwarded(const Fields *forwarded, Arena *arena, Content *content)
{
    content->forwarded = arena_calloc(arena, forwarded->n, sizeof *content->forwarded);
    for (uint32_t i = 0; i < forwarded->n; i++)
        content->forwarded[content->n_forwarded++] =
            field_of(forwarded->items[i].name, forwarded->items[i].value, arena);
}

static void put_identity(const Identity *from, Arena *arena, Content *content)
{
    if (!from)
        return;
    ContentIdentity *identity = content->identity = arena_make(arena, ContentIdentity);
    passerelle__jobs__identity__init(identity);
    identity->has_name = identity->has_tenant = identity->has_class_ = true;
    identity->name = data_of(from->name);
    identity->tenant = data_of(from->tenant);
    identity->class_ = data_of(from->class);
    identity->has_how = true;
    identity->how = from->how;
    identity->has_by = from->by != NULL;
    identity->by = data_of(bytes_of(from->by));
    identity->claims = arena_calloc(arena, from->n_claims, sizeof *identity->claims);
    for (uint32_t i = 0; i < from->n_claims; i++)
        identity->claims[identity->n_claims++] =
            field_of(bytes_of(from->claims[i].name), from->claims[i].value, arena);
}

static void put_responses(const Bytes responses[JOB_STEPS_MOST], Arena *arena, Content *content)
{
    content->responses = arena_calloc(arena, JOB_STEPS_MOST, sizeof *content->responses);
    for (uint32_t step = 0; step < JOB_STEPS_MOST; step++) {
        if (!responses[step].data)
            continue;
        ContentResponse *response = arena_make(arena, ContentResponse);
        passerelle__jobs__response__init(response);
        response->has_step = response->has_message = true;
        response->step = step;
        response->message = data_of(responses[step]);
        content->responses[content->n_responses++] = response;
    }
}

void job_content_write(const JobRecord *record, Buffer *out)
{
    Content content = PASSERELLE__JOBS__CONTENT__INIT;
    content.has_request = true;
    content.request = data_of(record->request);
    put_forwarded(&record->forwarded, out->arena, &content);
    put_responses(record->responses, out->arena, &content);
    put_identity(record->identity, out->arena, &content);
    size_t size = passerelle__jobs__content__get_packed_size(&content);
    uint8_t *packed = arena_alloc(out->arena, size);
    passerelle__jobs__content__pack(&content, packed);
    buffer_add(out, packed, size);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void free_nothing(void *arena, void *pointer)
{
}

/* An empty message is one, too: its data are not NULL. */
static Bytes bytes_of_data(ProtobufCBinaryData data)
{
    return bytes(data.data ? data.data : (const uint8_t *)"", data.len);
}

static void take_forwarded(const Content *content, Arena *arena, JobRecord *record)
{
    record->forwarded = fields_in(arena);
    for (size_t i = 0; i < content->n_forwarded; i++)
        fields_add(&record->forwarded, bytes_of_data(content->forwarded[i]->name),
                   bytes_of_data(content->forwarded[i]->value));
}

static const Identity *identity_of(const Content *content, Arena *arena)
{
    const ContentIdentity *from = content->identity;
    if (!from)
        return NULL;
    Identity *identity = arena_make(arena, Identity);
    Claim *claims = arena_array(arena, Claim, from->n_claims + 1);
    *identity = (Identity){.name = bytes_of_data(from->name),
                           .tenant = bytes_of_data(from->tenant),
                           .class = bytes_of_data(from->class_),
                           .claims = claims,
                           .n_claims = (uint32_t)from->n_claims,
                           .how = from->how < PROOFS ? (IdentityProof)from->how : PROOF_ADDRESS,
                           .by = from->has_by ? arena_text(arena, bytes_of_data(from->by)) : NULL};
    for (size_t i = 0; i < from->n_claims; i++)
        claims[i] = (Claim){arena_text(arena, bytes_of_data(from->claims[i]->name)),
                            bytes_of_data(from->claims[i]->value)};
    return identity;
}

Result job_content_read(Bytes text, Arena *arena, JobRecord *record)
{
    ProtobufCAllocator allocator = {allocate, free_nothing, arena};
    const Content *content = passerelle__jobs__content__unpack(&allocator, text.size, text.data);
    if (!content)
        return FAIL(arena, FAULT_STORE_DAMAGED, "%zu bytes are no content of a job", text.size);
    for (size_t i = 0; i < content->n_responses; i++)
        if (content->responses[i]->step >= JOB_STEPS_MOST)
            return FAIL(arena, FAULT_STORE_DAMAGED, "the response of step %u",
                        content->responses[i]->step);
    for (size_t i = 0; i < content->n_responses; i++)
        record->responses[content->responses[i]->step] =
            bytes_of_data(content->responses[i]->message);
    record->request = bytes_of_data(content->request);
    take_forwarded(content, arena, record);
    record->identity = identity_of(content, arena);
    return OK;
}
