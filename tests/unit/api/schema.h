/* A validator for the part of JSON Schema that api/openapi.yaml uses. */
#ifndef TESTS_UNIT_API_SCHEMA_H
#define TESTS_UNIT_API_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* What "$ref" points at within `spec`, or the value itself. */
const json_t *schema_resolve(const json_t *spec, const json_t *value);

/* Whether `value` is as the schema says: $ref, if, then, else, oneOf (at least one), const, enum, type, minimum,
 * maximum, exclusiveMinimum, items, minItems, maxItems, properties, required, additionalProperties. Any other keyword
 * that restricts fails the test. */
bool schema_allows(const json_t *spec, const json_t *schema, const json_t *value);

#endif
