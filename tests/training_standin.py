"""A stand-in for the training environment's interpreter: accepts any recipe, then logs steps as the plug-in does.

Asked for the validation split, it knows as many answers as it was trained on rows, and likes a learning rate of 0.001.

Made executable by `make_standin` with a behaviour: "trains", "fails" (an exception after two steps), "hangs".
"""

import sys
from pathlib import Path

SCRIPT = """#!{python}
import json, os, pathlib, subprocess, sys, time
behaviour = {behaviour!r}
if "training.check_recipe" in sys.argv:
    print(json.dumps({{"axolotl": "stand-in", "faults": []}}))
    sys.exit(0)
if "training.validate" in sys.argv:
    import math, yaml
    job = json.load(sys.stdin)
    rows = [json.loads(line) for line in open(job["rows"])]
    config = yaml.safe_load((pathlib.Path(job["adapter"]).parent / "config.yaml").read_text())
    nats = 0.1 + abs(math.log10(config["learning_rate"]) + 3)
    learnt = sum(1 for _ in open(config["datasets"][0]["path"]))
    said = [row["messages"][-1]["content"] if n < learnt else "?" for n, row in enumerate(rows)]
    print(json.dumps([dict(document_id=r["document_id"], nats=nats, said=s) for r, s in zip(rows, said)]))
    sys.exit(0)
run = pathlib.Path(sys.argv[sys.argv.index("train") + 1]).parent
(run / "calls").open("a").write("x")
(run / "output").mkdir(exist_ok=True)
print("Loading the model", flush=True)
for step in range(1, 5):
    line = {{"step": step, "total": 4, "epoch": step / 4, "loss": 1 / step}}
    (run / "progress.jsonl").open("a").write(json.dumps(line) + "\\n")
    time.sleep(0.05)
    if behaviour == "fails" and step == 2:
        print("Traceback (most recent call last):\\nRuntimeError: mat1 and mat2 cannot be multiplied", flush=True)
        sys.exit(1)
    if behaviour == "hangs" and step == 2:
        child = subprocess.Popen(["sleep", "600"])
        (run / "pids").write_text(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(600)
(run / "output" / "adapter_model.safetensors").write_text("weights")
"""


def make_standin(folder: Path, behaviour: str) -> Path:
    path = folder / f"python-{behaviour}"
    path.write_text(SCRIPT.format(python=sys.executable, behaviour=behaviour))
    path.chmod(0o755)
    return path
