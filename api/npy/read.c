#include "call/query.h"
#include "contract/suggest.h"
#include "npy/header.h"
#include "npy/npy.h"
#include "number/half.h"
#include "json/pointer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct reader {
    const struct api_function *function;
    char *body;
    size_t length, at; /* the next array begins there */
    struct api_tensor tensors[API_PARAMETER_COUNT];
    size_t count;
    void *blocks[CALL_MAX_BLOCKS];
    size_t block_count;
    struct api_problem *problem;
};

/* ---- Types of elements ---- */

/* What an array may be taken for. */
enum use { AS_LOGITS = 1, AS_MASK = 2, AS_LIST = 4 };

/* bfloat16 is what ml_dtypes has numpy.save write: bytes of no type, in the order of the machine. */
static const struct kind {
    const char *type;   /* after the order of its bytes, in the header */
    const char *orders; /* that are taken; the first is what an error says */
    enum api_dtype dtype;
    size_t size;
    void (*convert)(void *to, const void *from, size_t count); /* NULL: the elements stay */
    unsigned uses;
} kinds[] = {
    {"f4", "<>", API_FLOAT32, 4, NULL, AS_LOGITS | AS_LIST},
    {"f8", "<>", API_FLOAT64, 8, NULL, AS_LOGITS | AS_LIST},
    {"f2", "<>", API_FLOAT32, 2, half_widen, AS_LOGITS | AS_LIST},
    {"V2", "<|", API_FLOAT32, 2, bfloat_widen, AS_LOGITS | AS_LIST},
    {"b1", "|", API_BOOL, 1, NULL, AS_MASK},
    {"i4", "<>", API_INT32, 4, NULL, AS_LIST},
    {"u4", "<>", API_UINT32, 4, NULL, AS_LIST},
    {"u8", "<>", API_UINT64, 8, NULL, AS_LIST},
    {"i8", "<>", API_FLOAT64, 8, int64_widen, AS_LIST}, /* what is beyond 2^53 is out of every range, rounded or not */
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool is_kind(const struct kind *kind, const char *descr, enum use use)
{
    return (kind->uses & use) && *descr != '\0' && strchr(kind->orders, *descr) != NULL &&
           strcmp(descr + 1, kind->type) == 0;
}

static enum use use_of(const struct api_parameter *parameter)
{
    return parameter->type == API_NUMBERS ? AS_LOGITS : parameter->type == API_BOOLEANS ? AS_MASK : AS_LIST;
}

/* ---- Problems ---- */

static int fail(const struct reader *reader, const char *name, enum api_problem_code code, size_t offset,
                const char *detail)
{
    char pointer[256];
    json_pointer_write(pointer, sizeof pointer, name);
    return api_fail(reader->problem, code, pointer, offset, "%s", detail);
}

static int fail_dtype(const struct reader *reader, const char *name, enum use use, const char *descr)
{
    char list[64] = "", detail[160];
    size_t used = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].uses & use)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%c%s", used > 0 ? ", " : "", *kinds[i].orders,
                                     kinds[i].type);
    snprintf(detail, sizeof detail, "has dtype %s; supported are %s", descr, list);
    return fail(reader, name, API_WRONG_TYPE, API_NO_OFFSET, detail);
}

/* ---- Elements ---- */

/* A block of their own, with room for the header that an answer may need before them. */
static void *make_room(struct reader *reader, size_t bytes)
{
    char *block = api_malloc(NPY_HEADER_BYTES + bytes);
    if (block == NULL)
        return NULL;
    assert(reader->block_count < CALL_MAX_BLOCKS);
    reader->blocks[reader->block_count++] = block;
    return block + NPY_HEADER_BYTES;
}

static void swap_bytes(char *data, size_t count, size_t size)
{
    for (char *const end = data + count * size; data < end; data += size)
        for (size_t i = 0; i < size / 2; i++) {
            const char byte = data[i];
            data[i] = data[size - 1 - i];
            data[size - 1 - i] = byte;
        }
}

static void put_element(const struct kind *kind, char *to, const char *from)
{
    if (kind->convert != NULL)
        kind->convert(to, from, 1);
    else
        memcpy(to, from, kind->size);
}

/* Elements in Fortran order, the first axis being the fastest, into C order. */
static void transpose(const struct kind *kind, const struct api_tensor *tensor, char *to, const char *from)
{
    const size_t size = api_dtypes[kind->dtype].size;
    size_t index[API_TENSOR_MAX_RANK] = {0}, at = 0;
    for (size_t i = 0; i < tensor->count; i++) {
        put_element(kind, to + i * size, from + at * kind->size);
        size_t axis = tensor->rank, stride = tensor->count;
        while (axis-- > 0) {
            stride /= tensor->shape[axis];
            at += stride;
            if (++index[axis] < tensor->shape[axis])
                break;
            at -= stride * tensor->shape[axis];
            index[axis] = 0;
        }
    }
}

/* To a place where they are aligned, over the end of their header. */
static char *align(char *data, size_t bytes, size_t size)
{
    const size_t over = (uintptr_t)data % size;
    return over == 0 ? data : memmove(data - over, data, bytes);
}

/* In the body if they have their size and their order there. */
static int convert(struct reader *reader, const struct kind *kind, const struct npy_header *header,
                   struct api_tensor *tensor)
{
    char *data = tensor->data;
    const size_t size = api_dtypes[kind->dtype].size;
    const bool fortran = header->fortran_order && tensor->rank > 1, in_place = !fortran && size == kind->size;
    if (*header->descr == '>')
        swap_bytes(data, tensor->count, kind->size);
    tensor->data = in_place ? align(data, tensor->count * size, size) : make_room(reader, tensor->count * size);
    if (tensor->data == NULL)
        return fail(reader, tensor->name, API_OUT_OF_MEMORY, API_NO_OFFSET, "no memory for the array");
    if (fortran)
        transpose(kind, tensor, tensor->data, data);
    else if (kind->convert != NULL)
        kind->convert(tensor->data, in_place ? tensor->data : data, tensor->count);
    return 0;
}

static int check_booleans(const struct reader *reader, const struct api_tensor *tensor)
{
    const unsigned char *data = tensor->data;
    for (size_t i = 0; tensor->dtype == API_BOOL && i < tensor->count; i++)
        if (data[i] > 1)
            return fail(reader, tensor->name, API_MALFORMED_NPY, (size_t)((const char *)data - reader->body) + i,
                        "no boolean: 0 or 1");
    return 0;
}

/* ---- Arrays ---- */

static int read_shape(struct reader *reader, const struct npy_header *header, const struct kind *kind,
                      struct api_tensor *tensor)
{
    const size_t rest = (reader->length - reader->at) / kind->size;
    bool fits = rest > 0; /* without axes there is one element */
    char detail[160];
    tensor->rank = header->rank;
    tensor->count = 1;
    memcpy(tensor->shape, header->shape, sizeof header->shape);
    for (size_t axis = 0; axis < header->rank; axis++)
        if (header->shape[axis] == 0) {
            tensor->count = 0;
            return 0;
        }
    for (size_t axis = 0; fits && axis < header->rank; axis++) {
        fits = header->shape[axis] <= rest / tensor->count;
        tensor->count *= header->shape[axis];
    }
    if (fits)
        return 0;
    snprintf(detail, sizeof detail, "the array has more elements than the %zu bytes after its header hold",
             reader->length - reader->at);
    return fail(reader, tensor->name, API_MALFORMED_NPY, reader->at, detail);
}

/* What may be sent otherwise: the axes and the dtype. */
static int check_header(struct reader *reader, const struct npy_header *header, const struct api_parameter *parameter,
                        const struct kind **kind)
{
    const enum use use = use_of(parameter);
    size_t i = 0;
    if (header->rank > API_TENSOR_MAX_RANK)
        return fail(reader, parameter->name, API_WRONG_TYPE, API_NO_OFFSET, "may have up to 9 axes");
    while (i < KINDS && !is_kind(&kinds[i], header->descr, use))
        i++;
    if (i == KINDS)
        return fail_dtype(reader, parameter->name, use, header->descr);
    *kind = &kinds[i];
    return 0;
}

/* What is refused of the array as a whole is where that begins. */
static int place(const struct reader *reader, size_t begin)
{
    if (reader->problem != NULL && reader->problem->offset == API_NO_OFFSET)
        reader->problem->offset = begin;
    return -1;
}

static int read_array(struct reader *reader, const struct api_parameter *parameter)
{
    const size_t begin = reader->at;
    struct npy_header header;
    const struct kind *kind = NULL;
    size_t offset;
    struct api_tensor tensor = {.name = parameter->name, .borrowed = true, .shaped = true};
    const char *wrong = npy_header_read(reader->body + reader->at, reader->length - reader->at, &header, &offset);
    if (wrong != NULL)
        return fail(reader, parameter->name, API_MALFORMED_NPY, reader->at + offset, wrong);
    reader->at += header.length;
    if (check_header(reader, &header, parameter, &kind) != 0 || read_shape(reader, &header, kind, &tensor) != 0)
        return place(reader, begin);
    tensor.dtype = kind->dtype;
    tensor.data = reader->body + reader->at;
    reader->at += tensor.count * kind->size;
    if (check_booleans(reader, &tensor) != 0 || convert(reader, kind, &header, &tensor) != 0)
        return -1;
    reader->tensors[reader->count++] = tensor;
    return 0;
}

static const struct api_tensor *find(const struct reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->count; i++)
        if (strcmp(reader->tensors[i].name, name) == 0)
            return &reader->tensors[i];
    return NULL;
}

static int fail_name(const struct reader *reader, enum api_problem_code code, const char *detail)
{
    return fail(reader, QUERY_ARRAYS, code, API_NO_OFFSET, detail);
}

static int fail_unknown(const struct reader *reader, const char *name, size_t length)
{
    char copy[64], detail[API_DETAIL_BYTES];
    snprintf(copy, sizeof copy, "%.*s", length < sizeof copy ? (int)length : (int)sizeof copy - 1, name);
    suggest_members(reader->function->name, reader->function->parameters, copy, detail, sizeof detail);
    return fail_name(reader, API_UNKNOWN_MEMBER, detail);
}

/* The array of the next name in the list of those of the body. */
static int read_named(struct reader *reader, const char *name, size_t length, const json_t *members)
{
    const struct api_parameter *parameter = api_parameter_find(reader->function, name, length);
    if (parameter == NULL)
        return fail_unknown(reader, name, length);
    if (use_of(parameter) == AS_LIST && !parameter->per_row)
        return fail_name(reader, API_WRONG_TYPE, "names a parameter that is no array: it goes into the query");
    if (find(reader, parameter->name) != NULL)
        return fail_name(reader, API_DUPLICATE_MEMBER, "names an array twice");
    if (json_object_get(members, parameter->name) != NULL)
        return fail(reader, parameter->name, API_DUPLICATE_MEMBER, API_NO_OFFSET,
                    "is both in the query and among the arrays of the body");
    return read_array(reader, parameter);
}

static int read_arrays(struct reader *reader, const struct query *query)
{
    const struct api_argument *arrays = query->arrays;
    const char *name = arrays != NULL ? arrays->value : api_parameters[API_LOGITS].name;
    const char *const end = name + (arrays != NULL ? arrays->length : strlen(name));
    for (const char *comma = name; comma != NULL; name = comma + 1) {
        comma = memchr(name, ',', (size_t)(end - name));
        if (read_named(reader, name, (size_t)((comma != NULL ? comma : end) - name), query->members) != 0)
            return -1;
        if (comma == NULL)
            break;
    }
    if (reader->at == reader->length)
        return 0;
    return api_fail(reader->problem, API_MALFORMED_NPY, "", reader->at,
                    "the body continues after its last array; the query's `arrays` has to name them all");
}

/* ---- The whole ---- */

/* The body's bytes become the reader's: taken from the request, or a copy. */
static int take_body(struct reader *reader, const struct api_request *request)
{
    static char nothing[1];
    reader->body = nothing;
    if (request->body == NULL)
        return 0;
    if (request->own_body != NULL) {
        reader->body = *request->own_body;
        *request->own_body = NULL;
    } else {
        reader->body = api_malloc(request->length > 0 ? request->length : 1);
        if (reader->body == NULL)
            return api_fail(reader->problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the arrays");
        memcpy(reader->body, request->body, request->length);
    }
    reader->length = request->length;
    reader->blocks[reader->block_count++] = reader->body;
    return 0;
}

static int build(struct reader *reader, struct query *query, const struct api_request *request, struct api_call **call)
{
    struct call_source source = {.function = reader->function,
                                 .tensors = reader->tensors,
                                 .fresh_seed = request->fresh_seed,
                                 .limits = request->limits};
    const size_t first = reader->count;
    call_give(&source, query->members);
    for (size_t i = 0; i < query->list_count; i++)
        reader->tensors[reader->count++] = query->lists[i];
    source.tensor_count = reader->count;
    memcpy(source.blocks, reader->blocks, sizeof source.blocks);
    memset(reader->blocks, 0, sizeof reader->blocks);
    const int result = call_build(&source, call, reader->problem);
    for (size_t i = 0; i < query->list_count; i++)
        query->lists[i].data = reader->tensors[first + i].data;
    return result;
}

int npy_read(struct api_job *job)
{
    const struct api_request *request = &job->request;
    struct reader reader = {.function = request->route->function, .problem = &job->problem};
    struct query query;
    int result = query_read(request, false, &query, &job->problem);
    if (result == 0)
        result = take_body(&reader, request);
    if (result == 0)
        result = read_arrays(&reader, &query);
    if (result == 0)
        result = build(&reader, &query, request, &job->call);
    for (size_t i = 0; i < CALL_MAX_BLOCKS; i++)
        api_free(reader.blocks[i]);
    query_free(&query);
    return result;
}
