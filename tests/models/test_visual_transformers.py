"""Visual transformers beside PyTorch, and through every stage of the compiler: both
printings with their ablations, and the six forms in which people write them. The
networks are those of models/; a trunk of four convolutions stands in place of the
ResNet before stage 5. Stage 5 has its real size; `reduced/NAME` has a quarter of the
map's channels and an eighth of the tokens', and is tested of every network there is.

    test_visual_transformers.py VTC MODELS NETWORK|FOLDER...
"""
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

import beside_torch
import reduced

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    beside_torch.skip(missing)


def trunk(net, x, stem=""):
    """[1, 3, 224, 224] to [1, 256, 14, 14]."""
    w = net(stem + "conv1").get("weight")
    x = F.relu(F.conv2d(x, w, stride=4))
    for stage in range(1, 4):
        layer = net("layer%d" % stage)
        x = F.relu(layer.conv("0", x, 1 if stage == 1 else 2))
    return x


# ---- first printing ------------------------------------------------------------

HEADS = 16


def by_head(x):
    """[N, C, ...] to [N, heads, C / heads, positions]"""
    return x.reshape(x.shape[0], HEADS, x.shape[1] // HEADS, -1)


def position_code(net, a, height, width):
    """a [N, maps, L, H * W] to [N, Cp, L]"""
    n, maps, tokens, _ = a.shape
    halvings = sum(net.has("ds_conv.%d." % i) for i in range(8)) - 1
    x = a.transpose(1, 2).reshape(n * tokens, maps, height, width)
    code = math.isqrt(net("pos_conv").get("weight").shape[0])
    x = F.interpolate(x, size=(code << halvings, code << halvings), mode="nearest")
    for i in range(halvings):
        x = net.conv("ds_conv.%d" % i, x, 2)
    x = net.conv("ds_conv.%d" % halvings, x)
    return net.conv("pos_conv", x.reshape(n, tokens, -1).transpose(1, 2))


def with_position(net, t, a, x):
    if net.has("pos_encoding"):
        t = torch.cat([t, position_code(net("pos_encoding"), a, *x.shape[2:])], 1)
    return net.conv("conv_token", t)


def static_tokenizer(net, x, tokens=8):
    if net.has("conv_token_coef"):
        scores = net.conv("conv_token_coef", x).flatten(2)
    elif net.has("conv_value"):
        scores = torch.einsum("ncl,ncp->nlp", centroids(x, tokens), x.flatten(2))
    else:
        return net.conv("conv_token", grid_means(x, tokens))
    a = F.softmax(scores / math.sqrt(x.shape[1]), dim=2)
    t = torch.einsum("ncp,nlp->ncl", net.conv("conv_value", x).flatten(2), a)
    return with_position(net, t, a[:, None], x)


def dynamic_tokenizer(net, x, t):
    half = t.shape[2] // 2
    q, k = by_head(net.conv("conv_query", t[:, :, :half])), by_head(net.conv("conv_key", x))
    a = F.softmax(torch.einsum("nhcl,nhcp->nhlp", q, k) / math.sqrt(q.shape[2]), dim=3)
    found = torch.einsum("nhcp,nhlp->nhcl", by_head(net.conv("conv_value", x)), a)
    found = with_position(net, found.flatten(1, 2), a, x)
    return torch.cat([t[:, :, half:], found], 2)


def transformer_v1(net, t):
    if net.has("state"):
        return relation_v4(net, t)
    k, q, v = (by_head(net.conv(name, t)) for name in ("k_conv", "q_conv", "v_conv"))
    a = F.softmax(torch.einsum("nhca,nhcb->nhab", k, q) / math.sqrt(t.shape[2]), dim=2)
    t = t + torch.einsum("nhca,nhab->nhcb", v, a).reshape(t.shape)
    return t + net.conv("ff_conv", t)


def projector_v1(net, x, t):
    v, k = by_head(net.conv("proj_value_conv", t)), by_head(net.conv("proj_key_conv", t))
    q = by_head(net.conv("proj_query_conv", x))
    a = F.softmax(torch.einsum("nhcp,nhcl->nhpl", q, k) / math.sqrt(q.shape[2]), dim=3)
    y = torch.einsum("nhcl,nhpl->nhcp", v, a).flatten(1, 2).unflatten(2, x.shape[2:])
    return y + (net.conv("shortcut", x) if net.has("shortcut") else x)


def modules_v1(net, x):
    """vt1, vt2, ...; a module tells by its weights what it does."""
    t = None
    for i in range(1, 8):
        vt = net("vt%d" % i)
        if vt.has("tokenizer"):
            tokenizer = vt("tokenizer")
            t = (dynamic_tokenizer(tokenizer, x, t) if tokenizer.has("conv_query")
                 else static_tokenizer(tokenizer, x))
        if vt.has("transformer"):
            t = transformer_v1(vt("transformer"), t)
        if vt.has("projector"):
            x = projector_v1(vt("projector"), x, t)
    return x, t


def first_printing(net, image):
    return net.linear("fc", modules_v1(net, trunk(net, image))[1].mean(2))


# ---- later printing ------------------------------------------------------------


def grid(tokens):
    """Rows and columns of the grid of so many cells that is nearest to a square."""
    rows = max(n for n in range(1, math.isqrt(tokens) + 1) if tokens % n == 0)
    return rows, tokens // rows


def grid_means(x, tokens):
    """[N, C, tokens]: the mean of each cell; the last ones reach the edge."""
    rows, columns = grid(tokens)
    h, w = x.shape[2] // rows, x.shape[3] // columns
    last = x.shape[2] - (rows - 1) * h, x.shape[3] - (columns - 1) * w
    return torch.stack([x[:, :, i * h:i * h + last[0], j * w:j * w + last[1]].mean((2, 3))
                        for i in range(rows) for j in range(columns)], 2)


def centroids(x, tokens, steps=3):
    """K-means of directions."""
    p, c = F.normalize(x.flatten(2), dim=1), F.normalize(grid_means(x, tokens), dim=1)
    for _ in range(steps):
        nearest = torch.einsum("ncl,ncp->nlp", c, p).argmax(1)[0]
        c = torch.stack([p[:, :, nearest == l].sum(2) for l in range(tokens)], 2)
        c = F.normalize(c, dim=1)
    return c


def tokenizer_v4(net, x, t, tokens=16):
    if not net.has("value"):
        return net.conv("token", grid_means(x, tokens))
    if net.has("score"):
        s = net.conv("score", x).flatten(2)
    elif net.has("key"):
        key = net.conv("key.conv", x).flatten(2)
        s = torch.einsum("ncl,ncp->nlp", net.conv("query", t), key)
    else:
        s = torch.einsum("ncl,ncp->nlp", centroids(x, tokens), x.flatten(2))
    value = net.conv("value.conv", x).flatten(2)
    return net.conv("token", torch.einsum("ncp,nlp->ncl", value, F.softmax(s, dim=2)))


def relation_v4(net, t):
    if net.has("adjacency"):
        return t + F.relu(net.conv("state", t - net.linear("adjacency", t)))
    if net.has("state"):
        return t + F.relu(net.conv("state", t))
    k, q, v = (net.conv(name, t) for name in ("key", "query", "value"))
    a = F.softmax(torch.einsum("nca,ncb->nab", k, q), dim=2)
    t = t + torch.einsum("nab,ncb->nca", a, v)
    return t + net.conv("f2", F.relu(net.conv("f1", t)))


def projector_v4(net, x, t):
    a = torch.einsum("ncp,ncl->npl", net.conv("query.conv", x).flatten(2), net.conv("key", t))
    y = torch.einsum("npl,ncl->ncp", F.softmax(a, dim=2), net.conv("value", t))
    x = net.conv("shortcut", x) if net.has("shortcut") else x
    return x + y.view(x.shape)


def later_printing(net, image):
    """A module tells by its weights what it does."""
    x, t, layer = trunk(net, image), None, net("layer4")
    for i in range(sum(layer.has("%d.transformer." % i) for i in range(8))):
        module = layer(str(i))
        if module.has("tokenizer."):
            t = tokenizer_v4(module("tokenizer"), x, t)
        t = relation_v4(module("transformer"), t)
        if module.has("projector."):
            x = projector_v4(module("projector"), x, t)
    return net.linear("fc", t.mean(2))


# ---- the forms -----------------------------------------------------------------


def literal_v1(net, image):
    _, t = modules_v1(net, trunk(net, image))
    return net.linear("fc", t.mean(2))


def map_head(net, image):
    x, _ = modules_v1(net, trunk(net, image))
    return net.linear("fc", x.mean((2, 3)))


def literal_v4(net, image):
    x = trunk(net, image).flatten(2).transpose(1, 2)
    t = None
    for i in (1, 2):
        vt = net("vt%d" % i)
        s = vt.linear("w_a", x) if i == 1 else x @ vt.linear("w_r", t).transpose(1, 2)
        t = F.softmax(s, dim=1).transpose(1, 2) @ x
        layer = vt("transformer")
        a = layer.linear("k", t) @ layer.linear("q", t).transpose(1, 2)
        t = t + F.softmax(a, dim=2) @ t
        t = t + layer.linear("f2", F.relu(layer.linear("f1", t)))
        if i == 1:
            layer = vt("projector")
            a = layer.linear("w_q", x) @ layer.linear("w_k", t).transpose(1, 2)
            x = x + F.softmax(a, dim=2) @ t
    return net.linear("fc", t.mean(1))


def attention(q, k, v):
    """Scaled, over [N, places, C]."""
    return F.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[2]), dim=2) @ v


def channels_last(net, image):
    x = trunk(net, image).permute(0, 2, 3, 1).flatten(1, 2)
    for i in (1, 2):
        vt = net("vt.%d" % i)
        token, relate, project = vt("tokenizer"), vt("transformer"), vt("projector")
        a = F.softmax(token.linear("w_a", x) / math.sqrt(x.shape[2]), dim=1)
        t = a.transpose(1, 2) @ token.linear("w_v", x)
        t = t + attention(*(relate.linear(w, t) for w in ("w_q", "w_k", "w_v")))
        t = t + relate.linear("f2", F.relu(relate.linear("f1", t)))
        x = x + attention(project.linear("w_q", x), project.linear("w_k", t),
                          project.linear("w_v", t))
    return net.linear("fc", x.mean(1))


def normed_conv(net, name, x):
    return net(name).norm("bn", net(name).conv("conv", x))


def normed(net, image):
    x = trunk(net, image)
    for i in (1, 2):
        vt = net("vt.%d" % i)
        token, relate, project = vt("tokenizer"), vt("transformer"), vt("projector")
        a = F.softmax(normed_conv(token, "score", x).flatten(2), dim=2)
        t = a @ normed_conv(token, "value", x).flatten(2).transpose(1, 2)
        q, k, v = (normed_conv(relate, name, t.transpose(1, 2)).transpose(1, 2)
                   for name in ("query", "key", "value"))
        t = t + attention(q, k, v)
        y = F.layer_norm(t, t.shape[2:], relate("norm").get("weight"),
                         relate("norm").get("bias"))
        t = t + relate.linear("ff2", F.gelu(relate.linear("ff1", y)))
        q = normed_conv(project, "query", x).flatten(2).transpose(1, 2)
        k, v = (normed_conv(project, name, t.transpose(1, 2)).transpose(1, 2)
                for name in ("key", "value"))
        x = F.relu(x + attention(q, k, v).transpose(1, 2).reshape(x.shape))
    return net.linear("fc", x.mean((2, 3)))


def encoder_layer(net, norm_first):
    """PyTorch's own, with these weights."""
    width, channels = net("linear1").get("weight").shape
    layer = torch.nn.TransformerEncoderLayer(channels, 8, width, 0.0, batch_first=True,
                                             norm_first=norm_first).double()
    weights = {name[len(net.prefix):].replace("in_proj.", "in_proj_"): w
               for name, w in net.weights.items() if name.startswith(net.prefix)}
    layer.load_state_dict(weights)
    return layer.train()   # the path of evaluation rounds otherwise; nothing is dropped


def encoder(net, image):
    t = static_tokenizer(net("tokenizer"), trunk(net, image)).transpose(1, 2)
    t = torch.cat([net.get("cls_token"), t], 1) + net.get("position")
    for i in range(6):
        t = encoder_layer(net("layers.%d" % i), norm_first=i < 5)(t)
    return net.linear("fc", t[:, 0])


# ---- comparing -----------------------------------------------------------------

FORMS = {"literal_v1": literal_v1, "literal_v4": literal_v4,
         "channels_last": channels_last, "normed": normed, "encoder": encoder,
         "map_head": map_head}
# At the real size of stage 5; `printings` and `ablations` are prefixes.
REAL = ["vt_resnet18_v4", "ablations/vt_resnet18_static",
        "ablations/vt_resnet18_no_position", "ablations/vt_resnet18_v4_pooling",
        "ablations/vt_resnet18_v4_clustering", "ablations/vt_resnet18_v4_filter",
        "ablations/vt_resnet18_v4_no_relation", "ablations/vt_resnet18_v4_graph",
        "ablations/vt_resnet18_v4_no_projector"]


def all_networks(models):
    """By name: every visual transformer of models/, those of REAL at their real size,
    the others reduced."""
    found = {"forms/" + f: FORMS.get(f) for f in names_in(models + "/forms")}
    for folder in "", "ablations/":
        for name in names_in(models + "/" + folder):
            if re.match(r"vt_resnet\d+", name):
                name = folder + name
                found[name if name in REAL else "reduced/" + name] = (
                    later_printing if "_v4" in name else first_printing)
    return found


def names_in(folder):
    return sorted(f[:-len(".vt")] for f in os.listdir(folder) if f.endswith(".vt"))


def separated(tokens, size=224, pixels=16, seed=5):
    """A picture of as many kinds of places as there are tokens, most of a kind in its
    cell of the grid: no place is nearly as near to one centroid as to another."""
    random = np.random.default_rng(seed)
    rows, columns = grid(tokens)
    kinds = random.normal(size=(tokens, 3, pixels, pixels))
    side = size // pixels
    picture = np.zeros((1, 3, size, size), np.float32)
    for y in range(side):
        for x in range(side):
            cell = columns * (y * rows // side) + x * columns // side
            kind = cell if random.random() < 0.8 else random.integers(tokens)
            picture[0, :, y * pixels:(y + 1) * pixels, x * pixels:(x + 1) * pixels] = (
                kinds[kind] + 0.02 * random.normal(size=kinds[kind].shape))
    return picture


def graph(vtc, path, model):
    """The network as text, without its name and the places of its parts."""
    text = subprocess.run([vtc, "dump", path], capture_output=True, text=True,
                          check=True).stdout
    return re.sub(r" // .*", "", text).replace('graph "%s"' % model, "graph")


def distinct(vtc, names, network):
    """Without those that are, on this trunk, the same network as one before: the same
    weights are drawn for it and the same code is made of it."""
    first = {}
    for name in names:
        path, model, *_ = network(name)
        same = first.setdefault(graph(vtc, path, model), name)
        if same != name:
            print("%s: here the same network as %s" % (name, same))
    return list(first.values())


def main():
    vtc, models = sys.argv[1:3]
    networks = all_networks(models)
    names = [n for wanted in sys.argv[3:] for n in networks if n.startswith(wanted)]
    unknown = [n for n in networks if networks[n] is None]
    if unknown or not names:
        print("nothing compares", *(unknown or sys.argv[3:]))
        return 1
    with tempfile.TemporaryDirectory() as folder:
        tree = reduced.on_trunk(models, folder + "/models")
        reduced.reduce(shutil.copytree(tree, folder + "/reduced"))

        def network(name):
            image = None
            if "clustering" in name:
                image = separated(16 if "_v4" in name else 8)
            place = folder if name.startswith("reduced/") else tree
            return (os.path.join(place, name + ".vt"), os.path.basename(name),
                    networks[name], image)
        return beside_torch.run(vtc, distinct(vtc, names, network), network)


if __name__ == "__main__":
    sys.exit(main())
