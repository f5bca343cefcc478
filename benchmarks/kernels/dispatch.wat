;; A number that goes n times through one of eight functions, which its lowest bits choose in a table: indirect calls,
;; and integer operators that other kernels do without.
(module
  (type $step (func (param i32) (result i32)))
  (table 8 8 funcref)
  (elem (i32.const 0) $multiply $rotate $count $negate $divide $shift $choose $extend)

  (func $multiply (param $x i32) (result i32)
    (i32.add (i32.mul (local.get $x) (i32.const 69069)) (i32.const 1)))
  (func $rotate (param $x i32) (result i32)
    (i32.rotl (i32.xor (local.get $x) (i32.const 0x55555555)) (i32.clz (local.get $x))))
  (func $count (param $x i32) (result i32)
    (i32.add (i32.rotr (local.get $x) (i32.const 5)) (i32.popcnt (local.get $x))))
  (func $negate (param $x i32) (result i32)
    (i32.sub (i32.const 0x12345678) (local.get $x)))
  (func $divide (param $x i32) (result i32)
    (i32.xor
      (i32.mul (i32.div_u (local.get $x) (i32.const 10)) (i32.const 7919))
      (i32.rem_u (local.get $x) (i32.const 10))))
  (func $shift (param $x i32) (result i32)
    (i32.xor (i32.shl (local.get $x) (i32.const 13)) (i32.shr_u (local.get $x) (i32.const 17))))
  (func $choose (param $x i32) (result i32)
    (select
      (i32.or (local.get $x) (i32.const 0x01000001))
      (i32.add (local.get $x) (i32.const 0x7fffffff))
      (i32.lt_s (local.get $x) (i32.const 0))))
  (func $extend (param $x i32) (result i32)
    (i32.wrap_i64
      (i64.shr_s
        (i64.mul (i64.extend_i32_s (local.get $x)) (i64.const 0x5851f42d4c957f2d))
        (i64.const 30))))

  (func (export "run") (param $n i32) (result i32)
    (local $x i32)
    (local.set $x (i32.const 1))
    (loop $next
      (local.set $x
        (i32.add
          (call_indirect (type $step) (local.get $x) (i32.and (local.get $x) (i32.const 7)))
          (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x)))
