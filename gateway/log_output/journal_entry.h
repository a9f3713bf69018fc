/*
 * JournalEntry: one line of the log as an entry of systemd's journal, in its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). Pure; any thread.
 *
 *   MESSAGE=...                       the line in the output's format
 *   PRIORITY=6                        by its level
 *   SYSLOG_IDENTIFIER=passerelle
 *   PASSERELLE_CLIENT=acme            one field for each member; objects and lists as JSON
 *
 * A value with several lines is sent with its size, so that it cannot pass for another field.
 */
#ifndef GATEWAY_JOURNAL_ENTRY_H
#define GATEWAY_JOURNAL_ENTRY_H

#include "gateway/log_output/log_view.h"

void journal_entry_write(const LogView *view, Bytes message, Buffer *out);

#endif
