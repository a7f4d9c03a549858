/* The two ends of a model: what `preprocess` says about an input image, and
 * outputs with their class names. */
#include "frontend/elaborate.h"
#include "support/file.h"
#include <string.h>

/* ---- preprocess -------------------------------------------------------- */

enum { LIMIT_IMAGE = 65536 };

/* One block being read. */
typedef struct PortReader {
    Elab *e;
    Preprocess *pre;
    int channels;
} PortReader;

static void item_error(PortReader *r, const Item *item, const char *form)
{
    elab_error(r->e, item->span, "write it as: %s", form);
}

/* Numbers of an item from `at` on; false when one is missing or no number. */
static bool numbers_read(const Item *item, int n, double *numbers)
{
    for (int i = 0; i < n; i++) {
        if (i >= item->data.n || (item->data.at[i].kind != DATUM_int &&
                                  item->data.at[i].kind != DATUM_real))
            return false;
        numbers[i] = item->data.at[i].number;
    }
    return true;
}

/* One or two sizes at the start of an item; how many, 0 after an error. */
static int sizes_read(const Item *item, int *sizes)
{
    int n = 0;
    for (; n < 2 && n < item->data.n && item->data.at[n].kind == DATUM_int; n++) {
        double size = item->data.at[n].number;
        if (size < 1 || size > LIMIT_IMAGE)
            return 0;
        sizes[n] = (int)size;
    }
    return n;
}

static void read_resize(PortReader *r, const Item *item)
{
    int size[2] = {0, 0}, n = sizes_read(item, size);
    const Datum *filter = n < item->data.n ? &item->data.at[n] : NULL;
    int mode = filter && filter->kind == DATUM_word ? mode_find(filter->text) : -1;
    bool filter_ok = !filter || mode == MODE_bilinear || mode == MODE_nearest;
    if (n == 0 || !filter_ok || item->data.n > n + 1) {
        item_error(r, item, "resize 256 bilinear, or resize 224 224 nearest");
        return;
    }
    r->pre->resize_short = n == 1 ? size[0] : 0;
    r->pre->resize_h = n == 2 ? size[0] : 0;
    r->pre->resize_w = n == 2 ? size[1] : 0;
    r->pre->filter = filter ? (Mode)mode : MODE_bilinear;
}

static void read_crop(PortReader *r, const Item *item)
{
    int size[2], n = sizes_read(item, size);
    if (n == 0 || item->data.n > n) {
        item_error(r, item, "crop 224, or crop 224 320 (height and width)");
        return;
    }
    r->pre->crop_h = size[0];
    r->pre->crop_w = size[n - 1];
}

static void read_order(PortReader *r, const Item *item)
{
    if (item->data.n)
        item_error(r, item, item->word.text);
    r->pre->order = strcmp(item->word.text, "rgb") == 0   ? ORDER_rgb
                    : strcmp(item->word.text, "bgr") == 0 ? ORDER_bgr
                                                          : ORDER_gray;
    int wanted = r->pre->order == ORDER_gray ? 1 : 3;
    if (r->channels != wanted)
        elab_error(r->e, item->span, "%s gives %d %s, the input has %d",
                   item->word.text, wanted, wanted == 1 ? "channel" : "channels",
                   r->channels);
}

static void read_statistics(PortReader *r, const Item *item, double *out, bool divisor)
{
    if (item->data.n != r->channels || !numbers_read(item, r->channels, out)) {
        elab_error(r->e, item->span, "'%s' needs %d numbers, one per channel",
                   item->word.text, r->channels);
        return;
    }
    for (int i = 0; divisor && i < r->channels; i++)
        if (!(out[i] > 0))
            elab_error(r->e, item->data.at[i].span, "'std' must be above 0");
}

static void item_read(PortReader *r, const Item *item)
{
    static const char *const words[] = {"resize", "crop", "rgb", "bgr",
                                        "gray",   "mean", "std"};
    const char *word = item->word.text;
    if (strcmp(word, "resize") == 0) {
        read_resize(r, item);
    } else if (strcmp(word, "crop") == 0) {
        read_crop(r, item);
    } else if (strcmp(word, "rgb") == 0 || strcmp(word, "bgr") == 0 ||
               strcmp(word, "gray") == 0) {
        read_order(r, item);
    } else if (strcmp(word, "mean") == 0) {
        read_statistics(r, item, r->pre->mean, false);
    } else if (strcmp(word, "std") == 0) {
        read_statistics(r, item, r->pre->std, true);
    } else {
        Message *message = elab_error(r->e, item->word.span,
                                      "'preprocess' knows no '%s'", word);
        Nearest nearest = nearest_to(word);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            nearest_offer(&nearest, words[i]);
        elab_suggest(r->e, message, item->word.span, &nearest);
    }
}

static void repeats_report(Elab *e, const ItemList *items)
{
    for (int i = 0; i < items->n && i < 32; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(items->at[i]->word.text, items->at[k]->word.text) == 0)
                elab_error(e, items->at[i]->word.span, "'%s' is said twice",
                           items->at[i]->word.text);
}

/* What remains of the image must be the size of the input. */
static void size_check(PortReader *r, const Stmt *stmt)
{
    const Preprocess *pre = r->pre;
    const Shape *shape = &pre->input->type.shape;
    int h = pre->crop_h ? pre->crop_h : pre->resize_h;
    int w = pre->crop_w ? pre->crop_w : pre->resize_w;
    if (h && (h != shape->dim[2] || w != shape->dim[3])) {
        Message *message =
            elab_error(r->e, stmt->span, "preprocessing gives %d x %d pixels", h, w);
        elab_note_tensor(r->e, message, stmt->name.text, pre->input);
    }
    int narrow = pre->crop_h < pre->crop_w ? pre->crop_h : pre->crop_w;
    if (pre->resize_short && narrow > pre->resize_short)
        elab_error(r->e, stmt->span, "the crop is larger than the resized image");
}

static Value *input_find(Elab *e, const Name *name)
{
    for (Value *v = e->graph->first; v; v = v->next)
        if (v->op == OP_input && strcmp(v->attr.name, name->text) == 0)
            return v;
    for (int i = 0; i < e->scope->module->params.n; i++)
        if (strcmp(e->scope->module->params.at[i].name.text, name->text) == 0)
            return NULL; /* its type is wrong, which was said */
    Message *message = elab_error(e, name->span, "there is no input '%s'", name->text);
    Nearest nearest = nearest_to(name->text);
    for (int i = 0; i < e->scope->module->params.n; i++)
        nearest_offer(&nearest, e->scope->module->params.at[i].name.text);
    elab_suggest(e, message, name->span, &nearest);
    return NULL;
}

static bool is_image(Elab *e, const Stmt *stmt, const Value *input)
{
    const Shape *shape = &input->type.shape;
    if (input->type.dtype == DT_f32 && shape->rank == 4 && shape->dim[0] == 1 &&
        (shape->dim[1] == 1 || shape->dim[1] == 3))
        return true;
    Message *message = elab_error(e, stmt->name.span,
                                  "an image is f32[1,3,H,W] or f32[1,1,H,W]");
    elab_note_tensor(e, message, stmt->name.text, input);
    return false;
}

void preprocess_run(Elab *e, const Stmt *stmt)
{
    Value *input = input_find(e, &stmt->name);
    if (!input || !is_image(e, stmt, input))
        return;
    for (int i = 0; i < e->graph->preprocess.n; i++)
        if (e->graph->preprocess.at[i].input == input)
            elab_error(e, stmt->span, "a second 'preprocess' of '%s'",
                       stmt->name.text);
    Preprocess pre = {.input = input, .filter = MODE_bilinear, .order = ORDER_rgb,
                      .std = {1, 1, 1, 1}, .span = stmt->span};
    PortReader reader = {e, &pre, (int)input->type.shape.dim[1]};
    if (reader.channels == 1)
        pre.order = ORDER_gray;
    repeats_report(e, &stmt->items);
    for (int i = 0; i < stmt->items.n; i++)
        item_read(&reader, stmt->items.at[i]);
    size_check(&reader, stmt);
    VEC_PUSH(e->arena, e->graph->preprocess, pre);
}

/* ---- outputs ----------------------------------------------------------- */

/* "layer4.vt1.scores": the value some labelled statement made. */
static Value *labelled_find(Elab *e, Span span, const char *label)
{
    const Labelled *labelled = strmap_get(&e->labels, label);
    if (labelled)
        return labelled->value;
    Message *message = elab_error(e, span, "no value is labelled '%.200s'", label);
    if (strlen(label) <= LIMIT_NAME) {
        Nearest nearest = nearest_to(label);
        nearest_offer_map(&nearest, &e->labels);
        elab_suggest(e, message, span, &nearest);
    }
    return NULL;
}

static Value *output_value(Elab *e, const Stmt *stmt)
{
    Expr name = {.kind = EXPR_name, .span = stmt->name.span, .depth = 1,
                 .text = stmt->name.text};
    const Expr *expr = stmt->value ? stmt->value : &name;
    const StrMap *assigned = e->scope->module->assigned;
    if (!stmt->value && !strmap_get(assigned, name.text) &&
        !e->scope->module->damaged) {
        Message *message = elab_error(e, name.span, "unknown name '%s'", name.text);
        Nearest nearest = nearest_to(name.text);
        nearest_offer_map(&nearest, assigned);
        elab_suggest(e, message, name.span, &nearest);
        return NULL;
    }
    Val v = elab_value(e, expr);
    if (v.kind == VAL_string && stmt->value)
        return labelled_find(e, expr->span, v.text);
    if (v.kind == VAL_tensor)
        return v.tensor;
    if (v.kind != VAL_poison)
        elab_error(e, expr->span, "an output is a tensor, not %s", val_describe(e, v));
    return NULL;
}

static void labels_split(Elab *e, const Source *source, Output *output)
{
    const char *at = source->text, *end = at + source->length;
    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        const char *stop = line ? line : end;
        size_t length = (size_t)(stop - at);
        if (length && at[length - 1] == '\r')
            length--;
        VEC_PUSH(e->arena, output->labels, arena_strndup(e->arena, at, length));
        at = line ? line + 1 : end;
    }
}

/* Classes lie along dimension 1 ([N,C], [N,C,H,W]), or the only one; a map of
 * class indices has no such dimension. 0: unknown. */
static int64_t class_count(const Value *value)
{
    const Shape *shape = &value->type.shape;
    if (value->type.dtype != DT_f32 || shape->rank == 0)
        return 0;
    return shape->dim[shape->rank > 1 ? 1 : 0];
}

static void labels_read(Elab *e, const Item *item, Output *output)
{
    const Datum *path = item->data.n == 1 ? &item->data.at[0] : NULL;
    if (!path || path->kind != DATUM_string || !*path->text) {
        elab_error(e, item->span, "write it as: labels \"file.txt\"");
        return;
    }
    const char *dir = path_dir(e->arena, e->scope->module->file->source->path);
    output->labels_path = strcmp(dir, ".") == 0
                              ? path->text
                              : path_join(e->arena, dir, path->text);
    const Source *source =
        ast_read(e->ast, e->arena, e->diag, path->span, output->labels_path);
    if (!source)
        return;
    labels_split(e, source, output);
    int64_t classes = output->value ? class_count(output->value) : 0;
    if (!classes || classes == output->labels.n)
        return;
    Message *message =
        elab_error(e, path->span, "'%s' names %d classes, the output has %lld",
                   path->text, output->labels.n, (long long)classes);
    elab_note_tensor(e, message, output->name, output->value);
}

static void output_item(Elab *e, const Item *item, Output *output)
{
    if (strcmp(item->word.text, "labels") == 0) {
        labels_read(e, item, output);
        return;
    }
    Message *message = elab_error(e, item->word.span, "'output' knows no '%s'",
                                  item->word.text);
    Nearest nearest = nearest_to(item->word.text);
    nearest_offer(&nearest, "labels");
    elab_suggest(e, message, item->word.span, &nearest);
}

void output_run(Elab *e, const Stmt *stmt)
{
    Output output = {.name = stmt->name.text, .value = output_value(e, stmt)};
    for (int i = 0; i < e->graph->outputs.n; i++)
        if (strcmp(e->graph->outputs.at[i].name, output.name) == 0)
            elab_error(e, stmt->name.span, "a second output '%s'", output.name);
    repeats_report(e, &stmt->items);
    for (int i = 0; i < stmt->items.n; i++)
        output_item(e, stmt->items.at[i], &output);
    if (output.value) /* else it was reported */
        VEC_PUSH(e->arena, e->graph->outputs, output);
}

/* ---- outputs from outside ---------------------------------------------- */

/* Labels differ by more than names in generated code can: "a.b" becomes a_b. */
static bool same_in_code(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
            return false;
    return *a == *b;
}

static void output_add(Elab *e, const char *label)
{
    Span nowhere = {NULL, 0, 0};
    Output output = {.name = label, .value = labelled_find(e, nowhere, label)};
    if (!output.value)
        return;
    for (int i = 0; i < e->graph->outputs.n; i++)
        if (same_in_code(e->graph->outputs.at[i].name, label)) {
            elab_error(e, nowhere, "a second output '%s'", label);
            return;
        }
    VEC_PUSH(e->arena, e->graph->outputs, output);
}

void outputs_add(Elab *e)
{
    const char *at = e->more_outputs;
    while (at && !e->diag->errors) {
        size_t n = strcspn(at, ",");
        output_add(e, arena_strndup(e->arena, at, n));
        at = at[n] ? at + n + 1 : NULL;
    }
}
