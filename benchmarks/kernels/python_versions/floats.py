"""Floating point: the same operations in the same order, so that results agree to the last bit."""

from __future__ import annotations

from itertools import combinations
from math import pi, sqrt

from benchmarks.kernels.python_versions.numbers import f32_cell


def matrix(n: int) -> float:
    """The sum of the elements of a product of n by n matrices of f32."""
    cell = f32_cell()
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            cell[0] = 1 / (i + j + 1)
            row.append(cell[0])
        rows.append(row)
    columns = [[i - j + 0.5 for i in range(n)] for j in range(n)]
    total = 0.0
    for row in rows:
        for column in columns:
            element = 0.0
            for a, b in zip(row, column, strict=True):
                cell[0] = a * b
                cell[0] += element
                element = cell[0]
            total += element
    return total


def mandelbrot(n: int) -> int:
    """How many steps all points of an n by n grid take."""
    total = 0
    for row in range(n):
        b = row * 2.5 / n - 1.25
        for column in range(n):
            a = column * 2.5 / n - 2
            x = y = 0.0
            for count in range(50):
                xx, yy = x * x, y * y
                if xx + yy > 4:
                    total += count
                    break
                y = 2 * x * y + b
                x = xx - yy + a
            else:
                total += 50
    return total


DAYS = 365.24
SUN = 4 * pi * pi
"""Days of a year; the mass of the Sun where the unit of time is a year."""

BODIES = (
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 1.0),
    (
        (4.84143144246472090, -1.16032004402742839, -0.103622044471123109),
        (0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023),
        0.000954791938424326609,
    ),
    (
        (8.34336671824457987, 4.12479856412430479, -0.403523417114321381),
        (-0.00276742510726411899, 0.00499852801234917238, 0.0000230417297573763929),
        0.000285885980666130812,
    ),
    (
        (12.8943695621391310, -15.1111514016986312, -0.223307578892655734),
        (0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556),
        0.0000436624404335156298,
    ),
    (
        (15.3796971148509165, -25.9193146099879641, 0.179258772950371181),
        (0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870),
        0.0000515138902046611451,
    ),
)
"""Sun, Jupiter, Saturn, Uranus, Neptune: place and velocity (astronomical units, days), mass in Suns."""

Body = tuple[list[float], list[float], float]


def nbody(n: int) -> float:
    """The energy of the Sun and its planets after n steps."""
    bodies = [(list(place), [part * DAYS for part in velocity], mass * SUN) for place, velocity, mass in BODIES]
    pairs = list(combinations(bodies, 2))
    momentum = [0.0, 0.0, 0.0]
    for _, velocity, mass in bodies:
        for axis in range(3):
            momentum[axis] += velocity[axis] * mass
    bodies[0][1][:] = [-part / SUN for part in momentum]
    for _ in range(n):
        _advance(bodies, pairs)
    return _energy(bodies, pairs)


def _advance(bodies: list[Body], pairs: list[tuple[Body, Body]]) -> None:
    step = 0.01
    for ((ax, ay, az), a, a_mass), ((bx, by, bz), b, b_mass) in pairs:
        x, y, z = ax - bx, ay - by, az - bz
        square = x * x + y * y + z * z
        pull = step / (square * sqrt(square))
        by_b, by_a = b_mass * pull, a_mass * pull
        a[0] -= x * by_b
        a[1] -= y * by_b
        a[2] -= z * by_b
        b[0] += x * by_a
        b[1] += y * by_a
        b[2] += z * by_a
    for place, (vx, vy, vz), _ in bodies:
        place[0] += step * vx
        place[1] += step * vy
        place[2] += step * vz


def _energy(bodies: list[Body], pairs: list[tuple[Body, Body]]) -> float:
    total = 0.0
    rest = iter(pairs)
    for index, (_, (vx, vy, vz), mass) in enumerate(bodies):
        total += 0.5 * mass * (vx * vx + vy * vy + vz * vz)
        for _ in bodies[index + 1 :]:
            ((ax, ay, az), _, a_mass), ((bx, by, bz), _, b_mass) = next(rest)
            x, y, z = ax - bx, ay - by, az - bz
            total -= a_mass * b_mass / sqrt(x * x + y * y + z * z)
    return total
