#!/usr/bin/env python3
"""Checks check_house.py: a small house without a fault passes, and each broken rule is found.

usage: test_check_house.py C_COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).with_name("check_house.py")

CLEAN = {f"quant/part{i}.c": "#include <string.h>\n" for i in range(20)}
CLEAN |= {
    "quant/base.h": "#ifndef BASE_H\n#define BASE_H\n#include <stddef.h>\n"
                    "size_t base(void);\n#endif\n",
    "quant/platform_x.c": '#include "base.h"\n#include <unistd.h>\n',
    "runtime/gpu/gpu.h": '#ifndef GPU_H\n#define GPU_H\n#include "base.h"\n#endif\n',
    "runtime/gpu/gpu.c": '#include "gpu.h"\n#include <vulkan/vulkan.h>\n',
    "runtime/graph/exec_gpu.c": '#include "gpu.h"\n',
    "runtime/text/text.h": '#ifndef TEXT_H\n#define TEXT_H\n#endif\n',
    "convert/recipe.h": '#ifndef RECIPE_H\n#define RECIPE_H\n#endif\n',
    "runtime/cli/main.c": '#include "recipe.h"\n#include <getopt.h>\nint main(void) { exit(1); }\n',
    "quant/say.c": '/* exit(1) */ const char *x = "printf(1)"; // getenv(2)\n',
}
# name, file, content, what the check must say
BROKEN = [
    ("convert sees runtime", "convert/a.c", '#include "text.h"\n',
     "convert/a.c:1: convert must not include text.h of runtime/text"),
    ("runtime sees convert", "runtime/text/a.c", '\n#include "recipe.h"\n',
     "runtime/text/a.c:2: runtime/text must not include recipe.h of convert"),
    ("arrow back", "runtime/gpu/a.c", '#include "text.h"\n', "runtime/gpu must not include text.h"),
    ("quant sees runtime", "quant/a.c", '#include "gpu.h"\n', "quant must not include gpu.h"),
    ("plan sees gpu", "runtime/graph/plan.c", '#include "gpu.h"\n', "must not include gpu.h"),
    ("a path", "runtime/text/a.c", '#include "../gpu/gpu.h"\n', "without a path"),
    ("vulkan", "runtime/graph/exec_gpu.c", '#include <vulkan/vulkan.h>\n', "only runtime/gpu"),
    ("system header", "quant/a.c", '#  include <sys/stat.h>\n', "<sys/stat.h> belongs in"),
    ("pthread", "runtime/graph/a.c", '#include <pthread.h>\n', "<pthread.h> belongs in"),
    ("exit", "quant/a.c", '/* a\n b */\nvoid f(void) { exit (1); }\n',
     "quant/a.c:3: a library must not use exit"),
    ("getenv", "runtime/gpu/a.c", 'x = getenv("HOME");\n', "must not use getenv"),
    ("stderr", "convert/a.c", 'fprintf(stderr, "x");\n', "must not use stderr"),
    ("long file", "quant/a.c", "\n" * 801, "801 lines, at most 800"),
    ("header not alone", "quant/a.h", "size_t f(void);\n", "quant/a.h: does not compile alone"),
    ("header without guard", "quant/a.h", "struct a { int x; };\n", "does not compile alone"),
]


def check(files, compiler):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        run = subprocess.run([sys.executable, CHECK, folder, compiler], capture_output=True,
                             text=True)
        return run.returncode, run.stdout + run.stderr


def main():
    compiler = sys.argv[1]
    passed = 0
    for name, file, content, expected in [("clean", "quant/b.c", "", "6 test(s)"), *BROKEN]:
        code, output = check(CLEAN | {file: content}, compiler)
        if code == (0 if name == "clean" else 1) and expected in output:
            passed += 1
        else:
            print(f"{name}: exit {code}, '{expected}' not found in:\n{output}")
    print(f"[  PASSED  ] {passed} test(s).")
    failed = len(BROKEN) + 1 - passed
    if failed:
        print(f"[  FAILED  ] {failed} test(s).")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
