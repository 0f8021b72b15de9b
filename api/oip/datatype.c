/* The table of datatypes, and which of them a parameter may have. */
#include "number/half.h"
#include "oip/oip.h"

#include <string.h>

/* ---- From binary tensors, whose elements may lie anywhere, or in the same place if they have the same size ---- */

static void from_bool(void *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i] != 0;
}

static void from_uint32(void *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        memcpy(&value, (const char *)from + i * sizeof value, sizeof value);
        ((uint64_t *)to)[i] = value;
    }
}

/* ---- The table ---- */

/* The first of each type is the one in metadata. */
static const struct {
    enum api_type type; /* API_NUMBERS means API_NUMBER too */
    struct oip_datatype datatype;
} datatypes[] = {
    {API_NUMBERS, {"FP32", 4, API_FLOAT32, NULL, false, false, 0}},
    {API_NUMBERS, {"FP64", 8, API_FLOAT64, NULL, false, false, 0}},
    {API_NUMBERS, {"FP16", 2, API_FLOAT32, half_widen, true, false, 0}},
    {API_NUMBERS, {"BF16", 2, API_FLOAT32, bfloat_widen, true, false, 0}},
    {API_BOOLEANS, {"BOOL", 1, API_BOOL, from_bool, false, false, 0}},
    {API_INTEGER, {"UINT64", 8, API_UINT64, NULL, false, false, API_MAX_INTEGER}},
    {API_INTEGER, {"INT64", 8, API_FLOAT64, int64_widen, false, true, API_MAX_INTEGER}},
    {API_INTEGER, {"INT32", 4, API_FLOAT64, int32_widen, false, true, INT32_MAX}},
    {API_INTEGER, {"UINT32", 4, API_UINT64, from_uint32, false, false, UINT32_MAX}},
};

enum { DATATYPE_COUNT = sizeof datatypes / sizeof *datatypes };

static enum api_type kind_of(enum api_type type)
{
    return type == API_NUMBER ? API_NUMBERS : type;
}

const struct oip_datatype *oip_datatype_of_input(const char *name, enum api_type type)
{
    for (size_t i = 0; i < DATATYPE_COUNT; i++)
        if (datatypes[i].type == kind_of(type) && strcmp(datatypes[i].datatype.name, name) == 0)
            return &datatypes[i].datatype;
    return NULL;
}

const char *oip_datatypes_of_input(enum api_type type)
{
    return kind_of(type) == API_NUMBERS ? "FP32, FP64, FP16 or BF16"
           : type == API_BOOLEANS       ? "BOOL"
                                        : "UINT64, INT64, UINT32 or INT32";
}

const char *oip_datatype_in_metadata(enum api_type type)
{
    size_t i = 0;
    while (datatypes[i].type != kind_of(type))
        i++;
    return datatypes[i].datatype.name;
}
