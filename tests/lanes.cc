// Runs a verilated design with one input `i` and one output `o`, a word of each a cycle.

#include <cstring>

#include "simulation.h"

double sc_time_stamp() { return 0; }

extern "C" {

int64_t lanes_i_bytes() { return sizeof(Vtop::i); }
int64_t lanes_o_bytes() { return sizeof(Vtop::o); }

void lanes_run(const uint8_t *i, uint8_t *o, int64_t cycles) {
    auto *sim = new Simulation;
    sim->reset();
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        std::memcpy(&sim->top.i, i + cycle * sizeof(Vtop::i), sizeof(Vtop::i));
        sim->top.eval();
        std::memcpy(o + cycle * sizeof(Vtop::o), &sim->top.o, sizeof(Vtop::o));
        sim->tick();
    }
    delete sim;
}

}  // extern "C"
