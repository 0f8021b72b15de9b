/* A call's parameters out of the query of the URL. */
#ifndef API_CALL_QUERY_H
#define API_CALL_QUERY_H

#include "call/call.h"

/* The query's argument that is no parameter of the function: the names of the arrays in the body. */
#define QUERY_ARRAYS "arrays"

struct query {
    json_t *members;                              /* as in struct call_source */
    struct api_tensor lists[API_PARAMETER_COUNT]; /* of one value per row */
    size_t list_count;
    const struct api_argument *arrays; /* QUERY_ARRAYS, or NULL */
    bool beside_json;
};

/* Reads what the function takes, each argument once. A value is written as in JSON; strings may be without quotes,
 * lists of strings and of numbers without quotes and brackets. -1 and *problem, whose pointer is that of a JSON member
 * of the same name; *query is to be freed in any case. What is like no parameter is passed over beside a body of JSON,
 * where proxies may put something, and refused otherwise. */
int query_read(const struct api_request *request, bool beside_json, struct query *query, struct api_problem *problem);

/* Fails with the pointer to the argument of that name. */
int query_fail(struct api_problem *problem, enum api_problem_code code, const char *name, const char *detail);

/* Where all parameters are in the body: -1 and *problem if the query has one, which would be ignored. */
int query_refuse(const struct api_request *request, struct api_problem *problem);

void query_free(struct query *query);

#endif
