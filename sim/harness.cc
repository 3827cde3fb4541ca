// Runs a verilated accelerator for Python: one call for a whole batch, since a call for each cycle
// would cost more than the cycle. Ports are moved as the bytes Verilator keeps them in, lowest
// first. `ports.h`, written beside this file for each build, names the model and its probes.

#include <cstring>

#include "simulation.h"
#include "ports.h"   // PROBES(_): _(0) _(1) …

double sc_time_stamp() { return 0; }

namespace {

struct Accelerator : Simulation {
    int64_t first = 0, last = -1;   // cycles to record
};

Accelerator *self(void *handle) { return static_cast<Accelerator *>(handle); }

}  // namespace

extern "C" {

// Where the events of one probe go, and the cycle of each.
struct Probe {
    uint8_t *data;
    int64_t *stamps;
    int64_t capacity;
    int64_t count;
};

void *sim_new() {
    auto *sim = new Accelerator;
    sim->reset();
    return sim;
}

void sim_free(void *handle) { delete self(handle); }

// Bytes of a word in, of a word out, and of each probe's events.
int64_t sim_i_bytes() { return sizeof(Vtop::i___05Fpayload); }
int64_t sim_o_bytes() { return sizeof(Vtop::o___05Fpayload); }
int64_t sim_probe_bytes(int64_t n) {
    switch (n) {
#define BYTES(N) case N: return sizeof(Vtop::probe_##N##___05Fpayload);
        PROBES(BYTES)
        default: return 0;
    }
}

void sim_write(void *handle, const uint32_t *addresses, const uint32_t *words, int64_t count) {
    auto *sim = self(handle);
    auto &top = sim->top;
    top.bus___05Fw_en = 1;
    for (int64_t n = 0; n < count; n++) {
        top.bus___05Faddr = addresses[n];
        top.bus___05Fw_data = words[n];
        top.eval();
        sim->tick();
    }
    top.bus___05Fw_en = 0;
    top.eval();
}

// Record what happens in some cycles, counted as stamps are.
void sim_record(void *handle, const char *path, int64_t first, int64_t last) {
    auto *sim = self(handle);
    sim->record(path);
    sim->first = first;
    sim->last = last;
}

// Number of words that were answered.
int64_t sim_read(void *handle, const uint32_t *addresses, uint32_t *words, int64_t count) {
    auto *sim = self(handle);
    auto &top = sim->top;
    for (int64_t n = 0; n < count; n++) {
        top.bus___05Faddr = addresses[n];
        top.bus___05Fr_en = 1;
        top.eval();
        sim->tick();
        top.bus___05Fr_en = 0;
        top.eval();
        for (int waited = 0; !top.bus___05Fr_valid; waited++) {
            if (waited == 16) return n;
            sim->tick();
        }
        words[n] = top.bus___05Fr_data;
        sim->tick();
    }
    return count;
}

// Feed words in, collect `out_count` words out and the cycle of each, counted from the first word
// in; the number of words that came out within `limit` cycles.
int64_t sim_infer(void *handle, const uint8_t *in, int64_t in_count, uint8_t *out,
                  int64_t *stamps, int64_t out_count, Probe *probes, int64_t limit) {
    auto *sim = self(handle);
    auto &top = sim->top;
    const size_t in_bytes = sim_i_bytes(), out_bytes = sim_o_bytes();
    int64_t sent = 0, got = 0, first = -1;
    top.o___05Fready = 1;
    for (int64_t cycle = 0; cycle < limit && got < out_count; cycle++) {
        top.i___05Fvalid = sent < in_count;
        if (sent < in_count) std::memcpy(&top.i___05Fpayload, in + sent * in_bytes, in_bytes);
        top.eval();
        if (sent < in_count && top.i___05Fready) {
            if (first < 0) first = cycle;
            sent++;
        }
#define RECORD(N)                                                                               \
        if (top.probe_##N##___05Fvalid && probes[N].count < probes[N].capacity) {               \
            probes[N].stamps[probes[N].count] = cycle - first + 1;                              \
            std::memcpy(probes[N].data + sim_probe_bytes(N) * probes[N].count++,                \
                        &top.probe_##N##___05Fpayload, sim_probe_bytes(N));                     \
        }
        PROBES(RECORD)
        if (top.o___05Fvalid) {
            std::memcpy(out + got * out_bytes, &top.o___05Fpayload, out_bytes);
            stamps[got++] = cycle - first + 1;
        }
        const int64_t stamp = cycle - first + 1;
        sim->recording = first >= 0 && stamp >= sim->first && stamp <= sim->last;
        sim->at(stamp);
        sim->tick();
    }
    sim->recording = false;
    sim->finish();
    top.i___05Fvalid = 0;
    top.o___05Fready = 0;
    top.eval();
    return got;
}

}  // extern "C"
