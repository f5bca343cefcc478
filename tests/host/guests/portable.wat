;; What makes a portable provider, with WASI, of the guest in scripted.wat; put in the places that are marked there:
;;   G(etCapabilityDescriptor) answers with the descriptor, which the test writes in
;;   B(indActor)     keeps the payload, and fails if that ends with an exclamation mark
;;   n(umber)        answers with the number of BindActors so far, one byte
;;   b(ound)         answers with the payload of the last BindActor
;;   D(oCustomThing) answers as the provider of the originals' examples does
;;   o(pen)          answers with the content of the file that the payload names, in the first preopened folder
;;   w(rite)         writes `written` to that file
;;   E(nvironment)   answers with the environment
;;   p(rint)         writes the payload to the standard output
;;   x(it)           ends the guest
;;   R(emoveActor)   is a bad dispatch
;; What WASI refuses is answered with one byte, its error number.
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
;; ---
    (if (i32.eq (local.get $letter) (i32.const 71)) ;; G
      (then
        (call $guest_response (i32.const 700000) (i32.const {descriptor_length}))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 66)) ;; B
      (then
        (i32.store8 (i32.const 600000) (i32.add (i32.load8_u (i32.const 600000)) (i32.const 1)))
        (i32.store (i32.const 600004) (local.get $length))
        (memory.copy (i32.const 610000) (i32.const 4096) (local.get $length))
        (if (i32.eq (i32.load8_u (i32.add (i32.const 4095) (local.get $length))) (i32.const 33))
          (then
            (call $guest_error (i32.const 730000) (i32.const 13))
            (return (i32.const 0))))
        (call $guest_response (i32.const 720016) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 82)) ;; R
      (then
        (call $guest_error (i32.const 16) (i32.const 31))
        (return (i32.const 0))))
    (if (i32.eq (local.get $letter) (i32.const 110)) ;; n
      (then
        (call $guest_response (i32.const 600000) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 98)) ;; b
      (then
        (call $guest_response (i32.const 610000) (i32.load (i32.const 600004)))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 68)) ;; D
      (then
        (call $guest_response (i32.const 720000) (i32.const 14))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 111)) ;; o
      (then
        (i32.store8 (i32.const 600016) (call $path_open (i32.const 3) (i32.const 1) (i32.const 4096) (local.get $length)
          (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 600020)))
        (if (i32.load8_u (i32.const 600016))
          (then
            (call $guest_response (i32.const 600016) (i32.const 1))
            (return (i32.const 1))))
        (i32.store (i32.const 600024) (i32.const 620000))
        (i32.store (i32.const 600028) (i32.const 4096))
        (drop (call $fd_read (i32.load (i32.const 600020)) (i32.const 600024) (i32.const 1) (i32.const 600032)))
        (drop (call $fd_close (i32.load (i32.const 600020))))
        (call $guest_response (i32.const 620000) (i32.load (i32.const 600032)))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 119)) ;; w
      (then
        (i32.store8 (i32.const 600016) (call $path_open (i32.const 3) (i32.const 1) (i32.const 4096) (local.get $length)
          (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 600020)))
        (if (i32.eqz (i32.load8_u (i32.const 600016)))
          (then
            (i32.store (i32.const 600024) (i32.const 730016))
            (i32.store (i32.const 600028) (i32.const 7))
            (i32.store8 (i32.const 600016)
              (call $fd_write (i32.load (i32.const 600020)) (i32.const 600024) (i32.const 1) (i32.const 600032)))
            (drop (call $fd_close (i32.load (i32.const 600020))))))
        (call $guest_response (i32.const 600016) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 69)) ;; E
      (then
        (drop (call $environ_sizes_get (i32.const 600020) (i32.const 600024)))
        (drop (call $environ_get (i32.const 630000) (i32.const 640000)))
        (call $guest_response (i32.const 640000) (i32.load (i32.const 600024)))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 112)) ;; p
      (then
        (i32.store (i32.const 600024) (i32.const 4096))
        (i32.store (i32.const 600028) (local.get $length))
        (drop (call $fd_write (i32.const 1) (i32.const 600024) (i32.const 1) (i32.const 600032)))
        (call $guest_response (i32.const 4096) (i32.const 0))
        (return (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 120)) ;; x
      (then (call $proc_exit (i32.const 3))))
;; ---
  (data (i32.const 700000) "{descriptor}")
  (data (i32.const 720000) "\81\abreply_valuex\00\c0")
  (data (i32.const 730000) "it is refused\00\00\00written")
