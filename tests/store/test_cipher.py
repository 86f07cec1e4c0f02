"""Secrets at rest."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from mjgate.errors import ConfigError
from mjgate.store.cipher import FILE, Cipher, new_secret_key, secret_keys


def test_a_secret_is_read_back_and_is_not_in_the_cipher() -> None:
    cipher = Cipher(new_secret_key())

    sealed = cipher.encrypt("a secret 秘密")

    assert "a secret 秘密" == cipher.decrypt(sealed)
    assert b"secret" not in sealed


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = new_secret_key(), new_secret_key()
    sealed = Cipher(old).encrypt("one")

    both = Cipher(f" {new} , {old},")

    assert "one" == both.decrypt(sealed)
    assert "two" == Cipher(new).decrypt(both.encrypt("two"))


def test_a_wrong_key_is_named_and_not_shown() -> None:
    sealed = Cipher(new_secret_key()).encrypt("one")

    with pytest.raises(ConfigError, match="MJGATE_SECRET_KEY does not open the keys"):
        Cipher(new_secret_key()).decrypt(sealed)


@pytest.mark.parametrize("nonsense", ["", ",", "too short", "A" * 43])
def test_a_key_that_is_none_is_refused(nonsense: str) -> None:
    with pytest.raises(ConfigError, match="mjgate secrets new"):
        Cipher(nonsense)


def test_the_setting_goes_before_the_file(tmp_path: Path) -> None:
    key = new_secret_key()

    assert key == secret_keys(SecretStr(key), tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_the_own_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = secret_keys(None, folder)

    assert first == secret_keys(None, folder)
    assert [FILE] == [each.name for each in folder.iterdir()]
    assert 0o600 == (folder / FILE).stat().st_mode & 0o777
    Cipher(first)


def test_without_a_folder_a_key_is_required() -> None:
    with pytest.raises(ConfigError, match="MJGATE_SECRET_KEY is missing"):
        secret_keys(None, None)
