;; Sorts n numbers (n at most 16384) of a linear congruential generator with quicksort, and gives the sum of each times
;; its place, from 1 on: comparisons that nobody can foresee, memory by four bytes, and recursion.
(module
  (memory 1)
  (global $seed (mut i32) (i32.const 0))

  (func $random (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (global.get $seed))

  ;; Sorts the numbers from the address $first to $last, both included.
  (func $sort (param $first i32) (param $last i32)
    (local $low i32) (local $high i32) (local $pivot i32) (local $number i32)
    (if (i32.ge_s (local.get $first) (local.get $last)) (then (return)))
    (local.set $low (local.get $first))
    (local.set $high (local.get $last))
    (local.set $pivot
      (i32.load
        (i32.and (i32.shr_u (i32.add (local.get $first) (local.get $last)) (i32.const 1)) (i32.const -4))))
    (loop $swap
      (block $found
        (loop $up
          (br_if $found (i32.ge_s (i32.load (local.get $low)) (local.get $pivot)))
          (local.set $low (i32.add (local.get $low) (i32.const 4)))
          (br $up)))
      (block $found
        (loop $down
          (br_if $found (i32.le_s (i32.load (local.get $high)) (local.get $pivot)))
          (local.set $high (i32.sub (local.get $high) (i32.const 4)))
          (br $down)))
      (if (i32.le_s (local.get $low) (local.get $high))
        (then
          (local.set $number (i32.load (local.get $low)))
          (i32.store (local.get $low) (i32.load (local.get $high)))
          (i32.store (local.get $high) (local.get $number))
          (local.set $low (i32.add (local.get $low) (i32.const 4)))
          (local.set $high (i32.sub (local.get $high) (i32.const 4)))))
      (br_if $swap (i32.le_s (local.get $low) (local.get $high))))
    (call $sort (local.get $first) (local.get $high))
    (call $sort (local.get $low) (local.get $last)))

  (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $sum i32)
    (global.set $seed (i32.const 42))
    (loop $write
      (i32.store (i32.shl (local.get $i) (i32.const 2)) (call $random))
      (br_if $write (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (call $sort (i32.const 0) (i32.shl (i32.sub (local.get $n) (i32.const 1)) (i32.const 2)))
    (local.set $i (i32.const 0))
    (loop $add
      (local.set $sum
        (i32.add
          (local.get $sum)
          (i32.mul
            (i32.load (i32.shl (local.get $i) (i32.const 2)))
            (i32.add (local.get $i) (i32.const 1)))))
      (br_if $add (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)))
