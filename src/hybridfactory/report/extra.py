"""The packages that drawing needs, and nothing else does."""

from importlib.util import find_spec

from hybridfactory.errors import MissingExtraError

__all__ = ["require_report_extra"]


def require_report_extra(command: str) -> None:
    """Refuse to start what could not be drawn in the end.

    Parameters
    ----------
    command : str
        What needs the packages, for the message.

    Raises
    ------
    MissingExtraError
        If Matplotlib or Jinja2 is not installed.
    """
    if find_spec("matplotlib") is None or find_spec("jinja2") is None:
        raise MissingExtraError(f"{command} needs matplotlib and Jinja2: pip install 'hybridfactory[report]'")
