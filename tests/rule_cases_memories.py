"""Cases of the reduction rules of memory instructions."""

from __future__ import annotations

from rule_cases import Case, returns, traps

MEMORY = "(memory 1)"
DATA = '(data $d "\\05")'
ZERO = "(v128.const i64x2 0 0)"
VECTOR = "(v128.const i32x4 1 2 3 4)"

MEMORY_NUMBERS: tuple[Case, ...] = (
    traps(
        "load-num-oob", "(result i32) (i32.load (i32.const 65533))", "(i32.const 65533) i32.load ↪ trap", fields=MEMORY
    ),
    returns(
        "load-num-val",
        "(result i32) (i32.load offset=1 (i32.const 0))",
        "(i32.const 0) (i32.load offset=1) ↪ (i32.const 5)",
        fields=f'{MEMORY} (data (i32.const 0) "\\00\\05")',
    ),
    traps(
        "load-pack-oob",
        "(result i32) (i32.load8_s (i32.const 65536))",
        "(i32.const 65536) i32.load8_s ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "load-pack-val",
        "(result i32) (i32.load8_s (i32.const 0))",
        "(i32.const 0) i32.load8_s ↪ (i32.const -1)",
        fields=f'{MEMORY} (data (i32.const 0) "\\ff")',
    ),
    traps(
        "store-num-oob",
        "(i32.store offset=1 (i32.const 0xffff_ffff) (i32.const 5))",
        "(i32.const -1) (i32.const 5) (i32.store offset=1) ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "store-num-val",
        "(i32.store (i32.const 0) (i32.const 5))",
        "(i32.const 0) (i32.const 5) i32.store ↪ ε",
        fields=MEMORY,
    ),
    traps(
        "store-pack-oob",
        "(i64.store32 (i32.const 65533) (i64.const 5))",
        "(i32.const 65533) (i64.const 5) i64.store32 ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "store-pack-val",
        "(i64.store32 (i32.const 0) (i64.const -1))",
        "(i32.const 0) (i64.const -1) i64.store32 ↪ ε",
        fields=MEMORY,
    ),
)
"""Memory instructions: numbers."""

MEMORY_VECTORS: tuple[Case, ...] = (
    traps(
        "vload-oob", "(result v128) (v128.load (i32.const 65521))", "(i32.const 65521) v128.load ↪ trap", fields=MEMORY
    ),
    returns(
        "vload-val",
        "(result v128) (v128.load (i32.const 0))",
        "(i32.const 0) v128.load ↪ (v128.const i32x4 0x00000001 0x00000000 0x00000000 0x00000000)",
        fields=f'{MEMORY} (data (i32.const 0) "\\01")',
    ),
    traps(
        "vload-pack-oob",
        "(result v128) (v128.load8x8_s (i32.const 65529))",
        "(i32.const 65529) v128.load8x8_s ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "vload-pack-val",
        "(result v128) (v128.load8x8_s (i32.const 0))",
        "(i32.const 0) v128.load8x8_s ↪ (v128.const i32x4 0x0001ffff 0x00000000 0x00000000 0x00000000)",
        fields=f'{MEMORY} (data (i32.const 0) "\\ff\\01")',
    ),
    traps(
        "vload-splat-oob",
        "(result v128) (v128.load32_splat (i32.const 65533))",
        "(i32.const 65533) v128.load32_splat ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "vload-splat-val",
        "(result v128) (v128.load32_splat (i32.const 0))",
        "(i32.const 0) v128.load32_splat ↪ (v128.const i32x4 0x00000001 0x00000001 0x00000001 0x00000001)",
        fields=f'{MEMORY} (data (i32.const 0) "\\01")',
    ),
    traps(
        "vload-zero-oob",
        "(result v128) (v128.load32_zero (i32.const 65533))",
        "(i32.const 65533) v128.load32_zero ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "vload-zero-val",
        "(result v128) (v128.load32_zero (i32.const 0))",
        "(i32.const 0) v128.load32_zero ↪ (v128.const i32x4 0x00000001 0x00000000 0x00000000 0x00000000)",
        fields=f'{MEMORY} (data (i32.const 0) "\\01")',
    ),
    traps(
        "vload_lane-oob",
        f"(result v128) (v128.load32_lane 1 (i32.const 65533) {ZERO})",
        (
            "(i32.const 65533) (v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000) "
            "(v128.load32_lane 1) "
            "↪ trap"
        ),
        fields=MEMORY,
    ),
    returns(
        "vload_lane-val",
        f"(result v128) (v128.load32_lane 1 (i32.const 0) {ZERO})",
        (
            "(i32.const 0) (v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000) (v128.load32_lane 1) "
            "↪ (v128.const i32x4 0x00000000 0x00000001 0x00000000 0x00000000)"
        ),
        fields=f'{MEMORY} (data (i32.const 0) "\\01")',
    ),
    traps(
        "vstore-oob",
        f"(v128.store (i32.const 65521) {ZERO})",
        "(i32.const 65521) (v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000) v128.store ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "vstore-val",
        f"(v128.store (i32.const 0) {VECTOR})",
        "(i32.const 0) (v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) v128.store ↪ ε",
        fields=MEMORY,
    ),
    traps(
        "vstore_lane-oob",
        f"(v128.store32_lane 1 (i32.const 65533) {VECTOR})",
        (
            "(i32.const 65533) (v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) "
            "(v128.store32_lane 1) "
            "↪ trap"
        ),
        fields=MEMORY,
    ),
    returns(
        "vstore_lane-val",
        f"(v128.store32_lane 1 (i32.const 65532) {VECTOR})",
        ("(i32.const 65532) (v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004) (v128.store32_lane 1) ↪ ε"),
        fields=MEMORY,
    ),
)
"""Memory instructions: vectors."""

MEMORY_SIZES_AND_RANGES: tuple[Case, ...] = (
    returns("memory.size", "(result i32) (memory.size)", "memory.size ↪ (i32.const 1)", fields=MEMORY),
    returns("memory.size", "(result i64) (memory.size)", "memory.size ↪ (i64.const 1)", fields="(memory i64 1)"),
    returns(
        "memory.grow-succeed",
        "(result i32) (memory.grow (i32.const 1))",
        "(i32.const 1) memory.grow ↪ (i32.const 1)",
        fields=MEMORY,
    ),
    returns(
        "memory.grow-fail",
        "(result i32) (memory.grow (i32.const 1))",
        "(i32.const 1) memory.grow ↪ (i32.const -1)",
        fields="(memory 1 1)",
    ),
    returns(
        "memory.grow-fail",
        "(result i64) (memory.grow (i64.const 1))",
        "(i64.const 1) memory.grow ↪ (i64.const -1)",
        fields="(memory i64 1 1)",
    ),
    traps(
        "memory.fill-oob",
        "(memory.fill (i32.const 65537) (i32.const 5) (i32.const 0))",
        "(i32.const 65537) (i32.const 5) (i32.const 0) memory.fill ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "memory.fill-zero",
        "(memory.fill (i32.const 65536) (i32.const 5) (i32.const 0))",
        "(i32.const 65536) (i32.const 5) (i32.const 0) memory.fill ↪ ε",
        fields=MEMORY,
    ),
    returns(
        "memory.fill-succ",
        "(memory.fill (i32.const 65535) (i32.const 5) (i32.const 1))",
        (
            "(i32.const 65535) (i32.const 5) (i32.const 1) memory.fill "
            "↪ (i32.const 65535) (i32.const 5) i32.store8 (i32.const 65536) (i32.const 5) (i32.const 0) "
            "memory.fill"
        ),
        run="memory.fill-succ store-pack-val memory.fill-zero",
        fields=MEMORY,
    ),
    returns(
        "memory.fill-succ",
        "(memory.fill (i64.const 0) (i32.const 5) (i64.const 1))",
        (
            "(i64.const 0) (i32.const 5) (i64.const 1) memory.fill "
            "↪ (i64.const 0) (i32.const 5) i32.store8 (i64.const 1) (i32.const 5) (i64.const 0) memory.fill"
        ),
        run="memory.fill-succ store-pack-val memory.fill-zero",
        fields="(memory i64 1)",
    ),
    traps(
        "memory.copy-oob",
        "(memory.copy (i32.const 0) (i32.const 65537) (i32.const 0))",
        "(i32.const 0) (i32.const 65537) (i32.const 0) memory.copy ↪ trap",
        fields=MEMORY,
    ),
    returns(
        "memory.copy-zero",
        "(memory.copy (i32.const 0) (i32.const 65536) (i32.const 0))",
        "(i32.const 0) (i32.const 65536) (i32.const 0) memory.copy ↪ ε",
        fields=MEMORY,
    ),
    returns(
        "memory.copy-le",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 1))",
        (
            "(i32.const 0) (i32.const 1) (i32.const 1) memory.copy "
            "↪ (i32.const 0) (i32.const 1) i32.load8_u i32.store8 (i32.const 1) (i32.const 2) (i32.const 0) "
            "memory.copy"
        ),
        run="memory.copy-le load-pack-val store-pack-val memory.copy-zero",
        fields=MEMORY,
    ),
    returns(
        "memory.copy-le",
        "(memory.copy $m $n (i32.const 0) (i64.const 0) (i32.const 1))",
        (
            "(i32.const 0) (i64.const 0) (i32.const 1) (memory.copy 1 2) "
            "↪ (i32.const 0) (i64.const 0) (i32.load8_u 2) (i32.store8 1) (i32.const 1) (i64.const 1) "
            "(i32.const 0) (memory.copy 1 2)"
        ),
        run="memory.copy-le load-pack-val store-pack-val memory.copy-zero",
        fields="(memory 0) (memory $m 1) (memory $n i64 1)",
    ),
    returns(
        "memory.copy-gt",
        "(memory.copy (i32.const 1) (i32.const 0) (i32.const 2))",
        (
            "(i32.const 1) (i32.const 0) (i32.const 2) memory.copy "
            "↪ (i32.const 2) (i32.const 1) i32.load8_u i32.store8 (i32.const 1) (i32.const 0) (i32.const 1) "
            "memory.copy"
        ),
        run=(
            "memory.copy-gt load-pack-val store-pack-val memory.copy-gt load-pack-val store-pack-val memory.copy-zero"
        ),
        fields=MEMORY,
    ),
    traps(
        "memory.init-oob",
        "(memory.init $d (i32.const 0) (i32.const 2) (i32.const 0))",
        "(i32.const 0) (i32.const 2) (i32.const 0) (memory.init 0) ↪ trap",
        fields=f"{MEMORY} {DATA}",
    ),
    returns(
        "memory.init-zero",
        "(memory.init $d (i32.const 0) (i32.const 1) (i32.const 0))",
        "(i32.const 0) (i32.const 1) (i32.const 0) (memory.init 0) ↪ ε",
        fields=f"{MEMORY} {DATA}",
    ),
    returns(
        "memory.init-succ",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))",
        (
            "(i32.const 0) (i32.const 0) (i32.const 1) (memory.init 0) "
            "↪ (i32.const 0) (i32.const 5) i32.store8 (i32.const 1) (i32.const 1) (i32.const 0) (memory.init 0)"
        ),
        run="memory.init-succ store-pack-val memory.init-zero",
        fields=f"{MEMORY} {DATA}",
    ),
    returns(
        "memory.init-succ",
        "(memory.init $m $d (i64.const 0) (i32.const 0) (i32.const 1))",
        (
            "(i64.const 0) (i32.const 0) (i32.const 1) (memory.init 1 0) "
            "↪ (i64.const 0) (i32.const 5) (i32.store8 1) (i64.const 1) (i32.const 1) (i32.const 0) "
            "(memory.init 1 0)"
        ),
        run="memory.init-succ store-pack-val memory.init-zero",
        fields=f"{MEMORY} (memory $m i64 1) {DATA}",
    ),
    returns("data.drop", "(data.drop $d)", "(data.drop 0) ↪ ε", fields=DATA),
)
"""Memory instructions: sizes and ranges."""

CASES = (*MEMORY_NUMBERS, *MEMORY_VECTORS, *MEMORY_SIZES_AND_RANGES)
