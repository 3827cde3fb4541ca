import io

from sim.waveform import Gate


HEADER = "$var wire 1 ! clk $end\n$var wire 4 \" count $end\n$enddefinitions $end\n"


class Kept(io.StringIO):
    """A file whose text can still be read once it is closed."""

    def close(self):
        self.text = self.getvalue()
        super().close()


def recorded(*parts):
    """What is kept of a waveform; True opens the gate, False shuts it."""
    file = Kept()
    with Gate(file) as gate:
        gate.write(HEADER)
        for part in parts:
            if isinstance(part, bool):
                gate.open = part
            else:
                gate.write(part)
    return file.text.removeprefix(HEADER)


def test_values_from_before_come_first():
    assert recorded("#0\n$dumpvars\n0!\nb0 \"\n$end\n", "#5\n1!\nb1 \"\n", True, "#10\n0!\n",
                    "#15\n1!\nb10 \"\n", False, "#20\n0!\n") \
        == "#10\n$dumpvars\n1!\nb1 \"\n$end\n0!\n#15\n1!\nb10 \"\n"


def test_lines_may_come_in_pieces():
    assert recorded("#0\n0", "!\nb00", "11 \"\n", True, "#1", "0\n1!", "\n") \
        == "#10\n$dumpvars\n0!\nb0011 \"\n$end\n1!\n"


def test_a_gate_that_stays_shut_leaves_a_header():
    assert recorded("#0\n0!\n", "#5\n1!\n") == ""
