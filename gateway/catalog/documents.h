/*
 * Documents: OpenAPI documents, made when they are asked for, and kept for whoever asks next.
 *
 *      document_ask   is it kept? -> the document
 *                     is it being made? -> wait ............................. on_made
 *                     else make it:     \ openapi_write, on the work pool /
 *
 * One that nobody waits for any more is not begun. One that was begun is made to its end, so that
 * who asks again finds it; only the end of the process breaks that off.
 *
 * A document is of one version, and of those of its methods that its readers may call: clients with
 * the same rights share it. The documents that were asked for last are kept, up to a number of
 * bytes. One table for each config in force and all loops; it is freed with the config. A reader's
 * reference to a document is good beyond that.
 */
#ifndef GATEWAY_DOCUMENTS_H
#define GATEWAY_DOCUMENTS_H

#include "gateway/catalog/catalog.h"
#include "gateway/loop/loop.h"

enum { DOCUMENT_TAG_SIZE = 2 + 32 + 1 };

/* Read-only; any thread. */
typedef struct Document {
    Bytes json;                  /* empty: it would be larger than catalog.document_bytes */
    char tag[DOCUMENT_TAG_SIZE]; /* a strong entity tag, with its quotes; the same wherever the
                                    document is the same */
} Document;

typedef struct DocumentWait DocumentWait;

/* Who asks. */
typedef struct DocumentAsk {
    Loop *loop;
    Config *config; /* which was adopted; in use for as long as it waits */
    IpAddress client;
    void *owner;
    /* On the thread of the loop, never within document_ask. The reference is the owner's. NULL: the
       work pool has too much to do, or ends. */
    void (*on_made)(void *owner, Document *document);
} DocumentAsk;

/* As far as the view shows the version. Returns a reference; or NULL, and *wait_out is then there
   until on_made or document_leave. */
MUST_USE Document *document_ask(const DocumentAsk *ask, const CatalogView *view,
                                const Version *version, DocumentWait **wait_out);

/* on_made is not called any more. On the thread of its loop. */
void document_leave(DocumentWait *wait);

/* Gives a reference back. NULL is allowed. */
void document_free(Document *document);

#endif
