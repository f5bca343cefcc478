;; A trap and a call of the host, for docs/study.md.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")

  (func $ratio (export "ratio") (param $part i32) (param $whole i32) (result i32)
    (i32.div_u (i32.mul (local.get $part) (i32.const 100)) (local.get $whole)))

  (func $greet (export "greet") (result i32)
    (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
