"""Calls of the command that are wrong: arguments, exit code, a part of the message.

`small.vt` and `small.safetensors` are there, `none.*` are not.
"""
MODEL_COMMANDS = ["build", "run", "check", "dump", "verify", "init", "bench", "import", "tune"]
COMMANDS = MODEL_COMMANDS + ["report", "ops", "targets", "passes"]


def general():
    """What every command refuses."""
    yield ["nonsense"], 2, "there is no command 'nonsense'"
    yield [""], 2, "there is no command ''"
    yield ["Build"], 2, "there is no command 'Build'"
    yield ["-o"], 2, "there is no command '-o'"
    for command in COMMANDS:
        yield [command, "--nonsense"], 2, "unknown option '--nonsense'"
        yield [command, "-q"], 2, "unknown option '-q'"
    for command in MODEL_COMMANDS:
        yield [command], 2, "a model is missing for '%s'" % command
        if command not in ("check",):
            yield [command, "a.vt", "b.vt"], 2, "one argument too many: 'b.vt'"
    for command in ("ops", "targets", "passes"):
        yield [command, "small.vt"], 2, "one argument too many: 'small.vt'"


FOREIGN = {"build": "--layers", "run": "--emit=c", "check": "--seed=1", "report": "--threads=2",
           "dump": "--verbose", "verify": "--emit=c", "import": "--seed=1", "init": "--emit=c",
           "bench": "-o=x", "tune": "--layers", "ops": "--emit=c", "targets": "--seed=1",
           "passes": "--emit=c"}

# Without these the call itself is wrong, whatever the file is.
NEEDED = {"run": ["--input=small.vt"], "tune": ["-o", "small.tuned"]}

VALUES = [
    (["tune", "small.vt"], 2, "-o FILE is needed"),
    (["tune", "small.vt", "-o", "t", "--time=0"], 2, "not a number in range: '0'"),
    (["build", "small.vt", "--emit=exec"], 2, "'exec' is none of: exe c obj lib so asm llvm onnx"),
    (["build", "small.vt", "--emit="], 2, "'' is none of"),
    (["build", "small.vt", "--emit"], 2, "a value is missing after '--emit'"),
    (["build", "small.vt", "-o"], 2, "a value is missing after '-o'"),
    (["check", "small.vt", "--dim=batch"], 2, "not NAME=NUMBER: 'batch'"),
    (["check", "small.vt", "--dim=batch=0"], 2, "not NAME=NUMBER: 'batch=0'"),
    (["check", "small.vt", "--dim=batch=1x"], 2, "not NAME=NUMBER: 'batch=1x'"),
    (["check", "small.vt", "--dim==1"], 2, "not NAME=NUMBER: '=1'"),
    (["check", "small.vt", "--dim=batch=1", "--dim=batch=2"], 2, "said twice: 'batch=2'"),
    (["build", "small.vt", "-g=1"], 2, "takes no value: '-g=1'"),
    (["build", "small.vt", "--plain=no"], 2, "takes no value: '--plain=no'"),
    (["build", "small.vt", "--weights-as=hex"], 2, "'hex' is none of: embed file c-array"),
    (["build", "small.vt", "--backend=rust"], 2, "there is no back end 'rust'"),
    (["build", "small.vt", "--backend=c", "--emit=llvm"], 2, "does not write --emit=llvm"),
    (["build", "small.vt", "--backend=llvm", "--emit=c"], 2, "does not write --emit=c"),
    (["build", "small.vt", "--target=vax"], 2, "there is no target 'vax'"),
    (["build", "small.vt", "--cpu=v9"], 2, "v9"),
    (["build", "small.vt", "--cpu=v2", "--target=c11"], 2, "takes no --target"),
    (["build", "small.vt", "--profile=tiny"], 2, "'tiny' is no profile: embedded"),
    (["build", "small.vt", "--profile=embedded", "--target=wasm32", "--emit=c"], 2, "wasm32"),
    (["build", "small.vt", "--profile=embedded", "--backend=llvm"], 2, "takes the C back end"),
    (["build", "small.vt", "--profile=embedded", "--cpu=v2,v3"], 2, "takes one level"),
    (["build", "small.vt", "--cpu=v2,v3", "--emit=asm"], 2, "no single text"),
    (["build", "small.vt", "--target=cortex-m4"], 2, "has no system to run programs"),
    (["build", "small.vt", "--emit=c", "--linker=lld"], 2, "here nothing is linked"),
    (["build", "small.vt", "--target=wasm32", "--emit=obj", "--linker=lld"], 2, "one linker"),
    (["build", "small.vt", "--linker=nonsense-ld"], 3, "the linker 'nonsense-ld' does not run"),
    (["build", "small.vt", "--max-threads=0"], 2, "not a number in range: '0'"),
    (["build", "small.vt", "--max-threads=-1"], 2, "not a number in range: '-1'"),
    (["build", "small.vt", "--max-threads=5000"], 2, "not a number in range: '5000'"),
    (["build", "small.vt", "--max-threads=two"], 2, "not a number in range: 'two'"),
    (["build", "small.vt", "--max-threads="], 2, "not a number in range: ''"),
    (["build", "small.vt", "--skip=nonsense"], 2, "there is no pass 'nonsense'"),
    (["build", "small.vt", "--skip=lower"], 2, "lower"),
    (["build", "small.vt", "--passes=nonsense"], 2, "nonsense"),
    (["build", "small.vt", "--emit=c", "-o", "other.c"], 1, "the sources are small.c and"),
    (["build", "small.vt", "--stop-after=group"], 2, "nothing to build but --emit=onnx"),
    (["build", "small.vt", "--keep-norms"], 2, "--keep-norms leaves nothing to build but"),
    (["build", "small.vt", "--emit=onnx", "--keep-norms"], 2, "but with --stop-after=PASS"),
    (["dump", "small.vt", "--stop-after=nonsense"], 2, "nonsense"),
    (["dump", "small.vt", "--after=nonsense"], 2, "there is no pass 'nonsense'"),
    (["dump", "small.vt", "--stage=nonsense"], 2, "'nonsense' is none of: ast graph loops c"),
    (["init", "small.vt", "--seed=-3"], 2, "not a number in range: '-3'"),
    (["init", "small.vt", "--seed=1.5"], 2, "not a number in range: '1.5'"),
    (["run", "small.vt"], 2, "--input=FILE is missing"),
    (["bench", "small.vt", "--runs=0"], 2, "not a number in range: '0'"),
    (["bench", "small.vt", "--threads=many"], 2, "not a number in range: 'many'"),
    (["bench", "small.vt", "--format=yaml"], 2, "yaml"),
    (["report", "small.vt", "--format=yaml"], 2, "--format is none of: table json csv"),
    (["targets", "--format=yaml"], 2, "yaml"),
    (["verify", "small.vt", "--with=nonsense"], 2, "--with takes onnxruntime"),
    (["verify", "small.vt", "--nodes"], 2, "--nodes takes an ONNX file"),
    (["check", "small.vt", "--model=big"], 1, "big"),
    (["build", "small.vt", "--model=big"], 1, "big"),
    (["report", "small.vt", "--output=nowhere"], 1, "nowhere"),
    (["import", "small.vt"], 1, "not an ONNX file"),
    (["run", "small.vt", "--input=none.png"], 1, "cannot read 'none.png'"),
    (["verify", "small.vt", "--input=none.npy"], 1, "none.npy"),
    (["build", "small.vt", "--weights=none.safetensors"], 1, "cannot read 'none.safetensors'"),
    (["build", "small.vt", "--weights=folder"], 1, "cannot read 'folder'"),
    (["build", "small.vt", "--weights=small.vt"], 1, "not a safetensors file"),
]


def calls():
    yield from general()
    for command, option in FOREIGN.items():
        yield [command, option], 2, "not an option of this command: '%s'" % option
    yield from VALUES
    for command in MODEL_COMMANDS + ["report"]:
        end = "onnx" if command == "import" else "vt"
        more = NEEDED.get(command, [])
        yield [command, "none." + end] + more, 1, "none." + end
        yield [command, "folder." + end] + more, 1, "folder." + end
        onnx = command == "import"
        yield [command, "empty." + end] + more, 1, "has no graph" if onnx else "empty.vt"
        yield [command, "noise." + end] + more, 1, "not an ONNX" if onnx else "noise.vt"
