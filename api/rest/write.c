/* A computed call into a body. Its members have known names and no strings of the client's, so it is printed as text.
 */
#include "rest/write.h"
#include "json/put.h"

enum { HEAD_BYTES = 512 /* more than all that is not a tensor takes */ };

static char *put_shape(char *out, const struct api_tensor *tensor)
{
    *out++ = '[';
    for (size_t i = 0; i < tensor->rank; i++) {
        if (i > 0)
            *out++ = ',';
        out = json_put_whole(out, tensor->shape[i]);
    }
    *out++ = ']';
    return out;
}

static enum writer_step put_head(struct text *text, const struct api_call *call)
{
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    out = put_shape(json_put_text(out, "{\"shape\":"), &call->results[0]);
    out = json_put_name(out, "dtype");
    out = json_put_text(out, call->dtype == CORE_FLOAT64 ? "\"float64\"" : "\"float32\"");
    text_end(text, call->of->draws_noise ? json_put_text(out, ",\"rng\":\"" API_RNG "\"") : out);
    return WRITER_TEXT;
}

static enum writer_step put_parameter(struct writer *writer, const struct api_call *call, enum api_parameter_id id)
{
    char *out = text_room(&writer->text, HEAD_BYTES);
    return out != NULL ? writer_parameter(writer, json_put_name(out, api_parameters[id].name), call, id)
                       : WRITER_FAILED;
}

static enum writer_step put_result(struct writer *writer, const struct api_call *call, size_t result)
{
    if (result == call->result_count)
        return writer_text(writer, "}", WRITER_TEXT);
    if (result > call->result_count)
        return WRITER_END;
    char *out = text_room(&writer->text, HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    writer->tensor = call->results[result];
    text_end(&writer->text, json_put_name(out, writer->tensor.name));
    return WRITER_ARRAY;
}

static enum writer_step put_item(struct writer *writer, size_t item, size_t *most)
{
    enum { HEAD, SEED, TAU, RESULTS };
    const struct api_call *call = writer->closure;
    (void)most;
    switch (item) {
    case HEAD:
        return put_head(&writer->text, call);
    case SEED:
        return call->of->draws_noise ? put_parameter(writer, call, API_SEED) : WRITER_TEXT;
    case TAU:
        return api_function_takes(call->of, API_TAU) ? put_parameter(writer, call, API_TAU) : WRITER_TEXT;
    default:
        return put_result(writer, call, item - RESULTS);
    }
}

int encode_open(struct api_call *call, struct writer *writer, struct api_problem *problem)
{
    writer_open(writer, put_item, call);
    return call_finish(call, SIZE_MAX, problem);
}

int encode_some(struct writer *writer, size_t most, struct api_problem *problem)
{
    const int result = writer_put(writer, most);
    return result >= 0 ? result : api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
}

int api_encode(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    struct writer writer = {.text = {.bytes = NULL}};
    if (encode_open(call, &writer, problem) == 0 && encode_some(&writer, SIZE_MAX, problem) == 0) {
        writer_answer(&writer, "application/json", call->rows, response);
        return 0;
    }
    api_free(writer.text.bytes);
    return -1;
}
