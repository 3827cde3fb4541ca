// Runs a verilated system for Python at the level of its two pins, many cycles a call.

#include "simulation.h"

double sc_time_stamp() { return 0; }

extern "C" {

void *pins_new() {
    auto *sim = new Simulation;
    sim->top.rx = 1;
    sim->reset();
    return sim;
}

void pins_free(void *handle) { delete static_cast<Simulation *>(handle); }

// One level of each pin a cycle.
void pins_run(void *handle, const uint8_t *rx, uint8_t *tx, int64_t cycles) {
    auto *sim = static_cast<Simulation *>(handle);
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        sim->top.rx = rx[cycle];
        sim->top.eval();
        tx[cycle] = sim->top.tx;
        sim->tick();
    }
}

}  // extern "C"
