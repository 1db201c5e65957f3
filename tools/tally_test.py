# SPDX-License-Identifier: Apache-2.0
"""The counts of the closing line come from tools/tally: what it must not lose are crashes and missing reports."""
import importlib.machinery
import importlib.util
from pathlib import Path

_loader = importlib.machinery.SourceFileLoader('tally', str(Path(__file__).resolve().parent / 'tally'))
tally = importlib.util.module_from_spec(importlib.util.spec_from_loader('tally', _loader))
_loader.exec_module(tally)

TWO_AND_ONE = ('<testsuites><testsuite><testcase name="a" status="run"/><testcase name="b"/>'
               '<testcase name="c"><failure message="no"/></testcase><testcase name="d"><skipped/></testcase>'
               '<testcase name="e" status="notrun"/></testsuite></testsuites>')


def ctest(name, inner=''):
    return f'<testsuite><testcase name="{name}">{inner}</testcase></testsuite>'


def test_cases_are_counted_and_skipped_ones_are_not(tmp_path):
    (tmp_path / 'base_test.xml').write_text(TWO_AND_ONE)
    assert tally.tally(tmp_path) == (2, 1)


def test_a_failure_that_the_report_has_is_not_counted_twice(tmp_path):
    (tmp_path / 'base_test.xml').write_text(TWO_AND_ONE)
    (tmp_path / 'ctest.junit').write_text(ctest('base_test', '<failure/>'))
    assert tally.tally(tmp_path) == (2, 1)


def test_a_crash_without_a_report_is_a_failure(tmp_path):
    (tmp_path / 'ctest.junit').write_text(ctest('base_test', '<failure/>'))
    assert tally.tally(tmp_path) == (0, 1)


def test_a_report_cut_short_is_a_failure(tmp_path):
    (tmp_path / 'base_test.xml').write_text('<testsuites><testcase name="a"/>')
    assert tally.tally(tmp_path) == (0, 1)


def test_a_sanitizer_exit_after_green_tests_is_a_failure(tmp_path):
    (tmp_path / 'base_test.xml').write_text('<testsuites><testcase name="a"/></testsuites>')
    (tmp_path / 'ctest.junit').write_text(ctest('base_test', '<failure/>'))
    assert tally.tally(tmp_path) == (1, 1)
