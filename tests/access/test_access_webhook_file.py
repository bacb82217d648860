"""The file that names webhooks: where secrets are, who the users are, every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynaguard.access.webhook_config import Target, read_webhooks
from dynaguard.errors import ConfigurationError
from tests.access.webhook_desk import SLACK


def write(folder: Path, text: str) -> Path:
    """A file of webhooks."""
    path = folder / "webhooks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_names_secrets_and_holds_none(tmp_path: Path) -> None:
    """They come from files beside it, or variables; no repr shows them."""
    (tmp_path / "slack.secret").write_text("slack-signing-secret\n")
    path = write(
        tmp_path,
        '[[out]]\nurl_env = "HOOK"\nformat = "slack"\nsecret_env = "S"\n'
        '[in]\nslack_secret_file = "slack.secret"\n[people]\nU0ANN = "arn:aws:iam::1:user/ann"\n',
    )

    found = read_webhooks(path, {"HOOK": "https://hooks/T0", "S": "sixteen-bytes-ok"})

    assert found.targets == (Target("https://hooks/T0", "slack", b"sixteen-bytes-ok"),)
    assert found.slack_secret == SLACK
    assert found.secret is None
    assert found.identity_by_user == {"U0ANN": "arn:aws:iam::1:user/ann"}
    assert "secret" not in repr(found).replace("slack_secret", "").replace("secret_", "")
    assert "hooks/T0" not in repr(found)


def test_every_problem_of_the_file_is_told(tmp_path: Path) -> None:
    """At once, each with its place."""
    path = write(
        tmp_path,
        '[[out]]\nurl = "http://example.com"\nformat = "teams"\nsecret = "in plain sight"\n'
        '[in]\nslack_secret_file = "missing"\nsecret_env = "SHORT"\n'
        '[people]\nU0ANN = "ann"\n[peple]\n',
    )

    with pytest.raises(ConfigurationError) as caught:
        read_webhooks(path, {"SHORT": "short"})

    text = str(caught.value)
    for part in (
        "peple: is not known, did you mean `people`?",
        "out[0].secret: is not known",
        "out[0].url: must be an https:// URL",
        "out[0].format: must be `slack` or `json`",
        "in.slack_secret_file: cannot be read",
        "in.secret: holds 5 bytes",
        "people.U0ANN: must be the ARN",
    ):
        assert part in text
    assert "in plain sight" not in text


@pytest.mark.parametrize("text", ["out = 5", "[[out]]\n", "in = []", "people = 1", "[[out]\n"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    """As one error, not a traceback."""
    with pytest.raises(ConfigurationError):
        read_webhooks(write(tmp_path, text), {})
