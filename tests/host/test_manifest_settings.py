"""Manifests say how actors run: numbers, their ranges, and what is no number."""

from manifest_support import problems

from host import ActorSettings, Manifest

SETTINGS = """\
actors:
- path: a.wasm
  instances: 0x10
  max_waiting: ${WAITING:7}
  wait_seconds: 1
  limits: {fuel: 1000, deadline_seconds: 2.5e1, max_memory_pages: "16"}
- b.wasm
capabilities: []
bindings: []
"""


def test_settings_of_an_actor() -> None:
    manifest = Manifest.from_text(SETTINGS, variables={})
    limits = {"fuel": 1000, "deadline_seconds": 25.0, "max_memory_pages": 16}
    assert manifest.actors[0].settings == ActorSettings(16, 7, 1.0, limits)
    assert manifest.actors[1].settings == ActorSettings()
    assert "- b.wasm" in manifest.to_yaml()


def test_settings_that_mean_nothing() -> None:
    text = """\
actors:
- path: a.wasm
  instances: 0
- path: b.wasm
  instances: 1.5
- {path: c.wasm, max_waiting: many, wait_seconds: .nan, instances: true}
- path: d.wasm
  limits: {fule: 1, fuel: 0, max_memory_pages: 65537, deadline_seconds: [1]}
- instances: 2
capabilities: []
bindings: []
"""
    assert problems(text) == [
        (3, "actors[0].instances", "must be at least 1"),
        (5, "actors[1].instances", "must be a whole number"),
        (6, "actors[2].instances", "must be a whole number"),
        (6, "actors[2].max_waiting", "must be a whole number"),
        (6, "actors[2].wait_seconds", "must be at most 86400"),
        (8, "actors[3].limits.fuel", "must be at least 1"),
        (8, "actors[3].limits.deadline_seconds", "must be a number"),
        (8, "actors[3].limits.max_memory_pages", "must be at most 65536"),
        (8, "actors[3].limits.fule", "is not a field that manifests have"),
        (9, "actors[4].path", "is missing"),
    ]
