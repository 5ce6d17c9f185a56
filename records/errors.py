"""The errors a user can meet. Each message says what was wrong, the value, and the cure.

The tree:

    RetortError
    |-- InputError        a file, a task folder or a parameter is wrong          exit code 2
    |-- EnvironmentFault  the machine or an installation lacks something         exit code 3
    |-- ServiceError      a service (model, desk, gateway) did not do its part   exit code 4
    |-- StoreError        the store refuses what would break an invariant        exit code 5
    `-- NotApproved       a release without an approving verdict                 exit code 6
"""


class RetortError(Exception):
    """Base of all errors that Retort raises on purpose."""

    exit_code = 1


class InputError(RetortError):
    """What a person gave (file, YAML, parameter) cannot be used."""

    exit_code = 2


class EnvironmentFault(RetortError):
    """The machine or its installation lacks something: a compiler, a port, disk, a package."""

    exit_code = 3


class ServiceError(RetortError):
    """A service that Retort talks to is down, refuses, or answers nonsense."""

    exit_code = 4


class StoreError(RetortError):
    """The store refuses a write that would break an invariant."""

    exit_code = 5


class NotApproved(RetortError):
    """A release was asked for whose verdict does not approve it."""

    exit_code = 6
