/* Documents that a call of the API has no part in: the answers' bodies, media types apart. */
#ifndef API_DOCUMENTS_DOCUMENTS_H
#define API_DOCUMENTS_DOCUMENTS_H

#include "api.h"

/* The published specification, api/openapi.yaml, in both its forms. */
void document_openapi_json(const struct api_request *request, struct api_response *response);
void document_openapi_yaml(const struct api_request *request, struct api_response *response);

/* The program's version, the noise's ("rng"), the instruction set that core_select chose, and the functions. */
void document_version(const struct api_request *request, struct api_response *response);

/* Pages: the specification to read and to try, and one to play with the functions. */
void document_docs(const struct api_request *request, struct api_response *response);
void document_playground(const struct api_request *request, struct api_response *response);

#endif
