"""Residual networks, their gates, and the pyramids for segmentation on them, small,
through every stage of the compiler (vtc verify), and beside PyTorch.

    test_residual_networks.py VTC [MODEL...]
"""
import os
import sys

import beside_torch

try:
    import torch
    import torch.nn.functional as F
    from test_visual_transformers import projector_v1, static_tokenizer, transformer_v1
except ImportError as missing:
    beside_torch.skip(missing)

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "residual_networks.vt")


# ---- blocks --------------------------------------------------------------------


def none(net, x):
    return x


def squeeze_excite(net, x):
    net = net("se")
    s = torch.sigmoid(net.linear("fc2", F.relu(net.linear("fc1", x.mean((2, 3))))))
    return x * s[:, :, None, None]


def cbam(net, x):
    def perceptron(s):
        gate = net("ChannelGate.mlp")
        return gate.linear("3", F.relu(gate.linear("1", s)))
    pooled = [F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)]
    x = x * torch.sigmoid(sum(perceptron(s.flatten(1)) for s in pooled))[:, :, None, None]
    gate = net("SpatialGate.spatial")
    s = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
    return x * torch.sigmoid(gate.norm("bn", gate.conv("conv", s)))


def block(net, x, stride, gate, first):
    """`first`: a bottleneck's stride is in its first convolution."""
    if net.has("conv3."):
        y = F.relu(net.norm("bn1", net.conv("conv1", x, stride if first else 1)))
        y = F.relu(net.norm("bn2", net.conv("conv2", y, 1 if first else stride)))
        y = net.norm("bn3", net.conv("conv3", y))
    else:
        y = F.relu(net.norm("bn1", net.conv("conv1", x, stride)))
        y = net.norm("bn2", net.conv("conv2", y))
    y = gate(net, y)
    if net.has("downsample."):
        x = net.norm("downsample.1", net.conv("downsample.0", x, stride))
    return F.relu(x + y)


def stage(net, x, stride, gate=none, first=False):
    blocks = sum(net.has("%d." % i) for i in range(8))
    for i in range(blocks):
        x = block(net(str(i)), x, stride if i == 0 else 1, gate, first)
    return x


def stem(net, x):
    return F.max_pool2d(F.relu(net.norm("bn1", net.conv("conv1", x, 2))), 3, 2, 1)


def residual(gate):
    def forward(net, x):
        x = stem(net, x)
        for i in range(4):
            x = stage(net("layer%d" % (i + 1)), x, 2 if i else 1, gate, first=i == 3)
        return net.linear("fc", x.mean((2, 3)))
    return forward


# ---- pyramids ------------------------------------------------------------------


def levels(net, x):
    maps = [stem(net, x)]
    for i in range(4):
        maps.append(stage(net("layer%d" % (i + 1)), maps[-1], 2 if i else 1))
    return maps[1:]


def feature_pyramid(net, maps):
    maps = [net("lateral").conv(str(i), x) for i, x in enumerate(maps)]
    for i in reversed(range(len(maps) - 1)):
        above = F.interpolate(maps[i + 1], size=maps[i].shape[2:], mode="nearest")
        maps[i] = maps[i] + above
    return [net("output").conv(str(i), x) for i, x in enumerate(maps)]


def token_pyramid(net, maps):
    maps = [net("lateral").conv(str(i), x) for i, x in enumerate(maps)]
    t = torch.cat([static_tokenizer(net("tokenizer.%d" % i), x)
                   for i, x in enumerate(maps)], 2)
    t = transformer_v1(net("transformer"), t)
    return [net("output").conv(str(i), projector_v1(net("projector.%d" % i), x, t))
            for i, x in enumerate(maps)]


def enlarge(x, size):
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def semantic_head(net, maps, size, norm_groups=4):
    together = 0
    for i, x in enumerate(maps):
        for k in range(max(1, i)):
            layer = net("level.%d.%d" % (i, k))
            x = F.relu(F.group_norm(layer.conv("conv", x), norm_groups,
                                    layer("norm").get("weight"), layer("norm").get("bias")))
            x = x if i == 0 else enlarge(x, maps[i - 1 - k].shape[2:])
        together = together + x
    return enlarge(net.conv("predictor", together), size)


def segmentation(neck):
    def forward(net, x):
        maps = neck(net("neck"), levels(net, x))
        return semantic_head(net("head"), maps, x.shape[2:])
    return forward


NETWORKS = {"plain": residual(none), "squeezed": residual(squeeze_excite),
            "gated_twice": residual(cbam), "pyramid": segmentation(feature_pyramid),
            "token_pyramid": segmentation(token_pyramid)}

sys.exit(beside_torch.run(sys.argv[1], sys.argv[2:] or NETWORKS,
                          lambda name: (FILE, name, NETWORKS[name])))
