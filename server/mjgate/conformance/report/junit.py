"""The report for CI that reads JUnit: a test case for each rule at each operation.

Kept to what the readers of GitLab and of GitHub's actions agree on: one `failure` a case, all in
attributes and text. What is excused is no failure; it stands in `system-out`.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mjgate.conformance.report.text import told
from mjgate.conformance.report.words import block, count, line, sentence, title
from mjgate.conformance.verdict import Failure, Verdict

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUITE = "mjgate conformance"


def junit_report(verdict: Verdict) -> bytes:
    """XML 1.0 in UTF-8, whatever the bodies hold."""
    cases = [_case(verdict, rule, operation) for rule, operation in _pairs(verdict)]
    if verdict.interrupted:
        cases.append(_interrupted(verdict))
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    numbers = {
        "name": _SUITE,
        "tests": str(len(cases)),
        "failures": str(failed),
        "errors": str(int(verdict.interrupted)),
        "skipped": str(skipped),
        "time": f"{verdict.took_ms / 1000:.3f}",
    }
    root = Element("testsuites", numbers)
    suite = SubElement(root, "testsuite", numbers)
    properties = SubElement(suite, "properties")
    for name in ("target", "profile", "contract", "seed"):
        value = _xml(line(str(getattr(verdict, name))))
        SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    SubElement(suite, "system-out").text = _xml("\n".join(_aside(verdict)))
    ElementTree.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root) + b"\n"


def _pairs(verdict: Verdict) -> list[tuple[str, str]]:
    """Every rule and operation that has a test case: where it was applied, failed or is known."""
    broken = [*verdict.failures, *(each.failure for each in verdict.known)]
    pairs = {*verdict.applied, *((each.rule, each.operation) for each in broken)}
    named = {rule for rule, _ in pairs}
    return sorted(pairs | {(rule, "") for rule in verdict.rules if rule not in named})


def _case(verdict: Verdict, rule: str, operation: str) -> Element:
    shown = f"{rule} at {operation}" if operation else rule
    case = Element("testcase", classname=_SUITE, name=_xml(line(shown)), time="0")
    failures = [
        each for each in verdict.failures if (each.rule, each.operation) == (rule, operation)
    ]
    if failures:
        text = "\n\n".join(block(each, verdict.sentences.get(rule, "")) for each in failures)
        SubElement(case, "failure", type=_xml(rule), message=_xml(_message(failures))).text = _xml(
            text
        )
    elif not verdict.applied.get((rule, operation), verdict.rules.get(rule)) and not operation:
        SubElement(case, "skipped", message="nothing was asked of this rule")
    if known := [
        f"known until {each.expires}: {line(each.failure.text)} ({line(each.reason)})"
        for each in verdict.known
        if (each.failure.rule, each.failure.operation) == (rule, operation)
    ]:
        SubElement(case, "system-out").text = _xml("\n".join(known))
    return case


def _interrupted(verdict: Verdict) -> Element:
    """An error, so that readers which look at this file alone see no pass."""
    case = Element("testcase", classname=_SUITE, name="the run", time="0")
    SubElement(case, "error", type="interrupted", message=_xml(line(sentence(verdict))))
    return case


def _message(failures: list[Failure]) -> str:
    more = f" (and {count(len(failures) - 1, 'more way', 'more ways')})" if failures[1:] else ""
    return line(failures[0].text) + more


def _aside(verdict: Verdict) -> Iterator[str]:
    yield sentence(verdict)
    yield from told(verdict)
    for waived in (each for each in verdict.waived if each.times):
        yield (
            f"let pass {waived.times} x {line(waived.name)} ({line(waived.rule)}): "
            f"{line(waived.reason)} [{line(waived.source)}]"
        )
    for each in verdict.known:
        yield f"known until {each.expires}: {title(each.failure)}: {line(each.failure.text)}"


def _xml(text: str) -> str:
    """The same, where XML has a sign for it; else as the mark of what has none."""
    return _NO_XML.sub("\ufffd", text)
