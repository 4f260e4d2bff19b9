#!/usr/bin/python3
"""Writes snippets.json: small templates and the variables that all of them see. render_golden.py
--snippets adds what jinja2 makes of them. Outputs that hold an address are left out."""
import json
import os

VARIABLES = {
    "s": "Hello, World", "t": "  a b\tc \n", "e": "", "u": "Größe ß 你好 😀 ǆ ΣΑΣ", "q": "it's \"x\" \\ <a&b>",
    "multi": "one\ntwo\r\n\nthree", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.0, "big": 1e22, "tiny": 1e-7,
    "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "w": ["b", "A", "c", "B"], "el": [],
    "d": {"b": 1, "a": 2, "C": "x"}, "ed": {}, "nest": {"a": [1, {"b": "c"}], "items": "own"},
    "rows": [{"k": "x", "v": 2, "o": {"p": 1}}, {"k": "Y", "v": 1, "o": {"p": 2}},
             {"k": "x", "v": 3, "o": {"p": 0}}, {"v": None, "o": {}}],
    "mixed": [1, "a", None, True, 2.5, [1], {"x": 1}],
}
VALUES = ["s", "t", "e", "u", "q", "multi", "n", "m", "z", "f", "g", "big", "tiny", "yes", "no", "nil", "l",
          "w", "el", "d", "ed", "nest", "rows", "mixed", "missing", "(1, 2)", "(1,)", "()", "range(3)",
          "d.items()", "(s|safe)"]
SMALL = ["s", "e", "n", "m", "f", "yes", "nil", "l", "d", "missing", "(1, 2)"]
PLAIN_FILTERS = ["abs", "capitalize", "count", "default('D')", "default('D', true)", "d", "dictsort", "escape",
                 "first", "float", "indent", "indent(2, true)", "indent(width=1, blank=true)", "int", "items|list",
                 "join", "join('-')", "last", "length", "list", "lower", "map('upper')|list", "max", "min",
                 "reverse|list", "round", "safe", "select|list", "reject|list", "sort", "sort(reverse=true)",
                 "string", "sum", "title", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)",
                 "tojson(sort_keys=true)", "tojson(indent=4, ensure_ascii=false)", "trim", "trim('aH ')", "unique|list",
                 "upper", "replace('l', 'L')", "replace('', '-')", "center(20)", "int(default=5)", "float(1.5)"]
TESTS = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string",
         "mapping", "sequence", "iterable", "callable", "odd", "even", "divisibleby 3", "upper", "lower",
         "in [1, 's', 7]", "eq 7", "equalto('')", "ne none", "gt 2", "lt(2)", "ge 7", "le 7", "escaped", "not defined",
         "not none", "sameas none", "sameas true"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]
METHODS = ["strip()", "strip('He d')", "lstrip()", "rstrip()", "upper()", "lower()", "title()", "capitalize()",
           "swapcase()", "split()", "split(' ')", "split('l')", "split('l', 1)", "split(none, 1)", "rsplit('l', 1)",
           "rsplit()", "rsplit(none, 1)", "splitlines()", "splitlines(true)", "partition(',')", "rpartition('l')",
           "startswith('He')", "startswith(('x', 'He'))", "endswith('ld')", "startswith('l', 2)", "endswith('o', 0, 5)",
           "find('o')", "rfind('o')", "find('zz')", "count('l')", "count('')", "replace('l', 'L')", "replace('l', 'L', 1)",
           "replace('', '.')", "removeprefix('He')", "removesuffix('ld')", "isdigit()", "isalpha()", "isalnum()",
           "isspace()", "isupper()", "islower()", "isnumeric()", "ljust(15)", "rjust(15, '*')", "center(15, '-')", "zfill(15)",
           "join(['a', 'b'])", "index('o')", "format(1)", "nothing", "nothing()", "title"]
SLICES = ["[0]", "[-1]", "[1:]", "[:2]", "[1:3]", "[-2:]", "[:-1]", "[::-1]", "[::2]", "[5:1:-2]", "[-100:100]", "[99]",
          "['a']", "['items']", "['items'] is defined", "[1:2][0]", "[none:1]", "[true]"]

HAND = r"""
{{ 1 + 2 * 3 ** 2 - 4 // 3 % 2 }}
{{ -2 ** 2 }}|{{ 2 ** -1 }}|{{ 2 ** 3 ** 2 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ 1 / 2 }} {{ 4 / 2 }} {{ 10 ** 15 }} {{ 1e15 }} {{ 1e16 }} {{ 123456789012345678 }} {{ 0.1 + 0.2 }}
{{ 1.0 }} {{ 100.0 }} {{ 1e100 }} {{ 1.5e-5 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1_000 }} {{ 2.50 }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}
{{ not true or true }} {{ not (true or true) }} {{ not not 1 }}
{{ none or 'x' }} {{ 0 or none }} {{ 1 and 'y' }} {{ '' and 1 }}|
{{ 'a' if true }}|{{ 'a' if false }}|{{ 'a' if false else 'b' if false else 'c' }}
{{ ('a' if false).x }}
{{ missing.x }}
{{ missing['x'] }}
{{ missing() }}
{{ d.x }}|{{ d.x is defined }}|{{ d['x'] }}
{{ d.x.y }}
{{ d.b }} {{ d['b'] }} {{ d.get('b') }} {{ d.get('x') }} {{ d.get('x', 5) }} {{ d.keys()|list }} {{ d.values()|list }}
{{ nest.items }}
{{ nest['items'] }} {{ nest.a[1].b }} {{ nest.a.1.b }} {{ nest.a.0 }}
{{ d['items'] is defined }} {{ d['update'] is defined }} {{ l.append is defined }} {{ s['title'] is defined }}
{{ l.append(4) }}
{{ d.update({}) }}
{{ d.__class__ }}
{{ d.__class__.x }}
{{ s.__len__ }}
{{ l.0 }} {{ l[0] }} {{ l[-1] }} {{ l[7] }}|{{ l[7] is defined }}
{{ l[7].x }}
{{ (1, 2)[0] }} {{ (1, 2) }} {{ (1,) }} {{ () }} {{ 1, 2 }}
{{ [1, 'a', none, true, 1.5, [], {}, (1,)] }}
{{ {'a': 1, 2: 'b', none: true, 'n': {'x': [1]}} }}
{{ {'a': 1, 'a': 2} }} {{ {1: 'x', true: 'y', 1.0: 'z'} }}
{{ {[]: 1} }}
{{ {'a': missing, 'b': [missing]} }}
{{ "a" 'b' "c" }}
{{ 'a\nb\tc\\d\'e\"f\x41\u00e9\U0001F600\0\101\q' }}
{{ ['a\nb', "it's", 'say "x"', 'it\'s "x"', '\x00\x1f\x7f\xa0\xad', '\u200b\u2028\ue000é😀'] }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1] ~ missing ~ {} }}
{{ 'a' + 'b' * 3 }} {{ [1] * 2 + [2] }} {{ (1,) + (2,) }} {{ 2 * 'ab' }} {{ 'ab' * -1 }}|
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' + missing }}
{{ missing + 'a' }}
{{ 1 + none }}
{{ [1] + (2,) }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 'a' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'b' in d }} {{ 3 in range(5) }} {{ missing in [1] }}
{{ 1 in 'abc' }}
{{ missing in 'abc' }}
{{ 1 in missing }} {{ 1 in missing }}
{{ 1 in none }}
{{ 1 in 5 }}
{{ x if x is defined else 'no' }}
{{ 5 is odd }} {{ 4 is odd }} {{ 5 is not even }} {{ 'x' is string and 1 is number }} {{ n is divisibleby(7) }}
{{ n is eq(7) }} {{ n is in [7, 8] }} {{ n is sameas 7 }}
{{ true is true }} {{ 1 is true }} {{ 'a' is in 'abc' }} {{ missing is eq missing }}
{{ -n|abs }} {{ (-n)|abs }} {{ -3|abs }} {{ n|float|string ~ 'x' }}
{{ 3.7|int }} {{ '3.7'|int }} {{ ' 42 '|int }} {{ '-1_000'|int }} {{ '0x1f'|int(base=16) }} {{ 'zz'|int(7) }} {{ '077'|int }} {{ none|int }} {{ '1e3'|int }}
{{ '1.5'|float }} {{ ' -1e3 '|float }} {{ 'inf'|float }} {{ 'nan'|float }} {{ '1_0.5'|float }} {{ '.5'|float }} {{ '5.'|float }} {{ 'e5'|float }} {{ '-Infinity'|float }}
{{ 42.55|round }} {{ 42.55|round(1) }} {{ 2.675|round(2) }} {{ 0.5|round }} {{ 1.5|round }} {{ 2.5|round }} {{ 42.1|round(method='ceil') }} {{ 42.19|round(1, 'floor') }} {{ 7|round }} {{ 1234.5|round(-2) }}
{{ [1, 2, 3]|sum }} {{ [1.5, 2]|sum }} {{ rows|map(attribute='o')|list }} {{ rows[:3]|sum(attribute='v') }} {{ [[1], [2]]|sum(start=[]) }} {{ [1]|sum(start=5) }}
{{ ['a']|sum }}
{{ rows|map(attribute='k')|list }}
{{ rows|map(attribute='k', default='-')|join(',') }}
{{ rows|map(attribute='o.p')|list }}
{{ rows[:3]|map(attribute='o.p')|join(',') }}
{{ rows|selectattr('k')|list|length }} {{ rows|selectattr('k', 'defined')|map(attribute='v')|list }} {{ rows|rejectattr('k', 'defined')|list }}
{{ rows|selectattr('k', 'equalto', 'x')|map(attribute='v')|join('+') }} {{ rows|rejectattr('v', 'none')|list|length }} {{ rows|selectattr('v', 'in', [1, 3])|list }}
{{ rows[:3]|sort(attribute='v')|map(attribute='v')|list }} {{ rows[:3]|sort(attribute='k,v')|map(attribute='v')|list }} {{ rows[:3]|sort(attribute='k', case_sensitive=true)|map(attribute='k')|list }}
{{ rows[:3]|sort(attribute='v', reverse=true)|map(attribute='v')|list }} {{ rows[:3]|unique(attribute='k')|map(attribute='v')|list }} {{ rows[:3]|max(attribute='v') }} {{ rows[:3]|min(attribute='o.p') }}
{{ rows|sort(attribute='v') }}
{{ w|sort }} {{ w|sort(case_sensitive=true) }} {{ w|unique|list }} {{ w|unique(case_sensitive=true)|list }} {{ w|max }} {{ w|min(case_sensitive=true) }}
{{ [1, 'a']|sort }}
{{ d|dictsort }} {{ d|dictsort(true) }} {{ {'a': 2, 'b': 1}|dictsort(by='value') }} {{ {'a': 2, 'b': 1}|dictsort(reverse=true) }}
{{ d|dictsort(by='other') }}
{{ d|items|list }} {{ d.items()|list }} {{ d.items() }} {{ d.keys() }} {{ d.values() }}
{{ range(5)|list }} {{ range(2, 5)|list }} {{ range(5, 0, -2)|list }} {{ range(3) }} {{ range(1, 9, 2) }} {{ range(5)[1] }} {{ range(5)[1:3] }} {{ range(5)|length }} {{ range(5)[::-1]|list }}
{{ range(100001) }}
{{ range(1.5) }}
{{ range() }}
{{ range('a') }}
{{ dict(a=1, b=2) }} {{ dict([('x', 1)], y=2) }} {{ dict(d) }} {{ dict(d, b=9).b }}
{{ [1, 2]|join }} {{ [1, none, missing, 'a']|join('|') }} {{ 'abc'|join('-') }} {{ d|join(',') }} {{ rows[:2]|join(',', attribute='k') }}
{{ [1, 2, 3]|first }} {{ []|first }}|{{ 'abc'|last }} {{ d|first }} {{ []|last is defined }}
{{ [1, 2]|map('string')|list }} {{ [1, 2, 3, 4]|select('odd')|list }} {{ [1, 2, 3]|reject('gt', 1)|list }} {{ ['a', 'b']|map('replace', 'a', 'x')|list }} {{ ['a b']|map('default', 'x')|join }}
{{ [1]|map('nofilter')|list }}
{{ [1]|select('notest')|list }}
{{ [1]|nofilter }}
{{ 1 is notest }}
{% if false %}{{ [1]|nofilter }}{% endif %}ok
{% if false %}{{ 1 is notest }}{% endif %}ok
{% if [1]|select('odd') %}yes{% endif %}{% if []|select('odd') %}yes{% endif %}{% if []|map('upper') is sequence %}no{% endif %}
{% set g = [1, 2]|select('odd') %}{{ g|list }}{{ g|list }}
{% set g = [1, 2]|map('string') %}{{ g|first }}{{ g|list }}
{{ [1]|map('string')|length }}
{{ 'x'|default('y') }} {{ missing|default('y') }} {{ ''|default('y') }}|{{ ''|default('y', true) }} {{ none|default('y') }} {{ missing|d }}| {{ d.x|default(d.b) }}
{{ 'abc'|replace('b', 'x') }} {{ 'aaa'|replace('a', 'b', 2) }} {{ 123|replace(2, 'x') }} {{ 'aa'|replace('', '.') }}
{{ 'hello world-foo (bar) [baz] {q} <x> it\'s ÉCOLE'|title }} {{ 'hELLO wORLD'.title() }} {{ "they're".title() }}
{{ 'a<b>&"\''|e }} {{ ('a<b>'|safe) + '<c>' }} {{ '<c>' + ('a<b>'|safe) }} {{ ('<a>'|safe) ~ '<b>' }} {{ ('<a>'|safe).upper() }} {{ ('<a>'|safe).replace('a', '<') }} {{ [('<a>'|safe)] }} {{ ('<a>'|safe)|upper + '<' }} {{ ('x'|safe) * 2 + '<' }} {{ ('<a> <b>'|safe).split()[0] + '<' }} {{ ('a'|safe)|string + '<' }} {{ ('a'|safe)|trim + '<' }} {{ ['a'|safe, '<']|join('<') }} {{ ('a'|safe)|replace('a', '<') }}
{{ ('%s'|safe) % '<' }} {{ ('<'|safe).join(['<', '>'|safe]) }} {{ ('<x'|safe)[0] + '<' }} {{ ('a\nb'|safe)|indent + '<' }}
{{ '%s and %s' % ('a', 1) }} {{ '%d%%' % 5 }} {{ '%05.2f|%-6s|%+d|%x|%X|%o|%e|%g|%r|% d' % (3.14159, 'ab', 5, 255, 255, 8, 12345.678, 0.0001, 'q', 4) }} {{ '%s' % [1] }} {{ '%(b)s %(a)d' % d }} {{ '%s' % none }} {{ '%5s|%.2s' % ('a', 'abc') }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ '%d' % 'a' }}
{{ 'x' % 'a' }}
{{ '%s %s'|format('a', 2) }} {{ '%(x)s'|format(x=1) }} {{ '{} {}'.format(1, 'a') }} {{ '{1} {0} {x}'.format(1, 2, x=none) }} {{ '{{}}'.format() }}
{{ '{} {}'.format(1) }}
{{ 'a,b,c'.split(',')[-1] }} {{ ' a  b '.split() }} {{ ' a  b '.split(' ') }} {{ 'a,b,c'.split(',', 1) }} {{ 'abc'.split('') }}
{{ ''.split() }} {{ ''.split(',') }} {{ ' '.split(none) }} {{ 'a b c'.rsplit(none, 1) }} {{ 'a\u3000b'.split() }}
{{ ','.join(['a', 'b']) }} {{ ','.join('ab') }} {{ ','.join(d) }}
{{ ','.join([1]) }}
{{ 'ß'.upper() }} {{ 'ŉ ﬁ'.upper() }} {{ 'ΑΣ ΣΑ'.lower() }} {{ 'İ'.lower()|length }} {{ 'ǆ'.title() }} {{ 'ﬁx'.capitalize() }} {{ 'ÀÉ'.swapcase() }}
{{ u|length }} {{ u[6] }} {{ u[-1] }} {{ u[2:5] }} {{ u[::-1] }} {{ u|upper }} {{ u|lower }} {{ u|title }} {{ u.find('好') }} {{ u|list }}
{{ t|trim }}|{{ t.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ '\u00a0\u3000a\x1c'.strip() }}|{{ 'éaé'.strip('é') }}
{{ multi.splitlines() }} {{ multi|indent }} {{ multi|indent(2, first=true) }} {{ multi|indent('> ', blank=true) }} {{ ''|indent }}|
{{ 5|indent }}
{{ d|tojson }} {{ mixed|tojson }} {{ nest|tojson(indent=2) }} {{ [[], {}, [[]]]|tojson(indent=1) }} {{ u|tojson }} {{ u|tojson(ensure_ascii=true) }} {{ q|tojson }} {{ (1, 2)|tojson }} {{ [1.0, 1e22, 1e-7, -0.0]|tojson }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(indent=0) }} {{ d|tojson(indent='\t') }} {{ d|tojson(sort_keys=true) }} {{ '\x00\x1f\x7f\u2028'|tojson }} {{ '\x00\x1f\x7f\u2028😀'|tojson(ensure_ascii=true) }}
{{ missing|tojson }}
{{ range(3)|tojson }}
{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}
{{ {(1, 2): 3}|tojson }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d2) = [3, 4] %}{{ c }}{{ d2 }}
{% set a, b = [1] %}
{% set a, b = 'abc' %}
{% set a, b = 'ab' %}{{ b }}{{ a }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for k in d %}{{ k }}{% endfor %}{% for c in 'añb' %}[{{ c }}]{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% for i in missing %}x{% else %}empty{% endfor %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }}{{ loop.previtem is defined }},{{ loop.cycle('a', 'b') }},{{ loop.changed(i > 1) }};{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.last }}{{ loop.length }}{{ loop.nextitem }};{% else %}none{% endfor %}
{% for i in l if i > 9 %}{{ i }}{% else %}none{% endfor %}
{% for i in [1, 2, 3, 4] %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [1, 2] %}{% for j in [1, 2, 3] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}
{% for i in [] %}{% else %}{% set x = 1 %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }};{% endfor %}{{ x }}
{% for i in l %}{% if loop.first %}{% set x = i %}{% endif %}{{ x }};{% endfor %}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% if false %}{% set x = 2 %}{% endif %}{{ x }}|{{ x is defined }}
{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% set ns.b = i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns['a'] }}
{% set ns = namespace() %}{% set ns.x %}block {{ 1 }}{% endset %}{{ ns.x }}
{% set ns = namespace({'k': 5}, z=6) %}{{ ns.k }}{{ ns.z }}
{% set ns = namespace() %}{{ ns.x.y }}
{% set q2 = {} %}{% set q2.x = 1 %}
{% set nope.x = 1 %}
{% set x %}  a {{ n }} b  {% endset %}[{{ x }}]{% set y | upper | trim %} abc {% endset %}[{{ y }}]
{% set x %}{% set inner = 5 %}{{ inner }}{% endset %}{{ x }}{{ inner }}
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(1, c=5) }}|{{ m(b=7, a=0) }}|{{ m() }}
{% macro m(a, b=a ~ 'x', c=b ~ 'y') %}{{ c }}{% endmacro %}{{ m('q') }}{{ m('q', 'r') }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}
{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}
{% macro m(a) %}{{ varargs|join(',') }}{% endmacro %}{{ m(1, 2, 3) }}
{% macro m(n2) %}{{ n2 }}{% if n2 > 0 %}{{ m(n2 - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro m() %}{% set x = 5 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}
{% macro m() %}a{% endmacro %}{{ m() ~ 'b' }}{{ m()|upper }}{{ m() == 'a' }}{{ m() is string }}
{% for i in l %}{% macro m() %}{{ i }}{{ loop.index }}{% endmacro %}{{ m() }};{% endfor %}
{% macro m() %}{{ loop }}{% endmacro %}{% for i in l %}{{ m() }}{% endfor %}
{% macro m(x) %}<{{ caller() }}{{ x }}>{% endmacro %}{% call m(1) %}body{{ n }}{% endcall %}
{% macro m(x) %}<{{ caller(x, 5) }}>{% endmacro %}{% call(a, b) m(1) %}{{ a }}+{{ b }}{% endcall %}
{% macro m(x) %}<{{ caller() }}>{% endmacro %}{{ m(1) }}
{% macro m(x) %}<{{ caller is defined }}>{% endmacro %}{{ m(1) }}
{% macro m(x) %}a{% endmacro %}{% call m(1) %}body{% endcall %}
{% macro m(a, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[5, 6]) }}{{ m(**{'a': 7}) }}{{ m(*[1], **{'b': 2}) }}
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b')|upper %}aaa{% endfilter %}
{% filter indent(2) %}a
b{% endfilter %}
{% with a=1, b=2 %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a }}{{ c }}
{% set a = 5 %}{% with a=1, b=a %}{{ a }}{{ b }}{% endwith %}
{% generation %}a{{ n }}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x }}
{% for i in l %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %}{% endfor %}
{# comment #}a{#- c -#} b {#+ d +#} c
a  {%- if true -%}  b  {%- endif -%}  c
  {% if true %}
  x
  {% endif %}
y
  {%+ if true %}
  x
  {%+ endif +%}
y
a
    {{- 'b' -}}
    c
a {{ 'b' }}
 {{ 'c' }}
d
{% if true %}

a
{% endif %}

b
x {% if true %} y {% endif %} z
	{% set a = 1 %}	
b{{ a }}
{%- set a = 1 %}
  b
{% raw %}{{ x }} {% if %}{% endraw %} z
a {%- raw -%}  {{ x }}  {%- endraw -%} b
  {% raw %}
 {{ a }}
  {% endraw %}
b
{{ '}}' }}{{ "%}" }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {}}}}
{{ '{{' }}{{ '{%' }}{{ '{#' }}
{{+ 1 }}{{- 2 }} {{ 3 -}} x
a{{ 1 }}
b{{ 2 -}}
c
#} }} %} x
{{ 1 if n is defined and n is not none and n > 3 else 2 }}
{{ (n if n else m) if yes else z }}
{{ s is string and s|length > 3 or false }}
{{ 'yes' if not no else 'no' }} {{ 'yes' if 1 not in l else 'no' }}
{{ l|length + 1 }} {{ s|upper ~ s|lower }} {{ -l|length }} {{ not l|length }}
{{ l is iterable and l is not string and l is not mapping }}
{{ loop }}
{{ loop is defined }}
{{ raise_exception('boom ' ~ n) }}
{{ raise_exception(missing) }}
{{ raise_exception() }}
{% if n == 7 %}{{ raise_exception('line\nbreak\ttab \u00e9') }}{% endif %}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%A %B %j %y %p %I %-d %% %f|%z|%Z|') }} {{ strftime_now('') }}|
{{ strftime_now(5) }}
{{ 1.foo }}
{{ [1, 2,] }} {{ {'a': 1,} }} {{ dict(a=1,) }}
{{ ((1)) }} {{ ((1, 2)) }} {{ (1 + 2) * 3 }} {{ ([1, 2])[0] }}
{{ 'abc'[1] }} {{ 'abc'[-4] }}| {{ 'abc'[1:] }} {{ 'abc'['x'] }}|
{{ l[1:][0] }} {{ l[::-1] }} {{ l[5:] }} {{ l[0:0] }} {{ l[:-1] }} {{ rows[0]['k'] }} {{ rows[0].k }} {{ rows[::2]|length }}
{{ l[::0] }}
{{ n[0] }}|{{ n.x }}|{{ none.x }}|{{ nil[0] }}|
{{ nil.x.y }}
{{ true + 1 }} {{ true and 'a' }} {{ -true }} {{ true|int }} {{ true|string }} {{ true|tojson }} {{ [true, 1]|unique|list }}
{{ 9223372036854775807 }} {{ -9223372036854775807 }} {{ 3 * 3 * 3 }}
{{ x }}{% set x = 1 %}{{ x }}
{% set s = s + '!' %}{{ s }}
{% set messages = [{'role': 'a'}] + [{'role': 'b'}] %}{{ messages|length }}{{ messages[1].role }}
{{ 'a' is in ['a'] }}{{ 'a' in ['a'] and 'b' in ['b'] }}
{{ [] == [] }} {{ {} == {} }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ (1,) == [1] }} {{ none == none }} {{ missing == none }} {{ '1' == 1 }} {{ d == d }}
{{ none < 1 }}
{{ 'a' < 1 }}
{{ missing < 1 }}
{{ d.items()|map('first')|list }} {{ d.items()|map(attribute=0)|list }} {{ [[1, 2], [3]]|map('length')|list }} {{ [[3, 1]]|map('sort')|list }}
{{ d['b', 'a'] }}
{{ s.title() }} {{ s.nothing is defined }} {{ s.nothing }}|
{{ s.nothing() }}
{{ d.nothing() }}
{{ s.encode() }}
{{ "a" is lower }} {{ "A1" is upper }} {{ '' is lower }}
{{ 'abc'|reverse }} {{ [1, 2]|reverse|list }} {{ d|reverse|list }}
{{ s|attr('upper') }}
{{ [1, [2, [3]]]|string }} {{ [1]|string|length }} {{ none|string }} {{ missing|string }}|{{ missing|list }} {{ missing|length }} {{ missing|upper }}|{{ missing|trim }}|{{ missing|first }}|{{ missing|join }}|{{ missing|int(3) }}
{{ missing|abs }}
{{ 0.1 }} {{ 1/3 }} {{ 2/3 }} {{ 1e308 * 10 }} {{ 5e-324 }} {{ 123456789.123456789 }} {{ 1e21 }} {{ 9007199254740993 / 1 }}
{{ 1e5|int }} {{ 1.9|int }} {{ -1.9|int }} {{ f|int }} {{ f|string }} {{ f * 2 }} {{ n / 2 }} {{ n // 2.0 }} {{ n ** 0.5 }} {{ 2 ** 0.5 }}
{{ [3, 1, 2]|sort|first }} {{ [3, 1, 2]|max }} {{ []|max }}| {{ 'hello'|max }} {{ [1.5, 1]|min }}
{{ ['a', 'B']|map('lower')|map('upper')|list }} {{ l|map('float')|list }} {{ l|map('tojson')|join(' ') }}
{% set x = l|map('string') | list %}{{ x[0] + x[1] }}
{{ '\\n' }} {{ '\\' }} {{ "\\\"" }}
{{ s|e|e }} {{ '<'|e|e }} {{ '<'|e ~ '<' }} {{ '<'|e + '<' }}
{{ d|length }} {{ ed|length }} {{ s|length }} {{ nil|length }}
{{ ["a"] | tojson | safe }} {{ ("<" | tojson | safe) + "<" }}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% if %}x{% endif %}
{% for %}x{% endfor %}
{% set %}
{% endif %}
{% if true %}
{{ }}
{{ 1 + }}
{{ 'abc }}
{{ (1 }}
{{ 1) }}
{% nope %}
{{ a b }}
{% set 1 = 2 %}
{% set true = 2 %}
{{ [1, 2 }}
{# open
{% raw %} open
{{ 1 is defined is defined }}
{{ f(a=1, 2) }}
{{ f(**{}, *[]) }}
{% macro m2() %}{{ n }}|{{ n is defined }}{% endmacro %}{{ m2() }}{% set n = 1 %}{{ m2() }}
{% for i in l if s %}x{% endfor %}{% set s = 1 %}.
{% for i in l %}{{ n }}{% endfor %}{% if e %}{% set n = 1 %}{% endif %}{{ n }}
{% for i in l %}{{ n }}{% endfor %}{% if e %}{% set n = 1 %}{% elif s %}{% set n = 2 %}{% else %}{% set n = 3 %}{% endif %}{{ n }}
{% for i in l %}{{ n }}{% endfor %}{% if e %}{% set n = 1 %}{% else %}{% set n = 3 %}{% endif %}{{ n }}
{% macro m2() %}{{ n }}{% endmacro %}{% if e %}{% set n = 1 %}{% else %}{% set n = 3 %}{% endif %}{{ m2() }}
{% macro m2() %}{{ n }}{% endmacro %}{% set n = n %}{{ m2() }}
{% for i in l %}{% for j in w %}{{ n }}{% endfor %}{% set n = i %}{% endfor %}{{ n }}
{% for i in l %}{{ n }}{% for j in w %}{{ n }}{% endfor %}{% set n = i %}{% endfor %}{{ n }}
{% set x %}{% for i in l %}{{ s }}{% endfor %}{% set s = 1 %}{% endset %}{{ x }}{{ s }}
{% for i in l %}{% if i == 3 %}{% break %}{% endif %}{% else %}else{% endfor %}
{% for i in l %}{% if i == 1 %}{% break %}{% endif %}{% else %}else{% endfor %}
{% for i in l %}{% continue %}{% else %}else{% endfor %}
{{ d . b }} {{ d [ 'b' ] }} {{ s . upper ( ) }}
{{ s
 .upper() }}
""".strip("\n").split("\n")
# Lines that belong together are joined again: a snippet ends where the next line begins anew.
JOINED = {"{% filter indent(2) %}a": 2, "  {% if true %}": 4, "  {%+ if true %}": 4, "a": 3, "a {{ 'b' }}": 3,
          "{% if true %}": 5, "\t{% set a = 1 %}\t": 2, "{%- set a = 1 %}": 2, "  {% raw %}": 4, "a{{ 1 }}": 3,
          "{{ s": 2}


def hand():
    lines, result = list(HAND), []
    while lines:
        count = JOINED.get(lines[0], 1) if len(lines) > 1 else 1
        if lines[0] == "{% if true %}" and lines[1] != "":
            count = 1
        if lines[0] == "{{ s" and not lines[1].startswith(" ."):
            count = 1
        result.append("\n".join(lines[:count]))
        del lines[:count]
    return result


def main():
    snippets = hand()
    snippets += [v.replace("\n", "\r\n") for v in snippets if "\n" in v]
    snippets += [v + "\n" for v in snippets[:20]] + [v + "\n\n" for v in snippets[:5]]
    snippets += [f"{{{{ {v}|{f} }}}}" for v in VALUES for f in PLAIN_FILTERS]
    snippets += [f"{{{{ {v} is {t} }}}}" for v in VALUES for t in TESTS]
    snippets += [f"{{{{ {a} {o} {b} }}}}" for a in SMALL for b in SMALL for o in OPERATORS]
    snippets += [f"{{{{ {v}.{m} }}}}" for v in ("s", "u", "q", "e", "n", "t") for m in METHODS]
    snippets += [f"{{{{ {v}{x} }}}}" for v in ("s", "u", "l", "d", "(1, 2)", "range(4)", "nil", "e", "nest") for x in SLICES]
    snippets += [f"{{{{ {v} }}}}|{{{{ 'T' if {v} else 'F' }}}}" for v in VALUES]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "snippets.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"variables": VARIABLES, "snippets": list(dict.fromkeys(snippets))}, file, ensure_ascii=False, indent=0)
        file.write("\n")


main()
