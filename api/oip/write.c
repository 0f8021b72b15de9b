/* A computed call into an inference response: JSON, and after it the binary tensors in its order. */
#include "oip/oip.h"
#include "json/put.h"

#include <stdio.h>
#include <string.h>

/* A wanted result as it is answered. */
struct part {
    const struct oip_output *output;
    struct api_tensor tensor;   /* its data is the call's */
    struct oip_strings strings; /* in place of the data, if output->classes is not 0 */
    const char *string;         /* to be printed next */
    size_t binary_size;
};

/* An answer on its way. */
struct answer {
    struct api_call *call;
    const struct oip_request *request;
    struct writer writer; /* of the JSON; then its text is the whole body */
    char *id;             /* as JSON, or NULL */
    struct part parts[API_MAX_RESULTS];
    size_t part_count;
    size_t classified;  /* parts whose strings are made, if they have some */
    size_t json_length; /* when it is complete */
    size_t put, copied; /* parts after it, bytes of the next one */
    bool binary;        /* one of the parts is */
};
FRONT_STATE_FITS(struct answer);

/* ---- What is answered ---- */

static const struct api_tensor *find_result(const struct api_call *call, const char *name)
{
    size_t i = 0;
    while (strcmp(call->results[i].name, name) != 0)
        i++;
    return &call->results[i];
}

static int gather_part(struct answer *answer, const struct oip_output *output, struct api_problem *problem)
{
    const struct api_result_kind *kind = &answer->call->function->results[output->result];
    struct part *part = &answer->parts[answer->part_count++];
    *part = (struct part){.output = output, .tensor = *find_result(answer->call, kind->name)};
    part->binary_size = part->tensor.count * api_dtypes[part->tensor.dtype].size;
    answer->binary |= output->binary;
    return output->classes > 0
               ? oip_classify_open(answer->call, kind, output->classes, &part->tensor, &part->strings, problem)
               : 0;
}

static int gather(struct answer *answer, struct api_problem *problem)
{
    const json_t *id = json_object_get(answer->request->envelope, "id");
    for (size_t i = 0; i < answer->request->output_count; i++)
        if (gather_part(answer, &answer->request->outputs[i], problem) != 0)
            return -1;
    if (!json_is_string(id))
        return 0;
    answer->id = json_dumps(id, JSON_ENCODE_ANY);
    return answer->id != NULL ? 0 : api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the id");
}

/* Makes some of the strings; false when all are made. */
static bool classify(struct answer *answer, size_t *most)
{
    for (; answer->classified < answer->part_count; answer->classified++) {
        struct part *part = &answer->parts[answer->classified];
        if (part->output->classes == 0)
            continue;
        if (oip_classify_some(&part->strings, most))
            return true;
        part->binary_size = part->strings.size;
        part->string = part->strings.bytes;
    }
    return false;
}

/* ---- JSON ---- */

enum {
    HEAD_BYTES = 512,  /* more than what is between two tensors takes */
    BINARY_BYTES = 64, /* are copied in the time in which a number is printed */
};

static bool put_text(struct text *text, const char *bytes)
{
    return text_put(text, bytes, strlen(bytes));
}

static char *put_string(char *out, const char *text)
{
    *out++ = '"';
    out = json_put_text(out, text);
    *out++ = '"';
    return out;
}

/* Some of the strings of a part. One has its quotation marks and comma in place of its length. */
static enum writer_step put_strings(struct text *text, struct part *part, size_t *most)
{
    const char *at = part->string, *const end = part->strings.bytes + part->strings.size;
    char *out = text_room(text, (size_t)(end - at) + HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    for (; at<end && * most> 0; --*most) {
        const size_t length = (uint8_t)*at; /* none is longer than a byte says */
        *out++ = '"';
        memcpy(out, at + 4, length);
        out = json_put_text(out + length, "\",");
        at += 4 + length;
    }
    part->string = at;
    if (at == end)
        out = json_put_text(part->strings.size > 0 ? out - 1 : out, "]},"); /* without the last comma */
    text_end(text, out);
    return at == end ? WRITER_TEXT : WRITER_AGAIN;
}

static enum writer_step put_part_head(struct text *text, const struct part *part)
{
    const char *datatype = part->output->classes > 0 ? "BYTES" : api_dtypes[part->tensor.dtype].datatype;
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    out = put_string(json_put_text(out, "{\"name\":"), part->tensor.name);
    out = put_string(json_put_name(out, "datatype"), datatype);
    out = json_put_shape(json_put_name(out, "shape"), part->tensor.shape, part->tensor.rank);
    if (part->output->binary)
        out = json_put_text(
            json_put_whole(json_put_text(out, ",\"parameters\":{\"binary_data_size\":"), part->binary_size), "}},");
    else
        out = json_put_text(out, part->output->classes > 0 ? ",\"data\":[" : ",\"data\":");
    text_end(text, out);
    return WRITER_TEXT;
}

static enum writer_step put_part_data(struct writer *writer, struct part *part, size_t *most)
{
    if (part->output->binary)
        return WRITER_TEXT;
    if (part->output->classes > 0)
        return put_strings(&writer->text, part, most);
    writer->tensor = part->tensor;
    writer->tensor.rank = 1;
    writer->tensor.shape[0] = part->tensor.count;
    writer->suffix = "},";
    return WRITER_ARRAY;
}

static enum writer_step put_head(struct writer *writer, const struct answer *answer)
{
    struct text *text = &writer->text;
    bool put = put_text(text, "{\"model_name\":\"") && put_text(text, answer->request->function->name) &&
               put_text(text, "\",\"model_version\":\"" OIP_MODEL_VERSION "\"");
    if (answer->id != NULL)
        put = put && put_text(text, ",\"id\":") && put_text(text, answer->id);
    return put ? WRITER_TEXT : WRITER_FAILED;
}

/* Its end too: there is one output at least, and a comma after it. */
static enum writer_step put_part(struct writer *writer, struct answer *answer, size_t item, size_t *most)
{
    if (item < 2 * answer->part_count)
        return item % 2 == 0 ? put_part_head(&writer->text, &answer->parts[item / 2])
                             : put_part_data(writer, &answer->parts[item / 2], most);
    if (item > 2 * answer->part_count)
        return WRITER_END;
    writer->text.bytes[writer->text.length - 1] = ']';
    return writer_text(writer, "}");
}

/* Parameters have no lists in this protocol: one of a value per row is a string of JSON. Datatypes are the outputs'. */
static enum writer_step put_repeated(struct writer *writer, const struct answer *answer, enum call_repeated item)
{
    static const char opening[] = ",\"parameters\":{";
    bool opened = false;
    for (enum call_repeated before = CALL_REPEATED_RNG; before < item; before++)
        opened |= call_repeats(answer->call, before);
    if (item == CALL_REPEATED_COUNT)
        return writer_text(writer, opened ? "},\"outputs\":[" : ",\"outputs\":[");
    return writer_repeated(writer, answer->call, item, opened ? "," : opening, "\"");
}

static enum writer_step put_item(struct writer *writer, size_t item, size_t *most)
{
    enum { HEAD, REPEATED, PARTS = REPEATED + CALL_REPEATED_COUNT - CALL_REPEATED_RNG + 1 };
    struct answer *answer = writer->closure;
    if (item == HEAD)
        return put_head(writer, answer);
    if (item < PARTS)
        return put_repeated(writer, answer, (enum call_repeated)(item - REPEATED + CALL_REPEATED_RNG));
    return put_part(writer, answer, item - PARTS, most);
}

/* ---- The body ---- */

/* Some of a result after the JSON; true when it is all there. */
static bool put_binary(struct text *text, struct answer *answer, const struct part *part, size_t *most)
{
    const char *from = part->output->classes > 0 ? part->strings.bytes : part->tensor.data;
    const size_t left = part->binary_size - answer->copied, count = left < *most ? left : *most;
    char *out = text_room(text, left);
    if (out == NULL)
        return false;
    memcpy(out, from + answer->copied, count);
    text_end(text, out + count);
    *most -= count;
    answer->copied += count;
    return count == left;
}

/* Some of all of them: 1 if there is more, -1 if memory is short. Each result's memory is given back when it has been
 * copied. */
static int put_binaries(struct answer *answer, size_t most)
{
    struct text *text = &answer->writer.text;
    for (; answer->put < answer->part_count; answer->put++, answer->copied = 0) {
        const struct part *part = &answer->parts[answer->put];
        if (!part->output->binary)
            continue;
        if (!put_binary(text, answer, part, &most))
            return most == 0 ? 1 : -1;
        call_release_result(answer->call, &part->tensor);
    }
    return 0;
}

static int add_json_length(struct api_response *response, size_t length, struct api_problem *problem)
{
    char *text = api_malloc(24);
    if (text == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
    snprintf(text, 24, "%zu", length);
    response->media_type = API_TENSORS;
    api_response_header(response, OIP_JSON_LENGTH, text, text);
    return 0;
}

static int complete(struct answer *answer, struct api_response *response, struct api_problem *problem)
{
    writer_answer(&answer->writer, "application/json", answer->call->rows, response);
    return answer->binary ? add_json_length(response, answer->json_length, problem) : 0;
}

/* The JSON: 1 if there is more of it. */
static int write_json(struct answer *answer, size_t most)
{
    if (answer->json_length > 0)
        return 0;
    if (classify(answer, &most) || most == 0)
        return 1;
    const int result = writer_put(&answer->writer, most);
    answer->json_length = result == 0 ? answer->writer.text.length : 0;
    return result;
}

/* ---- The fronts ---- */

static int open_answer(struct answer *answer, struct api_job *job)
{
    *answer = (struct answer){.call = job->call, .request = (void *)&job->read};
    writer_open(&answer->writer, put_item, answer);
    return gather(answer, &job->problem);
}

static int write(struct api_job *job)
{
    struct answer *answer = (void *)&job->written;
    if (!job->writing && open_answer(answer, job) != 0)
        return FRONT_FAILED;
    int result = write_json(answer, job->printed);
    if (result == 0)
        result = put_binaries(answer, job->printed * BINARY_BYTES);
    if (result < 0)
        return api_fail(&job->problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
    return result > 0 ? FRONT_MORE : complete(answer, &job->response, &job->problem);
}

static void close_write(struct api_job *job)
{
    struct answer *answer = (void *)&job->written;
    for (size_t i = 0; i < answer->part_count; i++)
        oip_classify_close(&answer->parts[i].strings);
    api_free(answer->id);
    api_free(answer->writer.text.bytes);
}

/* A request is JSON with binary tensors after it or not, and so is its answer, as its outputs ask. */
#define FRONT(type)                                                                                                    \
    {                                                                                                                  \
        .route = API_ROUTE_INFER, .media_type = type, .read = oip_read, .write = write, .refuse = oip_refuse,          \
        .close_read = oip_close_read, .close_write = close_write                                                       \
    }

const struct api_front oip_json = FRONT("application/json"), oip_binary = FRONT(API_TENSORS);

/* JSON, as curl calls what it is given with -d. */
const struct api_front oip_form = {.route = API_ROUTE_INFER,
                                   .media_type = "application/x-www-form-urlencoded",
                                   .read = oip_read,
                                   .refuse = oip_refuse,
                                   .close_read = oip_close_read};
