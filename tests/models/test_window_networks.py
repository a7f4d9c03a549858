"""Stages of networks of window attention and their like, small, through every stage
of the compiler (vtc verify), and beside PyTorch: written from the papers, by
torch.nn.functional.unfold, with the weights under the names of the language.

    test_window_networks.py VTC [MODEL...]
"""
import math
import os
import sys

import beside_torch

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    beside_torch.skip(missing)

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "window_networks.vt")

# ---- SAN -----------------------------------------------------------------------


def reflected(x, k):
    """[N, C, K * K, H * W]"""
    n, c, h, w = x.shape
    pad = (k // 2,) * 4
    return F.unfold(F.pad(x, pad, mode="reflect"), k).view(n, c, k * k, h * w)


def positions(h, w):
    y, x = torch.meshgrid(torch.linspace(-1, 1, h, dtype=torch.float64),
                          torch.linspace(-1, 1, w, dtype=torch.float64), indexing="ij")
    return torch.stack([x, y])[None]


def difference(a, b, k):
    return a.flatten(2).unsqueeze(2) - reflected(b, k)


def san_weights(net, x, k, patchwise):
    n = x.shape[0]
    q, key = net.conv("conv1", x), net.conv("conv2", x)
    if patchwise:
        w = torch.cat([q.flatten(2), reflected(key, k).flatten(1, 2)], 1).unsqueeze(2)
    else:
        p = net.conv("conv_p", positions(*x.shape[2:]))
        w = torch.cat([difference(q, key, k), difference(p, p, k)], 1)
    w = net.conv("conv_w.2", F.relu(net.norm("conv_w.0", w)))
    w = net.conv("conv_w.5", F.relu(net.norm("conv_w.3", w)))
    return w.view(n, -1, k * k, x[0, 0].numel()) if patchwise else w.softmax(2)


def aggregate(w, windows, shape):
    n, c, h, width = shape
    g = w.shape[1]
    v = windows.view(n, c // g, g, *windows.shape[2:])
    return (w[:, None] * v).sum(3).reshape(n, c, h, width)


def san_block(net, x, k, patchwise):
    sam, y = net("sam"), F.relu(net.norm("bn1", x))
    v = sam.conv("conv3", y)
    y = aggregate(san_weights(sam, y, k, patchwise), reflected(v, k), v.shape)
    return x + net.conv("conv", F.relu(net.norm("bn2", y)))


def san(patchwise):
    def forward(net, x):
        x = net.conv("stem", x)
        for stage, k in enumerate([3, 7]):
            x = net.conv("conv%d" % stage, F.max_pool2d(x, 2))
            for i in range(stage + 1):
                x = san_block(net("layer%d.%d" % (stage, i)), x, k, patchwise)
            x = F.relu(net.norm("bn%d" % stage, x))
        return x
    return forward


# ---- residual networks with something in place of the 3x3 ----------------------


def residual(net, x, stride, mixer):
    """A bottleneck, or a basic block where there is no third convolution."""
    if net.has("conv3."):
        y = F.relu(net.norm("bn1", net.conv("conv1", x)))
        y = F.relu(net.norm("bn2", mixer(net("conv2"), y, stride)))
        y = net.norm("bn3", net.conv("conv3", y))
    else:
        y = F.relu(net.norm("bn1", mixer(net("conv1"), x, stride)))
        y = net.norm("bn2", mixer(net("conv2"), y, 1))
    if net.has("downsample"):
        x = net.norm("downsample.1", net.conv("downsample.0", x, stride))
    return F.relu(x + y)


def stage(net, x, blocks, stride, mixer):
    for i in range(blocks):
        x = residual(net(str(i)), x, stride if i == 0 else 1, mixer)
    return x


def stand_alone(net, x, stride, k=7, heads=8):
    n, _, h, w = x.shape
    q, key, v = (net.conv(name + "_conv", x) for name in ("query", "key", "value"))
    c = q.shape[1]
    rel = torch.cat([net.get("rel_h").expand(-1, 1, 1, k, k),
                     net.get("rel_w").expand(-1, 1, 1, k, k)])
    key = F.unfold(key, k, padding=k // 2).view(n, c, k * k, h * w)
    key = key + rel.reshape(1, c, k * k, 1)
    v = F.unfold(v, k, padding=k // 2).view(n, heads, c // heads, k * k, h * w)
    s = q.view(n, heads, c // heads, 1, h * w) * key.view(n, heads, c // heads, k * k, h * w)
    y = (s.sum(2, keepdim=True).softmax(3) * v).sum(3).reshape(n, c, h, w)
    return y if stride == 1 else F.avg_pool2d(y, stride, ceil_mode=True)


def attention_stem(net, x, heads=8, b=4):
    def blocks(y):
        n, c, h, w = y.shape
        return F.unfold(y, b, stride=b).view(n, heads, c // heads, b * b, -1)
    q, key = (blocks(net.conv(name, x)) for name in ("query_conv", "key_conv"))
    at = net.get("emb_a")[:, :, None] + net.get("emb_b")[:, None, :]
    p = torch.einsum("md,dab->mab", net.get("emb_mix"), at).softmax(0).reshape(-1, b * b)
    v = sum(p[m].view(1, 1, 1, -1, 1) * blocks(net.conv("value_conv.%d" % m, x))
            for m in range(len(p)))
    a = torch.einsum("nhdib,nhdjb->nhijb", q, key).softmax(3)
    y = torch.einsum("nhijb,nhdjb->nhdib", a, v)
    y = F.relu(net.norm("bn", y.flatten(1, 2))).amax(2)
    return y.view(*y.shape[:2], x.shape[2] // b, x.shape[3] // b)


def local_relation(net, x, stride, k=7):
    key, q = net("kmap").conv("l", x), net("qmap").conv("l", x, stride)
    n, m, h, w = q.shape
    def windows(y):
        y_k = F.unfold(y, k, padding=k // 2, stride=stride)
        return y_k.view(n, y.shape[1], k * k, h * w)
    gp = net("gp")
    g = gp.conv("l2", F.relu(gp.conv("l1", positions(k, k)))).view(1, m, k * k, 1)
    weights = (windows(key) * q.view(n, m, 1, h * w) + g).softmax(2)
    return net.conv("final1x1", aggregate(weights, windows(x), (n, x.shape[1], h, w)))


def relative(q, table):
    """q [N, heads, A, B, D] along B: logits [N, heads, A, B, B] by distance."""
    b = q.shape[3]
    apart = torch.arange(b)[None, :] - torch.arange(b)[:, None] + b - 1
    return torch.einsum("nhabd,bcd->nhabc", q, table[apart])


def augmented(net, x, stride, heads=8):
    y = net.conv("conv_out", x, stride)
    if stride != 1:
        x = F.avg_pool2d(x, 3, stride, 1)
    n, _, h, w = x.shape
    value = net.get("attn_out.weight").shape[0]
    depth = net.get("key_rel_w").shape[1]
    qkv = net.conv("qkv_conv", x).split([heads * depth, heads * depth, value], 1)
    q, k, v = (t.view(n, heads, -1, h, w).permute(0, 1, 3, 4, 2) for t in qkv)
    q = q / math.sqrt(depth)
    s = torch.einsum("nhabd,nhxyd->nhabxy", q, k)
    s = s + relative(q, net.get("key_rel_w")).unsqueeze(4)
    down = relative(q.transpose(2, 3), net.get("key_rel_h"))
    s = s + down.transpose(2, 3).unsqueeze(5)
    a = s.flatten(4).softmax(4).view(s.shape)
    a = torch.einsum("nhabxy,nhxyd->nhdab", a, v).reshape(n, value, h, w)
    return torch.cat([y, net.conv("attn_out", a)], 1)


def stand_alone_net(net, x):
    x = attention_stem(net("stem"), x)
    x = stage(net("layer1"), x, 2, 1, stand_alone)
    return stage(net("layer2"), x, 1, 2, stand_alone)


def local_relation_net(net, x):
    x = F.relu(net.norm("bn1", net.conv("conv1", x)))
    x = F.relu(net.norm("bn2", local_relation(net("lr"), x, 2)))
    x = F.max_pool2d(x, 3, 2, 1)
    x = stage(net("layer1"), x, 2, 1, local_relation)
    return stage(net("layer2"), x, 1, 2, local_relation)


def augmented_net(net, x):
    x = F.relu(net.norm("bn1", net.conv("conv1", x, 2)))
    x = F.max_pool2d(x, 3, 2, 1)
    x = stage(net("layer1"), x, 1, 1, augmented)
    return stage(net("layer2"), x, 2, 2, augmented)


NETWORKS = {"san_pairwise": san(False), "san_patchwise": san(True),
            "stand_alone": stand_alone_net, "local_relation_net": local_relation_net,
            "augmented_net": augmented_net}


def picture(name):
    """Patches of two sizes and some noise, as photographs have and as weights by
    `vtc init` expect; white noise makes their scores one-hot."""
    shape = beside_torch.input_shape(FILE, name)
    random = np.random.default_rng(5)
    x = 0.3 * random.normal(size=shape)
    for size in 4, 16:
        patches = random.normal(size=(1, 1, *(n // size + 1 for n in shape[2:])))
        x += 0.6 * np.kron(patches, np.ones((1, 1, size, size)))[..., :shape[2], :shape[3]]
    return x.astype(np.float32)


sys.exit(beside_torch.run(sys.argv[1], sys.argv[2:] or NETWORKS,
                          lambda name: (FILE, name, NETWORKS[name], picture(name))))
