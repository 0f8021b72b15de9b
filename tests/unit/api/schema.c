#include "schema.h"

#include "lib/assertions.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const json_t *schema_resolve(const json_t *spec, const json_t *value)
{
    const char *reference = json_string_value(json_object_get(value, "$ref"));
    if (reference == NULL)
        return value;
    char path[128];
    snprintf(path, sizeof path, "%s", reference);
    const json_t *at = spec;
    char *rest = NULL;
    for (char *name = strtok_r(path + 2, "/", &rest); name != NULL; name = strtok_r(NULL, "/", &rest))
        at = json_object_get(at, name);
    ck_assert_msg(at != NULL, "%s leads nowhere", reference);
    return at;
}

static bool has_type(const char *type, const json_t *value)
{
    static const struct {
        const char *name;
        json_type types[2];
    } types[] = {
        {"object", {JSON_OBJECT, JSON_OBJECT}},    {"array", {JSON_ARRAY, JSON_ARRAY}},
        {"string", {JSON_STRING, JSON_STRING}},    {"number", {JSON_REAL, JSON_INTEGER}},
        {"integer", {JSON_INTEGER, JSON_INTEGER}}, {"boolean", {JSON_TRUE, JSON_FALSE}},
        {"null", {JSON_NULL, JSON_NULL}},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0)
            return json_typeof(value) == types[i].types[0] || json_typeof(value) == types[i].types[1] ||
                   (strcmp(type, "integer") == 0 && json_is_real(value) &&
                    json_real_value(value) == floor(json_real_value(value)));
    ck_abort_msg("unknown type %s", type);
    return false;
}

static bool among(const json_t *values, const json_t *value)
{
    size_t i;
    const json_t *one;
    json_array_foreach (values, i, one)
        if (json_equal(one, value))
            return true;
    return false;
}

static bool in_range(const json_t *schema, const json_t *value)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum"),
                 *above = json_object_get(schema, "exclusiveMinimum");
    const double number = json_number_value(value);
    return !json_is_number(value) || ((minimum == NULL || number >= json_number_value(minimum)) &&
                                      (maximum == NULL || number <= json_number_value(maximum)) &&
                                      (above == NULL || number > json_number_value(above)));
}

static bool items_allowed(const json_t *spec, const json_t *schema, const json_t *value)
{
    const json_t *items = json_object_get(schema, "items"), *least = json_object_get(schema, "minItems"),
                 *most = json_object_get(schema, "maxItems"), *item;
    size_t i;
    if (!json_is_array(value))
        return true;
    if ((json_int_t)json_array_size(value) < json_integer_value(least) ||
        (most != NULL && (json_int_t)json_array_size(value) > json_integer_value(most)))
        return false;
    json_array_foreach (value, i, item)
        if (items != NULL && !schema_allows(spec, items, item))
            return false;
    return true;
}

static bool repeats(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_array_get(value, i), json_array_get(value, j)))
                return true;
    return false;
}

static bool members_allowed(const json_t *spec, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties"), *name,
                 *others = json_object_get(schema, "additionalProperties");
    size_t i;
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return true;
    json_array_foreach (json_object_get(schema, "required"), i, name)
        if (json_object_get(value, json_string_value(name)) == NULL)
            return false;
    json_object_foreach ((json_t *)value, key, member) {
        const json_t *property = json_object_get(properties, key);
        if (property == NULL && json_is_false(others))
            return false;
        if (property == NULL)
            property = others;
        if (json_is_object(property) && !schema_allows(spec, property, member))
            return false;
    }
    return true;
}

static void assert_known_keywords(const json_t *schema)
{
    static const char known[] =
        " $ref if then else oneOf const enum type minimum maximum exclusiveMinimum items minItems maxItems "
        "uniqueItems properties required additionalProperties description default examples propertyNames format ";
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)schema, key, member) {
        char word[64];
        snprintf(word, sizeof word, " %s ", key);
        ck_assert_msg(strstr(known, word) != NULL, "%s is not checked", key);
    }
}

bool schema_allows(const json_t *spec, const json_t *given, const json_t *value)
{
    const json_t *schema = schema_resolve(spec, given), *several = json_object_get(schema, "oneOf"), *one,
                 *constant = json_object_get(schema, "const"), *values = json_object_get(schema, "enum");
    const json_t *condition = json_object_get(schema, "if");
    const char *type = json_string_value(json_object_get(schema, "type"));
    bool any = several == NULL;
    size_t i;
    assert_known_keywords(schema);
    json_array_foreach (several, i, one)
        any = any || schema_allows(spec, one, value);
    if (condition != NULL)
        any = any && schema_allows(
                         spec, json_object_get(schema, schema_allows(spec, condition, value) ? "then" : "else"), value);
    if (json_is_true(json_object_get(schema, "uniqueItems")) && repeats(value))
        return false;
    return any && (constant == NULL || json_equal(constant, value)) && (values == NULL || among(values, value)) &&
           (type == NULL || has_type(type, value)) && in_range(schema, value) && items_allowed(spec, schema, value) &&
           members_allowed(spec, schema, value);
}
