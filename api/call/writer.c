#include "call/writer.h"
#include "json/put.h"

#include <string.h>

void writer_open(struct writer *writer, writer_item *item, void *closure)
{
    writer->item = item;
    writer->closure = closure;
    writer->next = 0;
    writer->inside = false;
    writer->suffix = "";
}

enum writer_step writer_repeated(struct writer *writer, const struct api_call *call, enum call_repeated item,
                                 const char *before, const char *quote)
{
    enum { MEMBER_BYTES = 128 /* more than a name and one value take */ };
    const struct call_repeated_kind *kind = &call_repeated_kinds[item];
    if (!call_repeats(call, item))
        return WRITER_TEXT;
    char *out = text_room(&writer->text, MEMBER_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    out = json_put_text(json_put_text(json_put_text(out, before), "\""), kind->name);
    out = json_put_text(out, "\":");
    const bool pair = kind->text == NULL && api_parameters[kind->id].pair;
    if (!call_repeats_list(call, item)) {
        out = call_put_repeated(json_put_text(out, pair ? quote : ""), call, item, 0);
        text_end(&writer->text, json_put_text(out, pair ? quote : ""));
        return WRITER_TEXT;
    }
    text_end(&writer->text, json_put_text(out, quote));
    writer->suffix = quote;
    writer->tensor = (struct api_tensor){.dtype = api_parameters[kind->id].type == API_INTEGER ? API_UINT64
                                                                                               : API_FLOAT64,
                                         .data = call->values[kind->id].list,
                                         .rank = pair ? 2 : 1,
                                         .shape = {call->rows, 2},
                                         .count = call->rows * (pair ? 2 : 1)};
    return WRITER_ARRAY;
}

enum writer_step writer_text(struct writer *writer, const char *text)
{
    return text_put(&writer->text, text, strlen(text)) ? WRITER_TEXT : WRITER_FAILED;
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
    const char *suffix = writer->suffix;
    writer->suffix = "";
    return writer_text(writer, suffix);
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
