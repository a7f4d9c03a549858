"""vtc report: exact counts, one content in every form, and calls that are wrong.

    test_report.py VTC MODELS [--update]

--update writes the golden table.
"""
import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

vtc, models = sys.argv[1:3]
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report")
small, plain = here + "/small.vt", here + "/plain.vt"
failed = 0

# Output elements times the products of each: small.vt counted by hand.
BY_HAND = {
    "conv": 32 * 32 * 32 * (3 * 9),
    "norm": 0,
    "grouped": 32 * 32 * 32 * (32 // 4 * 9),
    "depth": 32 * 32 * 32 * 9,
    "add": 0,
    "scores": 1024 * 1024 * 32,
    "mixed": 32 * 1024 * 1024,
    "tokens": 12 * 1024 * 32,
    "fc": 10 * 12,
}
PARAMS = {"conv": 32 * 27, "norm": 2 * 32, "grouped": 32 * 72 + 32, "depth": 32 * 9,
          "tokens": 12 * 32, "fc": 10 * 12 + 10}
STAGES = {"stem": ["conv", "norm"], "fc": ["fc"],
          "middle": ["grouped", "depth", "add", "scores", "mixed", "tokens"]}
COUNTS = ["macs", "macs_lowered", "params", "params_without_norms", "activation_bytes"]


def check(good, text):
    global failed
    print("ok  " if good else "FAIL", text)
    failed += not good


def call(*args, **more):
    return subprocess.run([vtc, "report", *args], capture_output=True, text=True, **more)


def report(*args):
    result = call(*args)
    if result.returncode or result.stderr:
        print(result.stdout, result.stderr)
        sys.exit("report %s: exit code %d" % (" ".join(args), result.returncode))
    return result.stdout


def by_name(rows):
    return {row["name"]: row for row in rows}


def check_small():
    r = json.loads(report("--format=json", small))
    layers = by_name(r["layers"])
    check({n: layers[n]["macs"] for n in layers} == BY_HAND, "layers counted by hand")
    check({n: layers[n]["params"] for n in layers if layers[n]["params"]} == PARAMS,
          "parameters counted by hand; mean and variance are none")
    check(layers["norm"]["params_without_norms"] == 0, "norms' parameters told apart")
    for name, parts in STAGES.items():
        stage = by_name(r["stages"])[name]
        check(stage["macs"] == sum(BY_HAND[p] for p in parts), "stage " + name)
    check(layers["conv"]["shape"] == [1, 32, 32, 32] and layers["conv"]["stage"] == "stem"
          and layers["scores"]["operator"] == "matmul", "shape, stage and operator of a layer")
    check(layers["conv"]["activation_bytes"] == 4 * 32 * 32 * 32, "bytes of a layer's values")


def check_lowered():
    """Without vectors and with only the passes that must run, the loops of a product do
    what it says and no more."""
    r = json.loads(report("--format=json", "--target=riscv64", "-O0", "--plain", plain))
    check([row["macs_lowered"] for row in r["layers"]] == [row["macs"] for row in r["layers"]],
          "lowered without transforms and vectors: the same")
    r = json.loads(report("--format=json", "--target=x86-64-v3", models + "/resnet18.vt"))
    plainly = json.loads(report("--format=json", "--target=x86-64-v3", "--plain",
                                models + "/resnet18.vt"))
    check(r["total"]["macs_lowered"] < r["total"]["macs"], "Winograd's saving is seen")
    check(plainly["total"]["macs_lowered"] >= plainly["total"]["macs"],
          "--plain executes what is stated")
    conv = by_name(plainly["layers"])["layer1.0.conv1"]
    check(conv["macs_lowered"] == conv["macs"],
          "a convolution's multiplications are its own layer's, not its norm's")


def check_sums(path):
    r = json.loads(report("--format=json", path))
    for count in COUNTS:
        total = r["total"][count]
        check(sum(s[count] for s in r["stages"]) == total and
              sum(s[count] for s in r["layers"]) == total,
              "%s: %s adds up to %d" % (r["model"], count, total))
    for stage in r["stages"]:
        parts = [s for s in r["layers"] if s["stage"] == stage["name"]]
        check(all(stage[c] == sum(p[c] for p in parts) for c in COUNTS),
              "%s: stage '%s' is its layers" % (r["model"], stage["name"]))
    total = r["total"]
    check(0 < total["live_bytes"] <= total["workspace_bytes"] and
          total["weights_bytes"] >= 3.9 * total["params_without_norms"],
          "%s: memory is told" % r["model"])
    check(total["workspace_bytes"] <= 1.1 * total["live_bytes"],
          "%s: of the workspace %.3f times what is live at once" %
          (r["model"], total["workspace_bytes"] / total["live_bytes"]))
    return r


def check_forms():
    """JSON, CSV, HTML and text say the same."""
    many = json.loads(report("--format=json", small, plain))
    check(isinstance(many, list) and [m["model"] for m in many] == ["small", "plain"],
          "JSON of several is a list")
    lines = list(csv.DictReader(io.StringIO(report("--format=csv", small, plain))))
    for m in many:
        mine = [line for line in lines if line["model"] == m["model"]]
        same = all(int(line[c]) == row[c] for c in COUNTS
                   for row, line in zip(m["layers"] + m["stages"] + [m["total"]], mine))
        check(same and len(mine) == len(m["layers"]) + len(m["stages"]) + 1,
              "CSV of %s says what JSON says" % m["model"])
    check(lines[0]["shape"] == "[1,32,32,32]", "CSV quotes commas")
    page = xml.fromstring(report("--format=html", small, plain).replace("<!DOCTYPE html>", ""))
    check(len(page.findall(".//table")) == 3, "HTML: a table of both and one of each")
    cells = [cell.text for cell in page.iter("td")]
    check("0.885" in cells and "[1,32,32,32]" in cells, "HTML has the counts")
    text = report(small)
    check(re.search(r"^conv +conv2d +\[1,32,32,32\] +0\.885 ", text, re.M), "a line of the table")
    check("One multiply-accumulate is one MAC" in text and "Left out are" in text,
          "the report says what it counts")
    both = report(small, plain)
    check(re.search(r"^small  ", both, re.M) and re.search(r"^plain  ", both, re.M),
          "several networks in one table")
    check(report(small) == text, "the same call, the same bytes")


def check_compare():
    r = json.loads(report("--compare", "--format=json", small, plain))
    stages = by_name(r["stages"])
    check(list(stages) == ["stem", "middle", "fc", "tail"], "every stage of both")
    check(stages["stem"]["macs"] == [BY_HAND["conv"], BY_HAND["conv"]] and
          stages["stem"]["macs_ratio"] == [1], "a stage of both")
    check(stages["middle"]["macs"][1] == 0 and stages["middle"]["macs_ratio"] == [None],
          "a stage of one has no ratio")
    total = r["total"]["macs"]
    check(total[0] == sum(BY_HAND.values()) and
          abs(r["total"]["macs_ratio"][0] - total[0] / total[1]) < 1e-9, "the ratio of all")
    text = report("--compare", small, plain)
    check(re.search(r"^stem +0\.885 +0\.885 +1\.000 ", text, re.M), "side by side as a table")
    rows = list(csv.DictReader(io.StringIO(report("--compare", "--format=csv", small, plain))))
    check(rows[-1]["macs_1"] == str(total[0]) and rows[1]["macs_ratio_2"] == "",
          "side by side as CSV")
    xml.fromstring(report("--compare", "--format=html", small, plain)
                   .replace("<!DOCTYPE html>", ""))
    three = json.loads(report("--compare", "--format=json", small, plain, plain))
    check(len(three["total"]["macs"]) == 3 and len(three["total"]["macs_ratio"]) == 2,
          "three side by side")
    vt = json.loads(report("--compare", "--format=json", models + "/resnet18.vt",
                           models + "/vt_resnet18.vt"))
    ratio = by_name(vt["stages"])["layer4"]["macs_ratio"][0]
    check(abs(ratio - 5.76) < 0.005, "stage 5 of ResNet-18 is 5.76 times that of VT-ResNet-18")


def check_golden(text):
    path = here + "/paper.txt"
    if "--update" in sys.argv:
        open(path, "w").write(text)
    check(text == open(path).read(), "the table of published networks, as paper.txt")


def check_paper():
    call_paper = ["--paper", "--models=" + here]
    check_golden(report(*call_paper))
    r = json.loads(report(*call_paper, "--format=json"))["networks"]
    check([n["name"] for n in r] == ["Small", "Plain", "Small again", "Unmeasured"],
          "every row of the table, in order")
    check(r[0]["macs"] == sum(BY_HAND.values()) and r[0]["params"] == sum(PARAMS.values()),
          "ours")
    check(abs(r[0]["gmacs_difference"] - (r[0]["macs"] / 1e9 - 0.0708)) < 1e-12, "the difference")
    check(r[1]["published_mparams"] is None and r[3]["top1"] is None, "unknown is null")
    rows = list(csv.DictReader(io.StringIO(report(*call_paper, "--format=csv"))))
    check(rows[0]["remark"] == 'a "quoted", <strange> remark' and
          rows[2]["published_macs"] == "" and int(rows[0]["macs"]) == r[0]["macs"], "as CSV")
    page = xml.fromstring(report(*call_paper, "--format=html").replace("<!DOCTYPE html>", ""))
    check(any(c.text == 'a "quoted", <strange> remark' for c in page.iter("td")) and
          page.find(".//{http://www.w3.org/2000/svg}svg") is not None,
          "as HTML, with the plot, texts escaped")
    check_plot(report(*call_paper, "--format=svg"))


def check_plot(text):
    space = "{http://www.w3.org/2000/svg}"
    plot = xml.fromstring(text)
    texts = [t.text for t in plot.iter(space + "text")]
    titles = [t.text for t in plot.iter(space + "title")]
    check(len(titles) == 6 and all(titles.count(t) == 2 for t in titles),
          "a mark in both panels for each network with a top-1")
    check(texts.count("Small") == 2 and texts.count("Unmeasured") == 0, "a label each")
    check(texts.count("one & <two>") == 1 and texts.count("three") == 1, "a legend of families")
    ticks = [t for t in texts if re.fullmatch(r"[0-9.]+", t)]
    check(len(ticks) >= 12, "ticks on four axes")
    colours = {}
    for mark in plot.iter(space + "circle"):
        if mark.find(space + "title") is not None:
            family = "one" if mark.find(space + "title").text.startswith("Small") else "three"
            colours.setdefault(family, set()).add(mark.get("fill"))
    check(len(colours) == 2 and not colours["one"] & colours["three"] and
          all(len(c) == 1 for c in colours.values()), "families have their colours")
    labels = [(float(t.get("x")), float(t.get("y")), t.text) for t in plot.iter(space + "text")
              if t.text in ("Small", "Plain", "Small again")]
    apart = all(abs(a[1] - b[1]) >= 10 or
                abs(a[0] - b[0]) >= 3 * (len(a[2]) + len(b[2]))
                for i, a in enumerate(labels) for b in labels[:i])
    check(apart, "labels do not cover each other")
    check(report("--paper", "--models=" + here, "--format=svg") == text, "the same picture again")


def check_wrong(code, words, *args):
    result = call(*args)
    check(result.returncode == code and words in result.stderr and not result.stdout,
          "exit %d, '%s': %s" % (code, words, " ".join(map(os.path.basename, args))))


def check_errors(folder):
    check_wrong(2, "a model is missing")
    check_wrong(2, "is none of", "--format=xml", small)
    check_wrong(2, "--paper takes no model", "--paper", small)
    check_wrong(2, "exclude each other", "--paper", "--compare")
    check_wrong(2, "two to four", "--compare", small)
    check_wrong(2, "two to four", "--compare", *[small] * 5)
    check_wrong(2, "is for --paper", "--format=svg", small)
    check_wrong(2, "is for --paper", "--models=" + here, small)
    check_wrong(1, "nowhere.vt", folder + "/nowhere.vt")
    check_wrong(1, "nowhere.vt", small, folder + "/nowhere.vt")
    check_wrong(1, "published.tsv", "--paper", "--models=" + folder)
    check_wrong(3, "cannot", small, "-o", folder + "/no/such/folder.txt")
    tables = {
        "columns": "A\tsmall.vt\t1\n",
        "'x1' is no number": "A\tsmall.vt\tx1\t-\t-\tf\t-\n",
        "'-3' is no number": "A\tsmall.vt\t-\t-3\t-\tf\t-\n",
        "no network": "# nothing\n",
        "missing.vt": "A\tmissing.vt\t-\t-\t-\tf\t-\n",
    }
    for words, table in tables.items():
        with open(folder + "/published.tsv", "w") as file:
            file.write(table)
        check_wrong(1, words, "--paper", "--models=" + folder)
    with open(folder + "/bad.vt", "w") as file:
        file.write("model bad(x: f32[1, 3, 8, 8]) {\n    output y\n}\n")
    check_wrong(1, "bad.vt:2", folder + "/bad.vt")


def check_file(folder):
    check(report("--format=csv", "-o", folder + "/small.csv", small) == "" and
          open(folder + "/small.csv").read() == report("--format=csv", small),
          "-o writes what would be printed")


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_quick():
    """Sixty networks in ten seconds (of a processor: others may use the machine too), and
    no weights in memory."""
    paths = [os.path.join(models, f) for f in sorted(os.listdir(models)) if f.endswith(".vt")]
    many = (paths * 60)[:max(60, len(paths))]
    begin = processor_seconds()
    report(*many)
    for path in many:
        subprocess.run([vtc, "check", path], check=True)
    seconds = processor_seconds() - begin
    check(seconds < 10 or "VTC_SLOW" in os.environ,
          "report and check of %d networks: %.1f s" % (len(many), seconds))
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    check(megabytes < 400 or "VTC_SLOW" in os.environ,
          "most memory of any report: %.0f MB" % megabytes)


def main():
    check_small()
    check_lowered()
    for name in ("resnet18", "vt_resnet18", "vt_fashion"):
        check_sums("%s/%s.vt" % (models, name))
    check_forms()
    check_compare()
    check_paper()
    with tempfile.TemporaryDirectory() as folder:
        check_errors(folder)
        check_file(folder)
    check_quick()
    sys.exit("%d checks failed" % failed if failed else 0)


main()
