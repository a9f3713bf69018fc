/*
 * LogTemplate: a line of the log in a form of its own: "%{client} %{code} \"%{path}\"".
 *
 *   %{member}       a member of the JSON line, also one within another: %{causes.0.fault}
 *   %{address}      the client's address without its port
 *   %{apache_time}  when the call began: 30/Nov/2026:10:33:00 +0000
 *   %%              a percent sign
 *
 * What is missing or empty is "-". No value can pass for anything else: in each of them a quote, a
 * backslash and whatever is no visible character are escapes (\", \\, \n, \x1b, \u202e), and so is
 * a blank (\x20) that is not between two quotes of the template. So a line stays a line, and has as
 * many words as its template, whatever clients send. Immutable; any thread.
 */
#ifndef GATEWAY_LOG_TEMPLATE_H
#define GATEWAY_LOG_TEMPLATE_H

#include "base/result.h"
#include "gateway/log_output/log_view.h"

enum { LOG_TEMPLATE_PIECES = 128, LOG_TEMPLATE_SIZE = 8192 };

typedef struct LogTemplate LogTemplate;

/* Apache's, which most readers of logs know. */
extern const char log_template_combined[];

/* Reads a template; it and copies of its texts are in the arena. Fault: BAD_CONFIG, with what is
   wrong. */
MUST_USE Result log_template_read(Arena *arena, Bytes text, const LogTemplate **template_out);

/* Adds the line in this form, without an end of line. */
void log_template_write(const LogTemplate *template, const LogView *view, Buffer *out);

/* Whether it has this member, or one within it. */
bool log_template_has(const LogTemplate *template, const char *member);

/* Its first member that no line of a call has; empty: there is none. */
Bytes log_template_stranger(const LogTemplate *template);

#endif
