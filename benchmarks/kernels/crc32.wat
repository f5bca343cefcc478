;; The CRC-32 of n bytes (at most 65536), byte i being i * 7 + 3 modulo 256, bit by bit: integer arithmetic.
(module
  (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $bit i32) (local $crc i32)
    (local.set $crc (i32.const -1))
    (block $done
      (loop $byte
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $crc
          (i32.xor
            (local.get $crc)
            (i32.and
              (i32.add (i32.mul (local.get $i) (i32.const 7)) (i32.const 3))
              (i32.const 255))))
        (local.set $bit (i32.const 8))
        (loop $bits
          (local.set $crc
            (i32.xor
              (i32.shr_u (local.get $crc) (i32.const 1))
              (i32.and
                (i32.sub (i32.const 0) (i32.and (local.get $crc) (i32.const 1)))
                (i32.const 0xedb88320))))
          (br_if $bits (local.tee $bit (i32.sub (local.get $bit) (i32.const 1)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $byte)))
    (i32.xor (local.get $crc) (i32.const -1))))
