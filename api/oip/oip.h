/* The Open Inference Protocol v2 (KServe, and Triton with its binary tensor and classification extensions): each
 * function is a model of one version, its arrays and lists are inputs, its other parameters the request's parameters,
 * its results outputs. */
#ifndef API_OIP_OIP_H
#define API_OIP_OIP_H

#include "call/front.h"
#include "call/writer.h"
#include "json/array.h"

#define OIP_MODEL_VERSION "1"
#define OIP_JSON_LENGTH "Inference-Header-Content-Length" /* the field that says where binary tensors begin */

/* ---- Datatypes ---- */

struct oip_datatype {
    const char *name;
    size_t size;          /* of an element of a binary tensor */
    enum api_dtype dtype; /* as the call takes it, and the reader of JSON gives it */
    void (*convert)(void *to, const void *from, size_t count); /* from the binary form; NULL: it is the same */
    bool binary_only, is_signed;
    double
        maximum; /* of an integer in JSON, and of a signed one's negative: no parameter goes beyond API_MAX_INTEGER */
};

/* The datatype of that name, if a parameter of the type may have it; NULL otherwise. */
const struct oip_datatype *oip_datatype_of_input(const char *name, enum api_type type);

/* "FP32, FP64, FP16 or BF16" for such a parameter. */
const char *oip_datatypes_of_input(enum api_type type);

/* The one in the metadata of such a parameter. */
const char *oip_datatype_in_metadata(enum api_type type);

/* ---- Requests ---- */

extern const struct api_front oip_json, oip_binary, oip_form;

enum { OIP_MAX_INPUTS = 16 };

/* A wanted result. */
struct oip_output {
    size_t result; /* function->results[result] */
    bool binary;
    size_t classes; /* how many of the greatest are listed, as "value:index"; 0: the result itself */
};

struct oip_request {
    const struct api_function *function;
    json_t *envelope;                          /* all JSON but the inputs */
    json_t *members;                           /* the parameters that are the function's */
    struct api_tensor tensors[OIP_MAX_INPUTS]; /* tensors[i] is inputs[i] */
    size_t tensor_count;
    struct oip_output outputs[API_MAX_RESULTS]; /* in the order in which they are answered */
    size_t output_count;
    bool binary; /* what an output is that does not say */
};

/* What is being read. */
struct oip_reader {
    const struct api_request *request;
    struct oip_request *out;
    uint64_t *timeout_us;  /* for the parameter `timeout` */
    size_t json_length;    /* of the body; binary tensors follow */
    size_t taken;          /* bytes of the body, so far */
    size_t lent;           /* up to this byte of the body tensors lie in it; 0: none does */
    struct json_text text; /* the JSON, until the call is made */
    char *copy;            /* of it, where binary tensors follow */
    struct api_problem *problem;
};

/* The front's: reads the body into job->call and job->read, a struct oip_request; puts right the pointer of a problem
 * with a row, which has only its number, since the data of logits may be flat, or no JSON; frees job->read. */
int oip_read(struct api_job *job);
int oip_refuse(struct api_job *job);
void oip_close_read(struct api_job *job);

/* Reads the input in `text` as the next tensor: from its data, or from the bytes after the JSON. */
int oip_read_input(struct oip_reader *reader, const struct json_text *text);

/* A member, borrowed; NULL where it is null as where it is left out. */
const json_t *oip_member(const json_t *object, const char *name);

/* The names of an input's and an output's parameters, up to NULL. */
extern const char *const oip_input_parameters[], *const oip_output_parameters[];

/* The `parameters` of what the pointer names, borrowed; NULL where they are left out. -1 and a problem where they are
 * no object, or a name among them is one or two letters from one of `names`, which end with NULL. */
int oip_parameters(struct api_problem *problem, const json_t *object, const char *pointer, const char *const *names,
                   const json_t **parameters);

/* Reads the request's own: the function's into out->members, those that are no function's are passed over. */
int oip_read_parameters(struct oip_reader *reader);

/* The next bytes of the body where they may stay: in the body itself if the request owns it and they can be aligned for
 * elements of `size` there. NULL otherwise. */
void *oip_lend(struct oip_reader *reader, size_t bytes, size_t size);

/* Fails at "<pointer><below>", where a reader is not needed for more. */
int oip_fail(struct api_problem *problem, enum api_problem_code code, const char *pointer, const char *below,
             const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* ---- Answers ---- */

enum { OIP_LONGEST_STRING = 64 }; /* with its length */

/* Whether a result has the axis of the classes, and numbers to be ordered. */
bool oip_has_classes(const struct api_result_kind *kind);

/* The greatest of each row of a result as strings, "value:index", in the protocol's binary form: each after its length
 * in four bytes, the least significant first. Along the class axis the greatest comes first, of equals the lower
 * index. */
struct oip_strings {
    char *bytes; /* NULL if there are none; freed by oip_classify_close */
    size_t size, count;

    /* While they are made: */
    const struct api_tensor *tensor;
    size_t outer, classes, inner, listed; /* the result's axes, and how many are listed of the second */
    size_t at, row, place;                /* of the outer axis; rows of it that are ranked; places listed */
    struct oip_ranked *ranked;
};

/* Of the `classes` greatest; sets tensor->shape to that of the strings. -1 and *problem if memory is short. */
int oip_classify_open(const struct api_call *call, const struct api_result_kind *kind, size_t classes,
                      struct api_tensor *tensor, struct oip_strings *strings, struct api_problem *problem);

/* Makes some of them, of about *most numbers, which it counts down; false when all are made. */
bool oip_classify_some(struct oip_strings *strings, size_t *most);

void oip_classify_close(struct oip_strings *strings);

/* ---- Documents: the bodies of answers about the server and its models ---- */

/* The document, which is taken over, as text. */
void oip_answer_json(json_t *document, struct api_response *response);

void oip_document_server(const struct api_request *request, struct api_response *response);
void oip_document_models(const struct api_request *request, struct api_response *response);
void oip_document_index(const struct api_request *request, struct api_response *response);
void oip_document_metadata(const struct api_request *request, struct api_response *response);
void oip_document_config(const struct api_request *request, struct api_response *response);

#endif
