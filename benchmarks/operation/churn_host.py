"""A host for trouble, in a process of its own, told what to do on stdin.

    python -m benchmarks.operation.churn_host ENGINE STORE VALUES INSTANCES FILE

starts a host with the actor in FILE, its HTTP server on a free port and a key-value provider with VALUES (JSON),
prints the port, and then answers each line: `update FILE` puts another module in the actor's place, `state` tells of
memory and instances, `stop` shuts the host down.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.resident import resident_bytes
from host import Actor, ActorSettings, Host, HostBuilder, find_provider
from host.cli.memory import give_back_large_blocks
from host.codec.http import CAPABILITY_SERVER
from host.codec.keyvalue import CAPABILITY as KEY_VALUE
from host.providers.http_server import HttpServerProvider

WORKERS = 16
WAIT_SECONDS = 10.0


def start(engine: str, store: str, values: dict[str, str], instances: int, file: str) -> tuple[Host, int]:
    """The host, and the port that its actor is served at."""
    host = HostBuilder().with_engine(engine).build()
    actor = Actor.from_file(file)
    host.add_actor(actor, ActorSettings(instances=instances, wait_seconds=WAIT_SECONDS))
    server = HttpServerProvider()
    host.add_capability(server)
    host.add_capability(find_provider(store))
    host.set_binding(actor.public_key, KEY_VALUE, values=values)
    host.set_binding(
        actor.public_key, CAPABILITY_SERVER, values={"PORT": "0", "WORKERS": str(WORKERS), "MAX_WAITING": "1000"}
    )
    return host, server.address(actor.public_key)[1]


def state(host: Host) -> dict[str, Any]:
    """Memory in bytes, and what the actor's instances have been through."""
    gc.collect()
    (actor,) = host.actor_states()
    return {
        "resident": resident_bytes(),
        "instances": len(actor.instances),
        "replaced": actor.supervision.replaced,
        "calls": actor.calls,
    }


def main() -> None:
    """Run until stdin ends, or says stop."""
    logging.basicConfig(level=logging.CRITICAL)  # every trap is expected, and has its line
    give_back_large_blocks()  # as `wascc up` does
    engine, store, values, instances, file = sys.argv[1:6]
    host, port = start(engine, store, json.loads(values), int(instances), file)

    def update(path: str) -> dict[str, Any]:
        host.replace_actor(Actor.from_file(path))
        return {}

    answers: dict[str, Callable[..., dict[str, Any]]] = {"update": update, "state": lambda: state(host)}
    with host:
        print(json.dumps({"port": port}), flush=True)
        for line in sys.stdin:
            command, *arguments = line.split(maxsplit=1)
            if command == "stop":
                break
            try:
                answer = answers[command](*(argument.strip() for argument in arguments))
            except Exception as error:  # who asked is told
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
