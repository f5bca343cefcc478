;; The energy of the Sun and its four giant planets after n steps of a hundredth of a day each: floating point, and
;; memory by constant offsets. A body has 56 bytes: place x, y, z, velocity x, y, z, mass.
(module
  (memory 1)
  (func $body
    (param $at i32) (param $x f64) (param $y f64) (param $z f64)
    (param $vx f64) (param $vy f64) (param $vz f64) (param $mass f64)
    (f64.store (local.get $at) (local.get $x))
    (f64.store offset=8 (local.get $at) (local.get $y))
    (f64.store offset=16 (local.get $at) (local.get $z))
    (f64.store offset=24 (local.get $at) (f64.mul (local.get $vx) (f64.const 365.24)))
    (f64.store offset=32 (local.get $at) (f64.mul (local.get $vy) (f64.const 365.24)))
    (f64.store offset=40 (local.get $at) (f64.mul (local.get $vz) (f64.const 365.24)))
    (f64.store offset=48 (local.get $at) (f64.mul (local.get $mass) (f64.const 39.47841760435743))))

  (func $begin
    (call $body (i32.const 0)
      (f64.const 0) (f64.const 0) (f64.const 0) (f64.const 0) (f64.const 0) (f64.const 0) (f64.const 1))
    (call $body (i32.const 56)
      (f64.const 4.84143144246472090) (f64.const -1.16032004402742839) (f64.const -0.103622044471123109)
      (f64.const 0.00166007664274403694) (f64.const 0.00769901118419740425) (f64.const -0.0000690460016972063023)
      (f64.const 0.000954791938424326609))
    (call $body (i32.const 112)
      (f64.const 8.34336671824457987) (f64.const 4.12479856412430479) (f64.const -0.403523417114321381)
      (f64.const -0.00276742510726411899) (f64.const 0.00499852801234917238) (f64.const 0.0000230417297573763929)
      (f64.const 0.000285885980666130812))
    (call $body (i32.const 168)
      (f64.const 12.8943695621391310) (f64.const -15.1111514016986312) (f64.const -0.223307578892655734)
      (f64.const 0.00296460137564761618) (f64.const 0.00237847173959480950) (f64.const -0.0000296589568540237556)
      (f64.const 0.0000436624404335156298))
    (call $body (i32.const 224)
      (f64.const 15.3796971148509165) (f64.const -25.9193146099879641) (f64.const 0.179258772950371181)
      (f64.const 0.00268067772490389322) (f64.const 0.00162824170038242295) (f64.const -0.0000951592254519715870)
      (f64.const 0.0000515138902046611451)))

  ;; The Sun moves so that the whole system does not.
  (func $rest
    (local $at i32) (local $x f64) (local $y f64) (local $z f64) (local $mass f64)
    (local.set $at (i32.const 56))
    (loop $planet
      (local.set $mass (f64.load offset=48 (local.get $at)))
      (local.set $x (f64.add (local.get $x) (f64.mul (f64.load offset=24 (local.get $at)) (local.get $mass))))
      (local.set $y (f64.add (local.get $y) (f64.mul (f64.load offset=32 (local.get $at)) (local.get $mass))))
      (local.set $z (f64.add (local.get $z) (f64.mul (f64.load offset=40 (local.get $at)) (local.get $mass))))
      (br_if $planet
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 56))) (i32.const 280))))
    (local.set $mass (f64.load offset=48 (i32.const 0)))
    (f64.store offset=24 (i32.const 0) (f64.neg (f64.div (local.get $x) (local.get $mass))))
    (f64.store offset=32 (i32.const 0) (f64.neg (f64.div (local.get $y) (local.get $mass))))
    (f64.store offset=40 (i32.const 0) (f64.neg (f64.div (local.get $z) (local.get $mass)))))

  ;; The velocity of the body at $at changes by the vector times $by.
  (func $pull (param $at i32) (param $x f64) (param $y f64) (param $z f64) (param $by f64)
    (f64.store offset=24 (local.get $at)
      (f64.add (f64.load offset=24 (local.get $at)) (f64.mul (local.get $x) (local.get $by))))
    (f64.store offset=32 (local.get $at)
      (f64.add (f64.load offset=32 (local.get $at)) (f64.mul (local.get $y) (local.get $by))))
    (f64.store offset=40 (local.get $at)
      (f64.add (f64.load offset=40 (local.get $at)) (f64.mul (local.get $z) (local.get $by)))))

  (func $attract (param $a i32) (param $b i32)
    (local $x f64) (local $y f64) (local $z f64) (local $square f64) (local $by f64)
    (local.set $x (f64.sub (f64.load (local.get $a)) (f64.load (local.get $b))))
    (local.set $y (f64.sub (f64.load offset=8 (local.get $a)) (f64.load offset=8 (local.get $b))))
    (local.set $z (f64.sub (f64.load offset=16 (local.get $a)) (f64.load offset=16 (local.get $b))))
    (local.set $square (call $square (local.get $x) (local.get $y) (local.get $z)))
    (local.set $by (f64.div (f64.const 0.01) (f64.mul (local.get $square) (f64.sqrt (local.get $square)))))
    (call $pull (local.get $a) (local.get $x) (local.get $y) (local.get $z)
      (f64.neg (f64.mul (f64.load offset=48 (local.get $b)) (local.get $by))))
    (call $pull (local.get $b) (local.get $x) (local.get $y) (local.get $z)
      (f64.mul (f64.load offset=48 (local.get $a)) (local.get $by))))

  (func $square (param $x f64) (param $y f64) (param $z f64) (result f64)
    (f64.add
      (f64.add (f64.mul (local.get $x) (local.get $x)) (f64.mul (local.get $y) (local.get $y)))
      (f64.mul (local.get $z) (local.get $z))))

  (func $move (param $at i32)
    (f64.store (local.get $at)
      (f64.add (f64.load (local.get $at)) (f64.mul (f64.load offset=24 (local.get $at)) (f64.const 0.01))))
    (f64.store offset=8 (local.get $at)
      (f64.add (f64.load offset=8 (local.get $at)) (f64.mul (f64.load offset=32 (local.get $at)) (f64.const 0.01))))
    (f64.store offset=16 (local.get $at)
      (f64.add (f64.load offset=16 (local.get $at)) (f64.mul (f64.load offset=40 (local.get $at)) (f64.const 0.01)))))

  (func $step
    (local $a i32) (local $b i32)
    (loop $first
      (local.set $b (i32.add (local.get $a) (i32.const 56)))
      (block $last
        (loop $second
          (br_if $last (i32.ge_u (local.get $b) (i32.const 280)))
          (call $attract (local.get $a) (local.get $b))
          (local.set $b (i32.add (local.get $b) (i32.const 56)))
          (br $second)))
      (call $move (local.get $a))
      (br_if $first (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 56))) (i32.const 280)))))

  (func $energy (result f64)
    (local $a i32) (local $b i32) (local $sum f64)
    (loop $first
      (local.set $sum
        (f64.add
          (local.get $sum)
          (f64.mul
            (f64.mul (f64.const 0.5) (f64.load offset=48 (local.get $a)))
            (call $square
              (f64.load offset=24 (local.get $a))
              (f64.load offset=32 (local.get $a))
              (f64.load offset=40 (local.get $a))))))
      (local.set $b (i32.add (local.get $a) (i32.const 56)))
      (block $last
        (loop $second
          (br_if $last (i32.ge_u (local.get $b) (i32.const 280)))
          (local.set $sum
            (f64.sub
              (local.get $sum)
              (f64.div
                (f64.mul (f64.load offset=48 (local.get $a)) (f64.load offset=48 (local.get $b)))
                (f64.sqrt
                  (call $square
                    (f64.sub (f64.load (local.get $a)) (f64.load (local.get $b)))
                    (f64.sub (f64.load offset=8 (local.get $a)) (f64.load offset=8 (local.get $b)))
                    (f64.sub (f64.load offset=16 (local.get $a)) (f64.load offset=16 (local.get $b))))))))
          (local.set $b (i32.add (local.get $b) (i32.const 56)))
          (br $second)))
      (br_if $first (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 56))) (i32.const 280))))
    (local.get $sum))

  (func (export "run") (param $n i32) (result f64)
    (call $begin)
    (call $rest)
    (loop $next
      (call $step)
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $energy)))
