/* SPDX-License-Identifier: Apache-2.0 */
/* One self-contained HTML file: what stands between the marks of the template is put together here. */
#include "report/page.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/options.h"
#include "report/json.h"
#include "report/page_files.h"

#include <string.h>

static char *escape_text(const char *text, struct invar_error *err)
{
    struct invar_text out = {0};
    bool ok = invar_text_printf(&out, err, "%s", "");

    for (const char *c = text; ok && *c; c++)
        ok = *c == '<'   ? invar_text_printf(&out, err, "&lt;")
             : *c == '>' ? invar_text_printf(&out, err, "&gt;")
             : *c == '&' ? invar_text_printf(&out, err, "&amp;")
             : *c == '"' ? invar_text_printf(&out, err, "&quot;")
                         : invar_text_printf(&out, err, "%c", *c);
    char *copy = ok ? invar_strdup(out.data, err) : NULL;
    invar_text_free(&out);
    return copy;
}

struct piece {
    const char *mark, *text;
    size_t size;
};

/* The template up to the next mark, then what stands for it, and so on. */
static bool put_all(struct invar_writer *writer, const struct piece *pieces, size_t count, struct invar_error *err)
{
    const char *at = page_template;

    for (;;) {
        const char *next = NULL;
        const struct piece *found = NULL;
        for (size_t k = 0; k < count; k++) {
            const char *here = strstr(at, pieces[k].mark);
            if (here && (!next || here < next)) {
                next = here;
                found = &pieces[k];
            }
        }
        if (!found)
            return invar_writer_put(writer, at, strlen(at), err);
        if (!invar_writer_put(writer, at, (size_t)(next - at), err) ||
            !invar_writer_put(writer, found->text, found->size, err))
            return false;
        at = next + strlen(found->mark);
    }
}

bool page_write(const char *path, const char *title, const char *data, struct invar_error *err)
{
    char *json = json_for_script(data, err);
    char *name = json ? escape_text(title, err) : NULL;
    struct invar_writer *writer = name ? invar_writer_open(path, err) : NULL;
    bool ok = false;

    if (writer) {
        const struct piece pieces[] = {
            {"@TITLE@", name, strlen(name)},
            {"@STYLE@", page_style, page_style_size},
            {"@CHART@", page_chart, page_chart_size},
            {"@DATA@", json, strlen(json)},
            {"@BASE@", page_base, page_base_size},
            {"@MAP@", page_map, page_map_size},
            {"@SECTIONS@", page_sections, page_sections_size},
        };
        ok = put_all(writer, pieces, sizeof pieces / sizeof pieces[0], err) && invar_writer_commit(writer, err);
    }
    invar_writer_close(writer);
    invar_free(name);
    invar_free(json);
    return ok;
}
