;; A waPC guest that does what the first letter of the operation says:
;;   e(cho)     answers with the payload
;;   f(ail)     fails with the payload as its error text
;;   t(rap)     traps
;;   s(pin)     never ends by itself
;;   c(ount)    answers with the number of such calls so far, one byte
;;   v(ersion)  answers with its version, which the test writes in
;;   l(og)      logs the payload and answers with nothing
;;   h(ost)     makes the host calls that the payload lists and answers with the last response, or fails with the first
;;              host error; each call is binding, namespace, operation and payload, each with its length before it (two
;;              bytes, low byte first)
;;   D(eliverMessage) keeps the payload
;;   r(ecall)   answers with the payload that was kept last
;;   R(eceive…), S(ession…) keep the payload and answer with nothing
;;   g(ot)      answers with all payloads kept so far, each with its length before it (four bytes, low byte first), and
;;              forgets them
;; Any other operation is a bad dispatch. What portable.wat adds goes where the braces are.
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
  ;; {imports}
  (memory (export "memory") 16)
  ;; {data}
  (data (i32.const 16) "Guest call failed: bad dispatch")
  (data (i32.const 64) "{version}")
  (global $count (mut i32) (i32.const 0))
  (global $next (mut i32) (i32.const 0))
  (global $kept (mut i32) (i32.const 0))
  (global $heap (mut i32) (i32.const 786432))

  ;; Reads a length at $next, moves $next behind the text, and returns where the text begins.
  (func $take (result i32)
    (local $start i32)
    (local.set $start (i32.add (global.get $next) (i32.const 2)))
    (global.set $next (i32.add (local.get $start) (i32.load16_u (global.get $next))))
    (local.get $start))
  (func $length (param $start i32) (result i32)
    (i32.load16_u (i32.sub (local.get $start) (i32.const 2))))

  (func $host_calls (param $end i32) (result i32)
    (local $binding i32) (local $namespace i32) (local $operation i32) (local $payload i32)
    (global.set $next (i32.const 4096))
    (loop $more
      (if (i32.lt_u (global.get $next) (local.get $end))
        (then
          (local.set $binding (call $take))
          (local.set $namespace (call $take))
          (local.set $operation (call $take))
          (local.set $payload (call $take))
          (if (i32.eqz (call $host_call
                (local.get $binding) (call $length (local.get $binding))
                (local.get $namespace) (call $length (local.get $namespace))
                (local.get $operation) (call $length (local.get $operation))
                (local.get $payload) (call $length (local.get $payload))))
            (then
              (call $host_error (i32.const 524288))
              (call $guest_error (i32.const 524288) (call $host_error_len))
              (return (i32.const 0))))
          (br $more))))
    (call $host_response (i32.const 524288))
    (call $guest_response (i32.const 524288) (call $host_response_len))
    (i32.const 1))

  (func (export "__guest_call") (param $operation_length i32) (param $length i32) (result i32)
    (local $letter i32)
    (call $guest_request (i32.const 1024) (i32.const 4096))
    (local.set $letter (i32.load8_u (i32.const 1024)))
    ;; {operations}
    (if (i32.eq (local.get $letter) (i32.const 101)) ;; e
      (then
        (call $guest_response (i32.const 4096) (local.get $length))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 102)) ;; f
      (then
        (call $guest_error (i32.const 4096) (local.get $length))
        (return (i32.const 0))))
    (if (i32.eq (local.get $letter) (i32.const 116)) ;; t
      (then (unreachable)))
    (if (i32.eq (local.get $letter) (i32.const 115)) ;; s
      (then (loop $for_ever (br $for_ever))))
    (if (i32.eq (local.get $letter) (i32.const 99)) ;; c
      (then
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (i32.const 4096) (global.get $count))
        (call $guest_response (i32.const 4096) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 118)) ;; v
      (then
        (call $guest_response (i32.const 64) (i32.const {version_length}))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 108)) ;; l
      (then
        (call $console_log (i32.const 4096) (local.get $length))
        (call $guest_response (i32.const 4096) (i32.const 0))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 68)) ;; D
      (then
        (memory.copy (i32.const 262144) (i32.const 4096) (local.get $length))
        (global.set $kept (local.get $length))
        (call $guest_response (i32.const 4096) (i32.const 0))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 114)) ;; r
      (then
        (call $guest_response (i32.const 262144) (global.get $kept))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 104)) ;; h
      (then (return (call $host_calls (i32.add (i32.const 4096) (local.get $length))))))
    (if (i32.le_u (i32.sub (local.get $letter) (i32.const 82)) (i32.const 1)) ;; R, S
      (then
        (i32.store (global.get $heap) (local.get $length))
        (memory.copy (i32.add (global.get $heap) (i32.const 4)) (i32.const 4096) (local.get $length))
        (global.set $heap (i32.add (global.get $heap) (i32.add (local.get $length) (i32.const 4))))
        (call $guest_response (i32.const 4096) (i32.const 0))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 103)) ;; g
      (then
        (call $guest_response (i32.const 786432) (i32.sub (global.get $heap) (i32.const 786432)))
        (global.set $heap (i32.const 786432))
        (return (i32.const 1))))
    (call $guest_error (i32.const 16) (i32.const 31))
    (i32.const 0))
)
