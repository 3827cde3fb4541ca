"""What docs/architecture.md says of the tree, read off the files."""

import ast
import codecs
import importlib
import inspect
import pathlib
import re

import pytest
from amaranth.lib import wiring


ROOT     = pathlib.Path(__file__).parent.parent
PACKAGES = ("model", "gateware", "sim", "boards", "ohmbit")   # each imports those before it alone
SOURCES  = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
GATEWARE = [path for path in SOURCES if path.parent.name == "gateware"]
TESTS    = sorted((ROOT / "tests").glob("test_*.py"))
BENCHES  = sorted((ROOT / "bench").rglob("*.py"))
TEXTS    = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return importlib.import_module(".".join(parts).removesuffix(".__init__"))


def components(path):
    """The components that a file defines."""
    module = module_of(path)
    return [value for value in vars(module).values() if inspect.isclass(value)
            and issubclass(value, wiring.Component) and value.__module__ == module.__name__]


def imported(path):
    """Names of the top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@each(SOURCES)
def test_imports_run_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    forbidden = {"tests", "bench", *PACKAGES[PACKAGES.index(package) + 1:]}
    if package == "model":
        forbidden |= {"amaranth", "amaranth_boards"}
    assert forbidden.isdisjoint(imported(path))


@each(SOURCES)
def test_module_says_what_it_is_and_what_it_offers(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
    if path.name == "__main__.py":   # would start the command
        return
    module = module_of(path)
    assert path.name == "__init__.py" or module.__all__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            # A dataclass without a docstring is given one that repeats its signature.
            assert value.__doc__ and not value.__doc__.startswith(f"{name}("), name


@each(SOURCES + TESTS + BENCHES)
def test_file_can_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= 400


def literal_members(component):
    """Direction of each member that a component's source names outright, by name."""
    tree = ast.parse(inspect.getsource(component))
    # Members of members are in dictionaries within these.
    given = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            given[ast.unparse(node.targets[0])] = node.value
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            for argument in node.args:
                members = given.get(ast.unparse(argument), argument)
                if isinstance(members, ast.Dict):
                    # Those that are only there sometimes are in a dictionary of their own.
                    each = [members, *(value.body for value in members.values
                                       if isinstance(value, ast.IfExp))]
                    yield from ((key.value, ast.unparse(value.func)) for members in each
                                for key, value in zip(members.keys, members.values, strict=True)
                                if isinstance(key, ast.Constant))
    for node in tree.body[0].body:
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), ast.unparse(node.annotation.func)


@each(GATEWARE)
def test_members_are_documented(path):
    for component in components(path):
        _, _, section = inspect.getdoc(component).partition("\nMembers\n-------\n")
        documented = dict(re.findall(r"^(\w+) : :py:`(In|Out)\(", section, re.M))
        assert documented == dict(literal_members(component)), component.__name__


@each(GATEWARE)
def test_component_and_golden_model_share_file_and_name(path):
    golden = ROOT / "model" / path.name
    for component in components(path):
        claim = re.search(r"Computes what :\w+:`model\.(\w+)\.(\w+)", component.__doc__)
        # A whole network is the one thing that hardware is called something else for.
        if claim and claim[2] != "Network":
            assert claim.groups() == (path.stem, component.__name__)
    if golden.exists() and path.stem != "__init__":
        assert set(module_of(path).__all__) & set(module_of(golden).__all__)


@each(SOURCES)
def test_what_docstrings_refer_to_is_there(path):
    roles = r":(?:class|func|meth|mod|exc|data|attr):`((?:{})\.[\w.]+)`"
    for name in re.findall(roles.format("|".join((*PACKAGES, "tests"))), path.read_text()):
        parts = name.split(".")
        files = [n for n in range(len(parts), 0, -1)
                 if (ROOT.joinpath(*parts[:n]).with_suffix(".py")).exists()]
        assert files or ROOT.joinpath(*parts).is_dir(), name
        if parts[0] != "tests" and files:
            value = importlib.import_module(".".join(parts[:files[0]]))
            for part in parts[files[0]:]:
                # Fields of a dataclass without a default are no attributes of it.
                fields = getattr(value, "__dataclass_fields__", {})
                value = fields[part] if part in fields else getattr(value, part)


@each(TESTS)
def test_tests_are_named_for_what_they_test(path):
    names = {source.stem for source in [*SOURCES, *BENCHES]}
    names |= {source.parent.name for source in SOURCES}
    # Of all files, or the path through them; or of what happens to that.
    names |= {"architecture", "acceptance", "brevitas", "conftest", "few_bits", "learning_boards",
              "link_damage", "random_graphs", "damaged_graphs", "several_bits", "unplugged"}
    assert path.stem.removeprefix("test_") in names


@each(TEXTS + SOURCES + BENCHES)
def test_text_means_something_to_a_stranger(path):
    # Words of those who wrote this, which stand for nothing outside; spelled so that no search
    # for them ends here.
    words = codecs.decode("ubhfr|ehat|ynqqre", "rot13")
    found = re.search(rf"\b(?:{words})s?\b", path.read_text(), re.I)
    assert not found, found
    assert "../shared" not in path.read_text()


@each(TEXTS)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target
