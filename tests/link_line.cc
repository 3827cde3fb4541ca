// Runs a verilated link: bytes in and bytes out, each side as slow as it likes, and when what passed.

#include <cstdint>

#include "simulation.h"

double sc_time_stamp() { return 0; }

namespace {

constexpr uint16_t LOST = 0x100;   // in place of a byte: the line lost one

struct Link {
    Simulation sim;
    int64_t now = 0;
    uint64_t state;   // of what stalls are drawn from
    bool held = false;
    uint8_t offer = 0;

    explicit Link(uint64_t seed) : state(seed * 2654435761u + 0x9E3779B97F4A7C15u) {
        sim.top.i___05Fvalid = 0;
        sim.top.lost = 0;
        sim.top.o___05Fready = 0;
        sim.reset();
    }

    uint32_t draw() {   // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return uint32_t(state * 0x2545F4914F6CDD1Du >> 32);
    }

    // Cycles to wait before the next byte: mostly none, at times some, seldom many.
    int64_t stall(int64_t most) {
        if (!most) return 0;
        const uint32_t dice = draw() & 15;
        return dice < 12 ? 0 : dice < 15 ? draw() % 4 : draw() % (most + 1);
    }
};

}  // namespace

extern "C" {

void *link_new(int64_t seed) { return new Link(uint64_t(seed)); }

void link_free(void *handle) { delete static_cast<Link *>(handle); }

int64_t link_now(void *handle) { return static_cast<Link *>(handle)->now; }

// Feed items in and collect bytes, until so many zeros have come out and nothing for `rest` cycles
// more. Gives the number of bytes; or -1 if no byte moved for `patience` cycles in which both sides
// were willing, -2 if an offer was taken back, -3 if more came than there is room for.
//
// `ends` is when each zero was taken in, `begins` when each answer was first offered, and `dones`
// when its zero was taken; there is room for as many as `items` and `room` can hold.
int64_t link_run(void *handle, const uint16_t *items, int64_t count, uint8_t *out, int64_t room,
                 int64_t expected, int64_t *ends, int64_t *begins, int64_t *dones,
                 int64_t patience, int64_t rest, int64_t i_most, int64_t o_most) {
    auto *link = static_cast<Link *>(handle);
    auto &top = link->sim.top;
    int64_t sent = 0, got = 0, zeros = 0, taken = 0, idle = 0;
    int64_t i_stall = link->stall(i_most), o_stall = link->stall(o_most);
    bool fresh = true;   // the next byte out is the first of an answer
    while (sent < count || zeros < expected || idle < rest) {
        const bool gives = sent < count && !i_stall;
        top.i___05Fvalid = gives && items[sent] != LOST;
        top.lost = gives && items[sent] == LOST;
        top.i___05Fpayload = gives ? uint8_t(items[sent]) : uint8_t(link->draw());
        top.o___05Fready = !o_stall;
        top.eval();

        bool moved = false;
        if (link->held && (!top.o___05Fvalid || top.o___05Fpayload != link->offer)) return -2;
        link->held = top.o___05Fvalid && o_stall;
        link->offer = top.o___05Fpayload;
        if (top.o___05Fvalid && fresh) {
            if (zeros == room) return -3;
            begins[zeros] = link->now;
            fresh = false;
        }
        if (top.o___05Fvalid && !o_stall) {
            if (got == room) return -3;
            moved = true;
            out[got++] = top.o___05Fpayload;
            if (!top.o___05Fpayload) {
                dones[zeros++] = link->now;
                fresh = true;
            }
            o_stall = link->stall(o_most);
        } else if (o_stall) {
            o_stall--;
        }
        if (gives && (top.lost || top.i___05Fready)) {
            moved = true;
            if (!items[sent]) ends[taken++] = link->now;
            sent++;
            i_stall = link->stall(i_most);
        } else if (i_stall) {
            i_stall--;
        }
        if (moved) idle = 0;
        else if (!i_stall && !o_stall) idle++;
        link->sim.tick();
        link->now++;
        if (idle >= patience && (sent < count || zeros < expected)) return -1;
    }
    return got;
}

}  // extern "C"
