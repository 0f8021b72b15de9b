/* Documents that a call of the API has no part in: the answers' bodies, media types apart. */
#ifndef API_DOCUMENTS_H
#define API_DOCUMENTS_H

#include "api.h"

/* The published specification, api/openapi.yaml, in both its forms. */
void document_openapi_json(struct api_response *response);
void document_openapi_yaml(struct api_response *response);

/* The program's version, the noise's ("rng") and the instruction set that core_select chose. */
void document_version(struct api_response *response);

#endif
