"""What is timed in turns: an engine in its worker, or a program of ours.

A runner tells `start_ms`, `peak_kb`, `bytes` (on disk) once it has begun, and `times(N)`
of N runs. Both raise Failure with what went wrong."""
import json
import os
import re
import select
import subprocess
import sys

import numpy as np

from networks import HERE, Failure, call

PATIENCE = 900  # seconds for an answer


class Worker:
    """bench/worker.py; one answer a line."""

    def __init__(self, peer, onnx, threads, setting, x, log):
        self.peer, self.setting = peer, setting
        self.out = onnx + ".out.npy"
        self.bytes = sum(os.path.getsize(f) for f in peer.files(onnx) if os.path.exists(f))
        self.log, self.left = log, b""
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "worker.py"), peer.name, onnx,
                 str(threads), json.dumps(setting), x, self.out],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        try:
            first = self.answer()
        except Failure:
            self.close()
            raise
        self.start_ms, self.peak_kb = first["start_ms"], first["peak_kb"]

    @staticmethod
    def prepare(peer, onnx, x, log):
        """Its converter, where it has one, in a process of its own."""
        if peer.files(onnx) == [onnx]:
            return
        with open(log, "ab") as errors:
            done = subprocess.run([sys.executable, os.path.join(HERE, "worker.py"), peer.name,
                                   onnx, "0", "{}", x, "-"], stdout=errors, stderr=errors)
        if done.returncode:
            raise Failure("its converter fails (exit code %d), see %s" % (done.returncode, log))

    def answer(self):
        while b"\n" not in self.left:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                raise Failure(self.why(ready))
            self.left += piece
        line, self.left = self.left.split(b"\n", 1)
        return json.loads(line)

    def why(self, ended):
        if not ended:
            return "no answer in %d s" % PATIENCE
        code = self.process.wait()
        if code < 0:
            return "it crashes (signal %d)" % -code
        with open(self.log, "rb") as file:
            lines = file.read().decode(errors="replace").strip().split("\n")
        return lines[-1][:200] or "it fails (exit code %d)" % code

    def say(self, text):
        try:
            self.process.stdin.write((text + "\n").encode())
            self.process.stdin.flush()
        except OSError:
            pass  # what became of it, the answer tells

    def output(self):
        return np.load(self.out)

    def times(self, runs):
        self.say(str(runs))
        return self.answer()["ms"]

    def end(self):
        """Its peak of memory is known now."""
        self.say("end")
        try:
            self.peak_kb = self.answer()["peak_kb"]
        except Failure:
            pass
        self.close()

    def close(self):
        self.process.kill()
        self.process.communicate()


class Ours:
    """A standalone program, timed by itself: a process for each round."""

    def __init__(self, program, threads, x, start):
        self.program, self.threads = program, "--threads=%d" % threads
        self.raw = program + ".raw.npy"
        self.command = [program, "--quiet", self.threads, "--raw=" + self.raw, x]
        call(self.command)  # the page cache is warm from now on
        told = [json.loads(call([start, *self.command])) for _ in range(3)]
        self.start_ms = min(t["ms"] for t in told)
        self.peak_kb = max(t["peak_kb"] for t in told)
        self.bytes = os.path.getsize(program)
        self.setting = {}

    def output(self):
        return np.load(self.raw)

    def times(self, runs):
        out = call([self.program, "--bench=%d" % runs, self.threads])
        found = re.search(r"min ([\d.]+) ms, median ([\d.]+) ms", out)
        return [float(found[1])] + [float(found[2])] * (runs - 1)

    def end(self):
        pass

    close = end
