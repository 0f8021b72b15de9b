/* The table of problems and their application/problem+json form (RFC 9457). */
#include "api.h"
#include "utf8.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct api_problem_kind api_problem_kinds[API_PROBLEM_COUNT] = {
    [API_MALFORMED_JSON] = {"malformed_json", 400, "The body is not valid JSON"},
    [API_MISSING_MEMBER] = {"missing_member", 400, "A required member is missing"},
    [API_UNKNOWN_MEMBER] = {"unknown_member", 400, "A member is not known"},
    [API_DUPLICATE_MEMBER] = {"duplicate_member", 400, "A member stands twice"},
    [API_WRONG_TYPE] = {"wrong_type", 400, "A value has the wrong type"},
    [API_OUT_OF_RANGE] = {"out_of_range", 400, "A value is out of its range"},
    [API_WRONG_LENGTH] = {"wrong_length", 400, "A list has the wrong length"},
    [API_RAGGED_ARRAY] = {"ragged_array", 400, "Rows of an array differ in length"},
    [API_EMPTY_ARRAY] = {"empty_array", 400, "An array is empty"},
    [API_NOT_FOUND] = {"not_found", 404, "There is no such route"},
    [API_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, "The route does not take this method"},
    [API_NOT_ACCEPTABLE] = {"not_acceptable", 406, "No media type that is served is accepted"},
    [API_BODY_TOO_LARGE] = {"body_too_large", 413, "The body is larger than the server takes"},
    [API_ENVELOPE_TOO_LARGE] = {"envelope_too_large", 413, "The body without its arrays is too large"},
    [API_LIMIT_EXCEEDED] = {"limit_exceeded", 413, "The request asks for more than the server gives"},
    [API_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", 415, "The media type is not served"},
    [API_INVALID_ROW] = {"invalid_row", 422, "A row has no answer"},
    [API_TOO_FEW_CLASSES] = {"too_few_classes", 422, "A row has fewer classes than draws without replacement"},
    [API_INTERNAL] = {"internal", 500, "The server is short of memory"},
    [API_OVERLOADED] = {"overloaded", 503, "The queue is full"},
    [API_MALFORMED_ENCODING] = {"malformed_encoding", 400, "The body is not in its Content-Encoding"},
    [API_UNSUPPORTED_ENCODING] = {"unsupported_encoding", 415, "The Content-Encoding is not served"},
    [API_MALFORMED_NPY] = {"malformed_npy", 400, "The body is not what a .npy file holds"},
};

#define TYPE_PREFIX "urn:gumbeld:problem:"

int api_fail(struct api_problem *problem, enum api_problem_code code, const char *pointer, size_t offset,
             const char *detail, ...)
{
    if (problem == NULL)
        return -1;
    *problem = (struct api_problem){.code = code, .offset = offset};
    snprintf(problem->pointer, sizeof problem->pointer, "%s", pointer);
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(problem->detail, sizeof problem->detail, detail, arguments);
    va_end(arguments);
    /* Both may have been cut in the middle of a character of the client's. */
    utf8_trim(problem->pointer);
    utf8_trim(problem->detail);
    return -1;
}

static json_t *problem_document(const struct api_problem *problem)
{
    const struct api_problem_kind *kind = &api_problem_kinds[problem->code];
    char type[64];
    snprintf(type, sizeof type, TYPE_PREFIX "%s", kind->slug);
    json_t *document = json_pack("{ss ss si ss}", "type", type, "title", kind->title, "status", kind->status, "code",
                                 kind->slug);
    json_object_set_new(document, "detail", json_string(problem->detail));
    if (problem->pointer[0] != '\0')
        json_object_set_new(document, "pointer", json_string(problem->pointer));
    if (problem->offset != API_NO_OFFSET)
        json_object_set_new(document, "offset", json_integer((json_int_t)problem->offset));
    if (problem->limit != 0)
        json_object_set_new(document, "limit", json_integer((json_int_t)problem->limit));
    return document;
}

/* Takes the document over. */
static void answer_document(const struct api_problem *problem, json_t *document, struct api_response *response)
{
    static const char last_resort[] = "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500}";
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    *response = (struct api_response){
        .status = text != NULL ? api_problem_kinds[problem->code].status : 500,
        .media_type = "application/problem+json",
        .allow = problem->allow,
        .retry_after = problem->retry_after,
        .body = text != NULL ? text : last_resort,
        .owned = text,
    };
    response->length = strlen(response->body);
}

void api_answer_problem(const struct api_problem *problem, struct api_response *response)
{
    answer_document(problem, problem_document(problem), response);
}

void api_answer_error(const struct api_problem *problem, struct api_response *response)
{
    const char *line = problem->detail[0] != '\0' ? problem->detail : api_problem_kinds[problem->code].title;
    json_t *document = problem_document(problem);
    json_object_set_new(document, "error",
                        json_sprintf("%s%s%s", problem->pointer, problem->pointer[0] != '\0' ? ": " : "", line));
    answer_document(problem, document, response);
    response->media_type = "application/json";
}
