#include "spec.h"
#include "schema.h"

#include "lib/assertions.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *spec;

void spec_load(void)
{
    struct api_request request = {0};
    struct api_response response;
    ck_assert_int_eq(api_route_find("GET", "/openapi.json", &request.route, NULL), 0);
    api_answer(&request, &response);
    spec = json_loadb(response.body, response.length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(spec);
}

void spec_free(void)
{
    json_decref(spec);
}

const json_t *spec_resolve(const json_t *value)
{
    return schema_resolve(spec, value);
}

const json_t *spec_get(const json_t *value, const char *name)
{
    const json_t *member = json_object_get(spec_resolve(value), name);
    ck_assert_msg(member != NULL, "there is no %s", name);
    return spec_resolve(member);
}

const json_t *spec_operation(const struct api_route *route)
{
    const bool is_post = api_route_is_post(route);
    return spec_get(spec_get(spec_get(spec, "paths"), route->path), is_post ? "post" : "get");
}

const json_t *spec_request_schema(const struct api_route *route)
{
    return spec_get(spec_get(spec_get(spec_get(spec_operation(route), "requestBody"), "content"), "application/json"),
                    "schema");
}

const json_t *spec_response_schema(const struct api_route *route)
{
    const json_t *answer = spec_get(spec_get(spec_operation(route), "responses"), "200");
    return spec_get(spec_get(spec_get(answer, "content"), "application/json"), "schema");
}

bool spec_same(const json_t *one, const json_t *other)
{
    size_t i;
    const json_t *element;
    const char *key;
    json_t *member;
    if (json_is_number(one) && json_is_number(other)) {
        const double a = json_number_value(one), b = json_number_value(other);
        return fabs(a - b) <= 1e-14 * fabs(b);
    }
    if (json_is_array(one) && json_array_size(one) == json_array_size(other)) {
        json_array_foreach (one, i, element)
            if (!spec_same(element, json_array_get(other, i)))
                return false;
        return true;
    }
    if (json_is_object(one) && json_object_size(one) == json_object_size(other)) {
        json_object_foreach ((json_t *)one, key, member)
            if (!spec_same(member, json_object_get(other, key)))
                return false;
        return true;
    }
    return json_equal(one, other);
}
