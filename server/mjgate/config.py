"""Settings, read once: `MJGATE_*` variables over an optional `mjgate.yaml`."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AliasChoices,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from mjgate.domain.hook import parse_hook
from mjgate.errors import ConfigError

PREFIX = "MJGATE_"
FILE = "mjgate.yaml"
_SECRET_WORDS = ("URL", "KEY", "NOTIFY")
Seconds = Annotated[float, Field(ge=0, le=30 * 86400)]
_PUBLIC_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?"
)
_MOST_URL = 1024
_MOST_PORT = 65_535


class Config(BaseSettings):
    """What an operator sets at start. Times are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, yaml_file=FILE, extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path(".mjgate"), description="Where the embedded database lives.")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "MJGATE_DATABASE_URL", "database_url"),
        description="A PostgreSQL 14+ to use in place of the embedded one.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Encrypts channel keys; the embedded database makes its own. "
        "Of several, apart by commas, the first encrypts and all decrypt.",
    )
    secret_key_file: Path | None = Field(
        None, description="A file with that, read again when its keys changed."
    )
    max_body: int = Field(16 * 1024 * 1024, ge=1024, le=1024**3)
    upstream_timeout: float = Field(60.0, gt=0, le=600)
    task_deadline: float = Field(1800.0, gt=0, le=7 * 86400)
    lost_after: float = Field(
        60.0, ge=1, le=86400, description="For how long an upstream must not know a lost task."
    )
    keep_tasks_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Days after which tasks that have ended are deleted; 0 keeps them for ever.",
    )
    queue_limit: int = Field(4096, ge=1, description="Submits that may wait for the database.")
    drain_timeout: float = Field(6.0, gt=0, le=300)
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Networks whose X-Forwarded-For is believed, with commas between."
    )
    allow_private_hooks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Networks that hooks and pictures may lead to though they are not public, "
        "with commas between.",
    )
    notify_hook: SecretStr | None = Field(
        None, description="Where tasks are told of whose request and token name no address."
    )
    callback_timeout: float = Field(15.0, gt=0, le=120)
    callback_concurrency: int = Field(
        16, ge=1, le=512, description="Callbacks to one receiver at once."
    )
    callback_schedule: Annotated[tuple[Seconds, ...], NoDecode] = Field(
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        max_length=50,
        description="Waits between the attempts of a callback, with commas between.",
    )
    keepalive: float = Field(2.0, gt=0, le=60, description="Idle life of upstream connections.")

    public_url: str | None = Field(
        None,
        description="Where upstreams and clients reach this gateway, such as "
        "https://pictures.example.org; a path before ours is fine.",
    )

    pictures: bool = Field(
        True, description="Whether pictures are copied, and shown at addresses of ours."
    )
    pictures_dir: Path | None = Field(
        None, description="Where the copies are; by default `pictures` in the data directory."
    )
    pictures_link_life: int = Field(
        7 * 86_400, ge=60, le=3650 * 86_400, description="How long an address of ours opens."
    )
    pictures_keep_days: int = Field(
        30, ge=1, le=36_500, description="After so many days only its source is left of a picture."
    )
    pictures_max_bytes: int = Field(
        10 * 1024**3, ge=0, le=1024**6, description="Of all copies; the oldest go first."
    )
    pictures_max_file: int = Field(64 * 1024**2, ge=1024, le=1024**4, description="Of one copy.")
    pictures_at_once: int = Field(
        8, ge=1, le=256, description="Copies under way at once, in each process."
    )

    waits_per_token: int = Field(
        64, ge=0, le=100_000, description="Fetches of one token that may wait, in each process."
    )
    waits: int = Field(
        5000, ge=0, le=100_000, description="Fetches that may wait, in each process."
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        return value

    @field_validator(
        "database_url",
        "secret_key",
        "secret_key_file",
        "notify_hook",
        "public_url",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("data_dir", "pictures_dir", mode="before")
    @classmethod
    def _is_named(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("is blank; name a folder or unset it")
        return value

    @field_validator("notify_hook")
    @classmethod
    def _is_hook(cls, value: SecretStr | None) -> SecretStr | None:
        return value and SecretStr(parse_hook(value.get_secret_value()))

    @field_validator("trusted_proxies", "allow_private_hooks", "callback_schedule", mode="before")
    @classmethod
    def _is_listed(cls, value: Any) -> Any:
        if isinstance(value, str):
            return [word.strip() for word in value.split(",") if word.strip()]
        return value

    @field_validator("callback_schedule", mode="before")
    @classmethod
    def _is_scheduled(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip(" ,"):
            raise ValueError("is blank; name seconds or unset it")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_public(cls, value: str | None) -> str | None:
        """Without a slash at its end: paths of ours are put behind it."""
        if value is None:
            return None
        found = _PUBLIC_URL.fullmatch(value)
        if found is None or len(value) > _MOST_URL:
            raise ValueError(
                "must be an http or https address, with a plain path at most: "
                "no user, no ?, no #, no %"
            )
        if not 0 < int(found["port"] or 1) <= _MOST_PORT:
            raise ValueError(f"must have a port from 1 to {_MOST_PORT}")
        if {".", ".."} & set(found["path"].split("/")):
            raise ValueError("must have no . or .. in its path")
        return value.rstrip("/")

    @property
    def embedded(self) -> bool:
        return self.database_url is None

    @property
    def pictures_folder(self) -> Path:
        return self.pictures_dir or self.data_dir / "pictures"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def read_config(**overrides: Any) -> Config:
    """The settings of this process.

    Raises:
        ConfigError: a setting is unknown or wrong; one line per fault.
    """
    try:
        config = Config(**overrides)
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(fault) for fault in error.errors())) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{FILE} is no mapping of settings to values ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{FILE} is not YAML: {' '.join(str(error).split())}") from None
    _refuse_unknown_variables()
    return config


def _fault(fault: Any) -> str:
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return f"{name} in {FILE} is no setting; remove it or mend its spelling"
    setting = name if name.isupper() else PREFIX + name.upper()
    shown = "" if any(word in setting for word in _SECRET_WORDS) else f"={fault['input']!r}"
    return f"{setting}{shown}: {fault['msg']}"


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Config.model_fields} | {"MJGATE_DATABASE_URL"}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise ConfigError(
            f"{unknown[0]} is no setting; unset it, or use one of {', '.join(sorted(known))}"
        )
