"""`up` and `down`: the stack with its deployments registered, and where to find everything."""

from pydantic import BaseModel, Field

from flows.settings import Settings
from records.progress import Progress
from retort import deployments, stack
from retort.credentials import load_or_create


class Running(BaseModel):
    """The stack after `up`. Passwords are shown to people, never in JSON, which ends up in logs."""

    started: list[str]
    urls: dict[str, str]
    reviewer: str
    password: str = Field(exclude=True, repr=False)
    credentials: str
    gateway_key: str

    @property
    def text(self) -> str:
        """For people."""
        said = "Started: " + ", ".join(self.started) if self.started else "Everything was running."
        lines = [said, "", *(f"  {title:<18}{url}" for title, url in self.urls.items())]
        lines += ["", f"  Reviewers sign in to Argilla as {self.reviewer} with the password {self.password}"]
        lines += [f"  Everybody's passwords:  {self.credentials}", f"  Applications' key:      {self.gateway_key}"]
        return "\n".join([*lines, "", "  retort status shows how it stands, retort down stops it."])


class Stopped(BaseModel):
    """The stack after `down`."""

    stopped: list[str]

    @property
    def text(self) -> str:
        """For people."""
        return "Stopped: " + ", ".join(self.stopped) if self.stopped else "Nothing was running."


def start(settings: Settings, progress: Progress) -> Running:
    """Start what does not run, wait until it is ready, register the deployments. Raises ServiceError for a crash."""
    started = stack.start(settings)
    services = stack.wait_ready(settings, progress)
    deployments.register(settings, progress)
    people = load_or_create(settings.home)
    return Running(
        started=started,
        urls={service.title: service.url for service in services if service.url},
        reviewer=people.reviewers[0].username,
        password=people.reviewers[0].password,
        credentials=str(settings.home / "credentials.json"),
        gateway_key=str(settings.home / "gateway.key"),
    )


def stop(settings: Settings) -> Stopped:
    """Stop the stack."""
    return Stopped(stopped=stack.stop(settings))
