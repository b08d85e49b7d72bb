/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gzip.h"

#include "invar/memory.h"
#include <errno.h>
#include <string.h>

#define PIECE (1u << 18)

bool gzip_sound(gzFile stream, const char *path, struct invar_error *err)
{
    int code = Z_OK;
    const char *message = gzerror(stream, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return true;
    if (code == Z_ERRNO)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: there is not enough memory to read it", path);
    if (code == Z_BUF_ERROR)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: truncated gzip file; get it again", path);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: damaged gzip file (%s); get it again", path, message);
}

bool gzip_unpacked(const char *path, uint64_t most, uint64_t *size, struct invar_error *err)
{
    gzFile stream = gzopen(path, "rbe");
    uint8_t *piece = stream ? invar_alloc(PIECE, 1, err) : NULL;
    int got = 0;
    bool ok = piece != NULL;

    *size = 0;
    if (!stream)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    while (ok && *size <= most && (got = gzread(stream, piece, PIECE)) > 0)
        *size += (uint64_t)got;
    ok = ok && gzip_sound(stream, path, err);
    gzclose(stream);
    invar_free(piece);
    return ok;
}
