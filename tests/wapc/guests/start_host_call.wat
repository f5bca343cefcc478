;; wapc_init makes a host call and keeps its response, which is then the answer to every call.
(module
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__guest_request" (func $guest_request (param i32 i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "init")
  (global $len (mut i32) (i32.const 0))
  (func (export "wapc_init")
    (call $guest_request (i32.const 0) (i32.const 0))  ;; no request is pending: nothing happens
    (drop (call $host_call (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 4)
                           (i32.const 1) (i32.const 0)))
    (global.set $len (call $host_response_len))
    (call $host_response (i32.const 64)))
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $guest_response (i32.const 64) (global.get $len))
    (i32.const 1)))
