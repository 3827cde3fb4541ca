"""Components as the Verilog that is emitted, run by cocotb in other people's simulators."""
