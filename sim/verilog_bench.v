// Test bench of @name@. It needs a simulator, the files beside it, and nothing else:
//
//     iverilog -g2012 -o sim *.v && vvp sim
//
// It prints PASS and ends with status 0; or it prints FAIL with the first difference, and ends with
// another status. What @name@ should answer was computed by the model that it was made from.
// The images: @source@.
//
// Registers here change on the rising edge of the clock, as those of @name@ do.

`timescale 1ns / 1ns

module @name@_tb;

  localparam IMAGES     = @images@;  // in @name@.images.hex
  localparam WORDS      = @words@;  // of pixels in an image
  localparam CLASSES    = @classes@;  // words of scores for an image
  localparam I_WIDTH    = @i_width@;
  localparam O_WIDTH    = @o_width@;
  localparam SCORE_BITS = @score_bits@;
  localparam BEST_MASK  = @best_mask@;  // of the bits above the score; above them is `last`
  localparam ADDR_WIDTH = @addr_width@;
  localparam CYCLES     = @cycles@;  // for all images at full speed, first word in to last word out
  localparam INTERVAL   = @interval@;  // cycles an image
  localparam SETTLE     = @settle@;  // cycles in which nothing more may come
  localparam LIMIT      = @limit@;  // cycles after which this bench gives up

  reg clk = 0;
  reg rst = 1;
  always #5 clk = ~clk;

  reg  [I_WIDTH-1:0]    i__payload = 0;
  reg                   i__valid = 0;
  wire                  i__ready;
  wire [O_WIDTH-1:0]    o__payload;
  wire                  o__valid;
  reg                   o__ready = 0;
  reg  [ADDR_WIDTH-1:0] bus__addr = 0;
  reg                   bus__w_en = 0;
  reg  [31:0]           bus__w_data = 0;
  reg                   bus__r_en = 0;
  wire [31:0]           bus__r_data;
  wire                  bus__r_valid;
  wire                  loaded;

  @name@ dut (
    .clk(clk), .rst(rst),
    .i__payload(i__payload), .i__valid(i__valid), .i__ready(i__ready),
    .o__payload(o__payload), .o__valid(o__valid), .o__ready(o__ready),
    .bus__addr(bus__addr), .bus__w_en(bus__w_en), .bus__w_data(bus__w_data),
    .bus__r_en(bus__r_en), .bus__r_data(bus__r_data), .bus__r_valid(bus__r_valid),
    .loaded(loaded)
  );

  // What the files hold. Memories are as wide as their words on the bus.
  reg [I_WIDTH-1:0] images [0:IMAGES*WORDS-1];
  reg [O_WIDTH-1:0] scores [0:IMAGES*CLASSES-1];
@declarations@

  integer cycle = 0;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == LIMIT)
      $fatal(1, "FAIL: %0d of %0d words taken and %0d of %0d scores given after %0d cycles",
             sent, to_send, received, to_send / WORDS * CLASSES, cycle);
    if (!rst && ^{i__ready, o__valid, bus__r_valid, loaded} === 1'bx)
      $fatal(1, "FAIL: cycle %0d: i__ready, o__valid, bus__r_valid, loaded are %b%b%b%b", cycle,
             i__ready, o__valid, bus__r_valid, loaded);
  end

  // How long to wait after a word: not at all, for some cycles, or for longer than an image takes.
  reg stalls = 0;
  function integer pause(input integer dice, input integer rarely);
    if (!stalls)
      pause = 0;
    else if (dice[23:8] % rarely == 0)
      pause = 2 * INTERVAL;
    else
      pause = dice[0] ? 0 : dice[3:2];
  endfunction

  // Sends `to_send` words. A word is offered until it is taken.
  integer to_send = 0, sent = 0, i_wait = 0, i_seed = 1, first_cycle = 0;
  always @(posedge clk) begin
    if (i__valid && i__ready) begin
      if (sent == 0)
        first_cycle = cycle;
      sent = sent + 1;
      i_wait = pause($random(i_seed), 4 * WORDS);
    end
    if (!i__valid || i__ready) begin
      i__valid <= sent < to_send && i_wait == 0;
      i__payload <= sent < to_send && i_wait == 0 ? images[sent] : {I_WIDTH{1'bx}};
      if (i_wait > 0)
        i_wait = i_wait - 1;
    end
  end

  // Receives scores, and compares them. What is offered has to stay until it is taken. The class
  // that is best counts with the last score.
  integer received = 0, o_wait = 0, o_seed = 2, last_cycle = 0;
  reg [O_WIDTH-1:0] held, want;
  reg waiting = 0;
  always @(posedge clk) begin
    if (waiting && (o__valid !== 1 || o__payload !== held))
      $fatal(1, "FAIL: cycle %0d: a score was offered, and changed or withdrawn before it was taken",
             cycle);
    waiting = o__valid && !o__ready;
    held = o__payload;
    if (o__valid && o__ready) begin
      if (received == to_send / WORDS * CLASSES)
        $fatal(1, "FAIL: cycle %0d: a score more than there should be", cycle);
      want = scores[received];
      if (o__payload[SCORE_BITS-1:0] !== want[SCORE_BITS-1:0])
        $fatal(1, "FAIL: image %0d, score of class %0d: expected %0d, got %0d, in cycle %0d",
               received / CLASSES, received % CLASSES, $signed(want[SCORE_BITS-1:0]),
               $signed(o__payload[SCORE_BITS-1:0]), cycle);
      if (o__payload[O_WIDTH-1] !== want[O_WIDTH-1])
        $fatal(1, "FAIL: image %0d, class %0d: expected last = %b, got %b, in cycle %0d",
               received / CLASSES, received % CLASSES, want[O_WIDTH-1], o__payload[O_WIDTH-1], cycle);
      if (want[O_WIDTH-1] && (o__payload >> SCORE_BITS & BEST_MASK)
                             !== (want >> SCORE_BITS & BEST_MASK))
        $fatal(1, "FAIL: image %0d, best class: expected %0d, got %0d, in cycle %0d",
               received / CLASSES, want >> SCORE_BITS & BEST_MASK,
               o__payload >> SCORE_BITS & BEST_MASK, cycle);
      received = received + 1;
      last_cycle = cycle;
      o_wait = pause($random(o_seed), 4 * CLASSES);
    end else if (o_wait > 0)
      o_wait = o_wait - 1;
    o__ready <= o_wait == 0;
  end

  // One write takes one cycle.
  task write_word(input [ADDR_WIDTH-1:0] address, input [31:0] data);
    begin
      bus__addr <= address;
      bus__w_data <= data;
      bus__w_en <= 1;
      @(posedge clk) bus__w_en <= 0;
    end
  endtask

  // A read is answered some cycles later; the answer is in `word`.
  reg [31:0] word;
  task read_word(input [ADDR_WIDTH-1:0] address);
    begin
      bus__addr <= address;
      bus__r_en <= 1;
      @(posedge clk) bus__r_en <= 0;
      @(posedge clk);
      while (!bus__r_valid) @(posedge clk);
      word = bus__r_data;
    end
  endtask

  // Sends all images, and waits for all scores.
  task run(input with_stalls);
    begin
      @(negedge clk);
      stalls = with_stalls;
      sent = 0;
      received = 0;
      i_wait = 0;
      o_wait = 0;
      to_send = IMAGES * WORDS;
      while (received < IMAGES * CLASSES) @(negedge clk);
    end
  endtask

  integer row, part, taken;
  reg [31:0] sum;
  initial begin
    $readmemh("@name@.images.hex", images);
    $readmemh("@name@.scores.hex", scores);
@loads@

    // Are these the files that were written with this bench?
@sums@

    repeat (4) @(posedge clk);
    rst <= 0;
    repeat (4) @(posedge clk);
@fill@
    if (loaded !== 1)
      $fatal(1, "FAIL: cycle %0d: loaded is low with full memories", cycle);
@read_back@

    run(1);
    repeat (SETTLE) @(posedge clk);
    run(0);
    taken = last_cycle - first_cycle + 1;
    if (taken != CYCLES)
      $fatal(1, "FAIL: %0d images at full speed: expected %0d cycles, got %0d", IMAGES, CYCLES, taken);
    repeat (SETTLE) @(posedge clk);
    $display("PASS: %0d images with stalls and at full speed, %0d cycles; memories as in their files",
             IMAGES, CYCLES);
    $finish;
  end

endmodule
