;; AssemblyScript's abort: with strings, with null, and with a string whose length lies, by length of the payload.
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 96) "\04\00\00\00O\00h\00")
  (data (i32.const 196) "\08\00\00\00a\00.\00t\00s\00")
  (data (i32.const 296) "\ff\ff\ff\ff")
  (func (export "__guest_call") (param i32) (param $len i32) (result i32)
    (if (i32.eqz (local.get $len)) (then (call $abort (i32.const 100) (i32.const 200) (i32.const 3) (i32.const 14))))
    (if (i32.eq (local.get $len) (i32.const 1))
      (then (call $abort (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0))))
    (call $abort (i32.const 300) (i32.const 0) (i32.const 0) (i32.const 0))
    (unreachable)))
