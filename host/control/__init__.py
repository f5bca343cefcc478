"""The control socket: how a running host is asked what it does, by its owner and nobody else.

A Unix socket for each host, in a folder that only the owner may enter. The protocol is `docs/operation.md`, section
"Protocol of the control socket".
"""
