"""The local app gets what the deployed one gets, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.bicep_settings import LOCAL_KEYS, SettingForgotten, local_settings, template_names

APP = """
resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: 'app'
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    FIRST: 'a'
    'SECOND': 'b'
  }
}

resource others 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'metadata'
  properties: {
    THIRD: 'c'
  }
}
"""


def test_names_are_read_through_modules(tmp_path: Path) -> None:
    """The settings may stand in a module, whose path is relative to the template above it."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "app.bicep").write_text(APP, encoding="utf-8")
    main = tmp_path / "main.bicep"
    main.write_text("module app 'parts/app.bicep' = {\n  name: 'app'\n}\n", encoding="utf-8")
    assert template_names(main) == {"FIRST", "SECOND"}


def test_forgotten_setting_fails() -> None:
    """A setting that the template does not set is refused by name, with the reason."""
    with pytest.raises(SettingForgotten, match="do not set PARLEY_NEW, so that a deployed app"):
        local_settings({"PARLEY_NEW": "1", "PARLEY_ID_KEY": "k"})


def test_local_keys_are_let_through() -> None:
    """Keys that stand for an identity are for one machine; Bicep sets none of them."""
    assert local_settings(dict.fromkeys(LOCAL_KEYS, "key")).keys() == LOCAL_KEYS
    assert not LOCAL_KEYS & template_names()
