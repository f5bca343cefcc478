;; A waPC guest that hands calls on: the operation `wascc:keyvalue/Get` calls Get of wascc:keyvalue with the payload and
;; answers with what comes back; `store/wascc:keyvalue/Get` does so by the binding `store`. An operation without a
;; slash, such as one by which a provider delivers something, is logged and answered with nothing.
(module
  (import "wapc" "__guest_request" (func $guest_request (param i32 i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (import "wapc" "__guest_error" (func $guest_error (param i32 i32)))
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $console_log (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "default")
  (data (i32.const 16) "got ")

  ;; The operation stands at 20, behind "got "; the payload behind it.
  (global $operation i32 (i32.const 20))

  ;; Where the first slash is from $from on and before $end; $end if there is none.
  (func $slash (param $from i32) (param $end i32) (result i32)
    (block $found
      (loop $next
        (br_if $found (i32.ge_u (local.get $from) (local.get $end)))
        (br_if $found (i32.eq (i32.load8_u (local.get $from)) (i32.const 47)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next)))
    (local.get $from))

  ;; Makes room up to $end, and traps where there is none.
  (func $reserve (param $end i32)
    (local $pages i32)
    (local.set $pages (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1)))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then
        (if (i32.eq (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const -1))
          (then unreachable)))))

  (func (export "__guest_call") (param $operation_length i32) (param $payload_length i32) (result i32)
    (local $payload i32) (local $first i32) (local $second i32) (local $length i32)
    (local $binding i32) (local $binding_length i32) (local $namespace i32)
    (local.set $payload (i32.add (global.get $operation) (local.get $operation_length)))
    (call $reserve (i32.add (local.get $payload) (local.get $payload_length)))
    (call $guest_request (global.get $operation) (local.get $payload))
    (local.set $first (call $slash (global.get $operation) (local.get $payload)))
    (if (i32.eq (local.get $first) (local.get $payload))
      (then
        (call $console_log (i32.const 16) (i32.add (local.get $operation_length) (i32.const 4)))
        (call $guest_response (i32.const 0) (i32.const 0))
        (return (i32.const 1))))
    (local.set $binding_length (i32.const 7))
    (local.set $namespace (global.get $operation))
    (local.set $second (call $slash (i32.add (local.get $first) (i32.const 1)) (local.get $payload)))
    (if (i32.ne (local.get $second) (local.get $payload))
      (then
        (local.set $binding (global.get $operation))
        (local.set $binding_length (i32.sub (local.get $first) (global.get $operation)))
        (local.set $namespace (i32.add (local.get $first) (i32.const 1)))
        (local.set $first (local.get $second))))
    (if (result i32)
      (call $host_call
        (local.get $binding) (local.get $binding_length)
        (local.get $namespace) (i32.sub (local.get $first) (local.get $namespace))
        (i32.add (local.get $first) (i32.const 1))
        (i32.sub (i32.sub (local.get $payload) (local.get $first)) (i32.const 1))
        (local.get $payload) (local.get $payload_length))
      (then
        (local.set $length (call $host_response_len))
        (call $reserve (i32.add (local.get $payload) (local.get $length)))
        (call $host_response (local.get $payload))
        (call $guest_response (local.get $payload) (local.get $length))
        (i32.const 1))
      (else
        (local.set $length (call $host_error_len))
        (call $reserve (i32.add (local.get $payload) (local.get $length)))
        (call $host_error (local.get $payload))
        (call $guest_error (local.get $payload) (local.get $length))
        (i32.const 0)))))
