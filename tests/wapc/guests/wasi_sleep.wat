;; Sleeps for as many nanoseconds as its operation has bytes, times 2**20.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation_len i32) (param i32) (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.shl (i64.extend_i32_u (local.get $operation_len)) (i64.const 20)))
    (if (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)) (then (unreachable)))
    (call $guest_response (i32.const 1) (i32.const 0))
    (i32.const 1)))
