"""What a parameter may be: small readers, each with the words that say so, and one place that complains."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import ParameterError, ProbeError
from hybridfactory.parameters.names import did_you_mean
from hybridfactory.parameters.paths import in_folder
from hybridfactory.probes import Probe

__all__ = [
    "Rule",
    "choice",
    "choice_or_reader",
    "data_type",
    "file_name_part",
    "flag",
    "format_name",
    "integer",
    "integers",
    "number",
    "number_or_range",
    "one_or_many",
    "options",
    "or_none",
    "path",
    "probe",
    "refuse",
    "shown",
]

# The longest name made of a session name, "artificial_units-….csv", must fit in the 255 bytes of a file name.
_MAX_SESSION_NAME_BYTES = 200


class _RefusalError(Exception):
    """A value of the right kind that does not serve; the text follows the parameter's name."""


@dataclass(frozen=True)
class Rule:
    """How one parameter is read.

    Parameters
    ----------
    expects : str
        Completes "… must be".
    read : callable
        Turns the given value into the plain one that is kept. Raises TypeError, ValueError or OverflowError
        for anything that `expects` rules out.
    """

    expects: str
    read: Callable[[Any], Any]

    def apply(self, name: str, value: object) -> Any:
        """Read a value, or raise a ParameterError that names the parameter, the value and what it must be."""
        try:
            return self.read(_plain(value))
        except _RefusalError as refusal:
            raise ParameterError(f"{name} {refusal}") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ParameterError(f"{name} must be {self.expects}, got {shown(value)}") from error


def refuse(text: str) -> None:
    """Refuse the value that a rule is reading, with a text that follows the parameter's name."""
    raise _RefusalError(text)


def shown(value: object) -> str:
    """Give a value as an error message shows it: on one line, and short."""
    text = " ".join(repr(_plain(value)).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def integer(expects: str, minimum: int | None = None, maximum: int | None = None) -> Rule:
    """Accept a whole number in [minimum, maximum]; True and False are none."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise ValueError
        return int(value)

    return Rule(expects, read)


def number(expects: str, *, zero: bool = False) -> Rule:
    """Accept a finite number above 0, or from 0 with `zero`."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
            raise TypeError
        result = float(value)
        if not math.isfinite(result) or result < 0 or (result == 0 and not zero):
            raise ValueError
        return result

    return Rule(expects, read)


def number_or_range(expects: str) -> Rule:
    """Accept a finite number above 0, kept as it is, or two in ascending order, kept as a tuple."""
    each = number("")

    def read(value: Any) -> Any:
        if not _is_list(value):
            return each.read(value)
        result = _read_each(value, each)
        if len(result) != 2 or result[0] > result[1]:
            raise ValueError
        return result

    return Rule(expects, read)


def integers(expects: str, each: Rule) -> Rule:
    """Accept a list of different whole numbers, at least one."""

    def read(value: Any) -> tuple[int, ...]:
        result = _read_each(value, each)
        if not result:
            raise ValueError
        repeated = sorted({entry for entry in result if result.count(entry) > 1})
        if repeated:
            refuse(f"names {', '.join(map(str, repeated))} more than once: list each once")
        return result

    return Rule(expects, read)


def one_or_many(expects: str, each: Rule) -> Rule:
    """Accept one value, kept as it is, or a list of them, kept as a tuple."""

    def read(value: Any) -> Any:
        return _read_each(value, each) if _is_list(value) else each.read(value)

    return Rule(expects, read)


def or_none(rule: Rule) -> Rule:
    """Accept None as well."""
    return Rule(rule.expects, lambda value: None if value is None else rule.read(value))


def choice(*options: object) -> Rule:
    """Accept one of a few values; True is not 1."""
    expects = f"one of {', '.join(map(repr, options))}"

    def read(value: Any) -> object:
        for option in options:
            if type(value) is type(option) and value == option:
                return option
        raise _RefusalError(f"must be {expects}, got {shown(value)}{did_you_mean(value, options)}")

    return Rule(expects, read)


def choice_or_reader(*known: str) -> Rule:
    """Accept one of a few names, or the name of one of SpikeInterface's readers after ``spikeinterface:``."""
    one_of = choice(*known)

    def read(value: Any) -> object:
        is_reader = isinstance(value, str) and re.fullmatch(r"spikeinterface:[a-z0-9_]{1,40}", value) is not None
        return str(value) if is_reader else one_of.read(value)

    return Rule(one_of.expects, read)


def format_name(expects: str) -> Rule:
    """Accept the name of a format, in lower case from then on."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9_]{1,40}", value) is None:
            raise ValueError
        return value.lower()

    return Rule(expects, read)


def options(expects: str) -> Rule:
    """Accept plain values by name: text, numbers, True or False, and lists of them."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) and name.isidentifier() for name in value):
            raise ValueError
        return {name: _read_option(entry) for name, entry in value.items()}

    return Rule(expects, read)


def _read_option(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, list | tuple):
        return [_read_option(entry) for entry in plain]
    if isinstance(plain, float) and not math.isfinite(plain):
        raise ValueError
    if plain is not None and not isinstance(plain, bool | int | float | str):
        raise TypeError
    return plain


def flag() -> Rule:
    """Accept True or False."""
    return choice(True, False)


def path(expects: str) -> Rule:
    """Accept a path or a glob, made absolute against the current directory; ``~`` is expanded."""

    def read(value: Any) -> Path:
        if not isinstance(value, str | PathLike) or isinstance(value, bytes):
            raise TypeError
        text = str(value)
        if not text.strip() or "\0" in text:
            raise ValueError
        try:
            return in_folder(text, Path.cwd())
        except RuntimeError as error:
            raise ValueError from error

    return Rule(expects, read)


def file_name_part(expects: str) -> Rule:
    """Accept text that can stand inside a file name."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        size = len(value.encode())
        if not value.strip() or size > _MAX_SESSION_NAME_BYTES:
            raise ValueError
        if any(character in "/\\" or ord(character) < 32 or ord(character) == 127 for character in value):
            raise ValueError
        return str(value)

    return Rule(expects, read)


def data_type() -> Rule:
    """Accept what NumPy takes for an integer or floating-point type, of either byte order."""

    def read(value: Any) -> np.dtype[Any]:
        # NumPy takes None for float64.
        if value is None:
            raise TypeError
        dtype: np.dtype[Any] = np.dtype(value)
        if dtype.kind not in "iuf":
            raise ValueError
        return dtype

    return Rule("a NumPy integer or floating-point type such as 'int16'", read)


def probe() -> Rule:
    """Accept a Probe, and a probeinterface probe or probe group, which is turned into one."""

    def read(value: Any) -> Probe:
        if isinstance(value, Probe):
            return value
        if type(value).__module__.partition(".")[0] != "probeinterface":
            raise TypeError
        try:
            return Probe.from_probeinterface(value)
        except ProbeError as error:
            raise _RefusalError(f"does not serve: {error}") from error

    return Rule("a probe, as custom_probe(...), neuropixels3a() or eMouse() give it", read)


def _plain(value: object) -> object:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _is_list(value: object) -> bool:
    # Sets and mappings are left out: rates are paired with units by their order.
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Set)


def _read_each(value: Any, each: Rule) -> tuple[Any, ...]:
    if not _is_list(value):
        raise TypeError
    return tuple(each.read(_plain(entry)) for entry in value)
