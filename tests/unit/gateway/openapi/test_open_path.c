/* Path templates of google.api.http as paths of OpenAPI. */
#include "gateway/openapi/open_path.h"

#include "base/arena.h"
#include "tests/unit/check.h"

/* "name=field path": * of a whole variable, + of several segments. */
static const char *parameters_of(const OpenPath *path, Arena *arena)
{
    Buffer out = buffer_in(arena);
    for (uint32_t i = 0; i < path->n_parameters; i++) {
        const OpenPathParameter *p = &path->parameters[i];
        buffer_printf(&out, "%s%s=%.*s%s%s", i ? " " : "", p->name, BYTES_ARGS(p->field_path),
                      p->whole ? "*" : "", p->several ? "+" : "");
    }
    return arena_text(arena, buffer_bytes(&out));
}

static void variables_become_segments(void **state)
{
    static const struct {
        const char *rule, *text, *shape, *parameters;
    } rows[] = {
        {"/v1/orders", "/v1/orders", "/v1/orders", ""},
        {"/v1/orders/{id}", "/v1/orders/{id}", "/v1/orders/{}", "id=id*"},
        {"/v1/{id}:watch", "/v1/{id}:watch", "/v1/{}:watch", "id=id*"},
        {"/v1/{buyer.id}/orders", "/v1/{buyer_id}/orders", "/v1/{}/orders", "buyer_id=buyer.id*"},
        {"/v1/{name=orders/*}", "/v1/orders/{order}", "/v1/orders/{}", "order=name"},
        {"/v1/{name=policies/*/classes/*}:set", "/v1/policies/{policy}/classes/{class}:set",
         "/v1/policies/{}/classes/{}:set", "policy=name class=name"},
        {"/v1/{name=shelves/*}", "/v1/shelves/{shelf}", "/v1/shelves/{}", "shelf=name"},
        {"/v1/{path=**}", "/v1/{path}", "/v1/{}", "path=path*+"},
        {"/v1/{name=files/**}", "/v1/files/{file}", "/v1/files/{}", "file=name+"},
        {"/v1/{a=*}/{b=*}", "/v1/{a}/{b}", "/v1/{}/{}", "a=a* b=b*"},
        {"/v1/{name=*/*}", "/v1/{name}/{name_2}", "/v1/{}/{}", "name=name name_2=name"},
        {"/v1/*/x", "/v1/{segment}/x", "/v1/{}/x", "segment=*"},
        {"/v1/{a.b}/{a_b}", "/v1/{a_b}/{a_b_2}", "/v1/{}/{}", "a_b=a.b* a_b_2=a_b*"},
        {"/", "/", "/", ""},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpenPath path = open_path(rows[i].rule, arena);
        assert_string_equal(path.text, rows[i].text);
        assert_string_equal(path.shape, rows[i].shape);
        assert_string_equal(parameters_of(&path, arena), rows[i].parameters);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_become_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
