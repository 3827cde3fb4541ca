// Runs a verilated system for Python at the level of its two pins, many cycles a call.

#include <cstdint>

#include "Vtop.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

struct Simulation {
    VerilatedContext context;
    Vtop top{&context};

    void tick() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }
};

}  // namespace

extern "C" {

void *pins_new() {
    auto *sim = new Simulation;
    sim->top.rx = 1;
    sim->top.rst = 1;
    sim->top.clk = 0;
    sim->top.eval();
    for (int cycle = 0; cycle < 4; cycle++) sim->tick();
    sim->top.rst = 0;
    sim->top.eval();
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
