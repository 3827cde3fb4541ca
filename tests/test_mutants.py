import json
import os
import pathlib
import subprocess
import sys

import pytest

from bench.mutants import LEAST, MOST, changed_files, equivalents, main
from bench.mutation import mutants
from bench.record import Record
from bench.trials import Trials
from model.errors import CheckFailed


ROOT = pathlib.Path(__file__).parent.parent


def changes(source):
    return [mutant.change for mutant in mutants(source, "toy.py")]


@pytest.mark.parametrize("source, expected", [
    ("x = a + b", ["a + b → a - b"]),
    ("x = a & ~b", ["a & ~b → a | ~b", "~b → b"]),
    ("x = a << b ^ c >> d", ["a << b ^ c >> d → a << b | c >> d", "a << b → a >> b",
                             "c >> d → c << d"]),
    ("x = -(-a // b)", ["-(-a // b) → -a // b", "-a // b → -a * b", "-a → a"]),
    ("x = a == b", ["a == b → a != b"]),
    ("x = a < b", ["a < b → a <= b", "a < b → a >= b"]),
    ("x = a < b <= c", ["a < b <= c → a <= b <= c", "a < b <= c → a >= b <= c",
                        "a < b <= c → a < b < c", "a < b <= c → a < b > c"]),
    ("x = not a and b", ["not a and b → not a or b", "not a → a"]),
    ("x = a[7]", ["a[7] → a[8]", "a[7] → a[6]"]),
    ("x = 0", ["x = 0 → x = 1"]),
    ("x = True", ["x = True → x = False"]),
    ("x = range(a)", ["range(a) → range(a + 1)", "range(a) → range(a - 1)"]),
    ("x = range(a + 1)", ["a + 1 → a - 1", "a + 1 → a + 2", "a + 1 → a + 0"]),
    ("x = min(a)", ["min(a) → max(a)"]),
    ("x = Cat(a, b)", ["Cat(a, b) → Cat(b, a)"]),
    ("x = Mux(a, b, c)", ["Mux(a, b, c) → Mux(a, c, b)"]),
    ("x = Mux(a == b, b, c)", ["a == b → a != b"]),
    ("x = b if a else c", ["b if a else c → b if not a else c"]),
    ("x += 2", ["x += 2 → left out", "x += 2 → x -= 2", "x += 2 → x += 3", "x += 2 → x += 1"]),
    ("with m.If(a):\n    m.d.sync += b.eq(c)",
     ["m.If(a) → m.If(1)", "m.If(a) → m.If(a == 0)", "m.d.sync += b.eq(c) → left out"]),
    ("with m.Elif(a == b):\n    m.next = 'A'",
     ["m.Elif(a == b) → m.Elif(1)", "a == b → a != b", "m.next = 'A' → left out"]),
    ("wiring.connect(m, a, b)", ["wiring.connect(m, a, b) → left out"]),
    # Four values and three take two bits, five take three.
    ("x = Signal(range(4))", ["Signal(range(4)) → Signal(range(5))"]),
])
def test_each_kind_of_change(source, expected):
    assert changes(source) == expected


def test_registers_start_from_one():
    source = ("def elaborate(self):\n"
              "    a, b, c, d, e = None\n"
              "    a = Signal(w)\n    b = Signal()\n    c = Signal(reset_less=yes)\n"
              "    d = Signal()\n    e = Signal(range(n))\n"
              "    def later():\n        m.d.sync += b.eq(d)\n"
              "    m.d.comb += a.eq(b)\n    m.d.sync += c.eq(b)\n    m.d.sync += e[f].eq(d)\n")
    starts = [change for change in changes(source) if "init" in change]
    assert starts == ["Signal() → Signal(init=1)", "Signal(range(n)) → Signal(range(n), init=1)"]


@pytest.mark.parametrize("source", [
    '"""Text 1."""',
    '__all__ = ["a" + "b"]',
    "raise ValueError(a + 1)",
    "x = f'{a + 1}'",
    "@lru_cache(maxsize=64)\ndef f(a: Literal[1]) -> Literal[2]:\n    return a",
    "x = Signal(like, name=a + 1)",
    "def f(*, src_loc_at=0):\n    return a",
    "x = [0, *a][n]".replace("0, ", ""),
    "import a",
])
def test_what_changes_nothing_is_left_alone(source):
    assert changes(source) == []


def test_a_mutant_says_where_it_is_and_differs_only_there():
    source = "# Größe\n\nclass A:\n    def f(self):\n        return  self.a+1   # one\n"
    more, zero, two = mutants(source, "gateware/a.py")[0], *mutants(source, "gateware/a.py")[1:]
    assert str(two) == "gateware/a.py:5: self.a + 1 → self.a + 0"
    assert zero.source == source.replace("self.a+1", "self.a+(2)")
    assert more.source == source.replace("self.a+1", "(self.a - 1)")
    assert more.text == "return  self.a+1   # one"


def test_equal_changes_of_equal_lines_are_counted():
    source = "if a:\n    x = 7\nelse:\n    x = 7\n"
    found = mutants(source, "a.py")
    assert len({mutant.key for mutant in found}) == len(found)
    # Neither keys nor places in samples depend on where a line stands.
    moved = mutants("\n\n" + source, "a.py")
    assert [mutant.key for mutant in moved] == [mutant.key for mutant in found]
    assert [mutant.rank(3) for mutant in moved] == [mutant.rank(3) for mutant in found]
    assert found[0].rank(3) != found[0].rank(4)


TOY = '''
def clip(value, top):
    return top if value > top else value
'''
TESTS = '''
from gateware.toy import clip

def test_clip():
    assert clip(3, 9) == 3 and clip(10, 9) == 9
'''


@pytest.fixture
def checkout(tmp_path):
    """A checkout of a package with one component, whose tests miss some changes."""
    for name, text in {"gateware/__init__.py": "", "gateware/toy.py": TOY,
                       "tests/__init__.py": "", "tests/test_toy.py": TESTS}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def call(*arguments, root=ROOT, code=0):
    # In a process of its own, which has not imported what is to be changed.
    done = subprocess.run([sys.executable, "-m", "bench.mutants", "--json", "--root", root,
                           *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def excuse(checkout, change, reason="No figure differs.", times=1):
    path = checkout / "bench" / "equivalent_mutants.toml"
    path.parent.mkdir()
    path.write_text(times * f'''
[[mutant]]
file = "gateware/toy.py"
line = "return top if value > top else value"
change = "value > top → {change}"
reason = "{reason}"
''')
    return path


def test_survivors_are_named(checkout):
    result = call(root=checkout, code=1)
    assert result["survivors"] == ["gateware/toy.py:3: value > top → value >= top"]
    row = {key: value for key, value in result["all"].items() if key != "seconds"}
    assert row == {"component": "all", "mutants": 2, "killed": 1, "timeout": 0, "survived": 1,
                   "equivalent": 0, "score": 0.5}


def test_an_excuse_is_counted_and_too_many_are_an_error(checkout):
    excuse(checkout, "value >= top")
    assert call(root=checkout, code=1) \
        == "1 of 2 mutants are excused as equivalent: more than 2%\n"


def test_what_a_test_notices_is_not_excused(checkout):
    excuse(checkout, "value <= top")
    assert call(root=checkout, code=1) == (
        "gateware/toy.py:3: value > top → value <= top is excused as equivalent, but "
        "tests/test_toy.py::test_clip notices it: take the entry out\n")


@pytest.mark.parametrize("options, message", [
    ({"change": "value >= top", "times": 2}, "is here twice: take the entry out$"),
    ({"change": "value < top"}, "is no mutant: take the entry out$"),
    ({"change": "value >= top", "reason": ""}, "must have a reason$"),
])
def test_excuses_are_checked(checkout, options, message):
    path = excuse(checkout, **options)
    with pytest.raises(CheckFailed, match=message):
        equivalents(path, mutants(TOY, "gateware/toy.py"))


def test_every_excuse_is_of_a_mutant_there_is():
    known = [mutant for path in sorted((ROOT / "gateware").glob("*.py"))
             for mutant in mutants(path.read_text(), f"gateware/{path.name}")]
    excused = equivalents(ROOT / "bench" / "equivalent_mutants.toml", known)
    assert len(excused) <= MOST * len(known)


def test_only_what_was_changed(checkout):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
                       cwd=checkout, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "toy")
    assert changed_files(checkout, "HEAD") == set()
    assert call("--changed", "HEAD", root=checkout)["all"]["mutants"] == 0
    path = checkout / "gateware" / "toy.py"
    path.write_text(TOY.replace("top if value > top else value", "min(value, top)"))
    assert changed_files(checkout, "HEAD") == {"gateware/toy.py"}
    result = call("--changed", "HEAD", root=checkout)["all"]
    assert result["killed"] == result["mutants"] > 0


@pytest.mark.parametrize("arguments, message", [
    (["top"], "Component must be one of __init__, toy, not top\n"),
    (["--changed", "nothing"], "--changed must name a commit, not 'nothing': "),
])
def test_what_is_asked_for_must_be_there(checkout, capsys, arguments, message):
    assert main(["--root", str(checkout), *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_nothing_may_have_been_imported_before():
    with pytest.raises(RuntimeError, match=" must not be imported before it is changed$"):
        Trials(ROOT, 1)


def test_what_depends_on_a_change_sees_it(checkout):
    """Other modules are imported once for all changes of a component."""
    (checkout / "gateware" / "uses.py").write_text(
        "from . import toy, plain\n\ndef clip(value, top):\n"
        "    return plain.same(toy.clip(value, top))\n")
    (checkout / "gateware" / "plain.py").write_text("def same(value):\n    return value\n")
    (checkout / "tests" / "test_toy.py").write_text(TESTS.replace("toy", "uses"))
    (checkout / "tests" / "test_plain.py").write_text(
        "from gateware.plain import same\n\ndef test_same():\n    assert same(3) == 3\n")
    result = call("toy", root=checkout, code=1)
    assert result["survivors"] == ["gateware/toy.py:3: value > top → value >= top"]
    assert result["all"]["killed"] == 1


def test_promising_tests_come_first():
    seconds, record = {"quick": 0.1, "long": 2.0, "middle": 0.5}, Record()

    def order(line=1):
        costs = record.costs(line, seconds)
        return sorted(seconds, key=costs.__getitem__)

    assert order() == ["quick", "middle", "long"]     # as long as nothing is known
    for _ in range(30):
        record.note(1, ["quick"])
    assert order() == ["middle", "quick", "long"]
    for noticed in ["long"] * 9 + ["middle"] * 2:
        record.note(1, seconds, noticed)
    assert order() == ["long", "middle", "quick"]
    for _ in range(9):
        record.note(1, ["quick"], "quick")
    assert order() == ["quick", "long", "middle"]


def test_what_noticed_changes_nearby_comes_first():
    seconds, record = {"here": 1.0, "there": 1.0}, Record()
    for _ in range(9):
        record.note(500, seconds, "there")
    for _ in range(3):
        record.note(10, seconds, "here")

    def order(line):
        costs = record.costs(line, seconds)
        return sorted(seconds, key=costs.__getitem__)

    assert order(12) == ["here", "there"]
    assert order(490) == order(900) == ["there", "here"]    # far from both, all count alike


def test_a_sample_of_a_real_component():
    result = call("control", "--sample", 2)["all"]
    assert (result["mutants"], result["killed"]) == (2, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
def test_memory_may_be_reserved_but_not_used(checkout):
    (checkout / "gateware" / "toy.py").write_text("def size(n):\n    return n << 30\n")
    (checkout / "tests" / "test_toy.py").write_text(
        "import mmap\nimport pytest\nfrom gateware.toy import size\n\n\ndef test_size():\n"
        "    mmap.mmap(-1, size(5), prot=0)\n"
        "    with pytest.raises(MemoryError):\n        bytearray(size(5))\n"
        "    assert size(5) == 5 << 30\n")
    assert call(root=checkout)["all"]["mutants"] == 3   # none of them survives


@pytest.mark.slow
def test_whatever_goes_on_for_ever_is_stopped(checkout):
    (checkout / "gateware" / "toy.py").write_text(
        "def clip(value, top):\n    while value > top:\n        value -= 1\n    return value\n")
    result = call(root=checkout)["all"]
    assert (result["mutants"], result["killed"], result["timeout"]) == (6, 2, 4)


@pytest.mark.slow
def test_tests_that_fail_anyway_prove_nothing(checkout):
    (checkout / "tests" / "test_toy.py").write_text(TESTS + "    assert clip(1, 3) == 3\n")
    assert call(root=checkout, code=1) \
        == "tests/test_toy.py must pass unchanged: run pytest on it\n"


@pytest.mark.slow
def test_tests_notice_a_sample_of_all_components():
    result = call("--sample", 2, "--seed", 1)
    assert result["all"]["score"] >= LEAST and len(result["components"]) >= 24
