"""The local model server: every model of a folder at one address, loaded when asked for, OpenAI's shapes."""

import asyncio
from pathlib import Path

import pytest
import requests
from fixtures_serving import model_server, student

from records.errors import InputError, ServiceError
from serving.llama import Engine
from serving.shelf import PACKAGED_MODEL, Shelf, packaged_model

SYSTEM = "Sort the mail. Answer with one letter.\n" + "\n".join(
    f"{c}: matter number {n}" for n, c in enumerate("ABCDEF")
)


class Address:
    """What an engine needs of a llama.cpp server."""

    def __init__(self, name: str) -> None:
        self.listening_address = f"http://{name}"


class Loader:
    """Loads nothing, and tells what it was asked to load."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, name: str, file: Path) -> Engine:
        self.loaded.append(name)
        if "broken" in name:
            raise ServiceError("cannot be loaded")
        return Engine(name, Address(name))


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c", "broken"):
        (tmp_path / f"{name}.gguf").write_bytes(b"GGUF")
    return tmp_path


async def ask(shelf: Shelf, *names: str) -> None:
    for name in names:
        async with shelf.engine(name):
            pass


async def test_a_model_is_loaded_once_however_many_ask_at_once(folder):
    loader = Loader()
    shelf = Shelf(folder, 3, loader)
    await asyncio.gather(*(ask(shelf, "a") for _ in range(20)))
    assert loader.loaded == ["a"]


async def test_the_model_asked_longest_ago_leaves_first(folder):
    loader = Loader()
    shelf = Shelf(folder, 2, loader)
    await ask(shelf, "a", "b", "a", "c")
    assert shelf.loaded() == ["a", "c"]
    await ask(shelf, "b")
    assert loader.loaded == ["a", "b", "c", "b"]


async def test_a_model_that_is_answering_stays(folder):
    shelf = Shelf(folder, 1, Loader())
    async with shelf.engine("a") as engine:
        await ask(shelf, "b", "c")
        assert "a" in shelf.loaded()
        assert engine.address == "http://a"


async def test_a_replaced_file_is_loaded_anew(folder):
    loader = Loader()
    shelf = Shelf(folder, 3, loader)
    await ask(shelf, "a")
    (folder / "a.gguf").write_bytes(b"GGUF, another")
    await ask(shelf, "a")
    assert loader.loaded == ["a", "a"]


async def test_a_model_that_could_not_be_loaded_is_tried_again(folder):
    loader = Loader()
    shelf = Shelf(folder, 3, loader)
    for _ in range(2):
        with pytest.raises(ServiceError):
            await ask(shelf, "broken")
    assert loader.loaded == ["broken", "broken"]
    assert shelf.loaded() == []


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../a", "", ".", "..", "a\x00", "x" * 200, "A B", "none"])
async def test_a_name_is_never_a_path(folder, name):
    with pytest.raises(InputError, match="no model"):
        Shelf(folder / "below", 1, Loader()).file(name)


def post(url: str, path: str, **body: object) -> requests.Response:
    return requests.post(url + path, json=body, timeout=60)


def chat(url: str, model: str, text: str, **more: object) -> requests.Response:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    return post(url, "/v1/chat/completions", model=model, messages=messages, max_tokens=1, temperature=0, **more)


@pytest.mark.real
def test_the_packaged_model_answers_with_the_log_probability_of_every_label(models_url):
    answer = chat(models_url, PACKAGED_MODEL, "hello", logprobs=True, top_logprobs=400).json()
    candidates = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert len(candidates) == 400
    assert {c["token"] for c in candidates} >= set("ABCDEF")


@pytest.mark.real
def test_the_prompt_that_documents_share_is_computed_once(models_url):
    chat(models_url, PACKAGED_MODEL, "the landlord raised the rent")
    usage = chat(models_url, PACKAGED_MODEL, "an invoice was not paid").json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] > 0.6 * usage["prompt_tokens"]


@pytest.mark.real
def test_the_messages_become_the_chat_format_that_the_student_was_trained_in(models_url):
    messages = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Rent is due."}]
    prompt = post(models_url, "/apply-template", model=PACKAGED_MODEL, messages=messages).json()["prompt"]
    assert prompt == (
        "<|im_start|>system\nSort.<|im_end|>\n<|im_start|>user\nRent is due.<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.real
def test_an_answer_can_be_held_to_a_grammar(models_url):
    answer = chat(models_url, PACKAGED_MODEL, "hello", grammar='root ::= "F" | "E"').json()
    assert answer["choices"][0]["message"]["content"] in ("E", "F")


@pytest.mark.real
def test_faults_come_in_openais_shape(models_url):
    missing = chat(models_url, "../secret", "x")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert chat(models_url, PACKAGED_MODEL, "x", stream=True).status_code == 400
    assert post(models_url, "/v1/chat/completions", messages=[]).json()["error"]["param"] == "model"
    assert requests.post(f"{models_url}/v1/chat/completions", data="{", timeout=10).status_code == 400
    too_long = chat(models_url, PACKAGED_MODEL, "word " * 6_000)
    assert (too_long.status_code, too_long.json()["error"]["type"]) == (400, "exceed_context_size_error")


@pytest.mark.real
def test_a_model_that_appears_in_the_folder_is_served_and_a_broken_one_breaks_nothing(tmp_path):
    folder = tmp_path / "models"
    with model_server(folder, "--keep", "1") as url:
        packaged = packaged_model()
        (folder / "cut.gguf").write_bytes(packaged.read_bytes()[:2_000_000])
        (folder / "text.gguf").write_text("not a model")
        assert {m["id"] for m in requests.get(f"{url}/v1/models", timeout=10).json()["data"]} == {
            "cut",
            "text",
            student("any").model_name,
            PACKAGED_MODEL,
        }
        for name in ("cut", "text"):
            refused = chat(url, name, "x")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
        assert chat(url, student("any").model_name, "x").json()["model"] == student("any").model_name
        assert requests.get(f"{url}/health", timeout=10).json()["loaded"] == [student("any").model_name]
