"""How far each writer had come when its files were verified last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaguard.errors import ConfigurationError

if TYPE_CHECKING:
    from dynaguard.audit.verification import Fault, Verification


@dataclass(frozen=True, slots=True)
class Head:
    """A writer's last line at that time.

    Attributes:
        sequence, sha256: Its number and its hash.
        is_final: Whether it was the checkpoint that the writer ended with.
    """

    sequence: int
    sha256: str
    is_final: bool = False


def missing_heads(
    heads: Mapping[str, Head], seen: set[str], found: Verification, *, is_part: bool
) -> Iterator[Fault]:
    """The heads whose line is not there any more.

    Where only a part of the files is there, that is no fault of a writer that had ended, nor of
    one whose lines go on after its head.
    """
    from dynaguard.audit.verification import Fault

    for writer_id, head in heads.items():
        if writer_id in seen:
            continue
        state = found.states.get(writer_id)
        if is_part and (head.is_final if state is None else state.sequence > head.sequence):
            continue
        if state is None:
            problem = f"all of its {head.sequence} lines are gone"
        elif state.sequence < head.sequence:
            problem = f"cut off: {head.sequence} lines were here, {state.sequence} are"
        else:
            problem = f"line {head.sequence} is not what it was when the heads were kept"
        yield Fault(state.place if state else "all files", writer_id, problem)


def read_heads(path: Path) -> dict[str, Head]:
    """What `write_heads` wrote.

    Raises:
        ConfigurationError: The file cannot be read, or holds something else.
    """
    try:
        read = json.loads(path.read_bytes())
        return {name: _read_head(each) for name, each in read.items()}
    except OSError as err:
        raise ConfigurationError(f"`{path}` cannot be read ({err.strerror})") from err
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise ConfigurationError(f"`{path}` holds no heads, see --keep-heads") from err


def write_heads(path: Path, heads: Mapping[str, Head]) -> None:
    """Writes heads, whole or not at all.

    Raises:
        ConfigurationError: The file cannot be written; what was there stays.
    """
    text = json.dumps({name: asdict(head) for name, head in heads.items()}, indent=2)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as err:
        fresh.unlink(missing_ok=True)
        raise ConfigurationError(f"`{path}` cannot be written ({err.strerror})") from err


def _read_head(read: Mapping[str, object]) -> Head:
    sequence, sha256, is_final = read["sequence"], read["sha256"], read["is_final"]
    if type(sequence) is not int or not isinstance(sha256, str) or type(is_final) is not bool:
        raise TypeError("no head")
    return Head(sequence, sha256, is_final=is_final)
