/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as one JSON object. */
#include "report/compare_parts.h"

static void write_mean(struct json_writer *w, const char *name, const struct comparison_mean *mean)
{
    json_open_object(w, name);
    json_number(w, "n", mean->n);
    json_number(w, "mean", mean->mean);
    if (mean->n > 1)
        json_numbers(w, "interval", (double[]){mean->mean - mean->half, mean->mean + mean->half}, 2);
    json_close(w);
}

static void write_metrics(const struct comparison *c, struct json_writer *w)
{
    json_open_array(w, "metrics");
    for (int m = 0; m < c->metric_count; m++) {
        json_open_object(w, NULL);
        json_text(w, "name", c->metric[m].name);
        json_text(w, "unit", c->metric[m].unit);
        if (c->metric[m].better)
            json_text(w, "better", c->metric[m].better > 0 ? "larger" : "smaller");
        json_close(w);
    }
    json_close(w);
}

static void write_run(const struct comparison *c, int r, const char *group, struct json_writer *w)
{
    const struct report_run *run = c->run[r];

    json_open_object(w, NULL);
    json_text(w, "run", run->folder);
    json_text(w, "name", run->name);
    json_text(w, "group", group);
    if (run->seed >= 0)
        json_number(w, "seed", (double)run->seed);
    json_text(w, "data", run->source);
    if (*run->identity)
        json_text(w, "data_identity", run->identity);
    json_text(w, "version", run->version);
    json_bool(w, "finished", run->finished);
    report_run_put_machines(run, "machine", w);
    json_open_object(w, "values");
    for (int m = 0; m < c->metric_count; m++)
        json_number(w, c->metric[m].name, c->value[r][m].value);
    json_close(w);
    json_close(w);
}

static void write_group(const struct comparison *c, int g, struct json_writer *w)
{
    const struct comparison_group *group = &c->group[g];

    json_open_object(w, NULL);
    json_text(w, "name", group->name);
    json_open_array(w, "runs");
    for (int r = 0; r < group->run_count; r++)
        json_text(w, NULL, c->run[group->run[r]]->folder);
    json_close(w);
    json_open_object(w, "options");
    for (int k = 0; k < c->key_count; k++)
        json_text(w, c->key[k], comparison_setting(c, g, c->key[k]));
    json_close(w);
    json_open_object(w, "means");
    for (int m = 0; m < c->metric_count; m++)
        write_mean(w, c->metric[m].name, &group->mean[m]);
    json_close(w);
    if (g != c->base) {
        json_open_object(w, "differences");
        for (int m = 0; m < c->metric_count; m++)
            write_mean(w, c->metric[m].name, &group->difference[m]);
        json_close(w);
    }
    json_close(w);
}

static void write_choice(const struct comparison *c, const struct comparison_choice *choice, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_text(w, "measure", choice->name);
    json_text(w, "takes", choice->sense > 0 ? "largest" : choice->sense < 0 ? "smallest" : "nearest 1");
    if (choice->run >= 0) {
        json_text(w, "run", c->run[choice->run]->folder);
        json_number(w, c->metric[0].name, choice->score);
        json_number(w, "below_best", choice->below);
    }
    json_number(w, "rank_correlation", choice->correlation);
    json_number(w, "n", choice->n);
    json_close(w);
}

static void write_cka(const struct comparison *c, struct json_writer *w)
{
    json_open_object(w, "cka");
    json_number(w, "samples", (double)c->cka_samples);
    json_open_array(w, "runs");
    for (int r = 0; r < c->run_count; r++)
        json_text(w, NULL, c->run[r]->folder);
    json_close(w);
    json_open_array(w, "values");
    for (int a = 0; a < c->run_count; a++) {
        json_open_array(w, NULL);
        for (int b = 0; b < c->run_count; b++)
            json_number(w, NULL, comparison_cka(c, a, b));
        json_close(w);
    }
    json_close(w);
    json_close(w);
}

void comparison_json(const struct comparison *c, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_text(w, "base", c->group[c->base].name);
    write_metrics(c, w);
    json_open_array(w, "runs");
    for (int g = 0; g < c->group_count; g++)
        for (int r = 0; r < c->group[g].run_count; r++)
            write_run(c, c->group[g].run[r], c->group[g].name, w);
    json_close(w);
    json_open_array(w, "groups");
    for (int g = 0; g < c->group_count; g++)
        write_group(c, g, w);
    json_close(w);
    if (c->choice) {
        json_open_array(w, "choice");
        for (int i = 0; i < c->choice_count; i++)
            write_choice(c, &c->choice[i], w);
        json_close(w);
    }
    if (c->cka)
        write_cka(c, w);
    if (c->score_count)
        comparison_write_scores(c, w);
    /* Fields in which machines differ; empty where they agree or are not known. */
    json_texts(w, "trained_differs", c->trained.field, c->trained.count);
    json_texts(w, "measured_differs", c->measured.field, c->measured.count);
    json_texts(w, "notes", c->note, c->note_count);
    json_close(w);
}
