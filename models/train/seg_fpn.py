"""The networks of models/fpn_scenes.vt and models/vt_fpn_scenes.vt in PyTorch.

One backbone, one head, and between them either the feature pyramid of Semantic FPN
(Kirillov et al., arXiv 1901.02446) or the VT-FPN of the visual-transformer paper
(Wu et al., arXiv 2006.03677): tokens of all levels meet in one transformer and are
projected back, in place of the way from coarse to fine and its 3x3 convolutions.
Names of submodules are the labels of the .vt files.
"""
import torch
from torch import nn

from vt_fashion import (GROUPS, Projector, StaticTokenizer, Transformer, basic_stage,
                        conv2d)

CHANNELS = [16, 32, 64, 96]  # of the levels, at strides 2, 4, 8 and 16
LEVELS = len(CHANNELS)
WIDTH, CLASSES, NORM_GROUPS = 32, 11, 8


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv2d(1, CHANNELS[0], 3, 2)
        self.bn1 = nn.BatchNorm2d(CHANNELS[0])
        before = CHANNELS[0]
        for i, channels in enumerate(CHANNELS):
            self.add_module("layer%d" % (i + 1), basic_stage(
                before, channels, 1 if i == 0 else 2, 1 if i == 0 else 2))
            before = channels

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        maps = []
        for i in range(LEVELS):
            x = getattr(self, "layer%d" % (i + 1))(x)
            maps.append(x)
        return maps


def laterals():
    return nn.ModuleList(nn.Conv2d(c, WIDTH, 1) for c in CHANNELS)


class Fpn(nn.Module):
    """From coarse to fine: add the level above, twice as large."""

    def __init__(self):
        super().__init__()
        self.lateral = laterals()
        self.output = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
                                    for _ in CHANNELS)

    def forward(self, maps):
        maps = [f(x) for f, x in zip(self.lateral, maps)]
        for i in reversed(range(LEVELS - 1)):
            maps[i] = maps[i] + nn.functional.interpolate(maps[i + 1], scale_factor=2)
        return [f(x) for f, x in zip(self.output, maps)]


class VtFpn(nn.Module):
    """Tokens of all levels through one transformer, and back to each level."""

    def __init__(self):
        super().__init__()
        self.lateral = laterals()
        self.tokenizer = nn.ModuleList(
            StaticTokenizer(WIDTH, 8 * 2 ** k, k) for k in reversed(range(LEVELS)))
        self.transformer = Transformer()
        self.projector = nn.ModuleList(Projector(WIDTH) for _ in CHANNELS)
        self.output = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1, groups=GROUPS)
                                    for _ in CHANNELS)

    def forward(self, maps):
        maps = [f(x) for f, x in zip(self.lateral, maps)]
        t = torch.cat([f(x) for f, x in zip(self.tokenizer, maps)], 2)
        t = self.transformer(t)
        maps = [f(x, t) for f, x in zip(self.projector, maps)]
        return [f(x) for f, x in zip(self.output, maps)]


class HeadStep(nn.Module):
    """A 3x3 convolution, and the map twice as large where it is not yet fine."""

    def __init__(self, doubling):
        super().__init__()
        self.conv = conv2d(WIDTH, WIDTH, 3)
        self.norm = nn.GroupNorm(NORM_GROUPS, WIDTH)
        self.doubling = doubling

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x).float()))  # no bfloat16 here
        return double(x) if self.doubling else x


def double(x):
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear",
                                     align_corners=False)


class SegHead(nn.Module):
    """Brings every level to the finest one's size; their sum tells the classes."""

    def __init__(self):
        super().__init__()
        self.level = nn.ModuleList(
            nn.Sequential(*[HeadStep(i > 0) for _ in range(max(1, i))])
            for i in range(LEVELS))
        self.predictor = nn.Conv2d(WIDTH, CLASSES, 1)

    def forward(self, maps):
        x = sum(f(x) for f, x in zip(self.level, maps))
        return double(self.predictor(x))


class SegNet(nn.Module):
    """f32 [N, 1, 96, 96] to scores [N, 11, 96, 96]."""

    def __init__(self, neck):
        super().__init__()
        self.backbone = Backbone()
        self.neck = neck
        self.head = SegHead()

    def forward(self, x):
        return self.head(self.neck(self.backbone(x)))


NETWORKS = {"fpn_scenes": lambda: SegNet(Fpn()), "vt_fpn_scenes": lambda: SegNet(VtFpn())}
