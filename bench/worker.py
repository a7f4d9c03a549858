"""One engine with one network, in a process of its own: it may crash alone, and its
memory and start are its own.

    worker.py ENGINE NETWORK.onnx THREADS SETTING INPUT.npy OUTPUT.npy

Loads and runs once, writes the output and answers {"start_ms": .., "peak_kb": ..} (one
JSON a line, on what was stdout; engines may print what they like). The clock starts when
Python and NumPy are there: importing the engine is a part of its start. Then a line
"N" is answered by N times in ms, "end" by {"peak_kb": ..}."""
import json
import os
import sys
import time

import numpy as np

import engines


def status_kb(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))


def main():
    name, onnx, threads, setting, source, target = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = engines.PEERS[name]
    x = np.load(source)
    if threads == "0":
        peer.prepare(onnx)
        if name == "mnn":
            engines.ports(onnx)
        return
    before = status_kb("VmHWM")
    start = time.perf_counter()
    engine = peer(onnx, int(threads), json.loads(setting))
    out = np.array(engine.run(x))
    start_ms = (time.perf_counter() - start) * 1e3

    def peak():
        return status_kb("VmHWM") - before

    np.save(target, out)
    print(json.dumps({"start_ms": start_ms, "peak_kb": peak()}), file=answers)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            engine.run(x)
            times.append((time.perf_counter() - begin) * 1e3)
        print(json.dumps({"ms": times}), file=answers)
    print(json.dumps({"peak_kb": peak()}), file=answers)


main()
