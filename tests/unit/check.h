/* What every unit test includes: cmocka, and words for Results. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/result.h"

#define assert_ok(arena, result)                                                                   \
    do {                                                                                           \
        Result checked_ = (result);                                                                \
        if (failed(checked_))                                                                      \
            fail_msg("%s: %s", #result, error_text((arena), checked_));                            \
    } while (0)

#define assert_fault(result, expected_fault)                                                       \
    do {                                                                                           \
        Result checked_ = (result);                                                                \
        assert_true(failed(checked_));                                                             \
        assert_string_equal(checked_.error->fault->name, (expected_fault).name);                   \
    } while (0)

#define assert_bytes(actual, expected_text)                                                        \
    do {                                                                                           \
        Bytes checked_ = (actual);                                                                 \
        Bytes expected_ = bytes_of(expected_text);                                                 \
        if (!bytes_equal(checked_, expected_))                                                     \
            fail_msg("%s is \"%.*s\", not \"%.*s\"", #actual, BYTES_ARGS(checked_),                \
                     BYTES_ARGS(expected_));                                                       \
    } while (0)

#endif
