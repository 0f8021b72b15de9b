/* Numbers as JSON, and the inputs. */
#include "make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double number_at(enum core_dtype dtype, const void *values, size_t i)
{
    return dtype == CORE_FLOAT64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

static void print_number(enum core_dtype dtype, double value)
{
    if (isinf(value))
        fputs(value < 0 ? "\"-Infinity\"" : "\"Infinity\"", stdout);
    else
        printf("%.*g", dtype == CORE_FLOAT64 ? 17 : 9, value);
}

void print_numbers(const char *name, enum core_dtype dtype, const void *values, size_t count, const char *end)
{
    printf("      \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        print_number(dtype, number_at(dtype, values, i));
    }
    printf("]%s\n", end);
}

void print_integers(const char *name, const uint64_t *values, size_t count, const char *end)
{
    printf("      \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)values[i]);
    printf("]%s\n", end);
}

void print_words(const char *name, const uint32_t *words, size_t count)
{
    uint64_t values[MAX_VALUES];
    for (size_t i = 0; i < count; i++)
        values[i] = words[i];
    print_integers(name, values, count, ",");
}

void print_indices(const char *name, const int32_t *indices, size_t count, const char *end)
{
    printf("      \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%d", i > 0 ? ", " : "", (int)indices[i]);
    printf("]%s\n", end);
}

void print_dtype(enum core_dtype dtype)
{
    printf("      \"dtype\": \"%s\",\n", dtype == CORE_FLOAT64 ? "float64" : "float32");
}

void print_parameter(const char *name, const double *values, size_t count)
{
    printf("      \"%s\": %s", name, count > 1 ? "[" : "");
    for (size_t i = 0; i < count; i++)
        printf("%s%.17g", i > 0 ? ", " : "", values[i]);
    puts(count > 1 ? "]," : ",");
}

void print_noise_source(const struct core_noise *noise, size_t rows)
{
    printf("      \"row_offset\": %u, \"draw\": %u,\n      \"seed\": ", (unsigned)noise->row_offset,
           (unsigned)noise->draw);
    for (size_t r = 0; r < (noise->stride != 0 ? rows : 1); r++)
        printf("%s%llu", r > 0 ? ", " : noise->stride != 0 ? "[" : "", (unsigned long long)noise->seed[r]);
    puts(noise->stride != 0 ? "]," : ",");
}

const char *brace(size_t i, size_t count)
{
    return i + 1 < count ? "    }," : "    }";
}

static void put_number(enum core_dtype dtype, numbers *to, size_t i, double value)
{
    if (dtype == CORE_FLOAT64)
        to->wide[i] = value;
    else
        to->narrow[i] = (float)value;
}

void fill_logits(enum core_dtype dtype, numbers *logits, size_t rows, size_t classes, bool masked)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < classes; j++)
            put_number(dtype, logits, r * classes + j,
                       masked && j == 1 ? -INFINITY : (double)((5 * r + 7 * j) % 32) / 8 - 2);
}

void fill_cotangent(enum core_dtype dtype, numbers *cotangent, size_t rows, size_t classes)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < classes; j++)
            put_number(dtype, cotangent, r * classes + j, (double)((3 * r + 11 * j) % 17) / 8 - 1);
}

void must(int status)
{
    if (status == CORE_OK)
        return;
    fprintf(stderr, "make-vectors: the core says %d\n", status);
    exit(1);
}
