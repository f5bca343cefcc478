"""Fields of structures and arrays (specification 4.2.9): how values are packed into them, and made of bytes.

A field of a packed type holds an i8 or i16, any other field a value as `interp.execution.values` describes it.
Metavariables: zt a storage type, sx whether a packed field is read as signed (None where it is not packed).

Spec: exec/runtime#aggregate-instances
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack
from typing import Any

from interp.execution.numerics_convert import extend_s
from interp.execution.values import MASK, inv_fbits
from interp.syntax.types import F32, F64, ArrayType, DefType, NumType, PackType, StorageType, StructType, VecType

I8, I16 = PackType.I8, PackType.I16


def storagetypes(deftype: DefType) -> tuple[StorageType, ...]:
    """The storage types of the fields of a structure type, or the one of an array type.  Raises TypeError for others.

    Spec: syntax/types#aggregate-types
    """
    comptype = deftype.expand()
    if isinstance(comptype, StructType):
        return tuple([field.storagetype for field in comptype.fields])
    if isinstance(comptype, ArrayType):
        return (comptype.field.storagetype,)
    raise TypeError(f"{deftype} is no structure or array type")


def packfield(zt: StorageType, val: Any) -> Any:
    """packfield_zt(val): what a field holds of a value; of an i32 the low 8 or 16 bits, where it is packed.

    Spec: exec/runtime#aggregate-instances
    """
    if zt is I8:
        return val & MASK[8]
    return val & MASK[16] if zt is I16 else val


def unpackfield(zt: StorageType, sx: bool | None, field: Any) -> Any:
    """unpackfield_zt^sx(field): the value that is read from a field; an i32, where it is packed.

    Spec: exec/runtime#aggregate-instances
    """
    return extend_s(zsize(zt), 32, field) if sx else field


def zsize(zt: StorageType) -> int:
    """|zt|: the width in bits of a number, vector, or packed type.  Raises TypeError for others.

    Spec: syntax/types#aggregate-types
    """
    if not isinstance(zt, NumType | VecType | PackType):
        raise TypeError(f"{zt} has no width")
    return int(zt.value[1:])


_FORMATS = {8: "B", 16: "H", 32: "I", 64: "Q"}


def fields_of(zt: StorageType, data: bytes) -> Sequence[Any]:
    """concat(zbytes_zt⁻¹): the fields that are stored one behind the other, little-endian, in a whole number of
    |zt|/8 bytes.  Raises TypeError for types that cannot be made of bytes.  Spec: exec/numerics#aux-bytes
    """
    N = zsize(zt)
    n = len(data) * 8 // N
    if zt is F64:
        return unpack(f"<{n}d", data)
    if N == 128:
        return [int.from_bytes(data[i : i + 16], "little") for i in range(0, len(data), 16)]
    fields = unpack(f"<{n}{_FORMATS[N]}", data)
    return [inv_fbits(N, bits) for bits in fields] if zt is F32 else fields
