;; The start function traps.
(module
  (memory (export "memory") 1)
  (func $start (unreachable))
  (start $start)
  (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 0)))
