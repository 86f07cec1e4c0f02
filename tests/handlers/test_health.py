"""Pages for machines: alive, ready, and counted."""

import asyncio
from types import SimpleNamespace
from typing import Any

import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql

from mjgate.handlers import health
from tests.contract.inprocess import ask
from tests.harness import Gateway


async def test_health_and_readiness_need_no_token(gateway: Gateway) -> None:
    assert (200, {"status": "alive"}) == await gateway.ask("GET", "/healthz", key="")
    assert (200, {"status": "ready"}) == await gateway.ask("GET", "/readyz", key="")


async def test_a_gateway_that_stops_is_alive_and_not_ready(gateway: Gateway) -> None:
    gateway.flight.draining = True
    assert 200 == (await gateway.ask("GET", "/healthz"))[0]
    assert (503, {"status": "stopping"}) == await gateway.ask("GET", "/readyz")


async def test_a_gateway_whose_background_work_ended_is_not_ready() -> None:
    gate = SimpleNamespace(
        flight=SimpleNamespace(draining=False), background=SimpleNamespace(alive=False)
    )
    app: Any = health.readyz
    answered = await ask(app, "GET", "/readyz", state={"gate": gate})
    assert (503, {"status": "the background work has ended"}) == (answered.status, answered.json)


async def test_without_its_database_it_is_alive_and_not_ready(gateway: Gateway) -> None:
    name = _name(gateway.uri)
    with psycopg.connect(_root(gateway.uri), autocommit=True) as connection:
        forbid = sql.SQL("alter database {} with allow_connections {}")
        end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        connection.execute(forbid.format(sql.Identifier(name), sql.SQL("false")))
        try:
            connection.execute(end, [name])
            assert 200 == (await gateway.ask("GET", "/healthz"))[0]
            expected = (503, {"status": "the database is out of reach"})
            assert expected == await gateway.ask("GET", "/readyz")
            status, answer = await gateway.ask("GET", "/metrics")
            assert (503, "unavailable") == (status, answer["properties"]["error"])
        finally:
            connection.execute(forbid.format(sql.Identifier(name), sql.SQL("true")))


async def test_where_its_keys_open_no_secret_it_is_not_ready_and_takes_no_submit(
    gateway: Gateway,
) -> None:
    await gateway.channel("sandbox", "http://127.0.0.1:1")
    gateway.rows("update channels set key_cipher = 'written with another key' returning id")

    expected = (503, {"status": "the secrets of the database do not open"})
    async with asyncio.timeout(20):
        while expected != await gateway.ask("GET", "/readyz"):
            await asyncio.sleep(0.02)
    status, answer = await gateway.imagine()
    assert (503, "unavailable") == (status, answer["properties"]["error"])


def _name(uri: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(uri)["dbname"])


def _root(uri: str) -> str:
    return uri.replace(f"/{_name(uri)}?", "/mjgate?")


async def test_metrics_count_requests_tasks_and_money(ready: Gateway) -> None:
    _, answer = await ready.imagine()
    await ready.ended(answer["result"])
    async with ready.session.get(ready.address + "/metrics") as response:
        assert "text/plain" in response.headers["Content-Type"]
        text = await response.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    told = {sample.labels.get("phase"): sample.value for sample in families["mjgate_tasks"].samples}
    assert 1 == sum(told.values())
    assert [0.1] == [sample.value for sample in families["mjgate_spent_dollars"].samples]
    assert [0] == [sample.value for sample in families["mjgate_held_dollars"].samples]
    assert [0] == [sample.value for sample in families["mjgate_unknown_tasks"].samples]
    counted = families["mjgate_requests"].samples
    assert any(sample.labels.get("operation") == "submit_imagine" for sample in counted)
