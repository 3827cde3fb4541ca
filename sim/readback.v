// What stands around a netlist that icebox_vlog has read out of a bitstream, and the cells in it
// that Yosys's models leave empty. CLOCK, RX and TX are names of pins.

module top(input crystal, input pll, input rx, output tx);
  chip chip(.`CLOCK (crystal), .`RX (rx), .`TX (tx));
endmodule

// The output comes from outside, at the ratio that the settings make of the reference.
module SB_PLL40_CORE #(
  parameter FEEDBACK_PATH = "SIMPLE",
  parameter DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED",
  parameter DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED",
  parameter PLLOUT_SELECT = "GENCLK",
  parameter SHIFTREG_DIV_MODE = 0,
  parameter FDA_FEEDBACK = 0,
  parameter FDA_RELATIVE = 0,
  parameter DIVR = 0,
  parameter DIVF = 0,
  parameter DIVQ = 0,
  parameter FILTER_RANGE = 0,
  parameter ENABLE_ICEGATE = 0,
  parameter TEST_MODE = 0
) (
  input REFERENCECLK,
  output PLLOUTCORE,
  output PLLOUTGLOBAL,
  input EXTFEEDBACK,
  input [7:0] DYNAMICDELAY,
  output LOCK,
  input BYPASS,
  input RESETB,
  input LATCHINPUTVALUE,
  output SDO,
  input SDI,
  input SCLK
);
  // 50 µs at 12 MHz, within which an iCE40's PLL locks.
  localparam WAIT = 600;
  reg [9:0] waited = 0;
  always @(posedge REFERENCECLK)
    if (!RESETB) waited <= 0;
    else if (waited != WAIT) waited <= waited + 1;

  assign LOCK = waited == WAIT;
  assign PLLOUTCORE = BYPASS ? REFERENCECLK : RESETB & top.pll;
  assign PLLOUTGLOBAL = PLLOUTCORE;
  assign SDO = 0;
endmodule
