// Runs the netlist of a bitstream for Python at the level of its pins, many cycles a call.

#include <cstdint>
#include <vector>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "ports.h"   // RAMS(_) is _(name) for each block RAM
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

struct Chip {
    VerilatedContext context;
    Vtop top{&context};
    int64_t up, down;    // cycles of the PLL's output in cycles of the crystal
    int64_t phase = 0;
    int64_t asleep;      // cycles until block RAM shows what it holds
    std::vector<uint16_t> contents;

    Chip(int64_t up, int64_t down, const uint8_t *bytes, int64_t asleep)
        : up(up), down(down), asleep(asleep) {
#define COUNT(ram) +1
        contents.resize(256 * (0 RAMS(COUNT)));
        for (size_t word = 0; word < contents.size(); word++)
            contents[word] = bytes[2 * word] | bytes[2 * word + 1] << 8;
        top.rx = 1;
        top.crystal = 0;
        top.pll = 0;
        top.eval();
    }

    void wake() {
        const uint16_t *word = contents.data();
#define FILL(ram) \
        for (int row = 0; row < 256; row++) \
            top.rootp->top__DOT__chip__DOT__##ram##__DOT__memory[row] = *word++;
        RAMS(FILL)
    }

    void half(int level) {
        for (phase += down; phase >= up; phase -= up) {
            top.crystal = !top.crystal;
            if (phase >= 2 * up) top.eval();
        }
        top.pll = level;
        top.eval();
    }
};

}  // namespace

extern "C" {

void *readback_new(int64_t up, int64_t down, const uint8_t *contents, int64_t asleep) {
    return new Chip(up, down, contents, asleep);
}

void readback_free(void *handle) {
    auto *chip = static_cast<Chip *>(handle);
    // What lies within a harness's reach is taken off the list of this thread's current context,
    // which is that of the chip made last, and may be gone.
    Verilated::threadContextp(&chip->context);
    delete chip;
}

// One level of each pin a cycle of the PLL's output.
void readback_run(void *handle, const uint8_t *rx, uint8_t *tx, int64_t cycles) {
    auto *chip = static_cast<Chip *>(handle);
    for (int64_t cycle = 0; cycle < cycles; cycle++) {
        if (chip->asleep > 0 && --chip->asleep == 0) chip->wake();
        chip->top.rx = rx[cycle];
        tx[cycle] = chip->top.tx;
        chip->half(1);
        chip->half(0);
    }
}

}  // extern "C"
