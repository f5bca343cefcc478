;; A counter as a waPC guest that can be made to trap: HandleRequest adds 1 to the key "churn" and answers with the sum as
;; JSON, in status 200. A request with "/tra" anywhere in it traps before, one with "/lat" after the sum was made.
;; {version} is there so that two versions are two modules.
(module
  (import "wapc" "__guest_request" (func $guest_request (param i32 i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (import "wapc" "__guest_error" (func $guest_error (param i32 i32)))
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "default")
  (data (i32.const 32) "wascc:keyvalue")
  (data (i32.const 48) "Add")
  (data (i32.const 64) "\82\a3key\a5churn\a5value\01")
  (data (i32.const 128) "\84\aastatusCode\cc\c8\a6status\a2OK\a6header\80\a4body\c4")
  (data (i32.const 192) "{\"counter\":")
  (data (i32.const 224) "version {version}")

  ;; Whether four bytes are anywhere in the text of that length at 4096.
  (func $has (param $bytes i32) (param $length i32) (result i32)
    (local $at i32)
    (loop $next
      (if (i32.ge_s (local.get $at) (i32.sub (local.get $length) (i32.const 3))) (then (return (i32.const 0))))
      (if (i32.eq (i32.load align=1 (i32.add (i32.const 4096) (local.get $at))) (local.get $bytes))
        (then (return (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; The positive msgpack integer at that address.
  (func $integer (param $at i32) (result i32)
    (local $kind i32)
    (local.set $kind (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $kind) (i32.const 0x80)) (then (return (local.get $kind))))
    (if (i32.eq (local.get $kind) (i32.const 0xcc))
      (then (return (i32.load8_u offset=1 (local.get $at)))))
    (if (i32.eq (local.get $kind) (i32.const 0xcd))
      (then (return (i32.or
        (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 8))
        (i32.load8_u offset=2 (local.get $at))))))
    (i32.or
      (i32.or
        (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 24))
        (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 16)))
      (i32.or
        (i32.shl (i32.load8_u offset=3 (local.get $at)) (i32.const 8))
        (i32.load8_u offset=4 (local.get $at)))))

  ;; Writes the number in decimal digits so that they end before that address; where they begin.
  (func $decimal (param $number i32) (param $end i32) (result i32)
    (loop $next
      (local.set $end (i32.sub (local.get $end) (i32.const 1)))
      (i32.store8 (local.get $end) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $next (local.get $number)))
    (local.get $end))

  (func (export "__guest_call") (param $operation_length i32) (param $length i32) (result i32)
    (local $begin i32) (local $digits i32)
    (if (i32.gt_u (local.get $length) (i32.const 65536)) (then (unreachable)))
    (call $guest_request (i32.const 1024) (i32.const 4096))
    (if (call $has (i32.const 0x6172742f) (local.get $length)) (then (unreachable))) ;; /tra
    (if (call $host_call
          (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 14) (i32.const 48) (i32.const 3)
          (i32.const 64) (i32.const 18))
      (then)
      (else
        (call $host_error (i32.const 131072))
        (call $guest_error (i32.const 131072) (call $host_error_len))
        (return (i32.const 0))))
    (if (call $has (i32.const 0x74616c2f) (local.get $length)) (then (unreachable))) ;; /lat
    (call $host_response (i32.const 2048))
    ;; The answer is a map of one entry, "value": the number begins behind 7 bytes.
    (local.set $begin (call $decimal (call $integer (i32.const 2055)) (i32.const 3000)))
    (local.set $digits (i32.sub (i32.const 3000) (local.get $begin)))
    (memory.copy (i32.const 3072) (i32.const 128) (i32.const 38))
    (i32.store8 (i32.const 3110) (i32.add (local.get $digits) (i32.const 12)))
    (memory.copy (i32.const 3111) (i32.const 192) (i32.const 11))
    (memory.copy (i32.const 3122) (local.get $begin) (local.get $digits))
    (i32.store8 (i32.add (i32.const 3122) (local.get $digits)) (i32.const 125)) ;; }
    (call $guest_response (i32.const 3072) (i32.add (local.get $digits) (i32.const 51)))
    (i32.const 1)))
