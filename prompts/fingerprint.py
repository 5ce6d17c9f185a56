"""The key of an answer: a hash of everything that shaped it. Two askings with one key are one asking, paid once.

It covers the task, the prompt (instructions, labels or schema, examples, rules of cutting: see
`prompts.render.prompt_fingerprint`), the model, the host that serves it, the parameters (mode, calibration,
temperature, samples, limits), and the document. It leaves out what changes no answer that could be read: limits in
flight, timeouts, prices, and the repair of an answer that could not be read (the label keeps both texts).
"""

import hashlib
import json

from prompts.endpoint import Endpoint


def answer_key(task: str, prompt: str, endpoint: Endpoint, document_id: str) -> str:
    """32 hex digits."""
    parts = [task, prompt, endpoint.model, endpoint.host, endpoint.parameters, document_id]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
