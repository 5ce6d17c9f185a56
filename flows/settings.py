"""What the machine and its owner decide, read from the environment (RETORT_*) and `.env`: places, ports, keys.

Settings stop at this door: flows read them once and hand plain arguments to the rooms. Secrets are SecretStr and are
never a flow parameter; those that Retort generates itself stand in `credentials.json`, readable by its owner alone.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """All of them have a default that suits one machine."""

    model_config = SettingsConfigDict(env_prefix="RETORT_", env_file=PROJECT / ".env", extra="ignore")

    home: Path = Field(PROJECT / ".retort", description="where state is kept: store, models, runs, logs")
    store_url: str = Field("", description="database URL; empty: SQLite in the home folder")
    prefect_port: int = Field(4200, ge=1, le=65535)
    argilla_port: int = Field(6900, ge=1, le=65535)
    model_port: int = Field(8081, ge=1, le=65535)
    gateway_port: int = Field(4000, ge=1, le=65535)
    argilla_url: str = Field("", description="the desk; empty: the embedded one on argilla_port")
    model_url: str = Field("", description="the model server; empty: the local one on model_port")
    argilla_api_key: SecretStr | None = Field(None, description="the desk owner's key; empty: from credentials.json")
    gateway_key: SecretStr | None = Field(None, description="what applications sign in with; empty: generated")
    training_python: Path = Field(PROJECT / ".venv/training/bin/python", description="interpreter of the training env")
    argilla_python: Path = Field(PROJECT / ".venv/argilla/bin/python", description="interpreter of the argilla env")
    allowed_hosts: str = Field("", description="the only hosts the services may speak to, by commas; empty: any")
    threads: int = Field(0, ge=0, description="CPU threads for training and serving; 0: by the cores")

    gpus: int = Field(0, ge=0, description="GPUs for a training; 0: as the recipe says")

    @property
    def store(self) -> str:
        """The store's URL."""
        return self.store_url or f"sqlite:///{self.home / 'retort.db'}"

    @property
    def desk(self) -> str:
        """Where the review desk listens."""
        return self.argilla_url or f"http://127.0.0.1:{self.argilla_port}"

    @property
    def models(self) -> str:
        """Where the local model server listens (an OpenAI-compatible base URL)."""
        return self.model_url or f"http://127.0.0.1:{self.model_port}/v1"

    @property
    def gateway(self) -> str:
        """Where the application finds the gateway (an OpenAI-compatible base URL)."""
        return f"http://127.0.0.1:{self.gateway_port}/v1"

    @property
    def prefect_api(self) -> str:
        """Prefect's API."""
        return f"http://127.0.0.1:{self.prefect_port}/api"

    def folder(self, *names: str) -> Path:
        """A folder below the home, made if it is missing."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)  # documents and answers are confidential
        path = self.home.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


def settings() -> Settings:
    """The settings as the environment is now."""
    return Settings()  # type: ignore[call-arg]
