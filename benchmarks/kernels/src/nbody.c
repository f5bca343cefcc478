/* The energy of the Sun and its four giant planets after n steps of a hundredth of a day each: floating point, square
   roots, and structures in memory. */
#include "kernel.h"

#define BODIES 5
#define SUN 39.47841760435743 /* the mass of the Sun where the unit of time is a year */
#define DAYS 365.24           /* days of a year */
#define STEP 0.01

struct body {
    double x, y, z; /* place in astronomical units */
    double vx, vy, vz;
    double mass;
};

#define BODY(x, y, z, vx, vy, vz, mass) {x, y, z, (vx) * DAYS, (vy) * DAYS, (vz) * DAYS, (mass) * SUN}

static const struct body first[BODIES] = {
    BODY(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    BODY(4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
         0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023, 0.000954791938424326609),
    BODY(8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
         -0.00276742510726411899, 0.00499852801234917238, 0.0000230417297573763929, 0.000285885980666130812),
    BODY(12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
         0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556, 0.0000436624404335156298),
    BODY(15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
         0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870, 0.0000515138902046611451),
};

static struct body bodies[BODIES];

/* The Sun moves so that the whole system does not. */
static void begin(void) {
    double x = 0, y = 0, z = 0;
    for (int i = 0; i < BODIES; i++) {
        bodies[i] = first[i];
        x += bodies[i].vx * bodies[i].mass;
        y += bodies[i].vy * bodies[i].mass;
        z += bodies[i].vz * bodies[i].mass;
    }
    bodies[0].vx = -x / SUN;
    bodies[0].vy = -y / SUN;
    bodies[0].vz = -z / SUN;
}

static void advance(void) {
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double x = a->x - b->x, y = a->y - b->y, z = a->z - b->z;
            double square = x * x + y * y + z * z;
            double pull = STEP / (square * __builtin_sqrt(square));
            double by_b = b->mass * pull, by_a = a->mass * pull;
            a->vx -= x * by_b;
            a->vy -= y * by_b;
            a->vz -= z * by_b;
            b->vx += x * by_a;
            b->vy += y * by_a;
            b->vz += z * by_a;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += STEP * bodies[i].vx;
        bodies[i].y += STEP * bodies[i].vy;
        bodies[i].z += STEP * bodies[i].vz;
    }
}

static double energy(void) {
    double total = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *a = &bodies[i];
        total += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < BODIES; j++) {
            const struct body *b = &bodies[j];
            double x = a->x - b->x, y = a->y - b->y, z = a->z - b->z;
            total -= a->mass * b->mass / __builtin_sqrt(x * x + y * y + z * z);
        }
    }
    return total;
}

KERNEL double run(uint32_t n) {
    begin();
    for (uint32_t i = 0; i < n; i++) advance();
    return energy();
}
