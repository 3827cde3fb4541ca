// Block RAM of an ECP5, 512 rows of 36 bits, as Yosys configures it; Yosys itself has no model.
//
// Two ports, each of 1, 2, 4, 9 or 18 bits; or port A writes 36 bits and port B reads up to 36.
// Nine bits are a byte, whose ninth the narrow widths leave out. Addresses count bits, less these:
// the highest nine are the row, and where a word has more than a byte, the lowest bits enable bytes
// for writing. What a port writes while the other reads it is undefined on the chip, and comes out
// inverted here, so that nobody can rely on it. With REGMODE "OUTREG" a port has a register behind what
// it reads, which moves while its OCE is high.

module DP16KD #(
  parameter DATA_WIDTH_A = 18,
  parameter DATA_WIDTH_B = 18,
  parameter REGMODE_A = "NOREG",
  parameter REGMODE_B = "NOREG",
  parameter RESETMODE = "SYNC",
  parameter ASYNC_RESET_RELEASE = "SYNC",   // says what happens within a cycle
  parameter CSDECODE_A = "0b000",
  parameter CSDECODE_B = "0b000",
  parameter WRITEMODE_A = "NORMAL",
  parameter WRITEMODE_B = "NORMAL",
  parameter CLKAMUX = "CLKA",
  parameter CLKBMUX = "CLKB",
  parameter GSR = "ENABLED",                // the chip's own reset, before there is a clock
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0,
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
  input DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
  output DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
  input DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
  output DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);

  generate
    if (DATA_WIDTH_B == 36 && REGMODE_A != REGMODE_B)
      $error("REGMODE of DP16KD must be the same for both ports where one reads 36 bits");
    if (DATA_WIDTH_B == 36 && WRITEMODE_B != "NORMAL")
      $error("WRITEMODE_B of DP16KD must be NORMAL where it reads 36 bits");
  endgenerate

  // The first bit of a word in its row, and which bits of the row a port writes.
  function [5:0] place(input integer width, input [4:0] address);
    case (width)
      1:       place = 9 * address[4:3] + address[2:0];
      2:       place = 9 * address[4:3] + {address[2:1], 1'b0};
      4:       place = 9 * address[4:3] + {address[2], 2'b00};
      9:       place = 9 * address[4:3];
      18:      place = 18 * address[4];
      default: place = 0;
    endcase
  endfunction

  function [35:0] mask(input integer width, input [4:0] address);
    case (width)
      18:      mask = {{9{address[1]}}, {9{address[0]}}};
      36:      mask = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
      default: mask = (36'd1 << width) - 36'd1;
    endcase
  endfunction

  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
                     ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
                     ADB1, ADB0};
  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                     DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                     DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};

  wire clka = CLKAMUX == "INV" ? ~CLKA : CLKA;
  wire clkb = CLKBMUX == "INV" ? ~CLKB : CLKB;
  // The last characters of the strings are digits, and the last bits of those are their values.
  wire ena = CEA && {CSA2, CSA1, CSA0} == {CSDECODE_A[16], CSDECODE_A[8], CSDECODE_A[0]};
  wire enb = CEB && {CSB2, CSB1, CSB0} == {CSDECODE_B[16], CSDECODE_B[8], CSDECODE_B[0]};
  // A reset keeps a port from writing, except where writing is all that it does.
  wire wea = ena && WEA && !(RESETMODE == "SYNC" && DATA_WIDTH_A != 36 && RSTA);
  wire web = enb && WEB && !(RESETMODE == "SYNC" && RSTB);

  wire [5:0] pa = place(DATA_WIDTH_A, ada[4:0]);
  wire [5:0] pb = place(DATA_WIDTH_B, adb[4:0]);
  wire [35:0] wa = wea ? mask(DATA_WIDTH_A, ada[4:0]) << pa : 36'd0;
  wire [35:0] wb = web ? mask(DATA_WIDTH_B, adb[4:0]) << pb : 36'd0;
  wire [35:0] da = DATA_WIDTH_A == 36 ? {dib, dia} : {18'd0, dia} << pa;
  wire [35:0] db = {18'd0, dib} << pb;

  reg [35:0] rows [0:511];
  wire [35:0] rowa = rows[ada[13:5]];
  wire [35:0] rowb = rows[adb[13:5]];
  wire meet = ada[13:5] == adb[13:5];

  localparam [64 * 320 - 1:0] INITVAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};

  integer row;
  initial for (row = 0; row < 512; row = row + 1)
    // Words of 18 bits take 20 each.
    rows[row] = {INITVAL[40 * row + 20 +: 18], INITVAL[40 * row +: 18]};

  // Ports that write one row in one cycle both write all of it, and so the same.
  wire [35:0] writea = rowa & ~wa & ~(meet ? wb : 36'd0) | da & wa | (meet ? db & wb : 36'd0);
  wire [35:0] writeb = rowb & ~wb & ~(meet ? wa : 36'd0) | db & wb | (meet ? da & wa : 36'd0);

  always @(posedge clka) if (|wa) rows[ada[13:5]] <= writea;
  always @(posedge clkb) if (|wb) rows[adb[13:5]] <= writeb;

  // What a read brings: the row as it was, or as the port's own write leaves it.
  wire [35:0] reada = (WRITEMODE_A == "WRITETHROUGH" ? rowa & ~wa | da & wa : rowa)
                      ^ (meet ? wb : 36'd0);
  wire [35:0] readb = (WRITEMODE_B == "WRITETHROUGH" ? rowb & ~wb | db & wb : rowb)
                      ^ (meet ? wa : 36'd0);
  wire takea = ena && DATA_WIDTH_A != 36 && !(wea && WRITEMODE_A == "NORMAL");
  wire takeb = enb && !(web && WRITEMODE_B == "NORMAL");

  reg [17:0] outa = 0;
  reg [35:0] outb = 0;
  generate
    if (RESETMODE == "ASYNC") begin
      always @(posedge clka or posedge RSTA)
        if (RSTA) outa <= 0; else if (takea) outa <= reada >> pa;
      always @(posedge clkb or posedge RSTB)
        if (RSTB) outb <= 0; else if (takeb) outb <= readb >> pb;
    end else begin
      always @(posedge clka)
        if (RSTA) outa <= 0; else if (takea) outa <= reada >> pa;
      always @(posedge clkb)
        if (RSTB) outb <= 0; else if (takeb) outb <= readb >> pb;
    end
  endgenerate

  reg [17:0] rega = 0;
  reg [35:0] regb = 0;
  generate
    if (RESETMODE == "ASYNC") begin
      always @(posedge clka or posedge RSTA)
        if (RSTA) rega <= 0; else if (OCEA) rega <= outa;
      always @(posedge clkb or posedge RSTB)
        if (RSTB) regb <= 0; else if (OCEB) regb <= outb;
    end else begin
      always @(posedge clka)
        if (RSTA) rega <= 0; else if (OCEA) rega <= outa;
      always @(posedge clkb)
        if (RSTB) regb <= 0; else if (OCEB) regb <= outb;
    end
  endgenerate
  wire [17:0] lasta = REGMODE_A == "OUTREG" ? rega : outa;
  wire [35:0] lastb = REGMODE_B == "OUTREG" ? regb : outb;

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0}
      = DATA_WIDTH_B == 36 ? lastb[17:0] : lasta;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0}
      = DATA_WIDTH_B == 36 ? lastb[35:18] : lastb[17:0];

endmodule
