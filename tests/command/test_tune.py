"""vtc tune: candidates measured, the choice a text that builds take, and its mistakes.

What is chosen rests on the clock; that every choice is one the network can be computed
by, and that it is obeyed, does not.
"""
import re

from harness import call, check, expect, finish, path, read, write

write("net.vt", """
model net(x: f32[1, 16, 40, 40]) {
    one: y = relu(conv2d(x, out = 32, kernel = 3, pad = 1))
    two: y = relu(conv2d(y, out = 32, kernel = 3, pad = 1, stride = 2))
    three: y = conv2d(y, out = 16, kernel = 1)
    output y
}
""")


def schedules(*options):
    """Layer -> schedule, as the dump prints them."""
    found = {}
    for line in expect(["dump", "net.vt", "--after=schedule", *options], 0).stdout.splitlines():
        if " = conv2d " in line:
            by = re.search(r" by (\w+\(\d+\))", line)
            found[re.search(r'label "(\w+)"', line)[1]] = by[1] if by else "direct"
    return found


# What is measured, is obeyed.
r = expect(["tune", "net.vt", "--time=3", "-o", "net.tuned"], 0)
check(re.fullmatch(r"cost model: rank correlation -?[01]\.\d\d over (\d+) candidates of 3 layers"
                   r"(, -?[01]\.\d\d within a layer \(mean of [12]\))?\n"
                   r"\d+ layers tuned: [\d.]+ ms, [\d.]+ ms before\n", r.stdout), r.stdout)
# On a busy machine not all candidates fit into the time, which is said.
check(re.sub(r"vtc: warning: \d+ of \d+ candidates fit into the time\n", "", r.stderr) == "",
      "quiet in a pipe: " + r.stderr)
lines = [l for l in read("net.tuned").decode().splitlines() if not l.startswith("#")]
check(all(re.fullmatch(r"(one|two) (direct|winograd\(\d\))", l) for l in lines), lines)
found = schedules("--tuned=net.tuned")
check(len(found) == 3, found)
check(all(found[l.split()[0]] == l.split()[1] for l in lines), lines, found)

# Any choice that can be, and the network stays what it is.
for one, two in (("direct", "winograd(2)"), ("winograd(5)", "direct"), ("winograd(3)", "winograd(4)")):
    write("own.tuned", "# mine\n\none %s\n  two\t%s\n" % (one, two))
    found = schedules("--tuned=own.tuned")
    check((found["one"], found["two"], found["three"]) == (one, two, "direct"), found)
    r = expect(["verify", "net.vt", "--seed=1", "--backend=c", "--tuned=own.tuned"], 0)
    check("C by gcc" in r.stdout, r.stdout)

# What cannot be, is said.
write("odd.tuned", "three winograd(4)\nnone direct\n")
r = expect(["report", "net.vt", "--tuned=odd.tuned"], 0, "no layer 'three' is computed so here")
check("odd.tuned:2:1: warning: no layer 'none'" in r.stderr, r.stderr)
write("own.tuned", "one winograd(4)\n")
r = expect(["report", "net.vt", "--tuned=own.tuned", "--plain"], 0, "is computed so here")
for text, message in (("one\n", "a line is a layer's label and its schedule"),
                      ("one direct two\n", "a line is a layer's label and its schedule"),
                      ("one winograd\n", "there is no schedule 'winograd'"),
                      ("one winograd(0)\n", "there is no schedule 'winograd(0)'"),
                      ("one winograd(4\n", "there is no schedule 'winograd(4'"),
                      ("one direct(2)\n", "there is no schedule 'direct(2)'"),
                      ("one fast(4)\n", "there is no schedule 'fast(4)'"),
                      ("one direct\none direct\n", "layer 'one' has two schedules")):
    write("bad.tuned", text)
    expect(["build", "net.vt", "--tuned=bad.tuned", "--emit=c", "-o", "net"], 1, message)
expect(["report", "net.vt", "--tuned=missing.tuned"], 1, "missing.tuned")
r = expect(["tune", "net.vt", "--time=1", "--verbose", "-o", "verbose.tuned"], 0)
measured = re.findall(r"^(one|two|three)\t(direct|\w+\(\d\))\t[\d.]+ ms\tcost [\d.]+M$", r.stderr, re.M)
check(len(measured) >= 3 and len(set(measured)) == len(measured), "measured: " + r.stderr)
expect(["tune", "net.vt"], 2, "-o FILE is needed")
expect(["tune", "net.vt", "--time=x", "-o", "t"], 2)
expect(["tune", "missing.vt", "-o", path("t")], 1, "missing.vt")
expect(["tune", "net.vt", "--time=1", "-o", "none/t"], 3, "none/t")
check(call("tune", "--help").returncode == 0, "help")
finish()
