"""Alarms of the house style that a glance cannot give: lengths of files and functions,
parameters, nesting, a head that says what a file is, switches without `default`.

    test_lint.py TOP [--list]       (--list: the longest of each)
"""
import os
import re
import sys

top = os.path.abspath(sys.argv[1])
FOLDERS = ["support", "ir", "frontend", "passes", "backends", "runtime", "tools", "tests"]
# Where an alarm rings; what is aimed at is 100 to 500, 12, 5 and 3.
FILE_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 700, 70, 8, 4
# Kinds that come from a file may be any number.
FOREIGN_KINDS = ("frontend/onnx_",)
found, longest = [], {}


def alarm(where, text):
    found.append("%s: %s" % (where, text))


def measure(kind, where, value, limit):
    longest.setdefault(kind, []).append((value, where))
    if value > limit:
        alarm(where, "%s: %d, at most %d" % (kind, value, limit))


def sources():
    for folder in FOLDERS:
        for base, _, names in os.walk(os.path.join(top, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".inc")):
                    yield os.path.relpath(os.path.join(base, name), top)


def blank(text):
    """Without comments, strings and characters, every line where it was."""
    def keep(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", keep, text,
                  flags=re.S)


def parameters(head):
    """Of `type name(parameters)`: how many; those in parentheses of their own are one."""
    inside = head[head.index("(") + 1:head.rindex(")")]
    depth = count = 0
    for c in inside:
        depth += (c == "(") - (c == ")")
        count += c == "," and depth == 0
    return count + 1 if inside.strip() not in ("", "void") else 0


def functions(lines):
    """(first line, name, head, body) of every function: its braces stand in column 0."""
    for at, line in enumerate(lines):
        if line.rstrip() != "{" or at == 0:
            continue
        first = at - 1
        while first > 0 and re.match(r"\s+\S", lines[first]):
            first -= 1
        head = "\n".join(lines[first:at])
        name = re.search(r"(\w+)\s*\(", head)
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("}")), at)
        if name and not head.startswith(("#", "typedef")):
            yield first, name.group(1), head, lines[at:end + 1]


def nesting(body):
    deepest = 0
    for line in body:
        if re.match(r"\s*(for|while|if|else|switch|do)\b|\s*\} else\b|\s*FOR_\w+\(", line):
            indent = (len(line) - len(line.lstrip())) // 4
            deepest = max(deepest, indent)
    return deepest


def check_file(name):
    with open(os.path.join(top, name), encoding="utf-8") as f:
        text = f.read()
    measure("lines of a file", name, text.count("\n"), FILE_LINES)
    if not text.lstrip().startswith("/*"):
        alarm(name, "no head that says what it is")
    if re.search(r"[ \t]+$|\t", text, re.M):
        alarm(name, "tabs, or blanks at the end of a line")
    code = blank(text)
    for match in [] if name.startswith(FOREIGN_KINDS) else re.finditer(r"\bdefault\s*:", code):
        alarm("%s:%d" % (name, code.count("\n", 0, match.start()) + 1),
              "a switch over kinds has no default")
    for first, function, head, body in functions(code.split("\n")):
        where = "%s:%d %s" % (name, first + 1, function)
        measure("lines of a function", where, len(body) + head.count("\n") + 1, FUNCTION_LINES)
        measure("parameters", where, parameters(head), PARAMETERS)
        measure("nesting", where, nesting(body), NESTING)


files = list(sources())
for file in files:
    check_file(file)
if "--list" in sys.argv:
    for kind in longest:
        for value, where in sorted(longest[kind], reverse=True)[:8]:
            print("%-20s %4d  %s" % (kind, value, where))
count = len(longest.get("lines of a function", []))
print("%d files, %d functions of %.0f lines on average" %
      (len(files), count, sum(v for v, _ in longest["lines of a function"]) / max(count, 1)))
print("\n".join(found) or "no alarm")
sys.exit(bool(found) or len(files) < 100 or count < 1000)
