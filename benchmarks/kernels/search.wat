;; How often "abaab" is in a text of n letters a and b (n from 1 to 65000), looked for at each place: single bytes, and
;; loops that end early. The word is at 0, the text at 8.
(module
  (memory 1)
  (data (i32.const 0) "abaab")

  (func $write (param $n i32)
    (local $i i32) (local $seed i32)
    (local.set $seed (i32.const 1))
    (loop $letter
      (local.set $seed
        (i32.add (i32.mul (local.get $seed) (i32.const 1103515245)) (i32.const 12345)))
      (i32.store8 offset=8 (local.get $i)
        (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $seed) (i32.const 16)) (i32.const 1))))
      (br_if $letter (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))

  (func $starts (param $at i32) (result i32)
    (local $i i32)
    (loop $letter
      (if (i32.ne (i32.load8_u offset=8 (i32.add (local.get $at) (local.get $i))) (i32.load8_u (local.get $i)))
        (then (return (i32.const 0))))
      (br_if $letter (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
    (i32.const 1))

  (func (export "run") (param $n i32) (result i32)
    (local $at i32) (local $count i32)
    (call $write (local.get $n))
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 5)) (local.get $n)))
        (local.set $count (i32.add (local.get $count) (call $starts (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $count)))
