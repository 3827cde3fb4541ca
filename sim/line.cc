// Runs a verilated system for Python at its two pins, bytes at a time: at each end of the line a
// host's own bit time, in cycles that need be no whole number.

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <vector>

#include "Vtop__Syms.h"
#include "simulation.h"

double sc_time_stamp() { return 0; }

namespace {

constexpr int BITS = 10;   // of a byte on the line: start, eight of data, stop
constexpr double NEVER = std::numeric_limits<double>::infinity();

struct Frame {
    uint16_t bits;   // the first lowest
    double gap;      // bit times for which the line stays high before
};

struct Line {
    Simulation sim;
    double bit;          // cycles
    int64_t now = 0;

    std::deque<Frame> waiting;
    uint16_t sending = 0;   // what is left of a frame that is on its way in
    int left = 0;           // bits of it
    double edge = NEVER;    // when the next bit begins

    uint16_t hearing = 0;   // what is there of a frame that is on its way out
    int heard = BITS;       // bits of it; all where none is on its way
    int64_t began = 0;
    int64_t look = 0;       // when the next bit is looked at

    std::vector<char> before;   // the model's state, to be compared
    bool still = false;         // the last cycle changed nothing, so that none to come will
    int64_t rests = 0;          // calls to come that need not look whether it does
    int64_t pause = 1;

    explicit Line(double cycles) : bit(cycles), before(sizeof(Vtop__Syms)) {
        sim.top.rx = 1;
        sim.reset();
    }

    bool silent() const { return edge == NEVER && heard == BITS; }

    void moved() {
        still = false;
        rests = 0;
        pause = 1;
    }

    void drive() {
        if (!left && waiting.empty()) {
            sim.top.rx = 1;
            edge = NEVER;
            return;
        }
        if (!left && waiting.front().gap > 0) {
            sim.top.rx = 1;
            edge += waiting.front().gap * bit;
            waiting.front().gap = 0;
            return;
        }
        if (!left) {
            sending = waiting.front().bits;
            left = BITS;
            waiting.pop_front();
        }
        sim.top.rx = sending & 1;
        sending >>= 1;
        left--;
        edge += bit;
    }

    // Whether a frame is whole with this cycle.
    bool listen() {
        if (heard == BITS) {
            if (sim.top.tx) return false;
            heard = 0;
            hearing = 0;
            began = now;
            look = now + std::llround(0.5 * bit - 0.5);
        }
        if (now < look) return false;
        hearing |= sim.top.tx << heard;
        heard++;
        look = began + std::llround((heard + 0.5) * bit - 0.5);
        return heard == BITS;
    }

    void cycle() {
        while (now + 0.5 >= edge) drive();
        sim.tick();
    }

    // A cycle in which nothing comes in, to see whether it leaves the model as it was.
    void rest() {
        const char *state = reinterpret_cast<const char *>(sim.top.rootp->vlSymsp);
        std::memcpy(before.data(), state, before.size());
        cycle();
        still = !std::memcmp(before.data(), state, before.size());
        rests = pause;
        if (pause < 64) pause *= 2;
    }
};

}  // namespace

extern "C" {

void *line_new(double bit) { return new Line(bit); }

void line_free(void *handle) { delete static_cast<Line *>(handle); }

void line_send(void *handle, int bits, double gap) {
    auto *line = static_cast<Line *>(handle);
    if (line->edge == NEVER) line->edge = double(line->now);
    line->waiting.push_back({uint16_t(bits), gap});
    line->moved();
}

// Forget what has not begun.
void line_cut(void *handle) { static_cast<Line *>(handle)->waiting.clear(); }

int64_t line_waiting(void *handle) { return int64_t(static_cast<Line *>(handle)->waiting.size()); }

int64_t line_now(void *handle) { return static_cast<Line *>(handle)->now; }

int line_sending(void *handle) { return static_cast<Line *>(handle)->edge != NEVER; }

int line_hearing(void *handle) { return static_cast<Line *>(handle)->heard != BITS; }

int line_still(void *handle) { return static_cast<Line *>(handle)->still; }

int line_lit(void *handle) { return static_cast<Line *>(handle)->sim.top.lit; }

// Runs for some cycles, or until there is no room for what was heard, and counts that. Cycles that
// are known to change nothing are only counted.
int64_t line_run(void *handle, int64_t cycles, uint16_t *frames, int64_t *begins, int64_t room) {
    auto *line = static_cast<Line *>(handle);
    int64_t end = line->now + cycles, count = 0;
    bool resting = line->silent() && !line->still && --line->rests <= 0;
    while (line->now < end && count < room) {
        if (line->still) {
            line->now = end;
            break;
        }
        if (resting) line->rest();
        else line->cycle();
        resting = false;
        if (line->listen()) {
            frames[count] = line->hearing;
            begins[count++] = line->began;
        }
        if (!line->silent()) line->moved();
        line->now++;
    }
    return count;
}

}  // extern "C"
