// A verilated top level and its clock, for the harnesses beside this file.

#pragma once

#include <cstdint>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

struct Simulation {
    VerilatedContext context;
    Vtop top{&context};
    bool recording = false;   // whether this cycle shall be in the file

#if VM_TRACE
    VerilatedVcdC file;
    uint64_t now = 0;   // ten a cycle; rising edges at multiples of ten, inputs change between

    Simulation() {
        context.traceEverOn(true);
        top.trace(&file, 99);
    }

    void record(const char *path) { file.open(path); }
    void at(uint64_t cycle) { now = 10 * cycle + 5; }
    void dump() {
        if (recording && file.isOpen()) file.dump(now);
        now += 5;
    }
    void finish() { file.close(); }
    ~Simulation() { finish(); }
#else
    void record(const char *) {}
    void at(uint64_t) {}
    void dump() {}
    void finish() {}
#endif

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
        dump();
        top.clk = 1;
        top.eval();
        dump();
        top.clk = 0;
        top.eval();
    }
};
