/* The header of a .npy array (NumPy's format.py, versions 1.0, 2.0 and 3.0): magic, version, length, and a Python dict
 * of descr, fortran_order and shape. */
#ifndef API_NPY_HEADER_H
#define API_NPY_HEADER_H

#include "call/call.h"

/* NumPy's own limit (max_header_size). */
#define NPY_MOST_HEADER_BYTES 10000

/* The type of the elements as the header writes it is cut to this. */
#define NPY_DESCR_SIZE 16

struct npy_header {
    char descr[NPY_DESCR_SIZE]; /* printable ASCII */
    bool fortran_order;
    size_t rank; /* if it is more than API_TENSOR_MAX_RANK, `shape` has only so many axes */
    size_t shape[API_TENSOR_MAX_RANK];
    size_t length; /* bytes up to the data */
};

/* Reads the header at the beginning of the bytes. NULL, or in a few words what is wrong, and its place in *offset. */
const char *npy_header_read(const char *bytes, size_t length, struct npy_header *header, size_t *offset);

/* What every header that is written takes: of version 1.0, a multiple of 64 bytes. */
#define NPY_HEADER_BYTES 128

/* Writes NPY_HEADER_BYTES that announce the tensor's data. */
void npy_header_write(char *out, const struct api_tensor *tensor);

#endif
