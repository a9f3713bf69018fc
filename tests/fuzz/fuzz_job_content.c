/* The content of jobs: what can be read is written again, and then reads as the same. */
#include "base/arena.h"
#include "gateway/job_store/job_content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const JobRecord *a, const JobRecord *b)
{
    CHECK(bytes_equal(a->request, b->request));
    CHECK(a->forwarded.n == b->forwarded.n);
    for (uint32_t i = 0; i < a->forwarded.n; i++) {
        CHECK(bytes_equal(a->forwarded.items[i].name, b->forwarded.items[i].name));
        CHECK(bytes_equal(a->forwarded.items[i].value, b->forwarded.items[i].value));
    }
    for (uint32_t i = 0; i < JOB_STEPS_MOST; i++) {
        CHECK(!a->responses[i].data == !b->responses[i].data);
        CHECK(bytes_equal(a->responses[i], b->responses[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobRecord *read = arena_make(arena, JobRecord), *again = arena_make(arena, JobRecord);
    if (!failed(job_content_read(bytes(data, size), arena, read))) {
        Buffer written = buffer_in(arena);
        job_content_write(read, &written);
        CHECK(!failed(job_content_read(buffer_bytes(&written), arena, again)));
        check_same(read, again);
    } else {
        check_same(read, again); /* nothing was set */
    }
    arena_free(arena);
    return 0;
}
