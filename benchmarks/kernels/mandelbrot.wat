;; How many steps, at most 50 for each, the points of an n by n grid (n at most 1000) over the Mandelbrot set take to
;; get away: floating point of 32 bits, and branches that depend on it. The grid begins at -2 - 1.25 i and is 2.5 wide.
(module
  (func $steps (param $a f32) (param $b f32) (result i32)
    (local $x f32) (local $y f32) (local $xx f32) (local $yy f32) (local $count i32)
    (block $away
      (loop $next
        (local.set $xx (f32.mul (local.get $x) (local.get $x)))
        (local.set $yy (f32.mul (local.get $y) (local.get $y)))
        (br_if $away (f32.gt (f32.add (local.get $xx) (local.get $yy)) (f32.const 4)))
        (local.set $y
          (f32.add (f32.mul (f32.mul (local.get $x) (f32.const 2)) (local.get $y)) (local.get $b)))
        (local.set $x (f32.add (f32.sub (local.get $xx) (local.get $yy)) (local.get $a)))
        (br_if $next
          (i32.lt_u (local.tee $count (i32.add (local.get $count) (i32.const 1))) (i32.const 50)))))
    (local.get $count))

  (func $place (param $i i32) (param $n i32) (result f32)
    (f32.div (f32.mul (f32.convert_i32_u (local.get $i)) (f32.const 2.5)) (f32.convert_i32_u (local.get $n))))

  (func (export "run") (param $n i32) (result i32)
    (local $row i32) (local $column i32) (local $total i32)
    (loop $rows
      (local.set $column (i32.const 0))
      (loop $columns
        (local.set $total
          (i32.add
            (local.get $total)
            (call $steps
              (f32.sub (call $place (local.get $column) (local.get $n)) (f32.const 2))
              (f32.sub (call $place (local.get $row) (local.get $n)) (f32.const 1.25)))))
        (br_if $columns
          (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 1))) (local.get $n))))
      (br_if $rows
        (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $n))))
    (local.get $total)))
