# SPDX-License-Identifier: Apache-2.0
"""Files that mean harm: each is refused with a reason, in bounded time and memory, and nothing in them runs."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import numpy as np  # noqa: E402
from scikit_learn_probe import Probe, Refused  # noqa: E402
from scipy.sparse import csr_matrix  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402

# A first class that makes the file scikit-learn's business; what follows it is the attack.
GENUINE = b"\x80\x04\x8c\x1asklearn.linear_model._base\x8c\x10LinearRegression\x93)\x81"


class _Calls:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _inside(value, protocol=4):
    """The value as an attribute of a model."""
    model = LinearRegression().fit([[0.0], [1.0]], [0, 1])
    model.extra = value
    return pickle.dumps(model, protocol=protocol)


PIPELINE = b"csklearn.pipeline\nPipeline\n)\x81}\x8c\x05steps]\x8c\x01a"
PIPELINE_END = b"\x86asb"


def _self(named, attribute, count=2):
    """An estimator that is its own part, many times."""
    step = b"\x8c\x01aq\x010h\x01h\x00\x86"
    start = b"\x80\x04" + named + b")\x81q\x00}\x8c" + bytes([len(attribute)]) + attribute
    return start + b"](" + step * count + b"esb."


def _built(body):
    """GENUINE with `body` as its state."""
    return GENUINE + body + b"b."


CODE = {
    "os.system": _inside(_Calls(os.system, "touch /tmp/protean-was-here")),
    "eval": _inside(_Calls(eval, "1+1")),
    "exec, protocol 0": _inside(_Calls(exec, "x=1"), 0),
    "getattr": _inside(_Calls(getattr, 1, "real")),
    "__import__": _inside(_Calls(__import__, "os")),
    "open": _inside(_Calls(open, "/etc/passwd")),
    "subprocess": _built(b"csubprocess\nPopen\n(lp0\nS'id'\natR"),
    "builtins through sklearn": _built(b"csklearn.base\nos.system\n(S'id'\ntR"),
    "dotted name": _built(b"\x8c\x0csklearn.base\x8c\x09os.system\x93(\x8c\x02idtR"),
    "a module by a colon": _built(b"\x8c\x0csklearn:base\x8c\x03Foo\x93)R"),
    "a function of sklearn": _built(b"csklearn.utils\nall_estimators\n)R"),
    "a call of what is no class": _built(b"(]tR"),
    "a call of a dict": _built(b"}(ttR"),
    "numpy.load": _built(b"cnumpy\nload\n(S'/etc/passwd'\ntR"),
    "a call of numpy.exp": _built(b"cnumpy\nexp\n(I1\ntR"),
    "joblib.load": _built(b"cjoblib\nload\n(S'/etc/passwd'\ntR"),
    "type": _built(b"cbuiltins\ntype\n(S'X'\n)}tR"),
    "INST": _built(b"(S'id'\nios\nsystem\n"),
    "OBJ": _built(b"(cbuiltins\neval\nS'1'\no"),
    "persistent id": _built(b"Phttp://example.com/x\n"),
    "binary persistent id": _built(b"K\x01Q"),
    "extension code": _built(b"\x82\x01"),
    "out-of-band buffer": _built(b"\x97"),
    "read-only buffer": _built(b"\x97\x98"),
    "codecs.encode into a module": _built(b"c_codecs\nencode\n(\x8c\x01x\x8c\x03rottR"),
    "NEWOBJ of a builtin": _built(b"cbuiltins\neval\n(\x8c\x011t\x81"),
    "NEWOBJ_EX of a builtin": _built(b"cbuiltins\nexec\n(\x8c\x01xt}\x92"),
    "NEWOBJ_EX of subprocess": _built(b"\x8c\nsubprocess\x8c\x05Popen\x93(]t}\x8c\x05shell\x88s\x92"),
    "extension code of two bytes": _built(b"\x83\x01\x00"),
    "extension code of four bytes": _built(b"\x84\x01\x00\x00\x00"),
    "a new extension code": _built(b"ccopyreg\nadd_extension\n(\x8c\x02os\x8c\x06systemK\x01tR"),
    "reconstruction of a function": _built(b"ccopyreg\n_reconstructor\n(cos\nsystem\ncbuiltins\nobject\nNtR"),
    "a state for a class": _built(b"csklearn.base\nBaseEstimator\n}\x8c\x07predictK\x01sb"),
    "a state for a module's function": _built(b"cnumpy\nexp\n}b"),
    "partial of a function": _built(b"cfunctools\npartial\n(cos\nsystem\ntR"),
    "a function of a function": _built(b"cfunctools\npartial\n(cbuiltins\ngetattr\ntR"),
    "_ufunc_reconstruct of os": _built(b"cnumpy._core\n_ufunc_reconstruct\n(\x8c\x02os\x8c\x06systemtRcos\nsystem\n"),
    "an estimator that is a function": _built(b"}(\x8c\x05coef_csklearn.utils._testing\nignore_warnings\n)Ru"),
    "a method by STACK_GLOBAL": _built(b"\x8c\x08builtins\x8c\x0cstr.__mro__\x93"),
    "a private name": _built(b"\x8c\x08sklearn.\x8c\x0c__builtins__\x93"),
    "a name that is built": _built(b"\x8c\x02o\x8c\x01s\x86\x8c\x06system\x93"),
    "a lambda": _built(b"c__main__\n<lambda>\n)R"),
    "a user's class": _built(b"c__main__\nMyModel\n)\x81"),
}

# By which names code has been run out of pickles before.
GADGETS = """builtins.eval builtins.exec builtins.compile builtins.getattr builtins.setattr builtins.open builtins.map
builtins.input builtins.breakpoint builtins.vars builtins.globals builtins.__import__ builtins.delattr builtins.apply
__builtin__.eval __builtin__.execfile __builtin__.file __builtin__.apply os.system os.popen os.execv os.spawnv posix.system
nt.system subprocess.run subprocess.call subprocess.check_output commands.getoutput pty.spawn platform.popen
importlib.import_module importlib._bootstrap._load runpy.run_path runpy._run_code imp.load_source code.interact
types.CodeType types.FunctionType types.ModuleType marshal.loads pickle.loads _pickle.loads cPickle.loads dill.loads
cloudpickle.loads joblib.load joblib.numpy_pickle.load torch.load pandas.read_pickle shelve.open
operator.attrgetter operator.methodcaller operator.itemgetter functools.reduce itertools.starmap
ctypes.CDLL ctypes.pythonapi.PyRun_SimpleString mmap.mmap socket.create_connection ssl.SSLContext http.client.HTTPConnection
urllib.request.urlopen urllib.urlopen requests.get webbrowser.open smtplib.SMTP ftplib.FTP telnetlib.Telnet
shutil.rmtree shutil.copyfile pathlib.Path tempfile.mktemp os.remove os.putenv sys.exit sys.settrace signal.signal
timeit.timeit cProfile.run profile.run pdb.run bdb.Bdb trace.Trace doctest.debug_script idlelib.run.Executive
logging.config.listen logging.config.fileConfig asyncio.subprocess.create_subprocess_shell multiprocessing.Process
multiprocessing.util.spawnv_passfds threading.Thread _thread.start_new_thread atexit.register gc.get_objects
pip.main pip._internal.main setuptools.sandbox.run_setup distutils.spawn.spawn site.main venv.create ensurepip.bootstrap
numpy.load numpy.save numpy.fromfile numpy.memmap numpy.loadtxt numpy.genfromtxt numpy.DataSource numpy.f2py.compile
numpy.testing._private.utils.runstring numpy.testing.rundocs numpy.distutils.exec_command.exec_command
numpy.lib.npyio.load numpy.lib.format.read_array numpy.vectorize numpy.fromfunction numpy.apply_along_axis numpy.piecewise
numpy.ctypeslib.load_library numpy._core.memmap.memmap numpy.random._pickle.os numpy.lib._datasource.open
scipy.io.loadmat scipy.optimize.minimize scipy.LowLevelCallable sklearn.datasets.load_files sklearn.datasets.fetch_openml
sklearn.utils.all_estimators sklearn.utils._joblib.load sklearn.externals.joblib.load sklearn.utils.fixes.os
sklearn.utils.parallel.delayed sklearn._build_utils.openmp_helpers.os sklearn.__check_build.os
joblib.memory.Memory joblib.externals.loky.process_executor.os IPython.core.interactiveshell.InteractiveShell
copyreg.pickle copyreg.constructor weakref.finalize contextlib.ExitStack unittest.mock.patch""".split()


def _by(way, gadget):
    """The ways in which a pickle names and calls."""
    module, _, name = gadget.rpartition(".")
    text = module.encode() + b"\n" + name.encode() + b"\n"
    short = b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode()
    return _built(
        {
            "REDUCE": b"c" + text + b"(S'id'\ntR",
            "STACK_GLOBAL": short + b"\x93(\x8c\x02idtR",
            "NEWOBJ": b"c" + text + b"(\x8c\x02idt\x81",
            "NEWOBJ_EX": short + b"\x93)}\x92",
            "INST": b"(S'id'\ni" + text,
            "OBJ": b"(c" + text + b"S'id'\no",
            "a name only": b"}\x8c\x05coef_c" + text + b"s",
            "through the memo": b"c" + text + b"q\x070h\x07(S'id'\ntR",
        }[way]
    )


MALFORMED = {
    "cut off": GENUINE,
    "no STOP": GENUINE + b"}" * 100,
    "an empty stack": GENUINE + b"00000.",
    "a negative LONG4": _built(b"\x8b\xff\xff\xff\xff"),
    "a huge LONG4": _built(b"\x8b\xff\xff\xff\x7f"),
    "a long of 1 MB": _built(b"\x8b" + struct.pack("<I", 1 << 20) + b"\x01" * (1 << 20)),
    "a decimal of 1 MB": _built(b"L" + b"9" * (1 << 20) + b"L\n"),
    "a text of 2^63 bytes": _built(b"\x8d" + struct.pack("<Q", 1 << 63)),
    "bytes of 2^64-1": _built(b"\x8e" + b"\xff" * 8),
    "a frame beyond the file": _built(b"\x95" + struct.pack("<Q", 1 << 40)),
    "memo slot 2^32-1": _built(b"}r\xff\xff\xff\xff"),
    "a memo slot that is empty": _built(b"j\x09\0\0\0"),
    "a mark that is missing": _built(b"t"),
    "an unknown opcode": _built(b"\xfe"),
    "protocol 99": b"\x80\x04\x80\x63" + GENUINE[2:] + b".",
    "a key without a value": _built(b"}(K\x01u"),
    "depth of a million": _built(b"]" * 1_000_000 + b"a" * 999_999),
    "tuples in tuples": _built(b")" + b"\x85" * 3_000_000),
    "a list inside itself": _built(b"]\x94h\x00a"),
    "doubling lists": _built(b"](" + b"K\x01" * 10 + b"e" + b"2\x86" * 200_000),
    "sets of one large list": _built(
        b"](" + b"K\x01" * 100_000 + b"e\x940" + b"(" + b"cbuiltins\nset\n\x940" + b"h\x01h\x00\x85R" * 100_000 + b"t"
    ),
    "encodings of one large text": _built(
        b"\x8d" + struct.pack("<Q", 1 << 20) + b"x" * (1 << 20) + b"\x940" + b"c_codecs\nencode\n\x940"
        b"\x8c\x06latin1\x940" + b"h\x01h\x00h\x02\x86R0" * 20_000 + b"}"
    ),
    "a shape of 2^62": _built(
        b"}\x8c\x05coef_cnumpy._core.numeric\n_frombuffer\n(C\x08" + b"\0" * 8 + b"\x8c\x02f8\x8a\x08" + b"\0" * 7
        + b"\x40\x85\x8c\x01CtRs"
    ),
    "a memo slot of twenty digits": _built(b"}p99999999999999999999\n"),
    "a negative memo slot": _built(b"}p-1\n"),
    "an array of 2^63 bytes": _built(b"\x96" + struct.pack("<Q", 1 << 63)),
    "laughs by a billion": _built(b"](K\x01e\x94" + b"".join(b"0](" + b"h%c" % n * 10 + b"e\x94" for n in range(20))),
    "pipelines 10,000 deep": PIPELINE * 10_000 + GENUINE + b"}b" + PIPELINE_END * 10_000 + b".",
    "a pipeline inside itself": _self(b"csklearn.pipeline\nPipeline\n", b"steps"),
    "a union of unions": _self(b"csklearn.pipeline\nFeatureUnion\n", b"transformer_list", 250),
    "an array whose shape holds it": _built(
        b"}\x8c\x05coef_cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR\x94"
        b"(K\x01h\x00\x85cnumpy\ndtype\n(\x8c\x02f8\x89\x88tR\x89C\x00tbs"
    ),
    "a dtype whose field is it": _built(
        b"}\x8c\x05coef_cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
        b"(K\x01K\x01\x85cnumpy\ndtype\n(\x8c\x02V8\x89\x88tR\x94"
        b"(K\x03\x8c\x01|N\x8c\x01a\x85}\x8c\x01ah\x00K\x00\x86sK\x08K\x01K\x00tb\x89C\x08" + b"\0" * 8 + b"tbs"
    ),
    "no state": GENUINE + b".",
    "a state that is a number": _built(b"K\x01"),
}


def _changed(model, **attributes):
    for name, value in attributes.items():
        setattr(model, name, value)
    return pickle.dumps(model)


def _trees():
    """Fitted trees whose nodes lie."""
    from sklearn import ensemble, tree

    x, y = load_iris(return_X_y=True)

    def patched(field, value, node=0):
        model = tree.DecisionTreeClassifier(max_depth=3, random_state=1).fit(x, y)
        nodes = model.tree_.__getstate__()["nodes"]
        data, before = pickle.dumps(model), nodes.tobytes()
        nodes[field][node] = value
        assert before in data
        return data.replace(before, nodes.tobytes())

    def histogram(field, value):
        model = ensemble.HistGradientBoostingClassifier(max_iter=1).fit(x, y)
        model._predictors[0][0].nodes[field][0] = value
        return pickle.dumps(model)

    one = tree.DecisionTreeClassifier().fit(x, y)
    boosted = ensemble.GradientBoostingClassifier(n_estimators=1).fit(x, y)
    return {
        "children that point at the root": patched("left_child", 0),
        "children that point at themselves": patched("right_child", 2, 2),
        "a child beyond the tree": patched("left_child", 1 << 40),
        "a child before the tree": patched("left_child", -7),
        "a feature beyond the row": patched("feature", 1 << 31),
        "histogram nodes that point back": histogram("left", 0),
        "histogram nodes beyond the tree": histogram("right", 4_000_000_000),
        "a histogram feature beyond the row": histogram("feature_idx", 1 << 30),
        "2^40 columns, boosted": _changed(boosted, n_features_in_=1 << 40),
        "a forest of one tree, a million times": _changed(
            ensemble.RandomForestClassifier(1).fit(x, y), estimators_=[one] * 1_000_000
        ),
    }


def _estimators():
    """Fitted models with one attribute that is a lie."""
    from sklearn import dummy, feature_extraction, neighbors, pipeline, preprocessing, svm

    x, y = load_iris(return_X_y=True)
    scaler = preprocessing.StandardScaler(with_mean=False, with_std=False).fit(x)
    texts = feature_extraction.text.CountVectorizer().fit(["one two", "three"])
    polynomial = preprocessing.PolynomialFeatures().fit(x)
    near = neighbors.KNeighborsClassifier().fit(x, y)
    sparse_matrix = csr_matrix(([1.0], [3], [0, 1]), shape=(1, 4))
    sparse_matrix._shape = (1, 1 << 40)
    outside = csr_matrix(([1.0], [3], [0, 1]), shape=(1, 4))
    outside.indices[0] = 1 << 30
    return {
        "2^62 columns, scaled": _changed(scaler, n_features_in_=1 << 62),
        "2^40 columns, scaled": _changed(scaler, n_features_in_=1 << 40),
        "-1 columns": _changed(scaler, n_features_in_=-1),
        "2^62 columns, guessed": _changed(dummy.DummyRegressor().fit(x, y), n_features_in_=1 << 62),
        "2^40 columns, polynomial": _changed(polynomial, n_features_in_=1 << 40, _n_out_full=1 << 60),
        "a polynomial of degree 32": _changed(polynomial, degree=32, n_features_in_=200),
        "sparse weights of 2^40 columns": _changed(LinearRegression().fit(x, y), coef_=sparse_matrix),
        "sparse weights beyond their row": _changed(LinearRegression().fit(x, y), coef_=outside),
        "support vectors that are not there": _changed(
            svm.SVC().fit(x, y), _n_support=np.array([1 << 30, 1, 1], np.int32)
        ),
        "no neighbours": _changed(near, n_neighbors=0),
        "2^40 neighbours": _changed(near, n_neighbors=1 << 40),
        "targets beyond the classes": _changed(near, n_neighbors=5, _y=np.full(150, 1 << 40)),
        "terms beyond the vocabulary": _changed(texts, vocabulary_={"one": 1 << 40}),
        "n-grams of 2^40 words": _changed(texts, ngram_range=(1, 1 << 40)),
        "steps that do not fit": pickle.dumps(pipeline.Pipeline([("a", scaler), ("b", texts)])),
    }


def _zip(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _node(name, module, loader="ObjectNode", content=None):
    return {"__class__": name, "__module__": module, "__loader__": loader, "content": content, "protocol": 2}


def _schema(node):
    return json.dumps(node).encode()


def _deep(depth):
    return b'{"__loader__":"ListNode","__module__":"sklearn.x","content":[' * depth + b"]}" * depth


def _npy(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def _array(data):
    """A skops file whose weights are this .npy member."""
    node = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "1.npy"}
    content = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {"coef_": node}}
    model = _node("LinearRegression", "sklearn.linear_model._base", content=content)
    return _zip({"schema.json": _schema(model), "1.npy": data})


def _lying(offset, value):
    """A zip whose directory lies at this place of its first entry."""
    data = bytearray(_zip({"schema.json": _schema(_node("Ridge", "sklearn.linear_model"))}))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + offset : entry + offset + 4] = struct.pack("<I", value)
    return bytes(data)


def _many_members():
    """A hundred thousand entries that all mean the same member."""
    local = b"PK\x03\x04" + bytes(22) + struct.pack("<HH", 1, 0) + b"x"
    entries = [
        b"PK\x01\x02" + bytes(24) + struct.pack("<HHH", 6, 0, 0) + bytes(12) + b"%06d" % n for n in range(100_000)
    ]
    directory = b"".join(entries) + b"schema.json"
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(directory), len(local), 0)
    return local + directory + end


SKOPS = {
    "a class of os": _zip({"schema.json": _schema(_node("system", "os")) + b" " * 9 + b"\n"}),
    "a method": _zip({"schema.json": _schema(_node("f", "sklearn.base", "MethodNode", {"func": "x"}))}),
    "an operator": _zip({"schema.json": _schema(_node("methodcaller", "sklearn.x", "OperatorFuncNode"))}),
    "a deep schema": _zip({"schema.json": _deep(10_000)}),
    "a member outside": _zip(
        {"schema.json": _schema(_node("ndarray", "sklearn.x", "NdArrayNode") | {"type": "numpy", "file": "../../etc/passwd"})}
    ),
    "a bomb": _zip({"schema.json": b'{"__loader__": "sklearn.", "x": "' + b"0" * (300 << 20) + b'"}'}),
    "cut off": _zip({"schema.json": _schema(_node("Ridge", "sklearn.linear_model"))})[:-30],
    "packed bytes beyond the file": _lying(20, 0xFFFFFFF0),
    "4 GiB unpacked": _lying(24, 0xFFFFFFF0),
    "fewer bytes than there are": _lying(24, 3),
    "a member beyond the file": _lying(42, 0x7FFFFFFF),
    "64-bit sizes that are not there": _lying(24, 0xFFFFFFFF),
    "a hundred thousand members": _many_members(),
    "an array of 2^62": _array(_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }")),
    "an array of 2^63 by product": _array(
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }")
    ),
    "an array of objects": _array(_npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([1]))),
    "an array of a negative size": _array(_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }")),
    "an array cut off": _array(_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }", b"123")),
    "an array with a deep header": _array(_npy("{'descr': " + "(" * 10_000 + ", 'shape': (1,), }")),
    "no array": _array(b"\x93NUMPY"),
}


def _nothing():
    return GENUINE + b"\x8e" + struct.pack("<Q", 400 << 20) + b"\0" * (400 << 20)


BOMBS = {
    "zlib": lambda: zlib.compress(_nothing(), 9),
    "gzip": lambda: gzip.compress(_nothing(), 9),
    "bz2": lambda: bz2.compress(_nothing(), 1),
    "xz": lambda: lzma.compress(_nothing(), preset=0),
    "broken zlib": lambda: zlib.compress(GENUINE * 50, 9)[:-20],
    "two layers": lambda: zlib.compress(zlib.compress(GENUINE)),
    "lzma": lambda: lzma.compress(_nothing(), format=lzma.FORMAT_ALONE, preset=0),
    "a zip": lambda: _zip({"schema.json": b'{"__loader__": "sklearn.", "x": "' + b"0" * (300 << 20) + b'"}'}),
    "within the limit, all tuples": lambda: zlib.compress(GENUINE + b")" * (60 << 20), 1),
    "within the limit, all numbers": lambda: zlib.compress(GENUINE + b"](" + b"K\x01" * (30 << 20) + b"eb.", 1),
    "within the limit, all texts": lambda: zlib.compress(GENUINE + b"](" + b"\x8c\x00" * (30 << 20) + b"eb.", 1),
    "within the limit, all marks": lambda: zlib.compress(GENUINE + b"(" * (60 << 20), 1),
    "within the limit, all copies": lambda: zlib.compress(GENUINE + b"]" + b"2" * (60 << 20), 1),
    "within the limit, all memo": lambda: zlib.compress(GENUINE + b"]" + b"\x94" * (60 << 20), 1),
    "a large window": lambda: lzma.compress(GENUINE * 9, preset=9 | lzma.PRESET_EXTREME)[:-3],
}


# Of one process that met all of them one after another, under AddressSanitizer (whose own book-keeping is in it).
MEMORY_KB_MAX = 3 << 20


@pytest.fixture(scope="module")
def probe():
    running = Probe()
    yield running
    peak = Path(f"/proc/{running.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    running.close()
    assert int(peak) < MEMORY_KB_MAX, "KiB in use"


def _refused(probe, tmp_path, data):
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(Refused) as reason:
        probe.load(path)
    return str(reason.value)


@pytest.mark.parametrize("name", CODE)
def test_a_pickle_that_would_run_code_is_refused_by_name(probe, tmp_path, name):
    reason = _refused(probe, tmp_path, CODE[name])
    assert reason.startswith("error ") and len(reason) > 30
    assert not os.path.exists("/tmp/protean-was-here")


@pytest.mark.parametrize(
    "way", ["REDUCE", "STACK_GLOBAL", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ", "a name only", "through the memo"]
)
def test_no_known_gadget_is_reached(probe, tmp_path, way):
    for gadget in GADGETS:
        reason = _refused(probe, tmp_path, _by(way, gadget))
        name = gadget.rpartition(".")[2]
        assert name in reason or "Python 2 class" in reason, f"{gadget}: {reason}"


@pytest.mark.parametrize("name", (LIES := _trees() | _estimators()))
def test_a_model_that_lies_about_itself_is_refused(probe, tmp_path, name):
    assert len(_refused(probe, tmp_path, LIES[name])) > 30


def test_the_refusal_names_module_class_and_way_out(probe, tmp_path):
    reason = _refused(probe, tmp_path, CODE["os.system"])
    assert "'system' of module 'posix'" in reason
    assert "Python worker" in reason and "ONNX" in reason


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_pickle_is_refused(probe, tmp_path, name):
    assert len(_refused(probe, tmp_path, MALFORMED[name])) > 30


@pytest.mark.parametrize("name", SKOPS)
def test_a_hostile_archive_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, SKOPS[name])


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_is_refused(probe, tmp_path, name):
    _refused(probe, tmp_path, BOMBS[name]())


def test_every_cut_of_a_genuine_file_is_refused(probe, tmp_path):
    whole = pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0, 1]))
    for size in range(8, len(whole) - 1):
        _refused(probe, tmp_path, whole[:size])


def test_every_flipped_byte_is_refused_or_read(probe, tmp_path):
    whole = pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0, 1]))
    path = tmp_path / "model.pkl"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            probe.load(path)
        except Refused:
            continue
