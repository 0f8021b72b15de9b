/* The published specification, as the server gives it. */
#ifndef TESTS_UNIT_API_SPEC_H
#define TESTS_UNIT_API_SPEC_H

#include "api.h"

#include <jansson.h>
#include <stdbool.h>

/* The document, between spec_load and spec_free, a test's fixtures. */
extern json_t *spec;
void spec_load(void);
void spec_free(void);

/* What "$ref" points at, or the value itself. */
const json_t *spec_resolve(const json_t *value);

/* A member, which must exist, resolved. */
const json_t *spec_get(const json_t *value, const char *name);

/* A route's operation, and the schemas of a call's body and answer. */
const json_t *spec_operation(const struct api_route *route);
const json_t *spec_request_schema(const struct api_route *route);
const json_t *spec_response_schema(const struct api_route *route);

/* Whether both values are the same. Numbers may differ in the last digits that the specification's way through YAML
 * keeps. */
bool spec_same(const json_t *one, const json_t *other);

#endif
