#include "gateway/h2o/h2o_problem.h"

#include "protocols/http/http_engine.h"

enum { TEXT_MOST = 512 };

/* libh2o sends such a response in one piece, a phrase, before the head has gone out. */
static void send_problem(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t n,
                         h2o_send_state_t state)
{
    char phrase[TEXT_MOST / 4];
    size_t size = n && pieces[0].len < sizeof phrase ? pieces[0].len : 0;
    memcpy(phrase, size ? pieces[0].base : "", size);
    phrase[size] = '\0';
    char *text = h2o_mem_alloc_pool(&req->pool, TEXT_MOST);
    h2o_iovec_t problem = {text,
                           http_problem_text((unsigned)req->res.status, phrase, text, TEXT_MOST)};
    req->res.content_length = problem.len;
    h2o_ostream_send_next(self, req, &problem, 1, H2O_SEND_STATE_FINAL);
}

static void on_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    static const char media_type[] = "application/problem+json";
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, media_type,
                   sizeof media_type - 1, 1);
    h2o_ostream_t *shape = h2o_add_ostream(req, sizeof *shape, slot);
    shape->do_send = send_problem;
    h2o_setup_next_ostream(req, &shape->next);
}

void h2o_problem_use(h2o_pathconf_t *path)
{
    h2o_filter_t *filter = h2o_create_filter(path, sizeof *filter);
    filter->on_setup_ostream = on_response;
}
