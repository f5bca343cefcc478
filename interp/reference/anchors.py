"""Where the published specification states each reduction rule.

Spec: exec/instructions
"""

from __future__ import annotations

from functools import cache

from interp.reference.configuration import HOST_CALL

SITE = "https://webassembly.github.io/spec/core"
"""The specification as its authors publish it."""

OWN_ANCHORS = {
    HOST_CALL: "exec-invoke-host",
    "label-vals": "exec-instrs-exit",
    "handler-vals": "exec-handler-exit",
    "frame-vals": "exec-invoke-exit",
    "call_ref-func": "exec-invoke",
    "load-num": "exec-load-val",
    "load-pack": "exec-load-pack",
    "store-num": "exec-store-val",
    "store-pack": "exec-store-pack",
    "vload": "exec-vload-val",
    "vload-pack": "exec-vload-pack",
    "vload-splat": "exec-vload-splat",
    "vload-zero": "exec-vload-zero",
    "trap": "syntax-trap",
}
"""The anchors of rules that are not called as an instruction is, by how their names begin."""

PAGES = {"syntax-trap": "exec/runtime"}
"""The pages of anchors that do not stand among the instructions."""


@cache
def address(rule: str) -> str:
    """The address of a rule, such as `…/exec/instructions.html#exec-block`.

    The document gathers the rules of an instruction under one anchor, `exec-` and its name; what follows the name in a
    rule (`-val`, `-oob`, `-label-zero`) tells them apart there. Dots and underscores are dashes in the pages.
    """
    name = rule.partition("/")[2] or rule
    words = name.split("-")
    beginnings = ["-".join(words[:count]) for count in range(len(words), 0, -1)]
    anchor = next((OWN_ANCHORS[beginning] for beginning in beginnings if beginning in OWN_ANCHORS), f"exec-{words[0]}")
    anchor = anchor.replace(".", "-").replace("_", "-")
    return f"{SITE}/{PAGES.get(anchor, 'exec/instructions')}.html#{anchor}"
