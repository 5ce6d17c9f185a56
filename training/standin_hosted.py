"""A stand-in for providers of trainings: Together's and Fireworks' documented routes, on the loopback. Trains nothing.

A job takes a step each time it is looked at, and is done after `steps` looks. What it counts tells whether anything was
uploaded or started twice. `lose`: for which of the next requests (`upload`, `start`) the work is done and the
connection then cut before the answer; `fail`: the jobs end in an error. Any key but `key` gets 401. The student that it
"trained" answers a chat completion with the first of `answers` that occurs in the document, so it can be judged.

    python -m training.standin_hosted --port 8098 --answers lease,debt --key secret

    Together     GET/POST /v1/files[/upload], POST /v1/fine-tunes[/estimate-price], GET /v1/fine-tunes[/ID]
    Fireworks    /v1/accounts/A/datasets[/ID[:upload]], /v1/accounts/A/supervisedFineTuningJobs[/ID]
    both         POST [/inference]/v1/chat/completions; GET /counts
"""

import argparse
import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_FILE = re.compile(rb'name="file"; filename="([^"]+)".*?\r\n\r\n(.*?)\r\n--', re.DOTALL)
_ACCOUNT = re.compile(r"/v1/accounts/[^/]+")
Answer = tuple[int, Any]


class StandinTrainer:
    """One stand-in. Use as a context; `url` is its root, without `/v1`."""

    def __init__(self, key: str = "key", steps: int = 2, answers: Sequence[str] = (), price_usd: float = 1.25) -> None:
        """See the module's description."""
        self.key, self.steps, self.answers, self.price_usd = key, steps, list(answers), price_usd
        self.lose: list[str] = []
        self.fail = False
        self.counts: Counter[str] = Counter()
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.looks: Counter[str] = Counter()
        self._server: ThreadingHTTPServer | None = None
        self.url = ""

    def __enter__(self) -> "StandinTrainer":
        """Listen on a free port."""
        self.start(0)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def start(self, port: int) -> None:
        """Listen on `port` of the loopback (0: any), in a thread."""
        standin = self

        class Handler(_Handler):
            trainer = standin

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        """The status and JSON of one request."""
        if path == "/counts":
            return 200, dict(self.counts)
        if path.endswith("/v1/chat/completions"):
            return 200, self._said(json.loads(body))
        account = _ACCOUNT.match(path)
        if account:
            return self._fireworks(method, account[0], path[account.end() :], query, body)
        return self._together(method, path.removeprefix("/v1"), body)

    def _together(self, method: str, path: str, body: bytes) -> Answer:
        if (method, path) == ("GET", "/files"):
            return 200, {"data": list(self.files.values())}
        if (method, path) == ("POST", "/files/upload"):
            name, content = self._uploaded(body)
            id_ = f"file-{len(self.files)}"
            self.files[id_] = {
                "id": id_,
                "filename": name,
                "bytes": len(content),
                "lines": content.decode().splitlines(),
            }
            return 200, self.files[id_]
        if (method, path) == ("POST", "/fine-tunes/estimate-price"):
            return 200, {"estimated_total_price": self.price_usd, "allowed_to_proceed": True}
        if (method, path) == ("GET", "/fine-tunes"):
            return 200, {"data": [self._together_job(id_) for id_ in self.jobs]}
        if (method, path) == ("POST", "/fine-tunes"):
            asked = json.loads(body)
            if asked.get("training_file") not in self.files:
                return 400, {"error": {"message": f"no such file: {asked.get('training_file')}"}}
            self.counts["start"] += 1
            id_ = f"ft-{len(self.jobs)}"
            self.jobs[id_] = asked
            return 200, self._together_job(id_)
        if method == "GET" and (id_ := path.removeprefix("/fine-tunes/")) in self.jobs:
            self.looks[id_] += 1
            return 200, self._together_job(id_)
        return 404, {"error": {"message": f"no route {method} {path}"}}

    def _together_job(self, id_: str) -> dict[str, Any]:
        asked, over = self.jobs[id_], self.looks[id_] > self.steps
        status = ("error" if self.fail else "completed") if over else "running" if self.looks[id_] else "pending"
        told = {"id": id_, "status": status, "model": asked["model"], "suffix": asked.get("suffix"), "events": []}
        if over and self.fail:
            told["events"] = [{"message": "the training file was refused"}]
        named = {"model_output_name": f"acme/{asked['model'].split('/')[-1]}-{asked.get('suffix')}"}
        return told | (named | {"total_price": round(self.price_usd * 1e9)} if over else {})

    def _fireworks(self, method: str, account: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        kind, _, id_ = path.strip("/").partition("/")
        if kind == "datasets":
            return self._dataset(method, id_, body)
        if kind != "supervisedFineTuningJobs":
            return 404, {"message": f"no route {method} {path}"}
        if method == "POST":
            id_ = query["supervisedFineTuningJobId"][0]
            if id_ in self.jobs:
                return 409, {"code": "ALREADY_EXISTS"}
            self.counts["start"] += 1
            self.jobs[id_] = json.loads(body)
        if id_ not in self.jobs:
            return 404, {"code": "NOT_FOUND"}
        self.looks[id_] += method == "GET"
        over = self.looks[id_] > self.steps
        state = ("FAILED" if self.fail else "COMPLETED") if over else "RUNNING"
        cost = {"currencyCode": "USD", "units": str(int(self.price_usd)), "nanos": round(self.price_usd % 1 * 1e9)}
        told = {
            "name": f"{account}/supervisedFineTuningJobs/{id_}",
            "state": f"JOB_STATE_{state}",
            "estimatedCost": cost,
        }
        status = (
            {"code": "INVALID_ARGUMENT", "message": "the training file was refused"} if self.fail else {"code": "OK"}
        )
        return 200, told | {"outputModel": self.jobs[id_].get("outputModel"), "status": status}

    def _dataset(self, method: str, id_: str, body: bytes) -> Answer:
        if method == "POST" and id_.endswith(":upload"):
            name, content = self._uploaded(body)
            lines = content.decode().splitlines()
            self.files[id_.removesuffix(":upload")] |= {"state": "READY", "filename": name, "lines": lines}
            return 200, {}
        if method == "POST":
            id_ = json.loads(body)["datasetId"]
            self.files[id_] = {"name": id_, "state": "UPLOADING"}
        return (200, self.files[id_]) if id_ in self.files else (404, {"code": "NOT_FOUND"})

    def _uploaded(self, body: bytes) -> tuple[str, bytes]:
        self.counts["upload"] += 1
        found = _FILE.search(body)
        return (found[1].decode(), found[2]) if found else ("", b"")

    def _said(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.counts["asked"] += 1
        text = asked["messages"][-1]["content"].lower()
        said = next((one for one in self.answers if one.lower() in text), (self.answers or [""])[0])
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        usage = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}
        made = {"id": "chat-1", "object": "chat.completion", "created": 1, "model": asked["model"]}
        return made | {"choices": [choice], "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    trainer: StandinTrainer

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = urlsplit(self.path)
        before = Counter(self.trainer.counts)
        if where.path != "/counts" and self.headers.get("Authorization") != f"Bearer {self.trainer.key}":
            return self._send(401, {"error": {"message": "invalid key"}})
        status, said = self.trainer.answer(method, where.path, parse_qs(where.query), body)
        done = next(iter(self.trainer.counts - before), "")
        if done and done in self.trainer.lose:
            self.trainer.lose.remove(done)
            self.close_connection = True
            return None  # the work is done, and nobody is told
        return self._send(status, said)

    def _send(self, status: int, said: Any) -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m training.standin_hosted", description="A stand-in trainer.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port (printed as the first line)")
    parser.add_argument("--answers", default="", help="what its students may answer, separated by commas")
    parser.add_argument("--key", default="key", help="the only key it accepts")
    parser.add_argument("--steps", type=int, default=2, help="looks until a job is done")
    given = parser.parse_args()
    standin = StandinTrainer(given.key, given.steps, [one for one in given.answers.split(",") if one])
    standin.start(given.port)
    print(json.dumps({"url": standin.url}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
