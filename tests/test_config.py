"""Settings, and what is said of wrong ones."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from mjgate.config import FILE, read_config
from mjgate.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no settings of the machine's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "MJGATE_DATABASE_URL", "MJGATE_SECRET_KEY", "RECORDINGS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_without_settings_the_database_is_embedded() -> None:
    config = read_config()

    assert (True, Path(".mjgate"), 60.0) == (
        config.embedded,
        config.data_dir,
        config.upstream_timeout,
    )


def test_variables_go_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / FILE).write_text("upstream_timeout: 5\ntask_deadline: 60\n")
    monkeypatch.setenv("MJGATE_UPSTREAM_TIMEOUT", "7")

    config = read_config()

    assert (7, 60) == (config.upstream_timeout, config.task_deadline)


def test_what_is_said_in_person_goes_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJGATE_QUEUE_LIMIT", "7")

    assert 9 == read_config(queue_limit=9).queue_limit


@pytest.mark.parametrize("name", ["DATABASE_URL", "MJGATE_DATABASE_URL"])
def test_a_database_is_named_by_either_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "postgresql://a:topsecret@b/c")

    config = read_config()

    assert not config.embedded
    assert "topsecret" not in repr(config)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MJGATE_UPSTREAM_TIMEOUT", "0", r"^MJGATE_UPSTREAM_TIMEOUT='0': .*greater than 0"),
        ("MJGATE_MAX_BODY", "big", r"^MJGATE_MAX_BODY='big': .*integer"),
        ("MJGATE_KEEP_TASKS_DAYS", "-1", r"^MJGATE_KEEP_TASKS_DAYS='-1': .*equal to 0"),
        ("DATABASE_URL", "mysql://a:topsecret@b", r"^DATABASE_URL: .*postgresql://"),
        ("MJGATE_UPSTREAM_TIMOUT", "1", r"^MJGATE_UPSTREAM_TIMOUT is no setting; unset it"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=message) as refusal:
        read_config()
    assert "topsecret" not in str(refusal.value)


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJGATE_KEEPALIVE", "0")
    monkeypatch.setenv("MJGATE_QUEUE_LIMIT", "0")

    with pytest.raises(ConfigError) as refusal:
        read_config()

    assert 2 == len(str(refusal.value).splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("queue: 1\n", "queue in mjgate.yaml is no setting"),
        ("a: [\n", "mjgate.yaml is not YAML"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, text: str, message: str) -> None:
    (folder / FILE).write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_config()


def test_trusted_proxies_are_networks_in_a_variable_and_in_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert () == read_config().trusted_proxies
    (folder / FILE).write_text("trusted_proxies: [192.0.2.1]\n")
    assert (ip_network("192.0.2.1/32"),) == read_config().trusted_proxies

    monkeypatch.setenv("MJGATE_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32")

    both = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert both == read_config().trusted_proxies


def test_a_proxy_that_is_no_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJGATE_TRUSTED_PROXIES", "10.0.0.0/8,home")

    with pytest.raises(ConfigError, match=r"MJGATE_TRUSTED_PROXIES='home': .*network"):
        read_config()


def test_the_schedule_of_callbacks_is_seconds_with_commas_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400) == (
        read_config().callback_schedule
    )
    monkeypatch.setenv("MJGATE_CALLBACK_SCHEDULE", "0.5, 60")
    assert (0.5, 60) == read_config().callback_schedule

    for blank in ("", " , "):
        monkeypatch.setenv("MJGATE_CALLBACK_SCHEDULE", blank)
        with pytest.raises(ConfigError, match=r"MJGATE_CALLBACK_SCHEDULE=.*is blank"):
            read_config()

    monkeypatch.setenv("MJGATE_CALLBACK_SCHEDULE", "5,soon")
    with pytest.raises(ConfigError, match=r"MJGATE_CALLBACK_SCHEDULE='soon': .*number"):
        read_config()


def test_a_global_hook_is_an_address_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MJGATE_NOTIFY_HOOK", "https://example.org/hook?topsecret")
    config = read_config()
    assert config.notify_hook is not None
    assert "https://example.org/hook?topsecret" == config.notify_hook.get_secret_value()
    assert "topsecret" not in repr(config)

    monkeypatch.setenv("MJGATE_NOTIFY_HOOK", "")
    assert read_config().notify_hook is None

    monkeypatch.setenv("MJGATE_NOTIFY_HOOK", "ftp://topsecret@example.org/")
    with pytest.raises(ConfigError, match=r"^MJGATE_NOTIFY_HOOK: .*http or https") as refusal:
        read_config()
    assert "topsecret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://pictures.example.org", "https://pictures.example.org"),
        ("https://pictures.example.org/", "https://pictures.example.org"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("http://[fd00::7]:8080/", "http://[fd00::7]:8080"),
        ("https://example.org/mj/gate/", "https://example.org/mj/gate"),
        ("", None),
    ],
)
def test_a_public_address_is_kept_without_its_last_slash(
    given: str, kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MJGATE_PUBLIC_URL", given)

    assert kept == read_config().public_url


@pytest.mark.parametrize(
    "given",
    [
        "pictures.example.org",
        "ftp://example.org",
        "https://",
        "https://user:secret@example.org",
        "https://example.org?a=b",
        "https://example.org/#top",
        "https://example.org/a b",
        "https://example.org/%2e%2e",
        "https://example.org/../admin",
        "https://example.org/./a",
        "https://example.org//a",
        "https://example.org\\a",
        "https://example.org:0",
        "https://example.org:70000",
        "https://example.org\n",
        "https://example.org/" + "a" * 1024,
    ],
)
def test_an_address_that_nobody_could_use_is_named(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MJGATE_PUBLIC_URL", given)

    with pytest.raises(ConfigError, match=r"^MJGATE_PUBLIC_URL: .*must "):
        read_config()


def test_pictures_are_beside_the_data_unless_a_folder_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MJGATE_DATA_DIR", "/data")
    assert Path("/data/pictures") == read_config().pictures_folder

    monkeypatch.setenv("MJGATE_PICTURES_DIR", "/pictures")
    assert Path("/pictures") == read_config().pictures_folder

    monkeypatch.setenv("MJGATE_PICTURES_DIR", "")
    with pytest.raises(ConfigError, match=r"^MJGATE_PICTURES_DIR='': .*is blank"):
        read_config()


def test_settings_are_frozen() -> None:
    config = read_config()

    with pytest.raises(ValidationError):
        config.max_body = 1  # type: ignore[misc]
