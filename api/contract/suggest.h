/* What was probably meant by a name that is not known: a spelling slip, another case, or another library's word. */
#ifndef API_CONTRACT_SUGGEST_H
#define API_CONTRACT_SUGGEST_H

#include "api.h"

enum { SUGGEST_FAR = 3 };

/* How many letters are inserted, left out, replaced or swapped with the next (Damerau-Levenshtein, each letter in one
 * edit) between a name and a known one, regardless of case, '_' and '-'. SUGGEST_FAR if it is more than two, or so many
 * that half of the known name would be another. */
unsigned suggest_distance(const char *name, const char *known);

/* The one of `names`, which end with NULL, that is nearest to `name`; NULL if all are far. */
const char *suggest_name(const char *const *names, const char *name);

/* Of `parameters` (bit i: api_parameters[i]) the one that was probably meant: of the same letters, another library's
 * word for it, or the nearest. NULL if there is none. */
const struct api_parameter *suggest_parameter(api_parameter_set parameters, const char *name);

/* The line about a name that is none of the parameters of `of`, a function: "softmax takes logits, not Logits; its
 * members are ...". */
void suggest_members(const char *of, api_parameter_set parameters, const char *name, char *text, size_t size);

#endif
