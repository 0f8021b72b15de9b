/* An input of an inference request into a tensor: its data straight from the text, or from the bytes after the JSON.
 */
#include "oip/oip.h"
#include "json/envelope.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is known of the input that is being read. */
struct input {
    struct oip_reader *reader;
    const struct json_text *text;
    json_t *envelope;      /* all of it but the data */
    struct json_text data; /* body is NULL if there is none */
    const struct api_parameter *parameter;
    const struct oip_datatype *datatype;
    struct api_tensor tensor;
};

int oip_fail(struct api_problem *problem, enum api_problem_code code, const char *pointer, const char *below,
             const char *detail, ...)
{
    char whole[256], text[256];
    snprintf(whole, sizeof whole, "%s%s", pointer, below);
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    return api_fail(problem, code, whole, API_NO_OFFSET, "%s", text);
}

#define FAIL(input, code, below, ...)                                                                                  \
    oip_fail((input)->reader->problem, code, (input)->text->pointer, below, __VA_ARGS__)

/* ---- Name and datatype ---- */

static bool is_given(const struct oip_request *request, const char *name)
{
    for (size_t i = 0; i < request->tensor_count; i++)
        if (strcmp(request->tensors[i].name, name) == 0)
            return true;
    return oip_member(request->members, name) != NULL;
}

static int read_name(struct input *input)
{
    const struct oip_request *request = input->reader->out;
    const json_t *name = json_object_get(input->envelope, "name");
    if (!json_is_string(name))
        return FAIL(input, name == NULL ? API_MISSING_MEMBER : API_WRONG_TYPE, "/name", "an input has a name");
    input->parameter = api_parameter_find(request->function, json_string_value(name), json_string_length(name));
    if (input->parameter == NULL)
        return FAIL(input, API_UNKNOWN_MEMBER, "/name", "%s has no such input", request->function->name);
    if (!api_parameter_is_array(input->parameter))
        return FAIL(input, API_WRONG_TYPE, "/name", "%s is given in the parameters", input->parameter->name);
    if (is_given(request, input->parameter->name))
        return FAIL(input, API_DUPLICATE_MEMBER, "/name", "%s is given twice", input->parameter->name);
    return 0;
}

static int read_datatype(struct input *input)
{
    const json_t *name = json_object_get(input->envelope, "datatype");
    const enum api_type type = input->parameter->type;
    if (name == NULL)
        return FAIL(input, API_MISSING_MEMBER, "/datatype", "datatype is required");
    input->datatype = json_is_string(name) ? oip_datatype_of_input(json_string_value(name), type) : NULL;
    if (input->datatype == NULL)
        return FAIL(input, API_WRONG_TYPE, "/datatype", "must be %s", oip_datatypes_of_input(type));
    return 0;
}

/* ---- Shape ---- */

static int read_axis(struct input *input, size_t axis, const json_t *json)
{
    struct api_tensor *tensor = &input->tensor;
    const double length = json_real_value(json);
    char below[32];
    snprintf(below, sizeof below, "/shape/%zu", axis);
    if (!json_is_real(json) || length != floor(length))
        return FAIL(input, API_WRONG_TYPE, below, "must be an integer");
    if (length < 0 || length > API_MAX_INTEGER)
        return FAIL(input, API_OUT_OF_RANGE, below, "must be from 0 to 9007199254740991");
    if (tensor->count > 0 && (size_t)length > SIZE_MAX / sizeof(double) / tensor->count)
        return FAIL(input, API_OUT_OF_RANGE, "/shape", "there cannot be as many elements");
    tensor->shape[axis] = (size_t)length;
    tensor->count *= (size_t)length;
    return 0;
}

static int read_shape(struct input *input)
{
    const json_t *shape = json_object_get(input->envelope, "shape"), *length;
    struct api_tensor *tensor = &input->tensor;
    size_t axis;
    if (!json_is_array(shape))
        return FAIL(input, shape == NULL ? API_MISSING_MEMBER : API_WRONG_TYPE, "/shape", "must be a list of integers");
    if (json_array_size(shape) > API_MAX_RANK + 1)
        return FAIL(input, API_WRONG_TYPE, "/shape", "may have up to %d axes", API_MAX_RANK);
    tensor->rank = json_array_size(shape);
    tensor->count = 1;
    json_array_foreach (shape, axis, length)
        if (read_axis(input, axis, length) != 0)
            return -1;
    return 0;
}

/* ---- Data in the JSON ---- */

/* Flat, or nested as the shape says. */
static int check_extent(const struct input *input, const struct api_tensor *array)
{
    const struct api_tensor *tensor = &input->tensor;
    if (array->count != tensor->count)
        return FAIL(input, API_WRONG_LENGTH, "/data", "has %zu elements where the shape has %zu", array->count,
                    tensor->count);
    if (array->rank == 1 ||
        (array->rank == tensor->rank && memcmp(array->shape, tensor->shape, array->rank * sizeof *array->shape) == 0))
        return 0;
    return FAIL(input, API_WRONG_LENGTH, "/data", "must be flat, or nested as the shape says");
}

static int read_data(struct input *input)
{
    struct json_named_array named = {
        .name = "data",
        .dtype = input->datatype->dtype,
        .minus_infinity = input->parameter == &api_parameters[API_LOGITS],
        .digits = true,
        .whole = input->datatype->is_signed,
        .minimum = input->datatype->is_signed ? -input->datatype->maximum : 0,
        .maximum = input->datatype->maximum,
    };
    if (input->datatype->binary_only)
        return FAIL(input, API_WRONG_TYPE, "/datatype", "%s is only for binary tensors", input->datatype->name);
    const char *end = json_array_read(input->text, input->data.body, &named, input->reader->problem);
    input->tensor.data = named.array.data;
    if (end == NULL)
        return -1;
    end += strspn(end, " \t\r\n");
    if (end != input->data.body + input->data.length)
        return api_fail(input->reader->problem, API_MALFORMED_JSON, input->text->pointer,
                        input->text->offset + (size_t)(end - input->text->body), "expected ',' or '}' after the data");
    return check_extent(input, &named.array);
}

/* ---- Data after the JSON ---- */

static int read_binary_size(const struct input *input, const json_t *json, size_t *size)
{
    static const char below[] = "/parameters/binary_data_size";
    const double number = json_real_value(json);
    const size_t expected = input->tensor.count * input->datatype->size;
    const struct oip_reader *reader = input->reader;
    if (!json_is_real(json) || number != floor(number) || number < 0)
        return FAIL(input, API_WRONG_TYPE, below, "must be a number of bytes");
    if (number != (double)expected)
        return FAIL(input, API_WRONG_LENGTH, below, "the shape and the datatype make %zu bytes", expected);
    if (expected > reader->request->length - reader->taken)
        return FAIL(input, API_WRONG_LENGTH, below, "the body has %zu bytes left",
                    reader->request->length - reader->taken);
    *size = expected;
    return 0;
}

/* In the body where its elements have their size there already. */
static int read_binary(struct input *input, const json_t *json)
{
    struct oip_reader *reader = input->reader;
    struct api_tensor *tensor = &input->tensor;
    const struct oip_datatype *datatype = input->datatype;
    const size_t element = api_dtypes[datatype->dtype].size;
    size_t size = 0;
    if (read_binary_size(input, json, &size) != 0)
        return -1;
    const char *from = reader->request->body + reader->taken;
    tensor->data = element == datatype->size ? oip_lend(reader, size, element) : NULL;
    tensor->borrowed = tensor->data != NULL;
    if (tensor->borrowed)
        from = tensor->data;
    else
        tensor->data = api_malloc(tensor->count * element);
    if (tensor->data == NULL)
        return FAIL(input, API_OUT_OF_MEMORY, "", "no memory for %s", tensor->name);
    reader->taken += size;
    if (datatype->convert != NULL)
        datatype->convert(tensor->data, from, tensor->count);
    else if (!tensor->borrowed)
        memcpy(tensor->data, from, size);
    return 0;
}

static int read_elements(struct input *input)
{
    const bool listed = input->data.body != NULL, left_out = !listed && oip_member(input->envelope, "data") == NULL;
    const json_t *parameters, *size;
    if (oip_parameters(input->reader->problem, input->envelope, input->text->pointer, oip_input_parameters,
                       &parameters) != 0)
        return -1;
    size = oip_member(parameters, "binary_data_size");
    if (size != NULL && !left_out)
        return FAIL(input, API_DUPLICATE_MEMBER, "/data", "does not go with binary_data_size");
    if (size != NULL)
        return read_binary(input, size);
    if (listed)
        return read_data(input);
    return FAIL(input, left_out ? API_MISSING_MEMBER : API_WRONG_TYPE, "/data", "must be a list");
}

/* ---- All of it ---- */

static int read_input(struct input *input)
{
    if (read_name(input) != 0)
        return -1;
    input->tensor.name = input->parameter->name;
    input->tensor.shaped = true;
    if (read_datatype(input) != 0 || read_shape(input) != 0)
        return -1;
    input->tensor.dtype = input->datatype->dtype;
    return read_elements(input);
}

int oip_read_input(struct oip_reader *reader, const struct json_text *text)
{
    struct input input = {.reader = reader, .text = text};
    int result = json_member_read(text, "data", '[', &input.data, &input.envelope, reader->problem);
    if (result == 0)
        result = read_input(&input);
    json_decref(input.envelope);
    if (result == 0)
        reader->out->tensors[reader->out->tensor_count++] = input.tensor;
    else if (!input.tensor.borrowed)
        api_free(input.tensor.data);
    return result;
}
