"""The network of models/vt_fashion.vt in PyTorch, module for module.

A small VT-ResNet of the first printing (Wu et al., arXiv 2006.03677v1, equations
1 to 5 and the appendix). Names of submodules are the labels of the .vt files, so
that the state dict loads with no renaming. Shapes: feature map x [N, C, H, W],
tokens t [N, CT, L], score maps a [N, maps, L, H*W].
"""
import math

import torch
from torch import nn

TOKENS, WIDTH, HEADS, GROUPS = 8, 128, 4, 4
POSITION_SIZE, POSITION_HALVINGS = 14, 1


def conv2d(channels, out, kernel=1, stride=1, groups=1):
    return nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups,
                     bias=False)


def conv1d(channels, out, groups=1):
    return nn.Conv1d(channels, out, 1, groups=groups, bias=False)


def heads_split(x):
    """[N, C, ...] to [N, heads, C / heads, positions]."""
    return x.reshape(x.shape[0], HEADS, x.shape[1] // HEADS, -1)


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = conv2d(channels, out, 3, stride)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = conv2d(out, out, 3)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(conv2d(channels, out, 1, stride),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample is not None:
            x = self.downsample(x)
        return torch.relu(x + y)


def basic_stage(channels, out, blocks, stride):
    return nn.Sequential(BasicBlock(channels, out, stride),
                         *[BasicBlock(out, out, 1) for _ in range(blocks - 1)])


class PositionCode(nn.Module):
    """P = downsample(A)^T W_P, equation 2: [N, maps, L, H*W] to [N, Cp, L]."""

    def __init__(self, maps, size=POSITION_SIZE, halvings=POSITION_HALVINGS):
        super().__init__()
        self.size = size
        self.ds_conv = nn.Sequential(
            *[conv2d(maps, maps, 3, 2) for _ in range(halvings)], conv2d(maps, 1))
        self.channels = (size // 2 ** halvings) ** 2
        self.pos_conv = conv1d(self.channels, self.channels)

    def forward(self, a, height, width):
        n, maps, tokens, _ = a.shape
        a = a.transpose(1, 2).reshape(n * tokens, maps, height, width)
        a = nn.functional.interpolate(a, (self.size, self.size))
        a = self.ds_conv(a).reshape(n, tokens, self.channels)
        return self.pos_conv(a.transpose(1, 2))


class StaticTokenizer(nn.Module):
    """T = softmax_HW(X W_A)^T (X W_V), equation 1; one score map per token."""

    def __init__(self, channels, *position):
        super().__init__()
        self.conv_token_coef = conv2d(channels, TOKENS)
        self.conv_value = conv2d(channels, channels, groups=GROUPS)
        self.pos_encoding = PositionCode(1, *position)
        self.conv_token = conv1d(channels + self.pos_encoding.channels, WIDTH)

    def forward(self, x):
        n, c, height, width = x.shape
        a = self.conv_token_coef(x).reshape(n, TOKENS, height * width)
        a = torch.softmax(a / math.sqrt(c), 2)
        v = self.conv_value(x).reshape(n, c, height * width)
        t = v @ a.transpose(1, 2)
        p = self.pos_encoding(a.unsqueeze(1), height, width)
        return self.conv_token(torch.cat([t, p], 1))


class DynamicTokenizer(nn.Module):
    """[T_b ; tokenizer(T_a W, X)], equation 5: the first half of the previous
    tokens says what to look for, the second half is kept and comes first."""

    def __init__(self, channels):
        super().__init__()
        self.conv_query = conv1d(WIDTH, channels)
        self.conv_key = conv2d(channels, channels, groups=GROUPS)
        self.conv_value = conv2d(channels, channels, groups=GROUPS)
        self.pos_encoding = PositionCode(HEADS)
        self.conv_token = conv1d(channels + self.pos_encoding.channels, WIDTH)

    def forward(self, x, t):
        n, c, height, width = x.shape
        searching, kept = t.chunk(2, 2)
        q = heads_split(self.conv_query(searching))
        k = heads_split(self.conv_key(x))
        a = torch.softmax(q.transpose(2, 3) @ k / math.sqrt(c / HEADS), 3)
        v = heads_split(self.conv_value(x))
        found = (v @ a.transpose(2, 3)).reshape(n, c, -1)
        p = self.pos_encoding(a, height, width)
        return torch.cat([kept, self.conv_token(torch.cat([found, p], 1))], 2)


class Transformer(nn.Module):
    """T' = T + softmax((T K)(T Q)^T)(T V), then T' + F(T'), equation 3."""

    def __init__(self):
        super().__init__()
        self.k_conv = conv1d(WIDTH, WIDTH // 2, GROUPS)
        self.q_conv = conv1d(WIDTH, WIDTH // 2, GROUPS)
        self.v_conv = conv1d(WIDTH, WIDTH, GROUPS)
        self.ff_conv = conv1d(WIDTH, WIDTH)

    def forward(self, t):
        k, q, v = [heads_split(f(t)) for f in (self.k_conv, self.q_conv, self.v_conv)]
        a = torch.softmax(k.transpose(2, 3) @ q / math.sqrt(t.shape[2]), 2)
        t = t + (v @ a).reshape(t.shape)
        return t + self.ff_conv(t)


class Projector(nn.Module):
    """X' = X + softmax_L((X Q')(T' K')^T)(T' V'), equation 4."""

    def __init__(self, channels):
        super().__init__()
        self.proj_value_conv = conv1d(WIDTH, channels)
        self.proj_key_conv = conv1d(WIDTH, channels)
        self.proj_query_conv = conv2d(channels, channels, groups=GROUPS)

    def forward(self, x, t):
        v = heads_split(self.proj_value_conv(t))
        k = heads_split(self.proj_key_conv(t))
        q = heads_split(self.proj_query_conv(x))
        a = torch.softmax(q.transpose(2, 3) @ k / math.sqrt(q.shape[2]), 3)
        return x + (v @ a.transpose(2, 3)).reshape(x.shape)


class VtStatic(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.tokenizer = StaticTokenizer(channels)
        self.transformer = Transformer()
        self.projector = Projector(channels)

    def forward(self, x):
        t = self.transformer(self.tokenizer(x))
        return self.projector(x, t), t


class VtDynamicLast(nn.Module):
    """Only the tokens go on: the head reads them."""

    def __init__(self, channels):
        super().__init__()
        self.tokenizer = DynamicTokenizer(channels)
        self.transformer = Transformer()

    def forward(self, x, t):
        return self.transformer(self.tokenizer(x, t))


class VtFashion(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv2d(1, 32, 3)
        self.bn1 = nn.BatchNorm2d(32)
        self.layer1 = basic_stage(32, 32, blocks=1, stride=1)  # 28x28
        self.layer2 = basic_stage(32, 64, blocks=2, stride=2)  # 14x14
        self.layer3 = basic_stage(64, 96, blocks=2, stride=2)  # 7x7
        self.vt1 = VtStatic(96)
        self.vt2 = VtDynamicLast(96)
        self.fc = nn.Linear(WIDTH, 10)

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        x = self.layer3(self.layer2(self.layer1(x)))
        x, t = self.vt1(x)
        t = self.vt2(x, t)
        return self.fc(t.mean(2))
