#include "gateway/admin/admin_pages.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/admin/admin_internal.h"
#include "gateway/admin/response.h"
#include "gateway/healing/healing_page.h"
#include "gateway/healing/manual.h"
#include "gateway/in_force/in_force.h"
#include "gateway/overload/loop_load.h"
#include "gateway/page/config_page.h"
#include "gateway/page/matrix_page.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/token/key_source.h"

/* ---- What is not JSON ------------------------------------------------------------------------ */

static void respond_asset(const Asking *asking)
{
    h2o_req_t *req = asking->req;
    const Asset *asset = asset_find(bytes(req->path_normalized.base, req->path_normalized.len));
    if (asset)
        response_send_asset(req, asset);
    else
        response_send_problem(req, 404, "Not Found",
                              "the web page has no such file; it begins at /");
}

static void respond_metrics(const Asking *asking)
{
    MetricsFormat format = metrics_format(request_field(asking->req, "accept"));
    Buffer page = buffer_in(asking->arena);
    metrics_write(format, &page);
    response_field(asking->req, "vary", "accept");
    response_send(asking->req, 200, "OK", metrics_media_type(format), buffer_bytes(&page));
}

static void respond_text(const Asking *asking, const char *text)
{
    response_send(asking->req, 200, "OK", "text/plain; charset=utf-8", bytes_of(text));
}

static void respond_healthz(const Asking *asking)
{
    respond_text(asking, "alive\n");
}

static void respond_readyz(const Asking *asking)
{
    if (!atomic_load(asking->admin->sees.ready))
        response_send_problem(asking->req, 503, "Service Unavailable",
                              "no calls are accepted: starting, or shutting down");
    else if (key_sources_are_awaited(clock_now()))
        response_send_problem(asking->req, 503, "Service Unavailable",
                              "the first keys that check tokens are not here yet");
    else
        respond_text(asking, "ready\n");
}

/* A text, or null. */
static void add_maybe(Buffer *out, const char *name, const char *text)
{
    json_text_add_key(out, name);
    if (text)
        json_text_add(out, bytes_of(text));
    else
        buffer_add_text(out, "null");
}

/* Another one for each operator: nobody watches it. */
static void respond_whoami(const Asking *asking)
{
    const Operator *who = &asking->who;
    Buffer text = buffer_in(asking->arena);
    buffer_add_byte(&text, '{');
    add_maybe(&text, "name", who->name);
    json_text_add_member(&text, "role", bytes_of(operator_role_name(who->role)));
    add_maybe(&text, "by", who->by);
    add_maybe(&text, "node", asking->config ? asking->config->node : NULL);
    json_text_add_member(&text, "version", bytes_of(VERSION));
    buffer_add_text(&text, "}\n");
    response_send(asking->req, 200, "OK", "application/json", buffer_bytes(&text));
}

/* ---- What this thread knows by itself -------------------------------------------------------- */

static void write_config(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    config_page_write(config, out);
}

static void write_settings(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    in_force_write(config, out);
}

static void write_fleet(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    fleet_write(sees->fleet, out);
}

static void write_matrix(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    matrix_page_write(config, out);
}

static void write_healing(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_key(out, "manual");
    manual_write(out);
    healing_write(out);
    StoreStats store = sees->store ? store_stats(sees->store) : (StoreStats){.up = true};
    if (!store.up)
        json_text_add_member(out, "store_down", bytes_of(store.kind));
    buffer_add_byte(out, '}');
}

static void write_limits(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    rate_limits_write(sees->limits, clock_wall(), out);
}

/* "service=NAME"; empty: of all. Names of services need no escapes. */
static void write_shadow(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    static const char key[] = "service=";
    shadow_book_write(
        sees->shadows,
        bytes_start_with(query, key) ? bytes_slice(query, strlen(key), SIZE_MAX) : BYTES_NONE, out);
}

static void write_loops(const AdminSees *sees, const Config *config, Bytes query, Buffer *out)
{
    loop_lags_write(out);
}

/* ---- The table ------------------------------------------------------------------------------- */

#define NO_FLEET "this gateway has no store: the config has no key `store`"
#define NO_AUDIT "this gateway has no store: the audit is in its log only"
#define NO_CLIENTS "this gateway has no store: it records no clients"
#define NO_FEEDBACK "this gateway has no store, in which feedback is kept"
#define NO_JOBS "this gateway has no store, and so neither jobs nor idempotency keys"

static const AdminPage pages[] = {
    {"/", PAGE_READ, ROLE_GUEST, .respond = respond_asset},
    {"/page/**", PAGE_READ, ROLE_GUEST, .respond = respond_asset},
    {"/whoami", PAGE_READ, ROLE_GUEST, .tells_who = true, .respond = respond_whoami},
    {"/live", PAGE_READ, ROLE_READ, .respond = admin_live_respond},
    {"/tail", PAGE_READ, ROLE_READ, .respond = admin_tail_respond},
    {"/metrics", PAGE_READ, ROLE_GUEST, .respond = respond_metrics},
    {"/healthz", PAGE_READ, ROLE_GUEST, .respond = respond_healthz},
    {"/readyz", PAGE_READ, ROLE_GUEST, .respond = respond_readyz},
    {"/config", PAGE_READ, ROLE_GUEST, .write = write_config},
    {"/settings", PAGE_READ, ROLE_READ, .write = write_settings},
    {"/fleet", PAGE_READ, ROLE_GUEST, NO_FLEET, .write = write_fleet},
    {"/matrix", PAGE_READ, ROLE_READ, .write = write_matrix},
    {"/healing", PAGE_READ, ROLE_READ, .write = write_healing},
    {"/limits", PAGE_READ, ROLE_READ, .write = write_limits},
    {"/shadow", PAGE_READ, ROLE_READ, .write = write_shadow},
    {"/audit", PAGE_READ, ROLE_READ, NO_AUDIT, .doing = ADMIN_READ_AUDIT},
    {"/errors", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_ERRORS},
    {"/requests", PAGE_READ, ROLE_READ, .doing = ADMIN_LIST_REQUESTS},
    {"/requests/", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_REQUEST},
    {"/usage", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_USAGE},
    {"/keys", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_API_KEYS},
    {"/debug/loops", PAGE_READ, ROLE_READ, .write = write_loops},
    {"/debug/profile", PAGE_READ, ROLE_OPERATE, .respond = profile_desk_respond_cpu},
    {"/debug/heap", PAGE_READ, ROLE_OPERATE, .respond = profile_desk_respond_heap},
    {"/debug/allocator", PAGE_READ, ROLE_OPERATE, .respond = profile_desk_respond_allocator},
    {"/feedback/list", PAGE_READ, ROLE_READ, NO_FEEDBACK, .doing = ADMIN_LIST_FEEDBACK},
    {"/feedback/", PAGE_READ, ROLE_READ, NO_FEEDBACK, .doing = ADMIN_READ_FEEDBACK},
    {"/signals", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_SIGNALS},
    {"/jobs", PAGE_READ, ROLE_READ, NO_JOBS, .doing = ADMIN_READ_JOBS},
    {"/jobs/unpark", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/", PAGE_READ, ROLE_READ, NO_JOBS, .doing = ADMIN_READ_JOB},
    {"/rollouts", PAGE_READ, ROLE_READ, .doing = ADMIN_READ_ROLLOUTS},
    {"/idempotency", PAGE_READ, ROLE_READ, NO_JOBS, .doing = ADMIN_READ_KEY},

    {"/reload", PAGE_ACT, ROLE_OPERATE, .doing = ADMIN_RELOAD},
    {"/drain", PAGE_ACT, ROLE_OPERATE, .doing = ADMIN_DRAIN},
    {"/upgrade", PAGE_ACT, ROLE_OPERATE, .doing = ADMIN_UPGRADE},
    {"/errors/", PAGE_ACT, ROLE_OPERATE, .doing = ADMIN_ANNOTATE},
    {"/feedback", PAGE_ACT, ROLE_OPERATE, NO_FEEDBACK, .doing = ADMIN_POST_FEEDBACK},
    {"/signals/", PAGE_ACT, ROLE_OPERATE, .doing = ADMIN_ACKNOWLEDGE},
    {"/retire", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_RETIRE},
    {"/rollouts/start", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/rollouts/advance", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/rollouts/pause", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/rollouts/resume", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/rollouts/rollback", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/rollouts/tell", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_ORDER_ROLLOUT},
    {"/jobs/*/retry", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/skip-step", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/cancel", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/undo", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/event", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/migrate", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/jobs/*/replay", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_ORDER_JOB},
    {"/idempotency/forget", PAGE_ORDER, ROLE_OPERATE, NO_JOBS, .doing = ADMIN_FORGET_KEY},
    {"/client/forget", PAGE_ORDER, ROLE_OPERATE, NO_CLIENTS, .doing = ADMIN_FORGET_CLIENT},
    {"/instance/eject", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_INSTANCE},
    {"/instance/drain", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_INSTANCE},
    {"/instance/return", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_INSTANCE},
    {"/service/pin", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_SERVICE},
    {"/service/unpin", PAGE_ORDER, ROLE_OPERATE, .doing = ADMIN_SERVICE},
};

enum { N_PAGES = sizeof pages / sizeof *pages };

/* `star`: where the pattern has "*", or a slash at its end: there the path has one segment. */
static bool has_shape(Bytes path, Bytes pattern, size_t star)
{
    Bytes behind = bytes_slice(pattern, star + 1, SIZE_MAX);
    if (path.size <= star || memcmp(path.data, pattern.data, star) != 0)
        return false;
    if (bytes_are(behind, "*"))
        return true;
    if (path.size <= star + behind.size)
        return false;
    Bytes segment = bytes_slice(path, star, path.size - behind.size - star);
    return bytes_find(segment, '/') == segment.size &&
           bytes_equal(bytes_slice(path, path.size - behind.size, SIZE_MAX), behind);
}

static bool is_page(const AdminPage *page, Bytes path)
{
    Bytes pattern = bytes_of(page->path);
    size_t star = bytes_find(pattern, '*');
    bool open = pattern.size > 1 && pattern.data[pattern.size - 1] == '/';
    return star < pattern.size || open ? has_shape(path, pattern, star)
                                       : bytes_equal(path, pattern);
}

const AdminPage *admin_page_find(Bytes path)
{
    for (size_t i = 0; i < N_PAGES; i++)
        if (is_page(&pages[i], path))
            return &pages[i];
    return NULL;
}

void admin_pages_name(Buffer *out)
{
    for (size_t i = 0; i < N_PAGES; i++)
        buffer_printf(out, " %s", pages[i].path);
}

bool admin_page_is_json(const AdminPage *page)
{
    return page->use == PAGE_READ && !page->respond;
}

/* ---- Asking for one -------------------------------------------------------------------------- */

/* "/jobs/ID/retry" -> "ID/retry" */
static Bytes target_of(Bytes path)
{
    Bytes behind = bytes_slice(path, 1, SIZE_MAX);
    return bytes_slice(behind, bytes_find(behind, '/') + 1, SIZE_MAX);
}

AdminAction *admin_page_action(Admin *admin, const AdminPage *page, const AdminQuestion *question)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AdminAction *action = arena_make(arena, AdminAction);
    const Operator *who = question->who;
    *action = (AdminAction){
        .what = page->doing,
        .who = arena_string(arena, who->name ? who->name : ""),
        .by = arena_string(arena, who->by ? who->by : ""),
        .why = bytes_copy(arena, bytes_trim(question->why)),
        .target = bytes_copy(arena, target_of(question->path)),
        .text = bytes_copy(arena, page->use == PAGE_ACT ? question->body : question->query),
        .arena = arena,
        .admin = admin};
    return action;
}

static void refuse(AdminAction *action, const Fault *fault, const char *detail)
{
    action->result = FAIL(action->arena, *fault, "%s", detail);
    action->detail = bytes_of(detail);
}

static void write_page(const AdminSees *sees, const AdminPage *page, AdminAction *action)
{
    Config *config = telemetry_config();
    Buffer body = buffer_in(action->arena);
    if (config) {
        page->write(sees, config, action->text, &body);
        buffer_add_byte(&body, '\n');
        config_unref(config);
    } else {
        refuse(action, &FAULT_SHUTTING_DOWN, "no config is loaded yet");
    }
    action->body = buffer_bytes(&body);
}

void admin_page_ask(Admin *admin, const AdminPage *page, AdminAction *action)
{
    const AdminSees *sees = &admin->sees;
    bool missing = page->without_store && !sees->fleet;
    if (page->doing && !missing) {
        sees->act(sees->owner, action);
        return;
    }
    if (missing)
        refuse(action, &FAULT_UNKNOWN_PATH, page->without_store);
    else
        write_page(sees, page, action);
    action->on_done(action);
    admin_action_free(action);
}

/* ---- What came of it ------------------------------------------------------------------------- */

/* What is in the operator's files is no failure of the gateway: the config that is to be read is in
   the way of what was asked for. */
static bool is_of_files(const Fault *fault)
{
    return fault == &FAULT_BAD_CONFIG || fault == &FAULT_NO_FILE || fault == &FAULT_BAD_SCHEMA ||
           fault == &FAULT_BAD_CHANGES || fault == &FAULT_TLS;
}

int admin_action_status(const AdminAction *action)
{
    if (!failed(action->result))
        return 200;
    const Fault *fault = error_origin(action->result)->fault;
    return is_of_files(fault) ? 409 : fault->http_status;
}

const char *admin_action_detail(const AdminAction *action)
{
    return action->detail.size ? arena_text(action->arena, action->detail)
                               : error_text(action->arena, action->result);
}
