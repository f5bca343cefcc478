;; Builds a binary tree of depth n (at most 15) and adds up the values of its nodes: memory that is allocated, and
;; pointers that are followed. The i-th node that was made has the value i * 0x9e3779b97f4a7c15.
;;
;; A node has 16 bytes: left and right (0 for none), and value. The memory begins empty and grows when a node does not
;; fit, which only the first tree of an instance can bring about; each run gives up all nodes of the one before.
(module
  (memory 0 32)
  (global $free (mut i32) (i32.const 16))

  (func $allocate (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.const 16)))
    (if (i32.gt_u (global.get $free) (i32.shl (memory.size) (i32.const 16)))
      (then (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))))
    (local.get $at))

  (func $build (param $depth i32) (result i32)
    (local $at i32)
    (local.set $at (call $allocate))
    (i64.store offset=8 (local.get $at)
      (i64.mul
        (i64.extend_i32_u (i32.shr_u (local.get $at) (i32.const 4)))
        (i64.const 0x9e3779b97f4a7c15)))
    (if (local.get $depth)
      (then
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (i32.store (local.get $at) (call $build (local.get $depth)))
        (i32.store offset=4 (local.get $at) (call $build (local.get $depth))))
      (else (i64.store (local.get $at) (i64.const 0))))
    (local.get $at))

  (func $sum (param $at i32) (result i64)
    (if (result i64) (i32.load (local.get $at))
      (then
        (i64.add
          (i64.add (call $sum (i32.load (local.get $at))) (i64.load offset=8 (local.get $at)))
          (call $sum (i32.load offset=4 (local.get $at)))))
      (else (i64.load offset=8 (local.get $at)))))

  (func (export "run") (param $n i32) (result i64)
    (global.set $free (i32.const 16))
    (call $sum (call $build (local.get $n)))))
