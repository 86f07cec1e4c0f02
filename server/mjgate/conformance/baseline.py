"""Failures that are known and excused until a day, from a file that a team keeps.

    version: 1
    known:
      - rule: status_documented
        operation: POST /mj/submit/imagine
        text: status 418 *
        reason: its proxy does that, ticket 77
        expires: 2027-01-31

YAML, or JSON, which is YAML. In `text`, which may be left out, `*` stands for anything and all
else for itself. An entry counts until the end of its last day, in UTC.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml

from mjgate.conformance.findings import TOO_MANY
from mjgate.conformance.verdict import CannotRun, Failure, Known, Verdict

VERSION = 1
_REQUIRED = ("rule", "operation", "reason", "expires")
_ALLOWED = frozenset({*_REQUIRED, "text"})
_HEAD = """\
# Failures of `mjgate conformance` that are known. Each is excused until its day is over, then it
# counts again. Mend what can be mended, and take its entry out.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A known failure, or several of a rule at an operation."""

    rule: str
    operation: str
    reason: str
    expires: date
    text: str = "*"

    def excuses(self, failure: Failure) -> bool:
        """Whether it is about this failure, expired or not."""
        if (self.rule, self.operation) != (failure.rule, failure.operation):
            return False
        pattern = ".*".join(map(re.escape, re.split(r"\*+", self.text)))
        return re.fullmatch(pattern, failure.text, re.DOTALL) is not None

    def __str__(self) -> str:
        return f"{self.rule} at {self.operation or 'no operation'}: {self.text}"


def read_baseline(path: Path, rules: Collection[str] = ()) -> tuple[Entry, ...]:
    """The entries of a file; `rules` are those that there are, none where that is not known.

    Raises:
        CannotRun: it cannot be read or says something else; one line that names the place.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _Reader(path, source, rules).entries()
    except yaml.MarkedYAMLError as error:
        at = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CannotRun(f"{path}{at} is no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotRun(f"{path} is no YAML: {' '.join(str(error).split())}") from None


def apply(entries: Iterable[Entry], verdict: Verdict, today: date) -> Verdict:
    """The verdict with what is known set apart; it says which entries have expired or met nothing.

    `today` is a day in UTC.
    """
    entries = tuple(entries)
    known: list[Known] = []
    failures: list[Failure] = []
    notes: list[str] = []
    for failure in verdict.failures:
        about = [entry for entry in entries if entry.excuses(failure)]
        if living := next((entry for entry in about if today <= entry.expires), None):
            known.append(Known(failure, living.reason, living.expires))
            continue
        failures.append(failure)
        notes += [
            f"no longer excused, since {entry.expires} is over: {entry} ({entry.reason})"
            for entry in about[:1]
        ]
    notes += [
        f"in the baseline, and not seen in this run: {entry}"
        for entry in entries
        if not any(map(entry.excuses, verdict.failures))
    ]
    return replace(
        verdict,
        failures=tuple(failures),
        known=(*verdict.known, *known),
        notes=(*verdict.notes, *dict.fromkeys(notes)),
    )


def extended(
    entries: Iterable[Entry],
    failures: Iterable[Mapping[str, str]],
    reason: str,
    expires: date,
) -> tuple[Entry, ...]:
    """The entries with one more for each failure; an older one of the same failure goes.

    What stands for failures that were too many to keep is none: nobody has seen them.
    """
    fresh = {
        (each["rule"], each["operation"], each["text"]): Entry(
            each["rule"], each["operation"], reason, expires, each["text"]
        )
        for each in failures
        if each["text"] != TOO_MANY
    }
    kept = [each for each in entries if (each.rule, each.operation, each.text) not in fresh]
    return (*kept, *fresh.values())


def written(entries: Iterable[Entry]) -> str:
    """A file that `read_baseline` reads; comments of an older one are not in it."""
    known = [
        {
            "rule": each.rule,
            "operation": each.operation,
            "text": each.text,
            "reason": each.reason,
            "expires": each.expires,
        }
        for each in entries
    ]
    body = yaml.safe_dump(
        {"version": VERSION, "known": known}, allow_unicode=True, sort_keys=False, width=10_000
    )
    return _HEAD + body


class _Reader:
    """Reads one file, and knows the line of each node."""

    def __init__(self, path: Path, source: bytes, rules: Collection[str]) -> None:
        self._path = path
        self._rules = rules
        # JSON may be indented by tabs, YAML may not; in no string of JSON does one stand.
        is_json = source.lstrip().startswith(b"{")
        self._loader = yaml.SafeLoader(source.replace(b"\t", b" ") if is_json else source)

    def entries(self) -> tuple[Entry, ...]:
        root = self._loader.get_single_node()
        fields = self._fields(root, "the file")
        for name in fields.keys() - {"version", "known"}:
            self._refuse(fields[name], f"there is no `{name}`; `known` lists the failures")
        if "version" not in fields or self._value(fields["version"]) != VERSION:
            self._refuse(fields.get("version", root), f"`version` must be {VERSION}")
        known = fields.get("known")
        if not isinstance(known, yaml.SequenceNode):
            self._refuse(known or root, "`known` must be a list")
        return tuple(map(self._entry, known.value))

    def _entry(self, node: yaml.Node) -> Entry:
        fields = self._fields(node, "an entry")
        for name in fields.keys() - _ALLOWED:
            self._refuse(
                fields[name], f"an entry has no `{name}`, but {', '.join(_REQUIRED)}, text"
            )
        for name in _REQUIRED:
            if name not in fields:
                self._refuse(node, f"this entry has no `{name}`")
        values = {name: self._text(name, at) for name, at in fields.items() if name != "expires"}
        self._check_rule(values["rule"], fields["rule"])
        return Entry(expires=self._day(fields["expires"]), **values)

    def _check_rule(self, name: str, node: yaml.Node) -> None:
        """An entry of a rule that is none would excuse nothing, and nobody would know why."""
        if self._rules and name not in self._rules:
            near = get_close_matches(name, self._rules)
            hint = f"; near it are {', '.join(near)}" if near else ""
            self._refuse(node, f"there is no rule `{name}`{hint}")

    def _fields(self, node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, f"{what} must be a mapping")
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, f"{what} has a key that is no word")
            if key.value in fields:
                self._refuse(key, f"`{key.value}` is there twice")
            fields[str(key.value)] = value
        return fields

    def _text(self, name: str, node: yaml.Node) -> str:
        value = self._value(node)
        if not isinstance(value, str) or not (value.strip() or name == "operation"):
            self._refuse(node, f"`{name}` must be a text")
        # JSON may write a sign as two halves, which YAML leaves apart.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _day(self, node: yaml.Node) -> date:
        try:
            value = self._value(node)
            value = date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            value = None
        if type(value) is not date:
            self._refuse(node, "`expires` must be a day, such as 2027-01-31")
        return value

    def _value(self, node: yaml.Node) -> Any:
        return self._loader.construct_document(node)

    def _refuse(self, node: yaml.Node | None, why: str) -> NoReturn:
        at = f", line {node.start_mark.line + 1}" if node else ""
        raise CannotRun(f"{self._path}{at}: {why}")
