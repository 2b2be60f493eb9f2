"""The rules of the house: which room may import which, what stays behind its fence, and how long a module is."""

import ast
from pathlib import Path

import pytest

import hybridfactory

PACKAGE = Path(hybridfactory.__file__).parent
MODULES = {
    ".".join(["hybridfactory", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

FLOW = ["cli", "study", "pipeline", "report", "validation", "realism"]
FLOW += ["ground_truth", "injection", "donors", "plan", "events", "recording"]
BEHIND = {room: {*FLOW[place + 1 :], "sorting", "probes", "parameters"} for place, room in enumerate(FLOW)}
BEHIND["recording"] = {"probes", "parameters"}
BEHIND["sorting"] = {"probes", "parameters"}
BEHIND["parameters"] = {"probes"}
BEHIND["probes"] = set()
BEHIND["errors"] = set()
# A demonstration recording is made by nobody's order: the command line alone asks for it.
BEHIND["demo"] = BEHIND["pipeline"] | {"pipeline"}
BEHIND["cli"] |= {"demo"}
BEHIND["io"] = {"recording"}
BEHIND["data"] = {"ground_truth"}
BEHIND["__main__"] = {"cli"}
BEHIND["spikeinterface_safety"] = set()
EVERYWHERE = {"errors", "progress", "_version", "spikeinterface_safety"}
FRONT_DOOR = "hybridfactory"

FENCED = {
    "h5py": {"sorting"},
    "scipy.io": {"sorting"},
    "dask": {"study"},
    "distributed": {"study"},
    "jinja2": {"report"},
    "matplotlib": {"report", "docs"},
    "sklearn": {"realism"},
}
SEES_PARAMETERS = {"pipeline", "study", "cli", "parameters", FRONT_DOOR}


def room_of(module):
    """First part below the package; the package itself is the front door."""
    return module.split(".")[1] if "." in module else FRONT_DOOR


def is_typing_only(node):
    test = node.test if isinstance(node, ast.If) else None
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def imports(tree, *, runtime_only=False, top_level_only=False):
    """Absolute names of all that a module imports; ``from a import b`` gives ``a`` and ``a.b``."""
    found = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            # A module taken out of its package: the package itself is only the way there.
            found += inside if all(target in MODULES for target in inside) else [node.module, *inside]
        children = list(ast.iter_child_nodes(node))
        if is_typing_only(node):
            children = node.orelse if runtime_only else children
        if top_level_only:
            children = [c for c in children if not isinstance(c, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
        waiting += children
    return found


def own_imports(name, **options):
    """Modules of the package that a module imports."""
    return {target for target in imports(TREES[name], **options) if target in MODULES and target != name}


every_module = pytest.mark.parametrize("name", MODULES)


@every_module
def test_a_room_imports_only_what_is_behind_it(name):
    room = room_of(name)
    if room == FRONT_DOOR:
        return
    allowed = BEHIND.get(room, set()) | EVERYWHERE | {room}
    forward = sorted(target for target in own_imports(name) if room_of(target) not in allowed | {FRONT_DOOR})
    assert not forward, f"{name} imports {forward}"
    # The front door re-exports everything, so that to come in by it is to import every room.
    by_the_front = {target for target in imports(TREES[name]) if target == FRONT_DOOR}
    assert not by_the_front or room in {"cli", "__main__"}, f"{name} imports the package's front door"


def test_every_room_has_its_place():
    known = set(BEHIND) | EVERYWHERE | {FRONT_DOOR}
    assert {room_of(name) for name in MODULES} <= known


def test_no_cycles_at_runtime():
    edges = {name: own_imports(name, runtime_only=True, top_level_only=True) for name in MODULES}
    done, path = set(), []

    def visit(name):
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            path.append(name)
            for target in sorted(edges[name]):
                visit(target)
            path.pop()
            done.add(name)

    for name in MODULES:
        visit(name)


@every_module
def test_fences_around_other_people_s_libraries(name):
    for target in imports(TREES[name]):
        for library, rooms in FENCED.items():
            if target == library or target.startswith(f"{library}."):
                assert room_of(name) in rooms or name.rpartition(".")[2] in rooms, f"{name} imports {target}"


@every_module
def test_only_the_entrances_see_the_parameters(name):
    seen = [target for target in own_imports(name) if room_of(target) == "parameters"]
    assert not seen or room_of(name) in SEES_PARAMETERS, f"{name} imports {seen}"


@every_module
def test_what_library_code_does_not_do(name):
    for node in ast.walk(TREES[name]):
        assert not isinstance(node, ast.Assert), f"{name}:{node.lineno} asserts"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{name}:{node.lineno} catches everything"
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", "")
            assert called not in {"print", "eval"}, f"{name}:{node.lineno} calls {called}"
            for keyword in node.keywords:
                unsafe = keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True) is not False
                assert not unsafe, f"{name}:{node.lineno} allows pickles"
    assert not {"pickle", "dill", "cloudpickle"} & {target.split(".")[0] for target in imports(TREES[name])}


@every_module
def test_names_say_what_is_inside(name):
    assert not {"utils", "util", "helpers", "helper", "common", "misc"} & set(name.split("."))


@every_module
def test_length(name):
    num_lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert num_lines < 400, f"{name} has {num_lines} lines"


@every_module
def test_docstring(name):
    tree = TREES[name]
    assert not tree.body or ast.get_docstring(tree) or name.rpartition(".")[2] == "_version"
