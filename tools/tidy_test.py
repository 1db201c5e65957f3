# SPDX-License-Identifier: Apache-2.0
"""Breaks each rule of tools/tidy once, in a small house that keeps them all."""
import importlib.machinery
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
_loader = importlib.machinery.SourceFileLoader('tidy', str(HERE / 'tidy'))
tidy = importlib.util.module_from_spec(importlib.util.spec_from_loader('tidy', _loader))
_loader.exec_module(tidy)

HEAD = '// SPDX-License-Identifier: Apache-2.0\n// Why this file exists.\n'
GOOD = {
    'src/base/text.h': HEAD + '#pragma once\nint trim(int a);\n',
    'src/base/text.cc': HEAD + '#include "base/text.h"\n#include <zlib.h>\nint trim(int a) { return a; }\n',
    'src/core/tensor.h': HEAD + '#pragma once\n#include "base/text.h"\n',
    'src/serving/queue.cc': HEAD + '#include "core/tensor.h"\n#include <sys/stat.h>\n#include <vector>\n',
    'src/server/wiring.cc': HEAD + '#include "serving/queue.h"\n',
    'src/base/README.md': 'base\n', 'src/core/README.md': 'core\n', 'src/serving/README.md': 'serving\n',
    'src/server/README.md': 'server\n',
}


class SmallHouse(unittest.TestCase):
    """A repository of a few files that keeps every rule."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        for name, text in GOOD.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def broken(self):
        house = tidy.House(self.root)
        house.check()
        return {rule: [place for place, _, _ in found] for rule, found in house.breaks.items() if found}


class RulesTest(SmallHouse):
    """One test for each rule; what is broken is compared by rule and place."""

    def test_a_good_house_breaks_nothing(self):
        self.assertEqual(self.broken(), {})

    def test_a_sibling_is_not_included(self):
        self.write('src/monitoring/tap.cc', HEAD + '#include "serving/queue.h"\n')
        self.write('src/monitoring/README.md', 'monitoring\n')
        self.assertEqual(self.broken(), {'layers': ['src/monitoring/tap.cc']})

    def test_base_knows_nobody(self):
        self.write('src/base/clock.cc', HEAD + '#include "core/tensor.h"\n')
        self.assertEqual(set(self.broken()), {'layers', 'acyclic'})

    def test_cli_stands_above_server(self):
        self.write('src/cli/main.cc', HEAD + '#include "server/wiring.h"\n')
        self.write('src/cli/README.md', 'cli\n')
        self.assertEqual(self.broken(), {})
        self.write('src/server/wiring.cc', HEAD + '#include "cli/main.h"\n')
        self.assertEqual(set(self.broken()), {'layers', 'acyclic'})

    def test_each_protocol_is_a_room_of_its_own(self):
        for name in ('a', 'b'):
            self.write(f'src/protocols/{name}/README.md', 'protocol\n')
            self.write(f'src/protocols/{name}/x.h', HEAD + '#pragma once\n')
        self.write('src/protocols/a/x.cc', HEAD + '#include "protocols/a/x.h"\n#include "protocols/b/x.h"\n')
        self.assertEqual(self.broken(), {'layers': ['src/protocols/a/x.cc']})

    def test_an_engine_serves_the_backends_that_are_named(self):
        self.write('src/trees/README.md', 'engine\n')
        self.write('src/trees/x.h', HEAD + '#pragma once\n')
        for name in ('backends/trees', 'backends/onnxruntime'):
            self.write(f'src/{name}/README.md', 'backend\n')
            self.write(f'src/{name}/x.cc', HEAD + '#include "trees/x.h"\n')
        self.assertEqual(self.broken(), {'layers': ['src/backends/onnxruntime/x.cc']})

    def test_a_library_lives_in_one_folder(self):
        self.write('src/serving/queue.cc', HEAD + '#include <zlib.h>\n')
        self.assertEqual(self.broken(), {'third party': ['library zlib']})

    def test_generated_messages_belong_to_one_folder_unless_they_are_shared(self):
        for folder, name in (('core', 'message'), ('serving', 'queue')):
            self.write(f'src/{folder}/{name}.cc', HEAD + '#include "proto/health.pb.h"\n#include "proto/tensorflow.pb.h"\n')
        self.assertEqual(self.broken(), {'third party': ['library proto/health.pb.h']})

    def test_tests_may_use_libraries_of_their_own(self):
        self.write('src/serving/queue_test.cc', HEAD + '#include <zlib.h>\n')
        self.assertEqual(self.broken(), {})

    def test_a_long_function(self):
        self.write('src/base/text.cc', HEAD + 'int trim(int a) {\n' + '  ++a;\n' * 59 + '}\n')
        self.assertEqual(self.broken(), {'function lines': ['src/base/text.cc:trim']})

    def test_many_parameters(self):
        self.write('src/base/text.cc', HEAD + 'int trim(int a, map<int, int> b, int c, int d, int e, int f) {}\n')
        self.assertEqual(self.broken(), {'parameters': ['src/base/text.cc:trim']})

    def test_the_callback_of_a_c_library_has_the_parameters_it_has(self):
        self.write('src/base/text.cc', HEAD + 'int on_data(int a, int b, int c, int d, int e, void* user_data) {}\n')
        self.assertEqual(self.broken(), {})

    def test_deep_nesting(self):
        body = 'if (a) {' * 5 + '}' * 5
        self.write('src/base/text.cc', HEAD + f'void trim(int a) {{ {body} }}\n')
        self.assertEqual(self.broken(), {'nesting': ['src/base/text.cc:trim']})

    def test_python_functions_are_measured_too(self):
        spdx = '# SPDX-License-Identifier: Apache-2.0\n'
        self.write('tests/e2e/x.py', spdx + 'def f(a, b, c, d, e, f):\n' + '    a += 1\n' * 60)
        self.assertEqual(self.broken(), {'function lines': ['tests/e2e/x.py:f'], 'parameters': ['tests/e2e/x.py:f']})

    def test_elif_is_not_deeper(self):
        spdx = '# SPDX-License-Identifier: Apache-2.0\n'
        body = ''.join(f'    {"el" if i else ""}if a == {i}:\n        pass\n' for i in range(8))
        self.write('tests/e2e/x.py', spdx + 'def f(a):\n' + body)
        self.assertEqual(self.broken(), {})

    def test_a_long_file_and_a_long_header(self):
        self.write('src/base/text.cc', HEAD + '\n' * 499)
        self.write('src/base/text.h', HEAD + '#pragma once\n' + '\n' * 248)
        self.assertEqual(self.broken(), {'file sizes': ['src/base/text.cc', 'src/base/text.h']})

    def test_a_missing_licence_line(self):
        self.write('src/base/text.cc', '// Why.\n// More.\n')
        self.assertEqual(self.broken(), {'licences': ['src/base/text.cc']})

    def test_a_file_without_a_reason(self):
        self.write('src/base/text.h', '// SPDX-License-Identifier: Apache-2.0\n#pragma once\n')
        self.assertEqual(self.broken(), {'openings': ['src/base/text.h']})

    def test_a_header_that_can_be_included_twice(self):
        self.write('src/base/text.h', HEAD)
        self.assertEqual(self.broken(), {'openings': ['src/base/text.h']})

    def test_a_folder_without_its_readme_and_one_that_talks_too_much(self):
        (self.root / 'src/base/README.md').unlink()
        self.write('src/core/README.md', 'line\n' * 16)
        self.assertEqual(self.broken(), {'readmes': ['src/base', 'src/core/README.md']})

    def test_a_folder_four_deep(self):
        self.write('src/protocols/a/b/c/x.cc', HEAD)
        self.write('src/protocols/a/b/c/README.md', 'deep\n')
        self.assertEqual(self.broken(), {'readmes': ['src/protocols/a/b/c']})

    def test_a_note_to_oneself(self):
        self.write('src/base/text.cc', HEAD + '// TODO: later\n')
        self.assertEqual(self.broken(), {'leftovers': ['src/base/text.cc:3']})


class BaselineTest(SmallHouse):
    """The baseline lets through what stands in it and may only shrink."""

    long_function = HEAD + 'int trim(int a) {\n' + '  ++a;\n' * 69 + '}\n'  # 71 lines

    def run_tidy(self, *arguments):
        return subprocess.run([sys.executable, str(HERE / 'tidy'), '--root', str(self.root), *arguments],
                              capture_output=True, text=True, check=False)

    def set_baseline(self, value):
        self.write('src/base/text.cc', self.long_function)
        self.write(tidy.BASELINE, json.dumps({'function lines src/base/text.cc:trim': value}))

    def commit(self):
        git = ['git', '-C', str(self.root), '-c', 'user.name=t', '-c', 'user.email=t@example.org']
        for command in (['init', '-q'], ['add', '-A'], ['commit', '-q', '-m', 'x', '--no-verify']):
            subprocess.run(git + command, check=True)

    def test_what_stands_in_it_passes(self):
        self.set_baseline(71)
        self.assertEqual(self.run_tidy().returncode, 0)

    def test_what_grew_beyond_it_fails(self):
        self.set_baseline(70)
        self.assertIn('src/base/text.cc:trim: function lines: 71', self.run_tidy().stdout)

    def test_slack_fails_until_it_is_shrunk(self):
        self.set_baseline(80)
        self.assertIn('run tools/tidy --shrink', self.run_tidy().stdout)
        self.assertEqual(self.run_tidy('--shrink').returncode, 0)
        self.assertEqual(self.run_tidy().returncode, 0)

    def test_a_new_entry_fails_once_there_is_a_baseline_to_compare_with(self):
        self.write(tidy.BASELINE, '{}')
        self.commit()
        self.set_baseline(71)
        self.assertIn('at most 0, as in HEAD', self.run_tidy().stdout)

    def test_the_closing_line_counts_the_rules(self):
        last = self.run_tidy().stdout.splitlines()[-1]
        self.assertRegex(last, rf'^tidy: \d+ files, {len(tidy.RULES) + 1} rules kept, 0 broken$')


class FunctionsTest(unittest.TestCase):
    """The scanner tells functions from everything else that has braces."""

    def names(self, source):
        return [function.name for function in tidy.find_functions(source)]

    def test_initialisers_lambdas_and_types_are_not_functions(self):
        self.assertEqual(self.names('''
            constexpr int kTable[] = {1, 2};
            std::atomic<int> counter{0};
            enum class Color : int { kRed, kBlue };
            template <typename T> concept Small = requires(T t) { t.size(); };
            struct Point { int x{0}; int area() const { return x; } };
            auto twice = [](int a) { return 2 * a; };
        '''), ['area'])

    def test_constructors_with_initialisers_end_at_their_own_brace(self):
        functions = tidy.find_functions('Foo::Foo(int a)\n    : a_{a}, b_(a),\n      c_{1, 2} {\n  run();\n}\nvoid g() {}')
        self.assertEqual([(f.name, f.lines) for f in functions], [('Foo', 5), ('g', 1)])

    def test_operators_templates_and_trailing_types(self):
        self.assertEqual(self.names('''
            bool operator==(const A& a, const A& b) { return true; }
            void Call::operator()(int a) const { }
            template <typename T = int> auto f(T t) -> Result<T> { return t; }
            [[nodiscard]] std::map<int, std::vector<int>> g() noexcept { return {}; }
        '''), ['operator==', 'operator()', 'f', 'g'])

    def test_braces_in_literals_and_comments_do_not_count(self):
        self.assertEqual(self.names('void f() { s = "}{"; c = \'{\'; /* } */ r = R"x({)x"; } // {\nvoid g() {}'),
                         ['f', 'g'])

    def test_loops_in_lambdas_count_with_their_function(self):
        function, = tidy.find_functions('void f() { if (a) { run([&](int b) { for (;;) { while (b) { } } }); } }')
        self.assertEqual(function.nesting, 3)


if __name__ == '__main__':
    unittest.main()
