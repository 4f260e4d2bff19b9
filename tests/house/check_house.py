#!/usr/bin/env python3
"""Checks the rules of the house (docs/architecture.md section 2) that a compiler does not.

usage: check_house.py SOURCE_DIR C_COMPILER
Prints each broken rule with file and line, then a summary in cmocka's words.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys

# Folder -> the folders whose headers it may include, besides its own and quant.
MAY_USE = {
    "quant": set(),
    "convert": set(),
    "shaders": set(),
    "runtime/gpu": set(),
    "runtime/graph": {"runtime/gpu", "shaders"},
    "runtime/model": {"runtime/graph"},
    "runtime/text": set(),
    "runtime/sample": set(),
    "runtime/tools": set(),
    "runtime/engine": {"runtime/gpu", "runtime/graph", "runtime/model", "runtime/text",
                       "runtime/sample", "runtime/tools"},
    # lichen.h includes sampler.h, so who uses the engine sees both
    "runtime/server": {"runtime/engine", "runtime/sample", "runtime/tools"},
    "runtime/cli": {"runtime/engine", "runtime/sample", "runtime/server", "runtime/tools",
                    "convert", "bench"},
    "bench": {"runtime/engine", "runtime/sample", "convert"},
}
# Programs for people: they may print, read the environment and end the process.
PROGRAMS = {"runtime/cli", "runtime/server", "bench"}
# Not part of lichen: a driver around another program's library.
OUTSIDERS = {"bench/peer_llama.c"}

# POSIX, but no more of the operating system than string.h is.
PROGRAM_HEADERS = {"getopt.h", "strings.h"}
C11_HEADERS = set("""assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h
    locale.h math.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h
    stdio.h stdlib.h stdnoreturn.h string.h tgmath.h threads.h time.h uchar.h wchar.h
    wctype.h""".split())
LIBRARY_HEADERS = re.compile(
    r"xxhash\.h|xxh_x86dispatch\.h|jansson\.h|zip\.h|pcre2\.h|utf8proc\.h|sqlite3\.h|"
    r"histedit\.h|event2/.*|stb/.*|stb_.*\.h|vulkan/.*")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FORBIDDEN_CALL = re.compile(
    r"(?<![\w.>])(abort|exit|_Exit|quick_exit|longjmp|getenv|setlocale|printf|puts|putchar|perror|"
    r"system)\s*\(|\b(stdout|stderr)\b")
LINES_MAX = 800


class House:
    def __init__(self, root):
        self.root = root
        self.sources = sorted(path for folder in MAY_USE for path in (root / folder).glob("*.[ch]"))
        self.folders_of = {}  # a header's name -> the folders that have one of that name
        for path in self.sources:
            if path.suffix == ".h":
                self.folders_of.setdefault(path.name, set()).add(self.folder(path))

    def folder(self, path):
        return str(path.parent.relative_to(self.root))

    def name(self, path):
        return str(path.relative_to(self.root))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank(match):
    """What a comment or string is replaced by: as many lines of nothing."""
    return "\n" * match.group().count("\n") + " "


def includes(path):
    text = path.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start()), match.group(1) == "<", match.group(2)


def check_layers(house):
    """Own headers: only folders below, and the runtime's plan code touches no GPU."""
    for path in house.sources:
        folder = house.folder(path)
        allowed = MAY_USE[folder] | {folder, "quant"}
        if folder == "runtime/graph" and not re.match(r"(exec_)?gpu", path.name):
            allowed -= {"runtime/gpu", "shaders"}
        for line, is_system, header in includes(path):
            homes = house.folders_of.get(header, set())
            if not is_system and "/" in header:
                yield f"{house.name(path)}:{line}: {header}: include by name, without a path"
            elif not is_system and homes and not homes & allowed:
                yield (f"{house.name(path)}:{line}: {folder} must not include {header} of "
                       f"{sorted(homes)[0]}")


def check_vulkan(house):
    """Only runtime/gpu includes Vulkan."""
    for path in house.sources:
        for line, _, header in includes(path):
            if header.startswith("vulkan") and house.folder(path) != "runtime/gpu":
                yield f"{house.name(path)}:{line}: only runtime/gpu may include {header}"


# Where a loop is written in the processor's own instructions, beside the same loop in C.
INTRINSICS = {"immintrin.h": {"quant/encode_whole.h"}}


def check_system_headers(house):
    """Only platform_*.c includes headers of the operating system."""
    for path in house.sources:
        if path.match("platform_*.c") or house.name(path) in OUTSIDERS:
            continue
        known = C11_HEADERS | (PROGRAM_HEADERS if house.folder(path) in PROGRAMS else set())
        for line, is_system, header in includes(path):
            if house.name(path) in INTRINSICS.get(header, ()):
                continue
            if is_system and header not in known and not LIBRARY_HEADERS.fullmatch(header):
                yield f"{house.name(path)}:{line}: <{header}> belongs in a platform_*.c"


def check_silence(house):
    """Libraries never print, exit or read the environment."""
    for path in house.sources:
        if house.folder(path) in PROGRAMS:
            continue
        code = COMMENT_OR_STRING.sub(blank, path.read_text(encoding="utf-8"))
        for match in FORBIDDEN_CALL.finditer(code):
            yield (f"{house.name(path)}:{line_of(code, match.start())}: a library must not use "
                   f"{match.group().rstrip('( ')}")


def check_size(house):
    """No file of more than LINES_MAX lines."""
    for path in house.sources:
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > LINES_MAX:
            yield f"{house.name(path)}: {count} lines, at most {LINES_MAX}"


def check_headers_alone(house, compiler):
    """Every header compiles alone, with the include paths its folder has."""
    def compile_one(path):
        folder = house.folder(path)
        paths = [f"-I{house.root / name}" for name in sorted(MAY_USE[folder] | {folder, "quant"})]
        command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                   "-D_POSIX_C_SOURCE=200809L", "-fsyntax-only", *paths, "-x", "c", "-"]
        # twice: the include guard holds; a declaration: a unit must not be empty
        unit = f'#include "{path.name}"\n#include "{path.name}"\nextern int nothing;\n'
        run = subprocess.run(command, input=unit, capture_output=True, text=True)
        first = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr)
        return f"{house.name(path)}: does not compile alone: {first}" if run.returncode else None

    headers = [path for path in house.sources if path.suffix == ".h"]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        yield from filter(None, pool.map(compile_one, headers))


def main():
    root, compiler = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    house = House(root)
    if len(house.sources) < 20:
        sys.exit(f"{root}: no sources of lichen here")
    checks = [check_layers, check_vulkan, check_system_headers, check_silence, check_size,
              lambda house: check_headers_alone(house, compiler)]
    failed = 0
    for check in checks:
        broken = list(check(house))
        print("\n".join(broken), end="\n" if broken else "")
        failed += bool(broken)
    print(f"[  PASSED  ] {len(checks) - failed} test(s).")
    if failed:
        print(f"[  FAILED  ] {failed} test(s).")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
