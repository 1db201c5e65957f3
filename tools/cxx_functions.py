# SPDX-License-Identifier: Apache-2.0
"""Finds the functions of a C++ file and measures them, without a compiler.

A tokenizer drops comments, literals and preprocessor lines; a stack of braces then tells namespaces and classes from
function bodies from everything else. It reads the house's formatted code, not every program that C++ allows: code it
cannot place counts as "other" and is never reported.
"""
import re
from dataclasses import dataclass

_LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/'                       # comments
    r'|R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"'   # raw strings
    r'|"(?:[^"\\\n]|\\.)*"|(?<![0-9a-fA-F])\'(?:[^\'\\\n]|\\.)+\'',
    re.S)
_PREPROCESSOR = re.compile(r'^[ \t]*#(?:[^\n\\]|\\\n|\\.)*', re.M)
_TOKENS = re.compile(r'[A-Za-z_]\w*|::|->|&&|\|\||<<|[{}()\[\];<>=,:&*~!+\-/.?|^%\'"]|\d[\w.\']*|\n|\S')

_CONTROL = {'if', 'for', 'while', 'switch', 'do', 'else', 'try', 'catch'}
_NOT_NAMES = _CONTROL | {'requires', 'decltype', 'alignas', 'explicit', 'noexcept', 'return', '__attribute__'}
_SCOPES = {'namespace', 'extern'}
_TYPES = {'class', 'struct', 'union', 'enum'}


@dataclass
class Function:
    """One function with a body. `lines` is counted from its head to its closing brace, `nesting` in control blocks.

    `parameters` is 0 for the callback of a C library (it takes a void*): its signature is not ours to choose.
    """
    name: str
    line: int
    lines: int
    parameters: int
    nesting: int


def _blank(match):
    """Keeps the lines of what is dropped; a literal leaves an empty string so that heads stay readable."""
    text = match.group(0)
    keep = '""' if text[0] in 'R"\'' else ' '
    return keep + '\n' * text.count('\n')


def strip_literals(source):
    """The source without comments, literals and preprocessor lines, line numbers kept."""
    without_literals = _LITERALS.sub(_blank, source)
    return _PREPROCESSOR.sub(lambda match: '\n' * match.group(0).count('\n'), without_literals)


def _skip_template(head):
    """Drops leading `template <...>` groups, requires clauses after them excepted."""
    while head[:2] == ['template', '<']:
        depth = 0
        for index, token in enumerate(head):
            depth += {'<': 1, '>': -1}.get(token, 0)
            if depth == 0 and index > 0:
                head = head[index + 1:]
                break
        else:
            return []
    return head


def _top_level(head):
    """The tokens outside parentheses and brackets."""
    depth, out = 0, []
    for token in head:
        if token in ')]':
            depth -= 1
        if depth == 0:
            out.append(token)
        if token in '([':
            depth += 1
    return out


def _in_initialisers(head):
    """True inside a constructor's member initialisers: `Name(...) : member_`."""
    depth = 0
    for index, token in enumerate(head):
        depth += {'(': 1, ')': -1}.get(token, 0)
        if token == ':' and depth == 0 and ')' in head[:index]:
            return True
    return False


def _parameter_list(head):
    """(name, parameters) of the first parenthesis that can be a parameter list; None when there is none."""
    index = 0
    while index < len(head):
        if head[index] != '(':
            index += 1
            continue
        name = head[index - 1] if index else ''
        end = _closing(head, index)
        if name == 'operator' and head[end + 1:end + 2] == ['(']:
            name, index = 'operator()', end + 1
            end = _closing(head, index)
        elif 'operator' in head[max(0, index - 3):index]:
            name = ''.join(head[head.index('operator'):index])
        elif not re.match(r'[A-Za-z_]', name) or name in _NOT_NAMES:
            index = end + 1
            continue
        parameters = head[index + 1:end]
        is_callback = ('void', '*') in zip(parameters, parameters[1:])
        return name, 0 if is_callback else _count_parameters(parameters)
    return None


def _closing(tokens, start):
    depth = 0
    for index in range(start, len(tokens)):
        depth += {'(': 1, ')': -1}.get(tokens[index], 0)
        if depth == 0:
            return index
    return len(tokens)


def _count_parameters(tokens):
    if not tokens or tokens == ['void']:
        return 0
    depth, count = 0, 1
    for token in tokens:
        if token in '([{<':
            depth += 1
        elif token in ')]}>':
            depth -= 1
        elif token == ',' and depth == 0:
            count += 1
    return count


def _classify(head, inside_function):
    """What a brace after `head` opens: scope, control, initialiser, other or ('function', name, parameters)."""
    head = _skip_template(head)
    if not head:
        return 'control' if inside_function else 'other'
    if head[0] in _SCOPES or (head[0] == 'inline' and 'namespace' in head):
        return 'scope'
    top = _top_level(head)
    if inside_function:
        if head[0] in _CONTROL or head[-1] == ':':
            return 'control'
        return 'other' if not any(word in _TYPES for word in top) or '=' in top else 'scope'
    if any(word in _TYPES for word in top) and '=' not in top and '(' not in top[:_first(top, _TYPES)]:
        if not _is_function_returning_type(head):
            return 'scope'
    without_operator = re.sub(r'operator (= =|[!<>+\-*/|&^%] =|=)', 'operator', ' '.join(top)).split()
    if '=' in without_operator:
        return 'other'
    if _in_initialisers(head) and re.match(r'[A-Za-z_>]', head[-1]):
        return 'initialiser'
    found = _parameter_list(head)
    return ('function', *found) if found else 'other'


def _first(tokens, words):
    return next(index for index, token in enumerate(tokens) if token in words)


def _is_function_returning_type(head):
    """`struct X* f(...) {`: an elaborated type in front of a function, rare but legal; `struct X : Y<Z> {` is not."""
    return '(' in head and ')' in head and not {'alignas', '__attribute__'} & set(head) and ':' not in head


@dataclass
class _Brace:
    kind: str
    parentheses: int
    function: Function | None = None
    head: list | None = None
    head_line: int = 0


class _Scanner:
    """Walks the tokens of one file; `functions` is the result."""

    def __init__(self):
        self.functions = []
        self.stack = []
        self.head = []
        self.head_line = 0
        self.line = 1
        self.parentheses = 0

    def feed(self, token):
        """Takes one token in."""
        if token == '\n':
            self.line += 1
        elif token == '{':
            self._open()
        elif token == '}':
            self._close()
        elif token == ';' and self.parentheses == 0:
            self.head = []
        else:
            self._remember(token)

    def _remember(self, token):
        if not self.head:
            self.head_line = self.line
        self.head.append(token)
        self.parentheses += {'(': 1, ')': -1}.get(token, 0)
        if token == ':' and self.head[-2:-1] and self.head[-2] in ('public', 'private', 'protected'):
            self.head = []

    def _function(self):
        return next((brace.function for brace in reversed(self.stack) if brace.function), None)

    def _open(self):
        inside = self._function()
        kind = 'other'
        if self.parentheses == 0:
            kind = _classify(self.head, inside is not None and not self._in_local_type())
        brace = _Brace('other' if kind == 'initialiser' else kind, self.parentheses)
        if kind == 'initialiser' or (kind == 'other' and self.parentheses > 0):
            brace.head, brace.head_line = self.head, self.head_line
        if isinstance(kind, tuple):
            brace.kind = 'function'
            brace.function = Function(kind[1], self.head_line, 0, kind[2], 0)
        self.stack.append(brace)
        if kind == 'control' and inside is not None:
            inside.nesting = max(inside.nesting, self._control_depth())
        self.head = []
        self.parentheses = 0

    def _in_local_type(self):
        return bool(self.stack) and self.stack[-1].kind == 'scope'

    def _control_depth(self):
        depth = 0
        for brace in reversed(self.stack):
            if brace.function:
                break
            depth += brace.kind == 'control'
        return depth

    def _close(self):
        if not self.stack:
            return
        brace = self.stack.pop()
        if brace.function:
            brace.function.lines = self.line - brace.function.line + 1
            self.functions.append(brace.function)
        self.parentheses = brace.parentheses
        self.head, self.head_line = (brace.head + ['}'], brace.head_line) if brace.head is not None else ([], 0)


def find_functions(source):
    """Every function with a body in `source`, in the order in which they end."""
    scanner = _Scanner()
    for match in _TOKENS.finditer(strip_literals(source)):
        scanner.feed(match.group(0))
    return scanner.functions
