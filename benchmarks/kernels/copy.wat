;; Writes the i64 words 0 to n - 1 (n at most 4096), each multiplied by 0x9e3779b97f4a7c15, copies them word by word,
;; and gives the sum of the copy: loads and stores. The words are at 0, the copy at 32768.
(module
  (memory 1)
  (func (export "run") (param $n i32) (result i64)
    (local $at i32) (local $end i32) (local $sum i64)
    (local.set $end (i32.shl (local.get $n) (i32.const 3)))
    (loop $write
      (i64.store (local.get $at)
        (i64.mul
          (i64.extend_i32_u (i32.shr_u (local.get $at) (i32.const 3)))
          (i64.const 0x9e3779b97f4a7c15)))
      (br_if $write (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
    (local.set $at (i32.const 0))
    (loop $copy
      (i64.store offset=32768 (local.get $at) (i64.load (local.get $at)))
      (br_if $copy (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
    (local.set $at (i32.const 0))
    (loop $add
      (local.set $sum (i64.add (local.get $sum) (i64.load offset=32768 (local.get $at))))
      (br_if $add (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
    (local.get $sum)))
