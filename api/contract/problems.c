/* The table of problems and their application/problem+json form (RFC 9457). */
#include "json/put.h"
#include "json/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OUT_OF_MEMORY_SLUG "out_of_memory"
#define OUT_OF_MEMORY_TITLE "The server is short of memory"

const struct api_problem_kind api_problem_kinds[API_PROBLEM_COUNT] = {
    [API_MALFORMED_JSON] = {"malformed_json", 400, "The body is not valid JSON"},
    [API_MISSING_MEMBER] = {"missing_member", 400, "A required member is missing"},
    [API_UNKNOWN_MEMBER] = {"unknown_member", 400, "A member is unknown"},
    [API_DUPLICATE_MEMBER] = {"duplicate_member", 400, "A member is duplicated"},
    [API_WRONG_TYPE] = {"wrong_type", 400, "A value has the wrong type"},
    [API_OUT_OF_RANGE] = {"out_of_range", 400, "A value is out of its range"},
    [API_WRONG_LENGTH] = {"wrong_length", 400, "A list has the wrong length"},
    [API_RAGGED_ARRAY] = {"ragged_array", 400, "Rows of an array differ in length"},
    [API_EMPTY_ARRAY] = {"empty_array", 400, "An array is empty"},
    [API_NOT_FOUND] = {"not_found", 404, "No such route"},
    [API_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, "The route does not support this method"},
    [API_NOT_ACCEPTABLE] = {"not_acceptable", 406, "No acceptable media type is available"},
    [API_BODY_TOO_LARGE] = {"body_too_large", 413, "The body is larger than the server accepts"},
    [API_ENVELOPE_TOO_LARGE] = {"envelope_too_large", 413, "The body without its arrays is too large"},
    [API_LIMIT_EXCEEDED] = {"limit_exceeded", 413, "The request exceeds a limit of the server"},
    [API_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", 415, "The media type is not supported"},
    [API_INVALID_ROW] = {"invalid_row", 422, "A row has no answer"},
    [API_TOO_FEW_CLASSES] = {"too_few_classes", 422, "A row has fewer classes than draws without replacement"},
    [API_OUT_OF_MEMORY] = {OUT_OF_MEMORY_SLUG, 503, OUT_OF_MEMORY_TITLE, 1},
    [API_OVERLOADED] = {"overloaded", 503, "The server is overloaded", 1},
    [API_DEADLINE_PASSED] = {"deadline_passed", 504, "The request's deadline has passed"},
    [API_MALFORMED_ENCODING] = {"malformed_encoding", 400, "The body is not in its Content-Encoding"},
    [API_UNSUPPORTED_ENCODING] = {"unsupported_encoding", 415, "The Content-Encoding is not supported"},
    [API_MALFORMED_NPY] = {"malformed_npy", 400, "The body is not a valid .npy file"},
    [API_MALFORMED_REQUEST] = {"malformed_request", 400, "The request is not valid HTTP/1.1"},
    [API_UNKNOWN_CODING] = {"unknown_coding", 501, "The transfer coding is unknown"},
    [API_HEAD_TOO_LARGE] = {"head_too_large", 431, "The request's head is larger than the server accepts"},
    [API_TOO_SLOW] = {"too_slow", 408, "The request arrives too slowly"},
    [API_WRONG_HOST] = {"wrong_host", 421, "The server does not answer for this host"},
    [API_FOREIGN_ORIGIN] = {"foreign_origin", 403, "The server does not answer to pages of this origin"},
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

int api_fail_limit(struct api_problem *problem, const size_t *limits, enum api_limit_id id, const char *pointer)
{
    const size_t limit = api_limit_of(limits, id);
    char flag[32];
    api_limit_flag(&api_limits[id], flag, sizeof flag);
    api_fail(problem, API_LIMIT_EXCEEDED, pointer, API_NO_OFFSET, "the limit is %zu %s (--%s)", limit,
             api_limits[id].doc, flag);
    if (problem != NULL)
        problem->limit = limit;
    return -1;
}

/* ---- As text, without jansson: a problem may be that there is no memory ---- */

enum {
    MOST_BYTES = 12288 /* six times the pointer and the detail, which the error repeats, and what is around them */
};

static char *put_character(char *out, const char *at, size_t length)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
    const char *found = strchr(escaped, *at);
    if (length == 0)
        return json_put_text(out, "\xEF\xBF\xBD"); /* U+FFFD, in place of a byte that is no UTF-8 */
    if (found != NULL)
        return json_put_text(out, (const char[]){'\\', escapes[found - escaped], '\0'});
    if ((unsigned char)*at < 0x20)
        return out + sprintf(out, "\\u%04X", (unsigned)*at);
    memcpy(out, at, length);
    return out + length;
}

static char *put_escaped(char *out, const char *text)
{
    for (size_t length; *text != '\0'; text += length > 0 ? length : 1) {
        length = utf8_character(text);
        out = put_character(out, text, length);
    }
    return out;
}

static char *put_member(char *out, const char *name, const char *text)
{
    out = json_put_text(json_put_name(out, name), "\"");
    return json_put_text(put_escaped(out, text), "\"");
}

static char *put_problem(char *out, const struct api_problem *problem)
{
    const struct api_problem_kind *kind = &api_problem_kinds[problem->code];
    out = json_put_text(json_put_text(out, "{\"type\":\"" TYPE_PREFIX), kind->slug);
    out = put_member(json_put_text(out, "\""), "title", kind->title);
    out = json_put_whole(json_put_name(out, "status"), (uint64_t)kind->status);
    out = put_member(put_member(out, "code", kind->slug), "detail", problem->detail);
    if (problem->pointer[0] != '\0')
        out = put_member(out, "pointer", problem->pointer);
    if (problem->offset != API_NO_OFFSET)
        out = json_put_whole(json_put_name(out, "offset"), problem->offset);
    return problem->limit != 0 ? json_put_whole(json_put_name(out, "limit"), problem->limit) : out;
}

/* The inference protocol's. */
static char *put_error(char *out, const struct api_problem *problem)
{
    const char *line = problem->detail[0] != '\0' ? problem->detail : api_problem_kinds[problem->code].title;
    out = json_put_text(json_put_name(out, "error"), "\"");
    out = json_put_text(put_escaped(out, problem->pointer), problem->pointer[0] != '\0' ? ": " : "");
    return json_put_text(put_escaped(out, line), "\"");
}

/* ---- As a response ---- */

#define NO_MEMORY                                                                                                      \
    "{\"type\":\"" TYPE_PREFIX OUT_OF_MEMORY_SLUG "\",\"title\":\"" OUT_OF_MEMORY_TITLE                                \
    "\",\"status\":503,\"code\":\"" OUT_OF_MEMORY_SLUG "\",\"detail\":\"no memory for the answer\""

/* Without any memory. */
static void answer_no_memory(bool inference, struct api_response *response)
{
    static const char document[] = NO_MEMORY "}", error[] = NO_MEMORY ",\"error\":\"no memory for the answer\"}";
    response->problem = &api_problem_kinds[API_OUT_OF_MEMORY];
    response->body = inference ? error : document;
    response->length = strlen(response->body);
    response->status = response->problem->status;
    response->retry_after = response->problem->retry_after;
}

void api_answer_problem(const char *path, const struct api_problem *problem, struct api_response *response)
{
    const bool inference = path != NULL && api_path_is_inference(path);
    const struct api_problem_kind *kind = &api_problem_kinds[problem->code];
    char text[MOST_BYTES], *end = put_problem(text, problem);
    end = json_put_text(inference ? put_error(end, problem) : end, "}");
    const size_t length = (size_t)(end - text);
    char *body = api_malloc(length);
    *response = (struct api_response){.media_type = inference ? "application/json" : "application/problem+json"};
    if (body == NULL) {
        answer_no_memory(inference, response);
        return;
    }
    response->body = response->owned = memcpy(body, text, length);
    response->length = length;
    response->status = kind->status;
    response->allow = problem->allow;
    response->retry_after = problem->retry_after != 0 ? problem->retry_after : kind->retry_after;
    response->problem = kind;
    memcpy(response->pointer, problem->pointer, sizeof response->pointer);
}
