"""Small changes to a source file, one at a time, each of which a test should notice."""

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace


__all__ = ["Key", "Mutant", "mutants"]


Key = tuple[str, str, str, int]   # file, line, change, and which of those that are alike

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}
# The bound moved by one, and the opposite.
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Arguments that name things or say where they come from, and change nothing that is computed.
NAMING = {"name", "path", "src_loc_at", "maxsize"}


@dataclass(frozen=True)
class Mutant:
    """A source file changed in one place.

    Parameters
    ----------
    file : :class:`str`
        Path from the root of the repository, with slashes.
    line : :class:`int`
        Where in it.
    text : :class:`str`
        What the line says, without its indentation.
    change : :class:`str`
        What was there and what is there now, as Python.
    source : :class:`str`
        The whole file, changed.
    nth : :class:`int`
        Which it is among those of equal file, text and change; 1 for the first.
    """

    file: str
    line: int
    text: str
    change: str
    source: str
    nth: int = 1

    @property
    def key(self) -> Key:
        """What stays the same when lines move."""
        return self.file, self.text, self.change, self.nth

    def rank(self, seed: int) -> str:
        """Place in the order in which samples are drawn; does not move when other lines change."""
        return hashlib.sha256(repr((seed, self.key)).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"


def mutants(source: str, file: str) -> list[Mutant]:
    """Every :class:`Mutant` of a file, in the order of its lines.

    Operators become others; ``~``, ``-`` and ``not`` go; comparisons move by one and turn round;
    integers go up and down by one, as do ranges; choices take the other way (``Mux``, ``if``), and
    conditions of hardware hold always or the other way round; concatenations turn round; registers
    start from 1; assignments and calls are left out. Texts, names, annotations, decorators and
    errors stay as they are, and so does whatever would be the same hardware under another text.
    """
    tree = ast.parse(source)
    found = _Search(source, file, tree).run()
    counts: Counter[Key] = Counter()
    result = []
    for mutant in sorted(found, key=lambda mutant: mutant.line):
        counts[mutant.key] += 1
        result.append(replace(mutant, nth=counts[mutant.key]))
    return result


def _name(node: ast.AST) -> str:
    """A name with dots, or nothing where there are brackets in it."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := _name(node.value)):
        return f"{base}.{node.attr}"
    return ""


def _is_call(node: ast.AST | None, *names: str) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in names


def _decided(node: ast.expr) -> bool:
    """Whether the opposite of a condition is already among its own mutants."""
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert))


class _Search:
    """Goes through a tree and collects what can be changed."""

    def __init__(self, source: str, file: str, tree: ast.Module):
        self.source = source.encode()
        self.lines = source.splitlines()
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.file = file
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {}
        self.found: list[Mutant] = []
        self.registers: set[str] = set()   # of the function that is looked at

    def run(self) -> list[Mutant]:
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self.visit(self.tree)
        return self.found

    # What is changed, and how it is written down.

    def add(self, node: ast.AST, text: str, old: str, new: str) -> None:
        """Write :py:`text` in place of a node."""
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        changed = self.source[:start] + text.encode() + self.source[end:]
        self.found.append(Mutant(self.file, node.lineno, self.lines[node.lineno - 1].strip(),
                                 f"{old} → {new}", changed.decode()))

    def swap(self, node: ast.expr, other: ast.expr) -> None:
        """Put an expression in place of another, and show it with what is around it."""
        shown: ast.AST = node
        while isinstance(shown, (ast.Constant, ast.Name)) or _is_call(shown, "range"):
            around = self.parents[shown]
            if not isinstance(around, (ast.expr, ast.keyword, ast.Slice, ast.Assign,
                                       ast.AugAssign, ast.AnnAssign, ast.arguments)):
                break
            shown = around
        old = ast.unparse(shown)
        holder = self.parents[node]
        for field, value in ast.iter_fields(holder):
            if value is node:
                setattr(holder, field, other)
                new = ast.unparse(other if shown is node else shown)
                setattr(holder, field, node)
            elif isinstance(value, list) and any(item is node for item in value):
                place = next(n for n, item in enumerate(value) if item is node)
                value[place] = other
                new = ast.unparse(other if shown is node else shown)
                value[place] = node
        if isinstance(shown, ast.arguments):
            # Of all parameters, only those that differ.
            before, after = old.split(", "), new.split(", ")
            (old, new), = [pair for pair in zip(before, after, strict=True) if len(set(pair)) > 1]
        self.add(node, f"({ast.unparse(other)})", old, new)

    def parsed(self, form: str, node: ast.expr) -> ast.expr:
        """An expression around a node."""
        return ast.parse(form.format(f"({ast.unparse(node)})"), mode="eval").body

    def leave_out(self, node: ast.stmt) -> None:
        self.add(node, "pass", ast.unparse(node), "left out")

    # Where to look.

    def visit(self, node: ast.AST) -> None:
        method: Callable[[ast.AST], None] | None = getattr(self, type(node).__name__, None)
        if method is not None:
            method(node)
        for child in self.children(node):
            self.visit(child)

    def children(self, node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)):
            return
        if isinstance(node, ast.Assign) and _name(node.targets[0]) == "__all__":
            return
        skipped: list[ast.AST | None] = [getattr(node, "annotation", None),
                                         getattr(node, "returns", None)]
        skipped += getattr(node, "decorator_list", [])
        if isinstance(node, ast.arguments):
            skipped += [default for argument, default in zip(node.kwonlyargs, node.kw_defaults,
                                                             strict=True) if argument.arg in NAMING]
        for child in ast.iter_child_nodes(node):
            if child not in skipped and getattr(child, "arg", None) not in NAMING:
                yield child

    def FunctionDef(self, node: ast.FunctionDef) -> None:
        # Functions within `elaborate` see its registers.
        if not any(isinstance(around, ast.FunctionDef) for around in self.around(node)):
            self.registers = {
                name.id for statement in ast.walk(node) if isinstance(statement, ast.AugAssign)
                and _name(statement.target) == "m.d.sync"
                for name in self.assigned(statement.value)}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def assigned(self, value: ast.expr) -> Iterator[ast.Name]:
        """Names of the signals that `x.eq(…)` assigns to."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            target = value.func.value
            roots = target.args if _is_call(target, "Cat") else [target]
            for root in roots:
                while isinstance(root, (ast.Subscript, ast.Attribute, ast.Call)):
                    root = root.func if isinstance(root, ast.Call) else root.value
                if isinstance(root, ast.Name):
                    yield root

    # Statements.

    def AugAssign(self, node: ast.AugAssign) -> None:
        self.leave_out(node)
        if not _name(node.target).startswith("m.d."):
            other = copy.copy(node)
            other.op = OPERATORS[type(node.op)]()
            self.add(node, ast.unparse(other), ast.unparse(node), ast.unparse(other))

    def Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        constructor = any(isinstance(around, ast.FunctionDef) and around.name == "__init__"
                          for around in self.around(node))
        if isinstance(target, (ast.Attribute, ast.Subscript)) and len(node.targets) == 1 and \
                not constructor:
            self.leave_out(node)

    def Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and not _is_call(
                getattr(node.value.func, "value", None), "super"):
            self.leave_out(node)

    def Continue(self, node: ast.Continue) -> None:
        self.leave_out(node)

    def If(self, node: ast.If | ast.While | ast.IfExp) -> None:
        if not _decided(node.test):
            self.swap(node.test, self.parsed("not {}", node.test))

    While = IfExp = If

    def comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            if not _decided(test):
                self.swap(test, self.parsed("not {}", test))

    # Expressions.

    def BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS and not isinstance(node.left, (ast.List, ast.JoinedStr)):
            self.swap(node, ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right))

    def BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        self.swap(node, ast.BoolOp(other, node.values))

    def UnaryOp(self, node: ast.UnaryOp) -> None:
        if not isinstance(node.operand, ast.Constant):
            self.swap(node, node.operand)

    def Compare(self, node: ast.Compare) -> None:
        for n, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                operators = [*node.ops[:n], other(), *node.ops[n + 1:]]
                self.swap(node, ast.Compare(node.left, operators, node.comparators))

    def Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.swap(node, ast.Constant(not node.value))
        elif isinstance(node.value, (int, float)):
            for value in (node.value + 1, node.value - 1):
                if value >= 0 and not self.same_width(node, value):
                    self.swap(node, ast.Constant(value))

    def same_width(self, node: ast.Constant, value: float) -> bool:
        """Whether a signal's range can hold another number of values in as many bits."""
        around = self.parents[node]
        return _is_call(around, "range") and isinstance(value, int) and \
            _is_call(self.parents[around], "Signal", "In", "Out") and \
            max(value - 1, 0).bit_length() == max(node.value - 1, 0).bit_length()

    def Call(self, node: ast.Call) -> None:
        name = _name(node.func)
        arguments = node.args
        if name == "Mux" and not _decided(arguments[0]):
            self.swap(node, ast.Call(node.func, [arguments[0], *arguments[:0:-1]], []))
        elif name == "Cat" and len(arguments) > 1:
            self.swap(node, ast.Call(node.func, arguments[::-1], []))
        elif name in SWAPPED and not node.keywords:
            self.swap(node, ast.Call(ast.Name(SWAPPED[name]), arguments, node.keywords))
        elif name in ("m.If", "m.Elif"):
            self.swap_argument(node, ast.Constant(1))
            if not _decided(arguments[0]):
                self.swap_argument(node, self.parsed("{} == 0", arguments[0]))
        elif name == "range":
            end = arguments[-1]
            stepped = isinstance(end, ast.BinOp) and isinstance(end.right, ast.Constant)
            if not stepped and not isinstance(end, ast.Constant):
                for form in ("{} + 1", "{} - 1"):
                    self.swap_argument(node, self.parsed(form, end), -1)
        elif name in ("Signal", "Signal.like"):
            self.reset(node)

    def swap_argument(self, node: ast.Call, other: ast.expr, place: int = 0) -> None:
        old = ast.unparse(node)
        changed = copy.copy(node)
        changed.args = [*node.args]
        changed.args[place] = other
        self.add(node.args[place], f"({ast.unparse(other)})", old, ast.unparse(changed))

    def reset(self, node: ast.Call) -> None:
        """A register starts from 1, unless it says itself what from."""
        assignment = self.parents[node]
        targets = assignment.targets if isinstance(assignment, ast.Assign) else []
        plain = not node.args or isinstance(node.args[0], ast.Constant) or \
            _is_call(node.args[0], "range", "signed") or _name(node.func) == "Signal.like"
        if plain and self.registers.intersection(map(_name, targets)) and \
                not any(keyword.arg in ("init", "reset_less") for keyword in node.keywords):
            other = copy.copy(node)
            other.keywords = [*node.keywords, ast.keyword("init", ast.Constant(1))]
            self.swap(node, other)
