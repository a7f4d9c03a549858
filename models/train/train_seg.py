"""Trains models/fpn_scenes.vt or models/vt_fpn_scenes.vt on composed scenes.

    /usr/bin/python3 models/train/train_seg.py NETWORK [--steps N] [--bf16] [--out DIR]

Every step sees new scenes (scenes.py), so that none is learned by heart. Writes into
DIR (default: models) NETWORK.safetensors, train/NETWORK.log, whose last lines are
PyTorch's figures on the 500 test scenes with the saved weights, and
train/NETWORK.predictions.npz, the classes it finds in them (u8 [500, 96, 96]). The
schedule is fixed, the weights at its end are kept, and the test scenes are looked
at once.
"""
import argparse
import copy
import os
import time

import numpy as np
import torch

import scenes
from seg_fpn import NETWORKS
from train_fashion import (average_update, optimizer_make, safetensors_read,
                           safetensors_write)

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = 500
REPORT = 100  # steps from one line of the log to the next


def normalise(pixels):
    """u8 [N, 96, 96] to the network's input f32 [N, 1, 96, 96]."""
    x = torch.from_numpy(pixels).unsqueeze(1).float()
    return (x / 255 - scenes.MEAN) / scenes.STD


def predict(net, pixels):
    """The class of each pixel: u8 [N, 96, 96]."""
    net.eval()
    with torch.no_grad():
        parts = [net(normalise(pixels[i:i + 50])).argmax(1)
                 for i in range(0, len(pixels), 50)]
    return torch.cat(parts).numpy().astype(np.uint8)


def load(name, path):
    net = NETWORKS[name]()
    net.load_state_dict(safetensors_read(path), strict=False)
    return net.eval()


def step(net, pixels, classes, bf16):
    """The loss of a batch, its gradients computed."""
    x = normalise(pixels).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        scores = net(x)
    loss = torch.nn.functional.cross_entropy(
        scores.float(), torch.from_numpy(classes).long(), label_smoothing=0.05)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    return loss.item()


def train(net, args, say):
    """Returns the averaged network."""
    source = scenes.Scenes("train")
    average = copy.deepcopy(net)
    optimizer = optimizer_make(net, args.rate, args.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.rate, total_steps=args.steps, pct_start=0.15)
    begin, total = time.time(), 0.0
    net.train()
    for i in range(args.steps):
        optimizer.zero_grad()
        total += step(net, *source.batch(i * args.batch, args.batch), args.bf16)
        optimizer.step()
        schedule.step()
        average_update(average, net, i)
        if (i + 1) % REPORT == 0:
            say("step %5d: loss %.4f, %.0f s" % (i + 1, total / REPORT,
                                                 time.time() - begin))
            total = 0.0
    return average


def arguments():
    args = argparse.ArgumentParser()
    args.add_argument("network", choices=sorted(NETWORKS))
    args.add_argument("--steps", type=int, default=2000)
    args.add_argument("--batch", type=int, default=16)
    args.add_argument("--rate", type=float, default=4e-3)
    args.add_argument("--decay", type=float, default=0.02)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--bf16", action="store_true",
                      help="forward and backward in bfloat16: fast on new CPUs")
    args.add_argument("--out", default=os.path.dirname(HERE))
    return args.parse_args()


def test(name, out, say):
    """PyTorch's class maps of the test scenes, with the weights as saved."""
    weights = os.path.join(out, name + ".safetensors")
    pixels, classes = scenes.Scenes("t10k").batch(0, TESTS)
    found = predict(load(name, weights), pixels)
    np.savez_compressed(os.path.join(out, "train", name + ".predictions.npz"),
                        classes=found)
    ious = scenes.class_ious(classes, found)
    say("class IoU: " + " ".join("%.1f" % v for v in ious))
    say("test: mIoU %.2f, pixels right %.2f %%, %d scenes" % (
        ious.mean(), 100 * (found == classes).mean(), TESTS))


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    os.makedirs(os.path.join(args.out, "train"), exist_ok=True)
    log = open(os.path.join(args.out, "train", args.network + ".log"), "w",
               buffering=1)

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")

    net = NETWORKS[args.network]().to(memory_format=torch.channels_last)
    say("parameters %d, torch %s" % (sum(p.numel() for p in net.parameters()),
                                     torch.__version__))
    say("settings %s" % {k: v for k, v in vars(args).items() if k != "out"})
    average = train(net, args, say)
    safetensors_write(os.path.join(args.out, args.network + ".safetensors"),
                      average.state_dict())
    test(args.network, args.out, say)


if __name__ == "__main__":
    main()
