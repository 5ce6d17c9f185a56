"""A part of a frozen dataset, itself a frozen dataset: the first share of its train rows, all of its validation rows.

Which rows are in a part follows from a hash of the document's id, so parts are nested (25 % lies in 50 %), and the same
part of the same version is the same folder, and the same run.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from training.dataset import MANIFEST, read_manifest


def part(dataset: Path, share: float, folder: Path) -> Path:
    """The dataset with `share` (0..1) of its train rows at `folder`; the dataset itself where that is all."""
    manifest = read_manifest(dataset)
    lines = [line for line in (dataset / "train.jsonl").read_text(encoding="utf-8").split("\n") if line]
    count = max(1, round(share * len(lines)))
    if count >= len(lines):
        return dataset
    if (folder / MANIFEST).is_file():
        read_manifest(folder)
        return folder
    first = set(sorted(lines, key=_place)[:count])
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "train.jsonl").write_text("".join(f"{line}\n" for line in lines if line in first), encoding="utf-8")
    shutil.copyfile(dataset / "validation.jsonl", partial / "validation.jsonl")
    files = {name: {**facts, "sha256": _sha256(partial / name)} for name, facts in manifest["files"].items()}
    files["train.jsonl"]["rows"] = count
    told = {**manifest, "hash": hashlib.sha256(f"{manifest['hash']} {count}".encode()).hexdigest(), "files": files}
    told |= {"rows": {**manifest["rows"], "train": count}, "part_of": manifest["hash"]}
    (partial / MANIFEST).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, folder)
    return folder


def _place(line: str) -> bytes:
    return hashlib.blake2b(json.loads(line)["document_id"].encode(), digest_size=8, salt=b"part").digest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
