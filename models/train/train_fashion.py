"""Trains the network of models/vt_fashion.vt on Fashion-MNIST.

    python3 models/train/train_fashion.py [--epochs N] [--bf16] [--out DIR]

Writes into DIR (default: models) vt_fashion.safetensors, train/vt_fashion.log and
train/vt_fashion.predictions.npy, the classes PyTorch gives the 10,000 test images
with the saved weights. The schedule is fixed and the weights at its end are kept:
the test images are looked at once, after the last step. To choose settings, hold
training images back (--holdout 5000) and look at those.
"""
import argparse
import copy
import json
import os
import struct
import time

import numpy as np
import torch

import fashion_data
from vt_fashion import VtFashion

HERE = os.path.dirname(os.path.abspath(__file__))


def safetensors_write(path, state):
    """8 bytes of header length, a JSON header, then the tensors one by one."""
    header, blobs, at = {}, [], 0
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue  # counts steps of training; no network reads it
        data = tensor.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    os.replace(path + ".part", path)


def safetensors_read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
        state[name] = torch.from_numpy(values.copy())
    return state


def augment(x, generator):
    """Each image flipped or not, and shifted by up to two pixels."""
    n = x.shape[0]
    flip = torch.rand(n, generator=generator) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    x = torch.nn.functional.pad(x, (2, 2, 2, 2), value=fashion_data.NORMALISED[0])
    dy, dx = torch.randint(0, 5, (2, n), generator=generator)
    rows = (dy[:, None] + torch.arange(28))[:, :, None]
    columns = (dx[:, None] + torch.arange(28))[:, None, :]
    return x[torch.arange(n)[:, None, None], 0, rows, columns][:, None]


def predict(net, images):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in images.split(500)]).argmax(1)


def average_update(average, net, step):
    """Exponential mean of weights and batch-norm statistics, short at first."""
    keep = min(0.997, (1 + step) / (10 + step))
    with torch.no_grad():
        for a, b in zip(average.state_dict().values(), net.state_dict().values()):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - keep)


def optimizer_make(net, rate, decay):
    """Weight decay on matrices only, not on scales and biases."""
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() <= 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": decay},
                              {"params": vectors, "weight_decay": 0.0}], lr=rate)


def train(net, images, labels, args, after_epoch):
    """Returns the averaged network."""
    average = copy.deepcopy(net)
    batches = len(images) // args.batch
    optimizer = optimizer_make(net, args.rate, args.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.rate, total_steps=args.epochs * batches, pct_start=0.15)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=args.smoothing)
    generator = torch.Generator().manual_seed(args.seed)
    for epoch in range(args.epochs):
        net.train()
        order = torch.randperm(len(images), generator=generator)
        total, right = 0.0, 0
        for i in range(batches):
            pick = order[i * args.batch:(i + 1) * args.batch]
            x = augment(images[pick], generator)
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                scores = net(x)
            loss = loss_of(scores.float(), labels[pick])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            average_update(average, net, epoch * batches + i)
            total += loss.item()
            right += int((scores.argmax(1) == labels[pick]).sum())
        after_epoch(epoch, average, total / batches, right / (batches * args.batch))
    return average


def arguments():
    args = argparse.ArgumentParser()
    args.add_argument("--epochs", type=int, default=24)
    args.add_argument("--batch", type=int, default=128)
    args.add_argument("--rate", type=float, default=3e-3)
    args.add_argument("--decay", type=float, default=0.05)
    args.add_argument("--smoothing", type=float, default=0.08)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--holdout", type=int, default=0,
                      help="last training images that only measure")
    args.add_argument("--bf16", action="store_true",
                      help="forward and backward in bfloat16: fast on new CPUs")
    args.add_argument("--out", default=os.path.dirname(HERE))
    return args.parse_args()


def load(part):
    n, pixels, labels = fashion_data.load(part)
    normalised = np.array(fashion_data.NORMALISED, np.float32)
    images = normalised[np.frombuffer(pixels, np.uint8)].reshape(n, 1, 28, 28)
    return (torch.from_numpy(images),
            torch.from_numpy(np.frombuffer(labels, np.uint8).astype(np.int64)))


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    os.makedirs(os.path.join(args.out, "train"), exist_ok=True)
    weights = os.path.join(args.out, "vt_fashion.safetensors")
    log = open(os.path.join(args.out, "train", "vt_fashion.log"), "w", buffering=1)

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")

    images, labels = load("train")
    kept = len(images) - args.holdout
    net = VtFashion().to(memory_format=torch.channels_last)
    settings = {k: v for k, v in vars(args).items() if k != "out"}
    say("parameters %d, torch %s" % (sum(p.numel() for p in net.parameters()),
                                     torch.__version__))
    say("settings %s" % settings)
    begin = time.time()

    def after_epoch(epoch, average, loss, right):
        text = "epoch %2d: loss %.4f, training images right %.2f %%" % (
            epoch + 1, loss, 100 * right)
        if args.holdout:
            held = predict(average, images[kept:]) == labels[kept:]
            text += ", held back %.2f %%" % (100 * held.float().mean().item())
        say(text + ", %.0f s" % (time.time() - begin))
        safetensors_write(weights, average.state_dict())

    train(net, images[:kept], labels[:kept], args, after_epoch)

    saved = VtFashion()
    saved.load_state_dict(safetensors_read(weights), strict=False)
    images, labels = load("t10k")
    classes = predict(saved, images)
    np.save(os.path.join(args.out, "train", "vt_fashion.predictions.npy"),
            classes.numpy().astype(np.uint8))
    say("test: %d of 10000 images right" % int((classes == labels).sum()))


if __name__ == "__main__":
    main()
