"""Capability providers: the contract that they all keep (`base`) and those that come with the host.

The host finds providers by the entry-point group `wascc.providers`; what each one does and which configuration it
takes is described in `docs/providers.md`.
"""
