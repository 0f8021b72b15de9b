/* What the parts of call_build share. */
#ifndef API_CALL_BUILD_H
#define API_CALL_BUILD_H

#include "call/call.h"

struct builder {
    struct call_source *source;
    struct api_call *call;
    struct api_problem *problem;
};

/* Fails with the pointer to the parameter and `below` it, "" or such as "/3". The detail is printf's. */
int builder_fail(const struct builder *builder, enum api_problem_code code, const char *name, const char *below,
                 const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* The same for what exceeds a limit. */
int builder_fail_limit(const struct builder *builder, enum api_limit_id limit, const char *name);

/* Whether the number that a member of the source was read as is an integer, and was one before it was rounded. */
bool builder_is_whole(const struct builder *builder, const char *name, const char *below, double number);

/* For after "a list" or "an array" in a detail: how the source sends them, ", sent as ...", or "". */
void builder_describe_lists(const struct builder *builder, char *text, size_t size);

/* The limit in force. */
size_t builder_limit(const struct builder *builder, enum api_limit_id limit);

/* What the source has of that parameter that is no tensor; NULL where it is left out, or null and not required. */
const json_t *builder_given(const struct builder *builder, enum api_parameter_id id);

/* The source's tensor of that name, or NULL. */
struct api_tensor *builder_tensor(const struct builder *builder, enum api_parameter_id id);

/* The tensor's data, which becomes the call's, or stays in a block of its source. */
void *builder_take(const struct builder *builder, struct api_tensor *tensor);

/* `count` elements that are freed with the call; NULL and a problem if memory is short. */
void *builder_allocate(const struct builder *builder, size_t count, size_t size, const char *name);

/* Reads a parameter that is no array of the logits' kind into the call's values, or its fallback. The call's rows,
 * classes and `of` are known by then. */
int builder_read_value(const struct builder *builder, enum api_parameter_id id);

/* Likewise each of `parameters` from `first` on, in the order of the table. */
int builder_read_values(const struct builder *builder, enum api_parameter_id first, api_parameter_set parameters);

/* Reads lists of classes from their JSON. */
int builder_read_classes(const struct builder *builder, const struct api_parameter *parameter, const json_t *json,
                         struct core_class_lists *lists);

/* Reads a schedule from its object and computes what it comes to. */
int builder_read_schedule(const struct builder *builder, const struct api_parameter *parameter, const json_t *object,
                          double *value);

/* Makes the seeds of the key, where that is given. */
int builder_read_key(const struct builder *builder);

/* Checks how far into torch's stream the call goes, and makes room for places in it. The call's work is known by then.
 */
int builder_open_stream(const struct builder *builder);

/* Lays out the results and allocates them. The call's other members are set by then. */
int builder_lay_out_results(const struct builder *builder);

#endif
