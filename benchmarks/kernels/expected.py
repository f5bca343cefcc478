"""What the kernels compute, in Python: another algorithm or a library where there is one, and for floating point the
same operations in the same order, so that results agree to the last bit.

Each function is given 1 <= n, as small as its kernel's text says, and gives what `run(n)` does, integers signed.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Callable
from itertools import combinations

GOLDEN = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: its multiples look like chance."""


def signed(N: int, value: int) -> int:
    """An integer modulo 2**N, in the range from -2**(N - 1) on."""
    value %= 1 << N
    return value - (1 << N) if value >> N - 1 else value


def fib(n: int) -> int:
    """The n-th Fibonacci number, as an i32."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return signed(32, a)


def ackermann(n: int) -> int:
    """Ackermann's function of 2 and n, for which there is a formula."""
    return 2 * n + 3


def sieve(n: int) -> int:
    """How many primes are less than n."""
    return sum(all(i % j for j in range(2, int(i**0.5) + 1)) for i in range(2, n))


def _message(n: int) -> bytes:
    return bytes((i * 7 + 3) % 256 for i in range(n))


def crc32(n: int) -> int:
    """The CRC-32 of n bytes."""
    return signed(32, zlib.crc32(_message(n)))


def sha512(n: int) -> int:
    """The first 64 bits of the SHA-512 of n bytes, as an i64."""
    return signed(64, int.from_bytes(hashlib.sha512(_message(n)).digest()[:8], "big"))


def copy(n: int) -> int:
    """The sum of the first n multiples of GOLDEN, from 0 on, as an i64."""
    return signed(64, GOLDEN * (n * (n - 1) // 2))


def trees(n: int) -> int:
    """The sum of GOLDEN times 1, 2, … for all nodes of a binary tree of depth n, as an i64."""
    nodes = 2 ** (n + 1) - 1
    return signed(64, GOLDEN * (nodes * (nodes + 1) // 2))


def quicksort(n: int) -> int:
    """The sum of n sorted numbers, each times its place, as an i32."""
    seed, numbers = 42, []
    for _ in range(n):
        seed = (seed * 1664525 + 1013904223) % 2**32
        numbers.append(signed(32, seed))
    return signed(32, sum(place * number for place, number in enumerate(sorted(numbers), 1)))


def search(n: int) -> int:
    """How often "abaab" is in a text of n letters."""
    seed, letters = 1, []
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) % 2**32
        letters.append("ab"[seed >> 16 & 1])
    text = "".join(letters)
    return sum(text.startswith("abaab", at) for at in range(n))


def interpreter(n: int) -> int:
    """How many steps of the Collatz problem the numbers from 1 to n take together."""
    steps = 0
    for number in range(1, n + 1):
        while number != 1:
            number = number * 3 + 1 if number % 2 else number // 2  # noqa: PLW2901 (it is what is counted down)
            steps += 1
    return steps


STEPS: tuple[Callable[[int], int], ...] = (
    lambda x: x * 69069 + 1,
    lambda x: _rotated(x ^ 0x55555555, 32 - x.bit_length()),
    lambda x: _rotated(x, 27) + x.bit_count(),
    lambda x: 0x12345678 - x,
    lambda x: x // 10 * 7919 % 2**32 ^ x % 10,
    lambda x: x << 13 ^ x >> 17,
    lambda x: x | 0x01000001 if x >> 31 else x + 0x7FFFFFFF,
    lambda x: signed(32, x) * 0x5851F42D4C957F2D >> 30,
)
"""What becomes of a number, by its three lowest bits, modulo 2**32."""


def _rotated(x: int, left: int) -> int:
    return x << left | x >> 32 - left


def dispatch(n: int) -> int:
    """A number after n steps, each of which depends on it, as an i32."""
    x = 1
    for left in range(n, 0, -1):
        x = (STEPS[x % 8](x) + left) % 2**32
    return signed(32, x)


def matrix(n: int) -> float:
    """The sum of the elements of a product of n by n matrices."""
    a = [[1 / (i + j + 1) for j in range(n)] for i in range(n)]
    b = [[(i - j) + 0.5 for j in range(n)] for i in range(n)]
    total = 0.0
    for i in range(n):
        for j in range(n):
            element = 0.0
            for k in range(n):
                element += a[i][k] * b[k][j]
            total += element
    return total


def f32(value: float) -> float:
    """The value rounded to 32 bits: of a sum, a product or a quotient of f32 it is the right one."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def mandelbrot(n: int) -> int:
    """How many steps all points of an n by n grid take."""
    offsets = [f32(f32(i * 2.5) / n) for i in range(n)]
    return sum(_steps(f32(a - 2), f32(b - 1.25)) for a in offsets for b in offsets)


def _steps(a: float, b: float) -> int:
    x = y = 0.0
    for count in range(50):
        xx, yy = f32(x * x), f32(y * y)
        if f32(xx + yy) > 4:
            return count
        x, y = f32(f32(xx - yy) + a), f32(f32(f32(x * 2) * y) + b)
    return 50


BODIES = (
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    (
        *(4.84143144246472090, -1.16032004402742839, -0.103622044471123109),
        *(0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023, 0.000954791938424326609),
    ),
    (
        *(8.34336671824457987, 4.12479856412430479, -0.403523417114321381),
        *(-0.00276742510726411899, 0.00499852801234917238, 0.0000230417297573763929, 0.000285885980666130812),
    ),
    (
        *(12.8943695621391310, -15.1111514016986312, -0.223307578892655734),
        *(0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556, 0.0000436624404335156298),
    ),
    (
        *(15.3796971148509165, -25.9193146099879641, 0.179258772950371181),
        *(0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870, 0.0000515138902046611451),
    ),
)
"""Sun, Jupiter, Saturn, Uranus, Neptune: place and velocity (x, y, z; astronomical units, days), mass in Suns."""

DAYS = 365.24
SUN = 4 * math.pi * math.pi
"""Days of a year; the mass of the Sun where the unit of time is a year."""


class Body:
    """A body that moves; vectors are lists."""

    def __init__(self, *numbers: float) -> None:
        self.place = list(numbers[:3])
        self.velocity = [number * DAYS for number in numbers[3:6]]
        self.mass = numbers[6] * SUN

    def pull(self, way: list[float], by: float) -> None:
        """Change the velocity."""
        self.velocity = [v + d * by for v, d in zip(self.velocity, way, strict=True)]


def nbody(n: int) -> float:
    """The energy of the Sun and four planets after n steps."""
    bodies = [Body(*numbers) for numbers in BODIES]
    sun, *planets = bodies
    momentum = [0.0, 0.0, 0.0]
    for planet in planets:
        momentum = [p + v * planet.mass for p, v in zip(momentum, planet.velocity, strict=True)]
    sun.velocity = [-(p / sun.mass) for p in momentum]
    for _ in range(n):
        for a, b in combinations(bodies, 2):
            way = _way(a, b)
            square = _square(way)
            by = 0.01 / (square * math.sqrt(square))
            a.pull(way, -(b.mass * by))
            b.pull(way, a.mass * by)
        for body in bodies:
            body.place = [p + v * 0.01 for p, v in zip(body.place, body.velocity, strict=True)]
    return _energy(bodies)


def _way(a: Body, b: Body) -> list[float]:
    return [p - q for p, q in zip(a.place, b.place, strict=True)]


def _square(vector: list[float]) -> float:
    x, y, z = vector
    return x * x + y * y + z * z


def _energy(bodies: list[Body]) -> float:
    total = 0.0
    for index, body in enumerate(bodies):
        total += 0.5 * body.mass * _square(body.velocity)
        for other in bodies[index + 1 :]:
            total -= body.mass * other.mass / math.sqrt(_square(_way(body, other)))
    return total
