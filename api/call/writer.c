#include "call/writer.h"
#include "json/put.h"

#include <string.h>

void writer_open(struct writer *writer, writer_item *item, void *closure)
{
    writer->item = item;
    writer->closure = closure;
    writer->next = 0;
    writer->inside = false;
    writer->suffix = NULL;
}

enum writer_step writer_parameter(struct writer *writer, char *out, const struct api_call *call,
                                  enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    const bool integers = api_parameters[id].type == API_INTEGER;
    if (value->list == NULL) {
        out = integers ? json_put_whole(out, (uint64_t)value->one.integer) : json_put_double(out, value->one.number);
        text_end(&writer->text, out);
        return WRITER_TEXT;
    }
    text_end(&writer->text, out);
    writer->tensor = (struct api_tensor){.dtype = integers ? API_UINT64 : API_FLOAT64,
                                         .data = value->list,
                                         .rank = 1,
                                         .shape = {call->rows},
                                         .count = call->rows};
    return WRITER_ARRAY;
}

enum writer_step writer_text(struct writer *writer, const char *text, enum writer_step step)
{
    return text_put(&writer->text, text, strlen(text)) ? step : WRITER_FAILED;
}

void writer_answer(struct writer *writer, const char *media_type, size_t rows, struct api_response *response)
{
    struct text *text = &writer->text;
    text_fit(text);
    *response = (struct api_response){
        .status = 200,
        .media_type = media_type,
        .body = text->bytes,
        .length = text->length,
        .owned = text->bytes,
        .rows = rows,
    };
    *text = (struct text){.bytes = NULL};
}

static enum writer_step put_array(struct writer *writer, size_t *most)
{
    if (!text_tensor_put(&writer->text, &writer->put, most))
        return WRITER_FAILED;
    if (writer->put.done < writer->tensor.count)
        return WRITER_AGAIN;
    writer->inside = false;
    return writer->suffix != NULL ? writer_text(writer, writer->suffix, WRITER_TEXT) : WRITER_TEXT;
}

static enum writer_step put_item(struct writer *writer, size_t *most)
{
    const enum writer_step step = writer->item(writer, writer->next, most);
    if (step == WRITER_TEXT || step == WRITER_ARRAY)
        writer->next++;
    if (step == WRITER_ARRAY) {
        writer->inside = true;
        text_tensor_begin(&writer->text, &writer->put, &writer->tensor);
    }
    return step;
}

int writer_put(struct writer *writer, size_t most)
{
    while (most > 0) {
        const enum writer_step step = writer->inside ? put_array(writer, &most) : put_item(writer, &most);
        if (step == WRITER_FAILED)
            return -1;
        if (step == WRITER_END)
            return 0;
    }
    return 1;
}
