;; Exports with the starters' names but other types, which are no starters.
(module
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "_start") (param i32) (unreachable))
  (func (export "wapc_init") (result i32) (unreachable))
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $guest_response (i32.const 1) (i32.const 0))
    (i32.const 1)))
