#!/usr/bin/python3
"""What Python's jinja2 renders, set up as in transformers (utils/chat_template_utils.py), with a
fixed clock. /usr/bin/python3 with Debian's python3-jinja2 (3.1.2).

render_golden.py TEMPLATES OUT   for each TEMPLATES/NAME.jinja: OUT/NAME.txt with one record a
                                 conversation: "CASE KIND SIZE\\n", SIZE bytes, "\\n".
                                 KIND: text; raise = the message of raise_exception; error = any
                                 other failure (its text is jinja2's, for the reader).
render_golden.py --snippets      snippets.json -> snippets_expected.json
render_golden.py --hashes CONFIG OUT   a tokenizer_config.json whose template is not ours to copy:
                                 "CASE KIND FNV-1a" a line
"""
import copy
import datetime
import glob
import json
import os
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

TIME = 1721995200  # 26 Jul 2024 12:00:00 UTC
HERE = os.path.dirname(os.path.abspath(__file__))


class Raised(Exception):
    """raise_exception was called; no template can catch it."""


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_generate"), [], [], body).set_lineno(line)

    def _generate(self, caller):
        return caller()


def raise_exception(message):
    raise Raised(str(message))


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def strftime_now(text):
    return datetime.datetime.fromtimestamp(TIME, datetime.timezone.utc).replace(
        tzinfo=None).strftime(text)


def environment():
    result = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                           extensions=[Generation, loopcontrols])
    result.filters["tojson"] = tojson
    result.globals["raise_exception"] = raise_exception
    result.globals["strftime_now"] = strftime_now
    return result


def render(source, variables):
    try:
        return "text", environment().from_string(source).render(**copy.deepcopy(variables))
    except Raised as error:
        return "raise", str(error)
    except Exception as error:  # whatever jinja2 or the template does
        return "error", type(error).__name__ + ": " + str(error)


def conversations():
    with open(os.path.join(HERE, "conversations.json"), encoding="utf-8") as file:
        return json.load(file)


def render_all(path, out):
    with open(path, encoding="utf-8", newline="") as file:
        source = file.read()
    name = os.path.splitext(os.path.basename(path))[0]
    with open(os.path.join(out, name + ".txt"), "wb") as file:
        for case in conversations():
            kind, text = render(source, case["variables"])
            data = text.encode("utf-8", "replace")
            file.write(f"{case['name']} {kind} {len(data)}\n".encode() + data + b"\n")


def render_snippets():
    with open(os.path.join(HERE, "snippets.json"), encoding="utf-8") as file:
        groups = json.load(file)
    variables, result = groups["variables"], []
    for source in groups["snippets"]:
        kind, text = render(source, variables)
        result.append({"source": source, "kind": kind, "text": text})
    with open(os.path.join(HERE, "snippets_expected.json"), "w", encoding="utf-8") as file:
        json.dump({"variables": variables, "jinja2": jinja2.__version__, "snippets": result}, file,
                  ensure_ascii=False, indent=1)
        file.write("\n")


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return value


def render_hashes(config, out):
    with open(config, encoding="utf-8") as file:
        source = json.load(file)["chat_template"]
    with open(out, "w", encoding="utf-8") as file:
        for case in conversations():
            kind, text = render(source, case["variables"])
            file.write(f"{case['name']} {kind} {fnv(text.encode()):016x}\n")


def main():
    if sys.argv[1] == "--hashes":
        render_hashes(sys.argv[2], sys.argv[3])
        return
    if sys.argv[1] == "--snippets":
        render_snippets()
        return
    os.makedirs(sys.argv[2], exist_ok=True)
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.jinja"))):
        render_all(path, sys.argv[2])


if __name__ == "__main__":
    main()
