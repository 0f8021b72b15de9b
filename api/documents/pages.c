/* The pages for people: they take nothing from the network but what this server answers. */
#include "documents/documents.h"

/* Embedded by pages_data.S. */
extern const char page_docs[], page_docs_end[], page_docs_policy[];
extern const char page_playground[], page_playground_end[], page_playground_policy[];

static void set_page(struct api_response *response, const char *page, const char *end, const char *policy)
{
    response->body = page;
    response->length = (size_t)(end - page);
    api_response_header(response, "Content-Security-Policy", policy, NULL);
    api_response_header(response, "X-Content-Type-Options", "nosniff", NULL);
    api_response_header(response, "Referrer-Policy", "no-referrer", NULL);
}

void document_docs(const struct api_request *request, struct api_response *response)
{
    (void)request;
    set_page(response, page_docs, page_docs_end, page_docs_policy);
}

void document_playground(const struct api_request *request, struct api_response *response)
{
    (void)request;
    set_page(response, page_playground, page_playground_end, page_playground_policy);
}
