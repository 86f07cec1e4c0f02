"""Secrets at rest."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from mjgate.errors import ConfigError
from mjgate.store.cipher import (
    FILE,
    Cipher,
    new_secret_key,
    put_key_first,
    secret_keys,
    split_keys,
)


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

    assert (key, None) == secret_keys(SecretStr(key), None, tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_the_own_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first, file = secret_keys(None, None, folder)

    assert (first, file) == secret_keys(None, None, folder)
    assert folder / FILE == file
    assert [FILE] == [each.name for each in folder.iterdir()]
    assert 0o600 == (folder / FILE).stat().st_mode & 0o777
    Cipher(first)


def test_without_a_folder_a_key_is_required() -> None:
    with pytest.raises(ConfigError, match="MJGATE_SECRET_KEY is missing"):
        secret_keys(None, None, None)


def test_keys_are_read_from_a_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("one,\ntwo\n")

    assert ("one,\ntwo", file) == secret_keys(None, file, None)
    with pytest.raises(ConfigError, match="one too many"):
        secret_keys(SecretStr("one"), file, None)
    with pytest.raises(ConfigError, match=r"MJGATE_SECRET_KEY_FILE=.*none cannot be read"):
        secret_keys(None, tmp_path / "none", None)


def test_keys_stand_apart_by_commas_or_lines() -> None:
    assert ["a", "b", "c"] == split_keys(" a,b\n,c,\n")


def test_a_key_that_came_into_the_file_is_taken_up(tmp_path: Path) -> None:
    old, new = new_secret_key(), new_secret_key()
    file = tmp_path / FILE
    file.write_text(old)
    running = Cipher(old, file)
    sealed = running.encrypt("one")

    assert f"{new},{old}" == put_key_first(file, new)

    assert 0o600 == file.stat().st_mode & 0o777
    assert [FILE] == [each.name for each in tmp_path.iterdir()]
    assert "two" == running.decrypt(Cipher(new).encrypt("two"))
    assert "one" == running.decrypt(sealed)
    assert Cipher(new).is_current(running.encrypt("three"))
    assert not running.is_current(sealed)
    assert running.opens(sealed)
    assert not running.opens(Cipher(new_secret_key()).encrypt("four"))


def test_a_key_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = Path("/proc/self")
    with pytest.raises(ConfigError, match="put a new key first there yourself"):
        put_key_first(folder / "comm", new_secret_key())


def test_a_seal_proves_a_text_under_every_key() -> None:
    old, new = new_secret_key(), new_secret_key()
    before, after = Cipher(old), Cipher(f"{new},{old}")

    assert after.is_sealed("notify 7", before.seal("notify 7"))
    assert after.is_sealed("notify 7", after.seal("notify 7"))
    assert not before.is_sealed("notify 7", after.seal("notify 7"))
    assert before.seal("notify 7") != after.seal("notify 7")


@pytest.mark.parametrize("seal", ["", "x", "\u00e9", "\ud800"])
def test_what_we_have_not_sealed_is_no_seal(seal: str) -> None:
    cipher = Cipher(new_secret_key())
    assert not cipher.is_sealed("notify 7", seal)
    assert not cipher.is_sealed("notify 7", cipher.seal("notify 8"))


def test_a_seal_may_stand_in_an_address_and_tells_nothing() -> None:
    key = new_secret_key()
    seal = Cipher(key).seal("notify 7")
    assert re.fullmatch("[A-Za-z0-9_-]{43}", seal)
    assert seal == Cipher(key).seal("notify 7")
