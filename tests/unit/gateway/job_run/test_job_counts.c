#include "gateway/job_run/job_counts.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

static const char *written(JobCounts *counts, Arena *arena)
{
    Buffer out = buffer_in(arena);
    Exposition e = {.out = &out};
    job_counts_write(&e, counts);
    return arena_text(arena, buffer_bytes(&out));
}

static void calls_are_counted_by_how_they_ended(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobCounts *counts = job_counts_new();
    assert_null(strstr(written(counts, arena), "passerelle_job_calls_total{"));
    job_counts_held(counts, 7);
    job_counts_call(counts, "hosting.Sites/Create", "reserve", false, JOB_BROKE);
    job_counts_call(counts, "hosting.Sites/Create", "reserve", false, JOB_BROKE);
    job_counts_call(counts, "hosting.Sites/Create", "reserve", false, JOB_SUCCEEDED);
    job_counts_call(counts, "hosting.Sites/Create", "reserve", true, JOB_REFUSED);
    const char *text = written(counts, arena);
#define OF "passerelle_job_calls_total{method=\"hosting.Sites/Create\",step=\"reserve\","
    assert_non_null(strstr(text, "passerelle_jobs_held 7\n"));
    assert_non_null(strstr(text, OF "call=\"step\",result=\"broke\"} 2\n"));
    assert_non_null(strstr(text, OF "call=\"step\",result=\"good\"} 1\n"));
    assert_non_null(strstr(text, OF "call=\"undo\",result=\"refused\"} 1\n"));
    assert_null(strstr(text, "not_yet"));
    job_counts_free(counts);
    arena_free(arena);
}

static void of_more_than_a_thousand_steps_the_others_are_counted_together(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobCounts *counts = job_counts_new();
    for (int i = 0; i < 1010; i++) {
        char step[16];
        snprintf(step, sizeof step, "s%d", i);
        job_counts_call(counts, "m", step, false, JOB_SUCCEEDED);
    }
    const char *text = written(counts, arena);
    assert_non_null(strstr(text, "step=\"s999\""));
    assert_null(strstr(text, "step=\"s1000\""));
    assert_non_null(strstr(text, "passerelle_job_calls_total{method=\"other\",step=\"other\",call="
                                 "\"step\",result=\"good\"} 10\n"));
    job_counts_free(counts);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_by_how_they_ended),
        cmocka_unit_test(of_more_than_a_thousand_steps_the_others_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
