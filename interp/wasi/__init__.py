"""WASI preview 1 and `wasi_unstable` in pure Python, on any engine: what is supported is listed in `docs/wasi.md`.

wasi = Wasi(WasiParams(args=["guest"], preopens={"/data": "./data"}, stdout=sys.stdout.buffer))
externs = wasi.imports(store, module)      # one Func for each WASI import, by (module, name)
instance = store.instantiate(module, [externs[i.module, i.name] for i in module.imports])
wasi.attach(instance.exports["memory"])
"""

from interp.wasi.abi import Errno
from interp.wasi.errors import ProcExit
from interp.wasi.params import Preopen, WasiLimits, WasiParams
from interp.wasi.wasi import Wasi

__all__ = ["Errno", "Preopen", "ProcExit", "Wasi", "WasiLimits", "WasiParams"]
