"""What a GGUF file says of itself, as JSON. Runs in the training environment.

python -m training.gguf_fields student.gguf tokenizer.ggml.model tokenizer.ggml.pre
{"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
"""

import json
import sys


def main(path: str, names: list[str]) -> None:
    """Print the fields `names` of the file `path`; a missing one as null."""
    from gguf import GGUFReader  # type: ignore[import-not-found]

    fields = GGUFReader(path).fields
    print(json.dumps({name: fields[name].contents() if name in fields else None for name in names}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
