;; Ackermann's function of 2 and n: calls inside calls, up to 2 n + 4 deep.
(module
  (func $ackermann (param $m i32) (param $n i32) (result i32)
    (if (i32.eqz (local.get $m)) (then (return (i32.add (local.get $n) (i32.const 1)))))
    (if (i32.eqz (local.get $n))
      (then (return (call $ackermann (i32.sub (local.get $m) (i32.const 1)) (i32.const 1)))))
    (call $ackermann
      (i32.sub (local.get $m) (i32.const 1))
      (call $ackermann (local.get $m) (i32.sub (local.get $n) (i32.const 1)))))

  (func (export "run") (param $n i32) (result i32)
    (call $ackermann (i32.const 2) (local.get $n))))
