"""Opens whatever a user names as a policy: a document in text, a mapping, or a bundle.

INVARIANT: with a verifier nothing but a bundle that is signed with its key is ever taken.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dynaguard.errors import ConfigurationError
from dynaguard.policy.model import PolicyDocument

if TYPE_CHECKING:
    from dynaguard.policy.bundle_format import Verifies

SUFFIX: Final = ".dgb"
"""How the name of a bundle ends."""
PolicySource = str | os.PathLike[str] | Mapping[str, Any]


def is_bundle_name(name: str) -> bool:
    """Whether a file of this name is read as a bundle."""
    return name.lower().endswith(SUFFIX)


def open_policy(
    source: PolicySource, *, environ: Mapping[str, str], verifier: Verifies | None = None
) -> PolicyDocument:
    """The document of a policy.

    Args:
        source: A path ending in `.toml`, `.json`, `.yaml`, `.yml` or (a bundle) `.dgb`, or a
            mapping.
        environ: Where `[variables]` are looked up; of a bundle: what they must not contradict.
        verifier: Checks the signature of a bundle; with it nothing else is taken.

    Raises:
        PolicySyntaxError: Every problem found, each with file, line and path.
        ConfigurationError: A verifier is given, and the policy is no bundle.
        MissingExtraError: YAML without PyYAML.

    Effects: reads the files; nothing else.
    """
    # One of the two is needed, so the other's modules are not imported.
    if not isinstance(source, Mapping) and is_bundle_name(os.fspath(source)):
        from dynaguard.policy.bundle_reading import load_bundle

        return load_bundle(source, environ=environ, verifier=verifier)
    if verifier is not None:
        named = "a mapping" if isinstance(source, Mapping) else f"`{os.fspath(source)}`"
        raise ConfigurationError(
            f"`policy_verify_key_file` is set, so only a signed bundle (`*{SUFFIX}`) is taken as "
            f"policy, not {named}; make one with `dynaguard compile POLICY -o BUNDLE{SUFFIX} "
            "--sign-key-file KEY`"
        )
    from dynaguard.policy.loading import load_policy

    return load_policy(source, environ=environ)
