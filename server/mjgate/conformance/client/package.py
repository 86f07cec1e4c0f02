"""A generated client as it is installed, found and called by convention.

A tag is a module of `api`, an operation's id a module in it with four functions, a component a
class of `models`; that is how openapi-python-client writes them.
"""

import asyncio
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from mjgate.conformance.client.draw import NO_BODY, Question
from mjgate.conformance.client.mock import Arrival
from mjgate.conformance.contract_view import Contract, Operation
from mjgate.conformance.verdict import CannotRun

WAYS = ("sync", "sync_detailed", "asyncio", "asyncio_detailed")
TOKEN = "s3cret-of-the-run"  # noqa: S105 - it opens nothing
_HTTPX = "httpx"


class Unfit(Exception):
    """Raised where the client cannot say what the contract allows; `str()` is one steady line."""


@dataclass(frozen=True, slots=True)
class Called:
    """What came of one call in one way."""

    way: str
    strict: bool
    """Whether the client was told to raise for what is not documented."""
    answer: Any = None
    """What the function has returned."""
    error: BaseException | None = None
    arrivals: tuple[Arrival, ...] = ()

    @property
    def detailed(self) -> bool:
        return self.way.endswith("_detailed")

    @property
    def parsed(self) -> Any:
        return getattr(self.answer, "parsed", None) if self.detailed else self.answer


@dataclass(frozen=True, slots=True)
class Package:
    """An installed client."""

    name: str
    root: ModuleType
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Such as `mjgate_client 0.3.0`; without a version where it is no distribution."""
        try:
            return f"{self.name} {version(self.top)}"
        except PackageNotFoundError:
            return self.name

    def function(self, contract: Contract, operation: Operation, way: str) -> Callable[..., Any]:
        """Raises Unfit where there is none."""
        tag = contract.at(operation.where)["tags"][0]
        module = self._module(f"api.{tag}.{operation.id}")
        found = getattr(module, way, None)
        if not callable(found):
            raise Unfit(f"has no {way}")
        return found  # type: ignore[no-any-return]

    def client(self, url: str, **options: Any) -> Any:
        return self.root.AuthenticatedClient(**{"base_url": url, "token": TOKEN} | options)

    def arguments(
        self, contract: Contract, operation: Operation, function: Any, asked: Question
    ) -> dict[str, Any]:
        """A question as the arguments of a function. Raises Unfit where it cannot be said so."""
        names = {_plain(name): name for name in inspect.signature(function).parameters}
        said: dict[str, Any] = {}
        for parameter in operation.parameters:
            if _plain(parameter.name) not in names:
                raise Unfit(f"has no argument for {parameter.label}")
            if parameter.name in asked.parameters:
                said[names[_plain(parameter.name)]] = asked.parameters[parameter.name]
        if asked.body is not NO_BODY:
            said["body"] = self.model(contract, str(operation.body), asked.body)
        return said

    def model(self, contract: Contract, schema: str, value: Any) -> Any:
        """A value as the class of its component; of a choice, of that which it names."""
        home = contract.home(schema)
        node = contract.at(home)
        if "discriminator" in node:
            kind = node["discriminator"]
            return self.model(contract, kind["mapping"][value[kind["propertyName"]]], value)
        name = home.rpartition("/")[2]
        made = getattr(self._module("models"), name, None)
        if made is None:
            raise Unfit(f"has no model {name}")
        try:
            return made.from_dict(value)
        except Exception as error:
            raise Unfit(f"cannot say a good {name}: {type(error).__name__}") from error

    def is_own(self, error: BaseException) -> bool:
        """Whether its class is one of the client's, or a class of the client is above it."""
        return any(each.__module__.partition(".")[0] == self.top for each in type(error).__mro__)

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    def optional(self, name: str) -> Any:
        """A module of the package, None where it has none."""
        try:
            return self._module(name)
        except Unfit:
            return None

    def _module(self, name: str) -> Any:
        if name not in self.found:
            try:
                self.found[name] = importlib.import_module(f"{self.name}.{name}")
            except ImportError as error:
                raise Unfit(f"has no module {name}: {type(error).__name__}") from error
        return self.found[name]


def installed(name: str) -> Package:
    """Raises CannotRun where there is none, or none of this kind."""
    try:
        root = importlib.import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise CannotRun(
            f"{missing} is not installed; pip install mjgate-client, or name another client "
            "with --client-package"
        ) from error
    if not hasattr(root, "AuthenticatedClient"):
        raise CannotRun(f"{name} is no client: it has no AuthenticatedClient")
    return Package(name, root)


def is_transport(error: BaseException) -> bool:
    """Whether it says that no whole answer came."""
    return any(
        (each.__module__.partition(".")[0], each.__name__) == (_HTTPX, "TransportError")
        for each in type(error).__mro__
    )


@dataclass(slots=True)
class Caller:
    """Calls in any way, on one event loop, with one client for each strictness."""

    package: Package
    contract: Contract
    arrivals: list[Arrival]
    """Where the mock writes what it got."""
    clients: Mapping[bool, Any]
    runner: asyncio.Runner
    header: str
    """What carries the token, lower case."""

    def call(self, operation: Operation, way: str, strict: bool, asked: Question) -> Called:
        """Raises Unfit where the client cannot be asked so."""
        function = self.package.function(self.contract, operation, way)
        said = self.package.arguments(self.contract, operation, function, asked)
        self.arrivals.clear()
        try:
            answer = function(client=self.clients[strict], **said)
            if inspect.isawaitable(answer):
                answer = self.runner.run(awaited(answer))
        except Exception as error:
            return Called(way, strict, error=error, arrivals=tuple(self.arrivals))
        return Called(way, strict, answer, arrivals=tuple(self.arrivals))


async def awaited(answer: Any) -> Any:
    return await answer


@contextmanager
def opened(package: Package, runner: asyncio.Runner, url: str, **options: Any) -> Iterator[Any]:
    """A client whose connections are closed at the end, both kinds."""
    # There is no TLS on loopback, and to read the certificates of all authorities takes its time.
    client = package.client(url, **{"verify_ssl": False} | options)
    try:
        yield client
    finally:
        client.get_httpx_client().close()
        runner.run(client.get_async_httpx_client().aclose())


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
