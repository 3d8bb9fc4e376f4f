"""Every exception a user can meet.

Each message is one sentence that says what was attempted, with what, why it cannot be done and what to do next. The
command line prints the message, and nothing else, and exits with status 2.
"""


class GateworkError(Exception):
    """The root: catch this to catch everything that Gatework refuses on purpose."""


class EquationError(GateworkError):
    """A cell is wrong: the message names the file, the line and the equation."""


class BackendError(GateworkError):
    """A back-end was asked for by name and cannot run."""


class DataError(GateworkError):
    """A table cannot be read, or cannot be made into a series to forecast."""


class UsageError(GateworkError):
    """An option has a value that cannot work."""


class RunFolderError(GateworkError):
    """A run folder holds something else than the study that was asked for."""


class TrainingError(GateworkError):
    """No cell of a study could be trained."""


class ModelError(GateworkError):
    """A saved model cannot be loaded."""


def first_line(error: BaseException) -> str:
    """What an error of somebody else says, in one line: the first of its own, or its name where it says nothing.

    >>> first_line(ValueError("no room\\nhere")), first_line(KeyError())
    ('no room', 'KeyError')
    """
    return next(iter(str(error).splitlines()), type(error).__name__)
