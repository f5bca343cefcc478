;; The sum of all elements of A * B for n by n matrices (n at most 64) of f64, A[i][j] = 1 / (i + j + 1) and
;; B[i][j] = i - j + 0.5: floating point, and memory by eight bytes. A is at 0, B at 32768.
(module
  (memory 1)
  (func $fill (param $n i32)
    (local $i i32) (local $j i32) (local $at i32)
    (loop $row
      (local.set $j (i32.const 0))
      (loop $column
        (local.set $at
          (i32.shl (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $j)) (i32.const 3)))
        (f64.store (local.get $at)
          (f64.div
            (f64.const 1)
            (f64.convert_i32_s (i32.add (i32.add (local.get $i) (local.get $j)) (i32.const 1)))))
        (f64.store offset=32768 (local.get $at)
          (f64.add (f64.convert_i32_s (i32.sub (local.get $i) (local.get $j))) (f64.const 0.5)))
        (br_if $column
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $row
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))

  (func $element (param $n i32) (param $i i32) (param $j i32) (result f64)
    (local $k i32) (local $sum f64)
    (loop $next
      (local.set $sum
        (f64.add
          (local.get $sum)
          (f64.mul
            (f64.load
              (i32.shl (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $k)) (i32.const 3)))
            (f64.load offset=32768
              (i32.shl (i32.add (i32.mul (local.get $k) (local.get $n)) (local.get $j)) (i32.const 3))))))
      (br_if $next
        (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n))))
    (local.get $sum))

  (func (export "run") (param $n i32) (result f64)
    (local $i i32) (local $j i32) (local $total f64)
    (call $fill (local.get $n))
    (loop $row
      (local.set $j (i32.const 0))
      (loop $column
        (local.set $total
          (f64.add (local.get $total) (call $element (local.get $n) (local.get $i) (local.get $j))))
        (br_if $column
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $row
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $total)))
