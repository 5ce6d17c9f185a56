"""The owner's account and the workspace, made in the database before the server starts.

The credentials that the launcher is given are the truth: an owner that exists with another password or API key gets the
given ones, so a lost credentials file never locks anyone out of their own machine.
"""

from typing import Any, NamedTuple


class Owner(NamedTuple):
    """Who administers the desk. The API key is what Retort signs its own requests with."""

    username: str
    password: str
    api_key: str
    workspace: str


async def ensure_owner(owner: Owner) -> None:
    """Create the workspace and the owner, or bring them in line. Safe to repeat."""
    from argilla_server.contexts import accounts
    from argilla_server.database import AsyncSessionLocal, async_engine
    from argilla_server.models import User, Workspace

    async with AsyncSessionLocal() as db:
        if await Workspace.get_by(db, name=owner.workspace) is None:
            await accounts.create_workspace(db, {"name": owner.workspace})
        user = await User.get_by(db, username=owner.username) or await _create(db, owner)
        if not accounts.verify_password(owner.password, user.password_hash):
            user.password_hash = accounts.hash_password(owner.password)
        user.api_key = owner.api_key  # `create_user` gives a random one
        await db.commit()
    await async_engine.dispose()  # these connections belong to this event loop, not to the server's


async def _create(db: Any, owner: Owner) -> Any:
    from argilla_server.contexts import accounts
    from argilla_server.enums import UserRole

    attributes = {"first_name": owner.username, "last_name": None, "username": owner.username}
    secret = {"role": UserRole.owner, "password": owner.password}
    return await accounts.create_user(db, attributes | secret, [owner.workspace])
