;; An interpreter inside the interpreter, a `br_table` in a loop: its program adds up how many steps the numbers from n
;; down to 1 take until they are 1, when an even one is halved and an odd one is tripled and increased.
;;
;; An instruction has 4 bytes: operation, register, and a signed number of 16 bits, which is a value, another register,
;; or an address in the program. The program is at 0, the registers are at 256: number left, number, steps, scratch.
(module
  (memory 1)
  (data (i32.const 0)
    "\01\01\00\00"  ;;  0 number := left
    "\01\03\01\00"  ;;  4 scratch := number
    "\02\03\ff\ff"  ;;  8 scratch += -1
    "\06\03\34\00"  ;; 12 if scratch = 0 go to 52
    "\02\02\01\00"  ;; 16 steps += 1
    "\01\03\01\00"  ;; 20 scratch := number
    "\05\03\01\00"  ;; 24 scratch := scratch and 1
    "\06\03\2c\00"  ;; 28 if scratch = 0 go to 44
    "\03\01\03\00"  ;; 32 number *= 3
    "\02\01\01\00"  ;; 36 number += 1
    "\07\00\04\00"  ;; 40 go to 4
    "\04\01\01\00"  ;; 44 number >>= 1
    "\07\00\04\00"  ;; 48 go to 4
    "\02\00\ff\ff"  ;; 52 left += -1
    "\06\00\40\00"  ;; 56 if left = 0 go to 64
    "\07\00\00\00"  ;; 60 go to 0
    "\00\00\00\00") ;; 64 stop

  (func (export "run") (param $n i32) (result i32)
    (local $at i32) (local $register i32) (local $operand i32)
    (i32.store offset=256 (i32.const 0) (local.get $n))
    (i32.store offset=264 (i32.const 0) (i32.const 0))
    (loop $next
      (local.set $register (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 2)))
      (local.set $operand (i32.load16_s offset=2 (local.get $at)))
      (block $jump
        (block $jump_if_zero
          (block $and
            (block $shift
              (block $multiply
                (block $add
                  (block $move
                    (block $stop
                      (br_table $stop $move $add $multiply $shift $and $jump_if_zero $jump
                        (i32.load8_u (local.get $at))))
                    (return (i32.load offset=264 (i32.const 0))))
                  (i32.store offset=256 (local.get $register)
                    (i32.load offset=256 (i32.shl (local.get $operand) (i32.const 2))))
                  (local.set $at (i32.add (local.get $at) (i32.const 4)))
                  (br $next))
                (i32.store offset=256 (local.get $register)
                  (i32.add (i32.load offset=256 (local.get $register)) (local.get $operand)))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br $next))
              (i32.store offset=256 (local.get $register)
                (i32.mul (i32.load offset=256 (local.get $register)) (local.get $operand)))
              (local.set $at (i32.add (local.get $at) (i32.const 4)))
              (br $next))
            (i32.store offset=256 (local.get $register)
              (i32.shr_u (i32.load offset=256 (local.get $register)) (local.get $operand)))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $next))
          (i32.store offset=256 (local.get $register)
            (i32.and (i32.load offset=256 (local.get $register)) (local.get $operand)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $next))
        (local.set $at
          (select
            (i32.add (local.get $at) (i32.const 4))
            (local.get $operand)
            (i32.load offset=256 (local.get $register))))
        (br $next))
      (local.set $at (local.get $operand))
      (br $next))
    (unreachable)))
