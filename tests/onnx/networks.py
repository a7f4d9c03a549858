"""PyTorch modules as people write them, small: a ResNet in torchvision's manner, and
visual transformers in the six forms that public implementations have."""
import math

import torch
from torch import nn

F = nn.functional


# ---- a ResNet, attributes as torchvision names them --------------------------


class BasicBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False),
                                            nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, blocks=(2, 2, 2, 2), width=64, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = width
        for i, count in enumerate(blocks):
            out = width * 2 ** i
            layer = [BasicBlock(channels, out, 1 if i == 0 else 2)]
            layer += [BasicBlock(out, out, 1) for _ in range(count - 1)]
            setattr(self, "layer%d" % (i + 1), nn.Sequential(*layer))
            channels = out
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


# ---- visual transformers ------------------------------------------------------


def trunk(channels):
    return nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         nn.Conv2d(16, channels, 3, 2, 1, bias=False),
                         nn.BatchNorm2d(channels), nn.ReLU())


class LiteralV1(nn.Module):
    """1: channels first, grouped 1x1 convolutions, heads, a position code."""

    def __init__(self, c=32, tokens=8, width=48, heads=4, side=8):
        super().__init__()
        self.heads = heads
        self.trunk = trunk(c)
        self.token_coef = nn.Conv2d(c, tokens, 1)
        self.value = nn.Conv2d(c, c, 1, groups=heads)
        self.position = nn.Conv2d(1, 1, 3, 2, 1)
        self.token = nn.Conv1d(c + side * side // 4, width, 1)
        self.k, self.q = (nn.Conv1d(width, width // 2, 1, groups=heads) for _ in range(2))
        self.v, self.ff = nn.Conv1d(width, width, 1, groups=heads), nn.Conv1d(width, width, 1)
        self.proj_v, self.proj_k = nn.Conv1d(width, c, 1), nn.Conv1d(width, c, 1)
        self.proj_q = nn.Conv2d(c, c, 1, groups=heads)
        self.fc = nn.Linear(width, 10)

    def split(self, x):
        return x.view(x.shape[0], self.heads, x.shape[1] // self.heads, -1)

    def tokenize(self, x):
        n, c, h, w = x.shape
        a = F.softmax(self.token_coef(x).view(n, -1, h * w) / math.sqrt(c), dim=2)
        t = torch.matmul(self.value(x).view(n, c, h * w), a.transpose(1, 2))
        p = self.position(a.reshape(-1, 1, h, w)).reshape(n, -1, h * w // 4)
        return self.token(torch.cat([t, p.transpose(1, 2)], dim=1))

    def transform(self, t):
        k, q, v = self.split(self.k(t)), self.split(self.q(t)), self.split(self.v(t))
        a = F.softmax(torch.matmul(k.transpose(2, 3), q) / math.sqrt(t.shape[2]), dim=2)
        t = t + torch.matmul(v, a).view(t.shape)
        return t + self.ff(t)

    def project(self, x, t):
        q, k = self.split(self.proj_q(x)), self.split(self.proj_k(t))
        a = F.softmax(torch.matmul(q.transpose(2, 3), k) / math.sqrt(q.shape[2]), dim=3)
        return x + torch.matmul(self.split(self.proj_v(t)), a.transpose(2, 3)).view(x.shape)

    def forward(self, x):
        x = self.trunk(x)
        t = self.transform(self.tokenize(x))
        x = self.project(x, t)
        return self.fc((self.transform(t) + F.adaptive_avg_pool2d(x, 1).flatten(2).mean()
                        ).mean(dim=2))


class LiteralV4(nn.Module):
    """2: linear layers, A^T X, key and query only, F1 relu F2; no heads, no norms."""

    def __init__(self, c=32, tokens=8):
        super().__init__()
        self.trunk = trunk(c)
        self.wa = nn.Linear(c, tokens, bias=False)
        self.wk, self.wq = nn.Linear(c, c, bias=False), nn.Linear(c, c, bias=False)
        self.f1, self.f2 = nn.Linear(c, 2 * c), nn.Linear(2 * c, c)
        self.pq, self.pk = nn.Linear(c, c, bias=False), nn.Linear(c, c, bias=False)
        self.fc = nn.Linear(c, 10)

    def forward(self, x):
        x = self.trunk(x).flatten(2).transpose(1, 2)
        t = F.softmax(self.wa(x), dim=1).transpose(1, 2) @ x
        t = t + F.softmax(self.wk(t) @ self.wq(t).transpose(1, 2), dim=1) @ t
        t = t + self.f2(F.relu(self.f1(t)))
        x = x + F.softmax(self.pq(x) @ self.pk(t).transpose(1, 2), dim=2) @ t
        return self.fc(x.mean(dim=1))


class ChannelsLast(nn.Module):
    """3: [N, HW, C] throughout, batched products, scores over sqrt(C)."""

    def __init__(self, c=32, width=48, tokens=8):
        super().__init__()
        self.trunk, self.c = trunk(c), c
        self.a, self.v = nn.Linear(c, tokens), nn.Linear(c, width)
        self.q, self.k, self.val = (nn.Linear(width, width) for _ in range(3))
        self.pq, self.pk, self.pv = nn.Linear(c, c), nn.Linear(width, c), nn.Linear(width, c)
        self.fc = nn.Linear(c, 10)

    def forward(self, x):
        x = self.trunk(x).permute(0, 2, 3, 1)
        x = x.reshape(x.shape[0], -1, self.c)
        a = torch.softmax(self.a(x) / self.c ** 0.5, dim=1)
        t = torch.bmm(a.permute(0, 2, 1), self.v(x))
        s = torch.bmm(self.q(t), self.k(t).permute(0, 2, 1)) / t.shape[-1] ** 0.5
        t = t + torch.bmm(torch.softmax(s, dim=-1), self.val(t))
        s = torch.bmm(self.pq(x), self.pk(t).permute(0, 2, 1)) / self.c ** 0.5
        x = x + torch.bmm(torch.softmax(s, dim=-1), self.pv(t))
        return self.fc(x.mean(1))


class Normed(nn.Module):
    """4: batch norm after each 1x1 convolution, LayerNorm and GELU on the tokens."""

    def __init__(self, c=32, tokens=8, width=48):
        super().__init__()
        self.trunk = trunk(c)
        self.a = nn.Sequential(nn.Conv2d(c, tokens, 1, bias=False), nn.BatchNorm2d(tokens))
        self.v = nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
        self.q, self.k = (nn.Sequential(nn.Conv1d(width, width, 1, bias=False),
                                        nn.BatchNorm1d(width)) for _ in range(2))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(),
                                nn.Linear(2 * width, width))
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        x = self.trunk(x)
        a = self.a(x).flatten(2).softmax(dim=2)
        t = self.v(x).flatten(2) @ a.transpose(1, 2)
        s = (self.k(t).transpose(1, 2) @ self.q(t)).softmax(dim=1)
        t = self.norm1((t + t @ s).transpose(1, 2))
        t = self.norm2(t + self.ff(t))
        return self.fc(t.mean(dim=1))


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, l, c = x.shape
        qkv = self.qkv(x).reshape(n, l, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        a = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((a @ v).transpose(1, 2).reshape(n, l, c))


class EncoderLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Encoder(nn.Module):
    """5: tokens of the static tokenizer, a class token and positions, a standard encoder."""

    def __init__(self, c=32, tokens=8, width=48, heads=4, layers=5):
        super().__init__()
        self.trunk = trunk(c)
        self.a, self.v = nn.Linear(c, tokens), nn.Linear(c, width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, tokens + 1, width))
        self.blocks = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        x = self.trunk(x).flatten(2).transpose(1, 2)
        t = self.a(x).softmax(dim=1).transpose(1, 2) @ self.v(x)
        t = torch.cat([self.cls_token.expand(t.shape[0], -1, -1), t], dim=1) + self.pos_embed
        for block in self.blocks:
            t = block(t)
        return self.fc(t[:, 0])


class TorchEncoder(nn.Module):
    """5 again, by PyTorch's own encoder."""

    def __init__(self, c=32, tokens=8, heads=4, layers=2):
        super().__init__()
        self.trunk = trunk(c)
        self.a = nn.Conv2d(c, tokens, 1)
        layer = nn.TransformerEncoderLayer(c, heads, 2 * c, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.fc = nn.Linear(c, 10)

    def forward(self, x):
        x = self.trunk(x)
        a = self.a(x).flatten(2).softmax(dim=2)
        return self.fc(self.encoder(a @ x.flatten(2).transpose(1, 2)).mean(dim=1))


class MapHead(nn.Module):
    """6: the last projector is kept; global average pool of the map."""

    def __init__(self, c=32, tokens=8):
        super().__init__()
        self.trunk = trunk(c)
        self.a, self.v = nn.Conv2d(c, tokens, 1), nn.Conv2d(c, c, 1)
        self.q, self.k = nn.Conv2d(c, c, 1), nn.Conv1d(c, c, 1)
        self.norm = nn.GroupNorm(4, c)
        self.fc = nn.Linear(c, 10)

    def forward(self, x):
        x = self.trunk(x)
        n, c, h, w = x.shape
        t = self.v(x).flatten(2) @ self.a(x).flatten(2).softmax(dim=-1).transpose(1, 2)
        s = self.q(x).flatten(2).transpose(1, 2) @ self.k(t) / math.sqrt(c)
        x = x + (s.softmax(dim=-1) @ t.transpose(1, 2)).transpose(1, 2).reshape(n, c, h, w)
        x = F.silu(self.norm(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


FORMS = [LiteralV1, LiteralV4, ChannelsLast, Normed, Encoder, TorchEncoder, MapHead]


def prepared(net, seed=1):
    """In evaluation, with norms' statistics that matter."""
    torch.manual_seed(seed)
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.running_mean.normal_(0, .2)
            m.running_var.uniform_(.5, 1.5)
    return net.eval()
