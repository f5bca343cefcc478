"""What the tests of manifests share."""

from __future__ import annotations

import pytest

from host import Manifest, ManifestError


def problems(text: str, form: str = "yaml", **options: object) -> list[tuple[int | None, str, str]]:
    """Line, field and text of everything that is wrong with a manifest."""
    with pytest.raises(ManifestError) as caught:
        Manifest.from_text(text, form, **options)
    return [(problem.line, problem.field_name, problem.text) for problem in caught.value.problems]
