"""Channel keys at rest: Fernet, several keys, the first encrypts and all decrypt."""

import base64
import contextlib
import hmac
import os
import re
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from mjgate.errors import ConfigError
from mjgate.store.draft import draft_of

FILE = "secret.key"


class Cipher:
    """Encrypts and decrypts secrets of the database.

    `file` is where its keys are kept, if in one: it is read again when they do not open a
    secret, since another process may have put a new key there.
    """

    def __init__(self, keys: str, file: Path | None = None) -> None:
        self._file = file
        self._use(keys)

    def _use(self, keys: str) -> None:
        self._keys = keys
        parts = split_keys(keys)
        try:
            fernets = [Fernet(key) for key in parts]
            self._fernet = MultiFernet(fernets)
        except ValueError:
            raise ConfigError(
                "MJGATE_SECRET_KEY holds a key that is none; make one with: mjgate secrets new"
            ) from None
        self._first = fernets[0]
        self._seals = [hmac.digest(key.encode(), b"mjgate seal", "sha256") for key in parts]

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(split_keys(self._keys))

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def is_current(self, cipher: bytes) -> bool:
        """Whether the first key opens it."""
        with contextlib.suppress(InvalidToken):
            self._first.decrypt(cipher)
            return True
        return False

    def opens(self, cipher: bytes) -> bool:
        """Whether any key opens it."""
        with contextlib.suppress(ConfigError):
            self.decrypt(cipher)
            return True
        return False

    def decrypt(self, cipher: bytes) -> str:
        """The secret.

        Raises:
            ConfigError: no key of ours opens it.
        """
        try:
            return self._fernet.decrypt(cipher).decode()
        except InvalidToken:
            if self._changed():
                return self.decrypt(cipher)
            raise ConfigError(
                "MJGATE_SECRET_KEY does not open the keys in the database; "
                "set the key they were written with"
            ) from None

    def seal(self, text: str) -> str:
        """What proves that a text comes from us, as it may stand in an address."""
        return _seal(self._seals[0], text)

    def is_sealed(self, text: str, seal: str) -> bool:
        """Whether a seal was made of that text, with any of the keys."""
        if any(_same(_seal(key, text), seal) for key in self._seals):
            return True
        return self._changed() and self.is_sealed(text, seal)

    def _changed(self) -> bool:
        """Whether the file has other keys than ours; then they are ours."""
        keys = read_keys(self._file) if self._file else self._keys
        changed = keys != self._keys
        if changed:
            self._use(keys)
        return changed


def _seal(key: bytes, text: str) -> str:
    """HMAC-SHA256; its keys are made of those that encrypt, and are none of them."""
    seal = hmac.digest(key, text.encode(), "sha256")
    return base64.urlsafe_b64encode(seal).decode().rstrip("=")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def split_keys(keys: str) -> list[str]:
    """Keys stand apart by commas or white space; the first encrypts."""
    return [key for key in re.split(r"[,\s]+", keys) if key]


def new_secret_key() -> str:
    return Fernet.generate_key().decode()


def secret_keys(
    setting: SecretStr | None, file: Path | None, data_dir: Path | None
) -> tuple[str, Path | None]:
    """The keys of a setting, or of a file, else of the data directory's own (mode 0600).

    Returns them with the file that they are kept in, if in one.

    Raises:
        ConfigError: none of these is there, or it cannot be read.
    """
    if setting is not None:
        if file is not None:
            raise ConfigError(
                "MJGATE_SECRET_KEY and MJGATE_SECRET_KEY_FILE are one too many; unset one"
            )
        return setting.get_secret_value(), None
    if file is not None:
        return read_keys(file), file
    if data_dir is None:
        raise ConfigError(
            "MJGATE_SECRET_KEY is missing; with DATABASE_URL set it to the output of: "
            "mjgate secrets new"
        )
    return kept_secret(data_dir / FILE, new_secret_key), data_dir / FILE


def read_keys(file: Path) -> str:
    """The keys in a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"MJGATE_SECRET_KEY_FILE={file} cannot be read: {error}") from None


def put_key_first(file: Path, key: str) -> str:
    """Puts a key before those in a file; returns them all.

    Whoever dies in the middle of this leaves either the old keys or all of them. On the disk
    before the first secret is written with the new key, it can never be lost with that secret
    kept; and the old ones stay behind it for what they wrote: secrets not yet rewritten, those
    that a process with an older copy of this file still writes, and dumps.

    Raises:
        ConfigError: the file cannot be written.
    """
    keys = ",".join([key, *split_keys(read_keys(file))])
    try:
        owner = file.stat()
        with draft_of(file) as out:
            out.write(f"{keys}\n".encode())
            with contextlib.suppress(PermissionError):
                os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written ({error.strerror}); put a new key first there yourself"
        ) from None
    return keys


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
