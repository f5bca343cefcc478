(module
  (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))
