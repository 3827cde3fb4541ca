// A verilated top level and its clock, for the harnesses beside this file.

#pragma once

#include <cstdint>

#include "Vtop.h"
#include "verilated.h"

struct Simulation {
    VerilatedContext context;
    Vtop top{&context};

    // Some cycles of reset; inputs are best set by then.
    void reset() {
        top.rst = 1;
        top.clk = 0;
        top.eval();
        for (int cycle = 0; cycle < 4; cycle++) tick();
        top.rst = 0;
        top.eval();
    }

    void tick() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }
};
