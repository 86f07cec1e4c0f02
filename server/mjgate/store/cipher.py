"""Channel keys at rest: Fernet, several keys, the first encrypts and all decrypt."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from mjgate.errors import ConfigError

FILE = "secret.key"


class Cipher:
    """Encrypts and decrypts secrets of the database."""

    def __init__(self, keys: str) -> None:
        parts = [key.strip() for key in keys.split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([Fernet(key) for key in parts])
        except ValueError:
            raise ConfigError(
                "MJGATE_SECRET_KEY holds a key that is none; make one with: mjgate secrets new"
            ) from None

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, cipher: bytes) -> str:
        """The secret.

        Raises:
            ConfigError: no key of ours opens it.
        """
        try:
            return self._fernet.decrypt(cipher).decode()
        except InvalidToken:
            raise ConfigError(
                "MJGATE_SECRET_KEY does not open the keys in the database; "
                "set the key they were written with"
            ) from None


def new_secret_key() -> str:
    return Fernet.generate_key().decode()


def secret_keys(setting: SecretStr | None, data_dir: Path | None) -> str:
    """The keys of a setting, else the data directory's own key file (mode 0600).

    Raises:
        ConfigError: neither is there.
    """
    if setting is not None:
        return setting.get_secret_value()
    if data_dir is None:
        raise ConfigError(
            "MJGATE_SECRET_KEY is missing; with DATABASE_URL set it to the output of: "
            "mjgate secrets new"
        )
    return kept_secret(data_dir / FILE, new_secret_key)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file of mode 0600, made at the first call.

    Linked into place whole: a process killed in between leaves no empty secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make() + "\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip()
