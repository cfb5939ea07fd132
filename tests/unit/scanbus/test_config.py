import re
from pathlib import Path

import pytest

from scanbus.config import Settings, default_files, load
from schemas.config import Config
from schemas.errors import Invalid


def origin(settings: Settings, name: str) -> str:
    return next(setting.origin for setting in settings.values if setting.name == name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scanbus.toml"
    path.write_text('idle_s = 5\n[gateway]\nports = [1, 2]\nnames = ["from-file"]\n[processes]\nmain = ["gateway"]\n')
    return path


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment without a person's own settings."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "nowhere")}


def test_without_a_word_every_setting_has_its_default(nowhere: dict[str, str]) -> None:
    settings = load(environment=nowhere)
    assert settings.config == Config()
    assert {setting.origin for setting in settings.values} == {"default"}


def test_a_file_goes_before_the_defaults(file: Path) -> None:
    settings = load(file=file)
    assert settings.config.gateway.ports == (1, 2)
    assert settings.config.idle_s == 5.0
    assert settings.config.processes == {"main": ("gateway",)}
    assert origin(settings, "gateway.ports") == str(file)
    assert origin(settings, "gateway.hosts") == "default"


def test_the_environment_goes_before_the_file(file: Path) -> None:
    settings = load(file=file, environment={"SCANBUS_GATEWAY__PORTS": "[3]", "PATH": "/bin"})
    assert settings.config.gateway.ports == (3,)
    assert settings.config.gateway.names == ("from-file",)
    assert origin(settings, "gateway.ports") == "environment SCANBUS_GATEWAY__PORTS"


def test_flags_go_before_everything(file: Path) -> None:
    settings = load(["gateway.ports=[4]"], file, {"SCANBUS_GATEWAY__PORTS": "[3]"})
    assert settings.config.gateway.ports == (4,)
    assert origin(settings, "gateway.ports") == "--set gateway.ports"


def test_a_persons_own_file_is_read_after_the_computers(tmp_path: Path) -> None:
    own = tmp_path / "scanbus" / "config.toml"
    own.parent.mkdir()
    own.write_text("idle_s = 7")
    assert default_files({"XDG_CONFIG_HOME": str(tmp_path)})[-1] == own
    assert load(environment={"XDG_CONFIG_HOME": str(tmp_path)}).config.idle_s == 7.0


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("log.json=true", True),
        ("log.level=debug", "debug"),
        ("state_folder=123", "123"),
        ("idle_s=2.5", 2.5),
        ('device.virtual=[{"name": "a", "fault": "jam@2"}]', "jam@2"),
    ],
)
def test_a_value_may_be_json_or_plain_text(flag: str, expected: object, nowhere: dict[str, str]) -> None:
    config = load([flag], environment=nowhere).config
    assert expected in (
        config.log.json,
        config.log.level,
        config.state_folder,
        config.idle_s,
        config.device.virtual[0].fault,
    )


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        ([], {"SCANBUS_GATEWAY__PORTS": "[70000]"}, "environment SCANBUS_GATEWAY__PORTS: gateway.ports: .*65535"),
        ([], {"SCANBUS_IDLE_S": "soon"}, "environment SCANBUS_IDLE_S: idle_s: expected a number, got 'soon'"),
        ([], {"SCANBUS_LOG__JSON": "yes"}, "SCANBUS_LOG__JSON: log.json: expected true or false, got 'yes'"),
        (["gateway.ports=18622"], {}, "--set gateway.ports: gateway.ports: Expected `array`"),
        (["gatway.ports=[1]"], {}, "there is no setting 'gatway.ports'. Did you mean 'gateway.ports'"),
        (["gateway.ports"], {}, "write it as NAME=VALUE"),
        ([], {"SCANBUS_NONSENSE": "1"}, "environment SCANBUS_NONSENSE: there is no setting 'nonsense'"),
    ],
)
def test_an_error_names_its_place_and_what_is_expected(
    flags: list[str], environment: dict[str, str], said: str, nowhere: dict[str, str]
) -> None:
    with pytest.raises(Invalid, match=said):
        load(flags, environment={**nowhere, **environment})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway]\nport = 1", "there is no setting 'gateway.port'. Did you mean 'gateway.ports'"),
        ('idle_s = "long"', "idle_s: Expected `float`, got `str`"),
        ("idle_s = ", "cannot be read as TOML"),
    ],
)
def test_an_error_in_a_file_names_the_file(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(Invalid, match=f"{re.escape(str(path))}: {said}"):
        load(file=path)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"missing\.toml: cannot be read"):
        load(file=tmp_path / "missing.toml")
