/* What SHA-256 and SHA-512 share: the constants of the former are the upper halves of the latter's, and both pad alike. */
#ifndef SHA2_H
#define SHA2_H

#include "kernel.h"

/* The fractions of the square roots of the first 8 primes: the hash to begin with. */
#define ROOTS(K) \
    K(0x6a09e667f3bcc908u) K(0xbb67ae8584caa73bu) K(0x3c6ef372fe94f82bu) K(0xa54ff53a5f1d36f1u) \
    K(0x510e527fade682d1u) K(0x9b05688c2b3e6c1fu) K(0x1f83d9abfb41bd6bu) K(0x5be0cd19137e2179u)

/* The fractions of the cube roots of the first 64 primes, one for each round of SHA-256. */
#define ROUNDS_64(K) \
    K(0x428a2f98d728ae22u) K(0x7137449123ef65cdu) K(0xb5c0fbcfec4d3b2fu) K(0xe9b5dba58189dbbcu) \
    K(0x3956c25bf348b538u) K(0x59f111f1b605d019u) K(0x923f82a4af194f9bu) K(0xab1c5ed5da6d8118u) \
    K(0xd807aa98a3030242u) K(0x12835b0145706fbeu) K(0x243185be4ee4b28cu) K(0x550c7dc3d5ffb4e2u) \
    K(0x72be5d74f27b896fu) K(0x80deb1fe3b1696b1u) K(0x9bdc06a725c71235u) K(0xc19bf174cf692694u) \
    K(0xe49b69c19ef14ad2u) K(0xefbe4786384f25e3u) K(0x0fc19dc68b8cd5b5u) K(0x240ca1cc77ac9c65u) \
    K(0x2de92c6f592b0275u) K(0x4a7484aa6ea6e483u) K(0x5cb0a9dcbd41fbd4u) K(0x76f988da831153b5u) \
    K(0x983e5152ee66dfabu) K(0xa831c66d2db43210u) K(0xb00327c898fb213fu) K(0xbf597fc7beef0ee4u) \
    K(0xc6e00bf33da88fc2u) K(0xd5a79147930aa725u) K(0x06ca6351e003826fu) K(0x142929670a0e6e70u) \
    K(0x27b70a8546d22ffcu) K(0x2e1b21385c26c926u) K(0x4d2c6dfc5ac42aedu) K(0x53380d139d95b3dfu) \
    K(0x650a73548baf63deu) K(0x766a0abb3c77b2a8u) K(0x81c2c92e47edaee6u) K(0x92722c851482353bu) \
    K(0xa2bfe8a14cf10364u) K(0xa81a664bbc423001u) K(0xc24b8b70d0f89791u) K(0xc76c51a30654be30u) \
    K(0xd192e819d6ef5218u) K(0xd69906245565a910u) K(0xf40e35855771202au) K(0x106aa07032bbd1b8u) \
    K(0x19a4c116b8d2d0c8u) K(0x1e376c085141ab53u) K(0x2748774cdf8eeb99u) K(0x34b0bcb5e19b48a8u) \
    K(0x391c0cb3c5c95a63u) K(0x4ed8aa4ae3418acbu) K(0x5b9cca4f7763e373u) K(0x682e6ff3d6b2b8a3u) \
    K(0x748f82ee5defb2fcu) K(0x78a5636f43172f60u) K(0x84c87814a1f0ab72u) K(0x8cc702081a6439ecu) \
    K(0x90befffa23631e28u) K(0xa4506cebde82bde9u) K(0xbef9a3f7b2c67915u) K(0xc67178f2e372532bu)

/* And of the next 16, for which only SHA-512 has rounds. */
#define ROUNDS_80(K) \
    ROUNDS_64(K) \
    K(0xca273eceea26619cu) K(0xd186b8c721c0c207u) K(0xeada7dd6cde0eb1eu) K(0xf57d4f7fee6ed178u) \
    K(0x06f067aa72176fbau) K(0x0a637dc5a2c898a6u) K(0x113f9804bef90daeu) K(0x1b710b35131c471bu) \
    K(0x28db77f523047d84u) K(0x32caab7b40c72493u) K(0x3c9ebe0a15c9bebcu) K(0x431d67c49c100d4cu) \
    K(0x4cc5d4becb3e42b6u) K(0x597f299cfc657e2au) K(0x5fcb6fab3ad6faecu) K(0x6c44198c4a475817u)

#define MOST (1u << 17)
#define MOST_PADDING 256

static uint8_t message[MOST + MOST_PADDING];

/* Writes n bytes and the padding that makes whole blocks of them: where they end. `tail` bytes are for the mark and the
   length in bits. */
static uint32_t write_message(uint32_t n, uint32_t block, uint32_t tail) {
    require(n <= MOST);
    uint32_t end = (n + tail + block - 1) / block * block;
    for (uint32_t i = 0; i < n; i++) message[i] = message_byte(i);
    message[n] = 0x80;
    for (uint32_t i = n + 1; i < end; i++) message[i] = 0;
    for (uint32_t i = 1, bits = n * 8; bits; i++, bits >>= 8) message[end - i] = (uint8_t)bits;
    return end;
}

#endif
