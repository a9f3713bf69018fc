#include "gateway/job_store/job_content.h"

#include "base/arena.h"
#include "gateway/job_store/job_content.pb-c.h"

typedef Passerelle__Jobs__Content Content;
typedef Passerelle__Jobs__Field ContentField;
typedef Passerelle__Jobs__Response ContentResponse;

/* ---- Writing --------------------------------------------------------------------------------- */

/* protobuf-c does not change what it packs. */
static ProtobufCBinaryData data_of(Bytes from)
{
    return (ProtobufCBinaryData){from.size, (uint8_t *)from.data};
}

static void put_forwarded(const Fields *forwarded, Arena *arena, Content *content)
{
    content->forwarded = arena_calloc(arena, forwarded->n, sizeof *content->forwarded);
    for (uint32_t i = 0; i < forwarded->n; i++) {
        ContentField *field = arena_make(arena, ContentField);
        passerelle__jobs__field__init(field);
        field->has_name = field->has_value = true;
        field->name = data_of(forwarded->items[i].name);
        field->value = data_of(forwarded->items[i].value);
        content->forwarded[content->n_forwarded++] = field;
    }
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
    return OK;
}
