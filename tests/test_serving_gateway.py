"""The gateway as a real process: LiteLLM's proxy, our provider, a stand-in teacher, a student on llama.cpp."""

import pytest
import requests
from fixtures_serving import KEY, end, process, release, student

from records import registry
from records.errors import EnvironmentFault
from serving.release import roll_back

pytestmark = pytest.mark.real


def test_an_application_calls_a_task_by_name_with_openais_client(gateway):
    from openai import OpenAI

    gateway.task("plain")
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        messages = [{"role": "user", "content": "what data do you keep?"}]
        raw = client.chat.completions.with_raw_response.create(model="plain", messages=messages, temperature=1.5)
        answer = raw.parse()
        assert [m.id for m in client.models.list()] == ["plain"]
    assert answer.choices[0].message.content == "privacy"
    assert answer.system_fingerprint == raw.headers["x-retort-release"] == "plain@teacher openai/big"
    [row] = gateway.recorded("plain", 1)
    assert (row.id, row.text, row.value) == (answer.id, "what data do you keep?", "privacy")
    assert row.cost_usd > 0


def test_a_release_and_a_rollback_count_from_the_next_request_on(gateway):
    gateway.task("moving")
    before = gateway.ask("moving", "a debt")
    release(gateway.store, "moving")
    during = gateway.ask("moving", "a debt, again")
    roll_back(gateway.store, "moving")
    after = gateway.ask("moving", "a debt, at last")
    sources = [r.headers["x-retort-release"] for r in (before, during, after)]
    assert sources == ["moving@teacher openai/big", f"moving@1 {student('x').model_name}", "moving@teacher openai/big"]
    assert during.json()["choices"][0]["message"]["content"] in ("lease", "debt", "privacy")
    assert [(r.release, r.fallback) for r in gateway.recorded("moving", 3)] == [
        (None, False),
        (1, False),
        (None, False),
    ]


@pytest.mark.parametrize("fault", ["down", "missing"])
def test_with_the_student_down_the_teacher_answers_and_the_fallback_is_recorded(gateway, fault):
    address = "http://127.0.0.1:9/v1" if fault == "down" else f"{gateway.models_url}/v1"
    gateway.task(fault, student={"api_base": address})
    release(gateway.store, fault, "ab" * 32)
    answer = gateway.ask(fault, "a debt")
    assert answer.json()["choices"][0]["message"]["content"] == "debt"
    assert answer.json()["system_fingerprint"] == f"{fault}@teacher openai/big"
    [row] = gateway.recorded(fault, 1)
    assert (row.release, row.fallback, row.model) == (1, True, "openai/big")
    assert registry.live(gateway.store, fault).number == 1


def test_wrong_requests_get_openais_errors(gateway):
    gateway.task("strict")
    expected = {
        (401, "invalid_api_key"): gateway.ask("strict", "x", key="sk-wrong"),
        (404, "404"): gateway.ask("unheard_of", "x"),
        (400, "400"): gateway.ask("strict", "  "),
    }
    for (status, code), answer in expected.items():
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert "Traceback" not in answer.text
    assert gateway.ask("strict", "x", stream=True).status_code == 400
    assert gateway.ask("openai/gpt-4", "x").status_code == 404
    assert gateway.recorded("strict", 0) == []


def test_a_wrong_request_closes_the_way_for_nobody(gateway):
    gateway.task("steady")
    assert {gateway.ask("nobody", "x").status_code for _ in range(8)} == {404}
    assert gateway.ask("steady", "a debt").status_code == 200


@pytest.mark.parametrize(
    "path", ["/key/generate", "/v1/embeddings", "/config/update", "/mcp", "/v1/chat/completions/../../key/info"]
)
def test_nothing_else_of_the_proxy_can_be_reached(gateway, path):
    assert gateway.post(path, {}).status_code == 404
    assert requests.get(f"{gateway.url}/docs", timeout=10).status_code == 401


def test_a_request_without_a_length_or_too_large_is_turned_away(gateway):
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{gateway.url}/v1/chat/completions"
    assert requests.post(url, data=iter([b"{}"]), headers=headers, timeout=10).status_code == 411
    assert requests.post(url, data=b"x" * (8 * 2**20 + 1), headers=headers, timeout=10).status_code == 413


def test_nobody_there_is_said_in_one_sentence(gateway):
    gateway.task("alone", teacher={**gateway.teacher, "api_base": "http://127.0.0.1:9/v1"})
    answer = gateway.ask("alone", "a debt")
    assert answer.status_code == 503
    assert "nobody could answer" in answer.json()["error"]["message"]


@pytest.mark.parametrize("module", ["gateway", "model_server"])
def test_a_port_in_use_is_one_sentence_at_once(gateway, tmp_path, module):
    port = gateway.url.rpartition(":")[2]
    own = {"gateway": ["--store", f"sqlite:///{tmp_path}/r.db", "--model-url", "http://127.0.0.1:9"]}
    argv = [f"serving.{module}", "--port", port, *own.get(module, ["--models", str(tmp_path)])]
    with process(argv, tmp_path / "log", RETORT_GATEWAY_KEY=KEY) as run:
        assert run.wait(60) == EnvironmentFault.exit_code
    said = (tmp_path / "log").read_text()
    assert f"port {port} cannot be used" in said and "Traceback" not in said


def test_a_key_that_is_short_or_readable_by_others_is_refused(tmp_path):
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o644)
    argv = [
        "serving.gateway",
        "--port",
        "1",
        "--store",
        f"sqlite:///{tmp_path}/r.db",
        "--model-url",
        "http://127.0.0.1:9",
    ]
    for more, key, code, word in (([], "short", 2, "16"), (["--key-file", str(tmp_path / "key")], KEY, 3, "chmod 600")):
        with process([*argv, *more], tmp_path / "log", RETORT_GATEWAY_KEY=key) as run:
            assert run.wait(60) == code
        assert word in (tmp_path / "log").read_text()


def test_stopping_writes_what_was_answered_and_no_document_is_in_the_log(gateway):
    """Keep this test last: it ends the gateway."""
    gateway.task("last")
    for number in range(5):
        assert gateway.ask("last", f"a secret debt {number}").status_code == 200
    end(gateway.run)
    assert len(gateway.recorded("last", 5)) == 5
    log = (gateway.folder / "gateway.log").read_text()
    assert "secret debt" not in log and KEY not in log
    assert "Traceback" not in log
