"""The benchmark: measures the machine, then our programs beside other engines, visual
transformers alone, several threads beside one, and our own builds beside each other. What
is done is kept in the result file after every row; interrupted, the rows so far are there."""
import argparse
import datetime
import json
import os
import signal
import sys

try:
    import numpy  # noqa: F401 (everything below needs it)
except ImportError:
    sys.exit("bench/run.py: NumPy is missing; bench/run.sh installs it")

import beside
import builds
import engines
import machine
import modules
import scaling
from networks import HERE, Failure, NETWORKS

PARTS = {"engines": beside.run, "modules": modules.run, "scaling": scaling.run,
         "builds": builds.run}


def choice(known, what):
    def parse(text):
        chosen = [w for w in text.split(",") if w]
        wrong = [w for w in chosen if w not in known]
        if wrong or not chosen:
            raise argparse.ArgumentTypeError("no %s '%s'; there are: %s" % (
                what, ",".join(wrong), ", ".join(known)))
        return chosen
    return parse


def counts(text):
    try:
        numbers = [int(n) for n in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("'%s': numbers from 1" % text)
    return numbers


def parse(arguments):
    p = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    p.add_argument("--parts", type=choice(PARTS, "part"), default=list(PARTS),
                   help="of " + ",".join(PARTS) + " (all)")
    p.add_argument("--networks", dest="given_networks", type=choice(NETWORKS, "network"),
                   help="of " + ",".join(NETWORKS) + " (all; builds: a few)")
    p.add_argument("--engines", type=choice(engines.PEERS, "engine"),
                   default=list(engines.PEERS), help="of " + ",".join(engines.PEERS) + " (all)")
    p.add_argument("--comparisons", type=choice(builds.COMPARISONS, "comparison"),
                   default=list(builds.COMPARISONS),
                   help="of builds: of " + ",".join(builds.COMPARISONS) + " (all)")
    p.add_argument("--threads", type=counts, default=[1, 2], help="1,2")
    p.add_argument("--rounds", type=int, default=5, help="in turns (5)")
    p.add_argument("--tune", type=int, default=60, help="seconds that vtc tune has (60)")
    p.add_argument("--json", help="the result file (bench/results/DATE-cpuN.json)")
    p.add_argument("vtc", help=argparse.SUPPRESS)
    p.add_argument("folder", help=argparse.SUPPRESS)
    o = p.parse_args(arguments)
    if o.rounds < 1 or o.tune < 1:
        p.error("--rounds and --tune are numbers from 1")
    o.networks = o.given_networks or list(NETWORKS)
    return o


class Context:
    """What the parts share: options, the machine's limits, and the results so far."""

    def __init__(self, options):
        self.options, self.vtc = options, os.path.abspath(options.vtc)
        self.folder = os.path.abspath(options.folder)
        self.skipped = {}  # what -> why
        day = datetime.date.today().isoformat()
        self.path = options.json or os.path.join(HERE, "results", "%s-%dcpus.json" % (
            day, os.cpu_count()))
        self.results = {"date": day, "machine": machine.description(), "finished": False,
                        "rounds": options.rounds, "skipped": self.skipped}
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)

    def measure_machine(self):
        self.keep()  # a folder that cannot be written to is told now, not in an hour
        machine.compile_programs(self.folder)
        self.limits = machine.measure(self.folder, self.options.threads)
        self.results["limits"] = self.limits
        print("%(processor)s, %(cpus)d CPUs, %(memory)s" % self.results["machine"])
        print(machine.sentence(self.limits) + "\n", flush=True)
        self.keep()

    def keep(self):
        """Whole or not at all."""
        part = self.path + ".part"
        with open(part, "w") as file:
            json.dump(self.results, file, indent=1)
            file.write("\n")
        os.replace(part, self.path)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    context = Context(parse(sys.argv[1:]))
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    code = 0
    try:
        context.measure_machine()
        for part in context.options.parts:
            PARTS[part](context)
        context.results["finished"] = True
    except KeyboardInterrupt:
        print("\ninterrupted", flush=True)
        code = 130
    except (Failure, OSError) as failure:
        print("bench: %s" % failure, file=sys.stderr)
        code = 3
    print()
    for what, why in sorted(context.skipped.items()):
        print("not timed: %s: %s" % (what, why))
    print("%d not timed; results in %s" % (len(context.skipped), context.path))
    context.keep()
    sys.exit(code)


main()
