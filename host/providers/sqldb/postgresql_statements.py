"""Which statements may go to PostgreSQL, told by the words that they begin with.

The server itself refuses several statements in one message, so the first words tell what a statement does. What is not
named here is refused: transaction control above all (`COMMIT AND CHAIN` would end a batch in its middle), the state of
the session, roles, databases, code, and `COPY`.
"""

from __future__ import annotations

import re

from host.logs import printable
from host.providers.base import ProviderError

_BLANK = re.compile(r"[ \t\n\r\f\v]+|--[^\n\r]*")
_COMMENT_MARK = re.compile(r"/\*|\*/")
_WORD = re.compile(r"[A-Za-z_]+")

_STATEMENTS = frozenset(
    {"SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COMMENT", "EXPLAIN"}
    | {"ANALYZE", "REFRESH", "REINDEX", "LOCK", "SHOW"}
)
_ABOUT_OBJECTS = frozenset({"CREATE", "ALTER", "DROP"})
_OBJECTS = frozenset({"TABLE", "INDEX", "VIEW", "MATERIALIZED", "SEQUENCE", "TYPE", "DOMAIN", "SCHEMA", "STATISTICS"})
_BEFORE_OBJECTS = frozenset({"OR", "REPLACE", "UNIQUE", "RECURSIVE", "UNLOGGED"})
_MOST_WORDS = 5
"""So many words tell what a statement does: CREATE OR REPLACE RECURSIVE VIEW."""


def check_statement(sql: str) -> None:
    """Raises ProviderError for a statement that is not allowed, or for none."""
    words = _first_words(sql)
    if not words:
        raise ProviderError("there is no statement, or none that begins with a word")
    if words[0] in _STATEMENTS:
        return
    if words[0] in _ABOUT_OBJECTS:
        objects = [word for word in words[1:] if word not in _BEFORE_OBJECTS]
        if objects and objects[0] in _OBJECTS:
            return
        words = words[: 1 + max(1, len(words[1:]) - len(objects) + 1)]
    else:
        words = words[:1]
    raise ProviderError(f"{printable(' '.join(words))} is not allowed")


def _first_words(sql: str) -> list[str]:
    words: list[str] = []
    at = 0
    while len(words) < _MOST_WORDS and at < len(sql):
        if blank := _BLANK.match(sql, at):
            at = blank.end()
        elif sql.startswith("/*", at):
            at = _after_comment(sql, at)
        elif not words and sql[at] == "(":
            at += 1
        elif word := _WORD.match(sql, at):
            words.append(word[0].upper())
            at = word.end()
        else:
            break
    return words


def _after_comment(sql: str, start: int) -> int:
    """Where the comment ends; PostgreSQL's comments nest."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)
