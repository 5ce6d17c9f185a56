"""A trained adapter on the validation split, in the training environment: how likely the answer, how often said.

For each row the model is asked for its answer, held to the task's answers where there are (as the served student is, by
a trie of their tokens), and the log-probability of the right answer, its end included, is summed: nats an answer. This
can be compared between trials and between tokenizers, and is far less noisy than counting right answers on some fifty
documents. `axolotl evaluate` would do neither (and takes a fresh adapter unless told otherwise).

    echo '{"base": "...", "adapter": "...", "rows": "validation.jsonl", "answers": ["rent", "debt"]}' \\
        | python -m training.validate
    [{"document_id": "41d0c7a2b6e95f13", "nats": 0.0712, "said": "debt"}, ...]
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

_AT_ONCE = 8
_MOST_TOKENS = 1_024
Trie = dict[int, Any]


def main() -> None:
    """Read the job as JSON from standard input, print the answers as JSON; all else goes to standard error."""
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        found = answers(job)
    print(json.dumps(found))


def answers(job: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry per row of `rows`, in no particular order."""
    import torch

    model, tokenizer = _load(job)
    lines = [json.loads(line) for line in Path(job["rows"]).read_text(encoding="utf-8").split("\n") if line]
    rows = []
    for line in lines:
        asked = tokenizer.apply_chat_template(line["messages"][:-1], add_generation_prompt=True, return_dict=False)
        said = tokenizer.encode(line["messages"][-1]["content"], add_special_tokens=False)
        rows.append((line["document_id"], list(asked), [*said, tokenizer.eos_token_id]))
    rows.sort(key=lambda row: len(row[1]))
    trie = _trie(tokenizer, job["answers"]) if job.get("answers") else None
    most = min(_MOST_TOKENS, max(len(row[2]) for row in rows) * (1 if trie else 2) + 4)
    found = []
    with torch.inference_mode():
        for n in range(0, len(rows), _AT_ONCE):
            batch = rows[n : n + _AT_ONCE]
            nats = _nats(model, tokenizer, batch)
            said = _said(model, tokenizer, [asked for _, asked, _ in batch], trie, most)
            found += [dict(document_id=r[0], nats=a, said=b) for r, a, b in zip(batch, nats, said, strict=True)]
    return found


def _load(job: dict[str, Any]) -> tuple[Any, Any]:
    """The base with its adapter (or the fully tuned model), on a GPU where there is one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    pinned = {"revision": job["revision"]} if job.get("revision") else {}
    adapter = Path(job["adapter"])
    full = not (adapter / "adapter_config.json").is_file()
    source, given = (str(adapter), {}) if full else (job["base"], pinned)
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", **given)
    if not full:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter))
    tokenizer = AutoTokenizer.from_pretrained(job["base"], padding_side="left", **pinned)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def _padded(tokenizer: Any, rows: list[list[int]], device: Any) -> tuple[Any, Any]:
    """Token ids and attention mask (batch x longest), padded on the left."""
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for n, row in enumerate(rows):
        ids[n, longest - len(row) :] = torch.tensor(row)
        mask[n, longest - len(row) :] = 1
    return ids.to(device), mask.to(device)


def _nats(model: Any, tokenizer: Any, batch: list[tuple[str, list[int], list[int]]]) -> list[float]:
    """Minus the log-probability of each right answer, all its tokens together."""
    ids, mask = _padded(tokenizer, [asked + said for _, asked, said in batch], model.device)
    keep = max(len(said) for _, _, said in batch) + 1
    places = (mask.cumsum(dim=1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=places, logits_to_keep=keep).logits
    logs = logits.float().log_softmax(dim=-1)[:, :-1].gather(2, ids[:, -keep + 1 :, None])[:, :, 0]
    return [round(-float(logs[n, -len(said) :].sum()), 5) for n, (_, _, said) in enumerate(batch)]


def _said(model: Any, tokenizer: Any, asked: list[list[int]], trie: Trie | None, most: int) -> list[str]:
    """What the model says, greedily; only what the trie allows, where there is one."""
    ids, mask = _padded(tokenizer, asked, model.device)
    width = ids.shape[1]

    def allowed(_: int, sequence: Any) -> list[int]:
        place: Trie = trie or {}
        for token in sequence[width:].tolist():
            place = place.get(token, {})
        return list(place) or [tokenizer.eos_token_id]

    held = {"prefix_allowed_tokens_fn": allowed} if trie else {}
    made = model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=most,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        temperature=None,
        top_p=None,
        top_k=None,
        **held,
    )
    return [str(text) for text in tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)]


def _trie(tokenizer: Any, words: list[str]) -> Trie:
    """The tokens that may follow, level by level; each answer ends with the end of the turn."""
    root: Trie = {}
    for word in words:
        place = root
        for token in [*tokenizer.encode(word, add_special_tokens=False), tokenizer.eos_token_id]:
            place = place.setdefault(token, {})
    return root


if __name__ == "__main__":
    main()
