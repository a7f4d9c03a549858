/* State dicts in PyTorch's zip archives. */
#include "frontend/pth.h"
#include "frontend/pickle.h"
#include "frontend/zip.h"
#include <string.h>

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    Span span; /* a place without text: the path */
    Zip *zip;
    const char *folder; /* of the archive, with its slash: "net/" */
    TensorFile *file;
    size_t copied, copies_most; /* bytes of elements that do not lie row by row */
} Reader;

/* ---- the names that are known --------------------------------------------------- */

static const char dictionary[] = "collections.OrderedDict";
static const char rebuild_tensor[] = "torch._utils._rebuild_tensor_v2";
static const char rebuild_parameter[] = "torch._utils._rebuild_parameter";

/* "torch.FloatStorage" */
static const StoredType *storage_type(const char *global)
{
    return strncmp(global, "torch.", 6) == 0 ? stored_by_torch(global + 6) : NULL;
}

static bool name_known(const char *global)
{
    return strcmp(global, dictionary) == 0 || strcmp(global, rebuild_tensor) == 0 ||
           strcmp(global, rebuild_parameter) == 0 || strcmp(global, "torch.Size") == 0 ||
           storage_type(global);
}

static bool calls(const PickleValue *v, const char *global)
{
    return v->kind == PICKLE_call && strcmp(v->callee->text, global) == 0;
}

static bool is_mapping(const PickleValue *v)
{
    return v->kind == PICKLE_dict || calls(v, dictionary);
}

/* Item i of a tuple, if it has that kind. */
static const PickleValue *item(const PickleValue *tuple, int i, PickleKind kind)
{
    if (tuple->kind != PICKLE_tuple || i >= tuple->items.n)
        return NULL;
    return tuple->items.at[i]->kind == kind ? tuple->items.at[i] : NULL;
}

/* The arguments of _rebuild_tensor_v2, through a Parameter; NULL: not a tensor. */
static const PickleValue *tensor_args(const PickleValue *v)
{
    if (calls(v, rebuild_parameter) && v->args->items.n > 0)
        v = v->args->items.at[0];
    return calls(v, rebuild_tensor) ? v->args : NULL;
}

/* ---- tensors ----------------------------------------------------------------------- */

typedef struct View {
    const StoredType *type;
    const unsigned char *storage;
    int64_t elements, offset; /* of the storage, in elements */
    Shape shape, stride;
} View;

static bool refuse(Reader *r, const char *name, const char *why)
{
    diag_error(r->diag, r->span, "tensor '%s': %s", name, why);
    return false;
}

/* ('storage', torch.FloatStorage, '0', 'cpu', 864) */
static bool storage_read(Reader *r, const char *name, const PickleValue *id, View *view)
{
    const PickleValue *type = item(id, 1, PICKLE_global), *key = item(id, 2, PICKLE_text);
    const PickleValue *count = item(id, 4, PICKLE_int);
    view->type = type ? storage_type(type->text) : NULL;
    if (!view->type || !key || !count || count->number < 0)
        return refuse(r, name, "its storage is not described as PyTorch does");
    const ZipPart *part =
        zip_find(r->zip, arena_printf(r->arena, "%sdata/%s", r->folder, key->text));
    if (!part || part->n / (size_t)view->type->bytes < (uint64_t)count->number)
        return refuse(r, name, "its elements are not in the archive");
    view->storage = part->at;
    view->elements = (int64_t)(part->n / (size_t)view->type->bytes);
    return true;
}

static bool numbers_read(const PickleValue *tuple, Shape *to)
{
    if (!tuple || tuple->items.n > MAX_RANK)
        return false;
    to->rank = tuple->items.n;
    for (int i = 0; i < to->rank; i++) {
        const PickleValue *n = item(tuple, i, PICKLE_int);
        if (!n || n->number < 0 || n->number > INT32_MAX)
            return false;
        to->dim[i] = n->number;
    }
    return true;
}

/* Every element that the strides reach lies in the storage. */
static bool view_is_inside(const View *view)
{
    double count = 1; /* without dimensions of 0 */
    int64_t last = view->offset;
    bool empty = false;
    for (int i = 0; i < view->shape.rank; i++) {
        empty = empty || view->shape.dim[i] == 0;
        count *= view->shape.dim[i] ? (double)view->shape.dim[i] : 1;
    }
    if (count > INT32_MAX || empty)
        return count <= INT32_MAX;
    if (count > (double)view->elements || last >= view->elements)
        return false;
    for (int i = 0; i < view->shape.rank; i++) {
        last += (view->shape.dim[i] - 1) * view->stride.dim[i];
        if (last >= view->elements)
            return false;
    }
    return true;
}

static bool is_row_by_row(const View *view)
{
    int64_t step = 1;
    for (int i = view->shape.rank - 1; i >= 0; i--) {
        if (view->shape.dim[i] != 1 && view->stride.dim[i] != step)
            return false;
        step *= view->shape.dim[i];
    }
    return true;
}

/* Channels-last weights and other strided views, copied row by row. */
static const unsigned char *gathered(Reader *r, const View *view)
{
    size_t width = (size_t)view->type->bytes;
    int64_t count = shape_count(&view->shape);
    unsigned char *to = arena_alloc(r->arena, (size_t)count * width);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = view->offset, rest = i;
        for (int d = view->shape.rank - 1; d >= 0; d--) {
            at += rest % view->shape.dim[d] * view->stride.dim[d];
            rest /= view->shape.dim[d];
        }
        memcpy(to + (size_t)i * width, view->storage + (size_t)at * width, width);
    }
    return to;
}

/* Copies are bounded: many tensors may share one storage. */
static bool copy_acceptable(Reader *r, const char *name, const View *view, bool in_place)
{
    if (in_place || view->type->held == DTYPE_COUNT)
        return true;
    r->copied += (size_t)shape_count(&view->shape) * (size_t)view->type->bytes;
    return r->copied <= r->copies_most ||
           refuse(r, name, "with those before it far more elements than the file holds");
}

/* (storage, offset, size, stride, requires_grad, hooks) */
static bool view_read(Reader *r, const char *name, const PickleValue *args, View *view)
{
    const PickleValue *storage = item(args, 0, PICKLE_persistent);
    const PickleValue *offset = item(args, 1, PICKLE_int);
    if (!storage || !storage_read(r, name, storage->args, view))
        return storage ? false : refuse(r, name, "it has no storage");
    if (!offset || offset->number < 0 ||
        !numbers_read(item(args, 2, PICKLE_tuple), &view->shape) ||
        !numbers_read(item(args, 3, PICKLE_tuple), &view->stride) ||
        view->shape.rank != view->stride.rank)
        return refuse(r, name, "its shape is not at most 8 numbers below 2^31");
    view->offset = offset->number;
    return view_is_inside(view) || refuse(r, name, "its elements lie outside its storage");
}

static void tensor_add(Reader *r, const char *name, const PickleValue *args)
{
    View view = {0};
    if (!view_read(r, name, args, &view))
        return;
    size_t width = (size_t)view.type->bytes;
    const unsigned char *data = view.storage + (size_t)view.offset * width;
    bool rows = is_row_by_row(&view) || view.type->held == DTYPE_COUNT;
    bool in_place = rows && (uintptr_t)data % width == 0 &&
                    (size_t)dtype_info[view.type->held % DTYPE_COUNT].bytes == width;
    if (!copy_acceptable(r, name, &view, in_place))
        return;
    if (!rows)
        data = gathered(r, &view);
    if (!tensor_file_add(r->file, r->arena, name, view.type, &view.shape, data))
        refuse(r, name, "there are two of that name");
}

/* ---- the dictionary ------------------------------------------------------------------ */

static bool has_tensors(const PickleValue *v)
{
    for (int i = 1; is_mapping(v) && i < v->items.n; i += 2)
        if (tensor_args(v->items.at[i]))
            return true;
    return false;
}

/* Where training scripts keep the state dict beside their optimiser's state. */
static const char *const usual_keys[] = {"state_dict", "model_state_dict", "model", "net",
                                         "network", "module", "params", "weights"};

static const PickleValue *value_of(const PickleValue *mapping, const char *key)
{
    for (int i = 0; i + 1 < mapping->items.n; i += 2) {
        const PickleValue *k = mapping->items.at[i];
        if (k->kind == PICKLE_text && strcmp(k->text, key) == 0)
            return mapping->items.at[i + 1];
    }
    return NULL;
}

static const PickleValue *state_dict_of(Reader *r, const PickleValue *root)
{
    if (has_tensors(root))
        return root;
    for (size_t i = 0; is_mapping(root) && i < sizeof usual_keys / sizeof *usual_keys; i++) {
        const PickleValue *v = value_of(root, usual_keys[i]);
        if (!v || !has_tensors(v))
            continue;
        diag_remark(r->diag, r->span, "tensors are those of '%s' in its dictionary",
                    usual_keys[i]);
        return v;
    }
    diag_error(r->diag, r->span, "it holds no dictionary of tensors, nor one of those under "
                                 "'state_dict' or 'model'");
    return NULL;
}

static void tensors_add(Reader *r, const PickleValue *dict)
{
    for (int i = 0; i + 1 < dict->items.n; i += 2) {
        const PickleValue *key = dict->items.at[i], *v = dict->items.at[i + 1];
        const PickleValue *args = tensor_args(v);
        if (key->kind != PICKLE_text)
            diag_error(r->diag, r->span, "a key of its dictionary is not a text");
        else if (args)
            tensor_add(r, key->text, args);
        else
            tensor_file_add_foreign(r->file, r->arena, key->text, "no tensor");
    }
}

/* ---- the archive ------------------------------------------------------------------------ */

/* "net/data.pkl": PyTorch names the folder after the file. */
static const ZipPart *pickle_find(Reader *r)
{
    static const char ending[] = "/data.pkl";
    size_t m = sizeof ending - 1;
    for (int i = 0; i < r->zip->parts.n; i++) {
        const ZipPart *part = &r->zip->parts.at[i];
        size_t n = strlen(part->name);
        if (n > m && strcmp(part->name + n - m, ending) == 0 &&
            strchr(part->name, '/') == part->name + n - m) {
            r->folder = arena_strndup(r->arena, part->name, n - m + 1);
            return part;
        }
    }
    diag_error(r->diag, r->span, "not a checkpoint of PyTorch: the archive has no data.pkl");
    return NULL;
}

static bool order_acceptable(Reader *r)
{
    const ZipPart *order = zip_find(r->zip, arena_printf(r->arena, "%sbyteorder", r->folder));
    if (!order || (order->n == 6 && memcmp(order->at, "little", 6) == 0))
        return true;
    diag_error(r->diag, r->span, "its numbers have the highest byte first: not read");
    return false;
}

/* PROTO 2, LONG1 of 10 bytes: the magic number of torch.save of old */
bool pth_is_old(const unsigned char *data, size_t n)
{
    return n >= 4 && memcmp(data, "\x80\x02\x8a\x0a", 4) == 0;
}

TensorFile *pth_parse(Arena *arena, Diag *diag, const char *path, const unsigned char *data,
                      size_t n)
{
    Source *source = NEW(arena, Source, 1);
    source->path = arena_strdup(arena, path);
    Reader r = {.arena = arena, .diag = diag, .span = {source, 0, 0}};
    int raised = diag->raised;
    r.file = tensor_file_new(arena, source->path);
    r.copies_most = 4 * n; /* tied weights, in another order, narrowed */
    if (pth_is_old(data, n)) {
        diag_error(diag, r.span, "this is what PyTorch wrote before version 1.6: load and "
                                 "save it again, with torch.save or as safetensors");
        return NULL;
    }
    r.zip = zip_read(arena, diag, r.span, data, n);
    const ZipPart *part = r.zip ? pickle_find(&r) : NULL;
    if (!part || !order_acceptable(&r))
        return NULL;
    const PickleValue *root = pickle_read(arena, diag, r.span, part->at, part->n, name_known);
    const PickleValue *dict = root ? state_dict_of(&r, root) : NULL;
    if (dict)
        tensors_add(&r, dict);
    return diag->raised == raised ? r.file : NULL;
}
