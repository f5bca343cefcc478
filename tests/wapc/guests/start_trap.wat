;; wapc_init sets an error text, then traps.
(module
  (import "wapc" "__guest_error" (func $guest_error (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "no configuration")
  (func (export "wapc_init") (call $guest_error (i32.const 0) (i32.const 16)) (unreachable))
  (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 0)))
