;; Counts its calls; leaves through WASI proc_exit when the operation has a length of 4.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation_len i32) (param i32) (result i32)
    (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
    (if (i32.eq (local.get $operation_len) (i32.const 4)) (then (call $proc_exit (i32.const 7))))
    (call $guest_response (i32.const 0) (i32.const 1))
    (i32.const 1)))
