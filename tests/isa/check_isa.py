#!/usr/bin/env python3
"""Judges the machine code that RADV makes of the A16 GEMVs, for GPUs that are not here.

    check_isa.py ISA_DUMP DRIVER.json SHADER_FOLDER

Per family and weight type: no spilled registers (with one and two groups on their way), packed dots in the hot loop, at most LIMITS
instructions a weight. Q4_0's limit is the design's; the others are what Mesa 25.0.7 measured
(docs/kernels.md) and 5 % more.
The hot loop is the smallest loop with a packed dot in it; finding none is a failure, not a pass.
Exit 77 (skip) only when the driver file is missing or cannot tell."""
import os
import re
import subprocess
import sys

FAMILIES = ("navi31", "navi21")
LIMITS = {  # weight type: instructions a weight on each family
    "Q4_0": (2.0, 2.0), "Q4_1": (1.94, 1.78), "Q5_0": (2.51, 2.22), "Q5_1": (2.45, 2.19),
    "Q8_0": (1.63, 1.45), "Q4_K": (2.43, 2.17), "Q5_K": (2.95, 2.60), "Q6_K": (2.99, 2.68),
    "IQ4_NL": (8.14, 7.01), "IQ4_XS": (8.34, 7.21),  # their values come from memory
}
SUBGROUP = 64
ROWS = 2
SPEC = {0: SUBGROUP, 1: ROWS, 2: 1, 3: 0, 4: 1}
DEPTH_MOST = 2  # groups on their way where workgroups are few (gpu_tiling.c)
SKIP = 77


def dump(program, driver, shader, family, depth=1):
    environment = dict(os.environ, VK_ICD_FILENAMES=driver, VK_DRIVER_FILES=driver,
                       RADV_FORCE_FAMILY=family)
    arguments = [program, shader, str(SUBGROUP)] + [f"{i}={v}" for i, v in SPEC.items()] + [
        f"7={depth}"]
    result = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    return result.returncode, result.stdout.decode("latin1"), result.stderr.decode("latin1")


def blocks(listing):
    """[(label, [instruction])] in order. RADV prints "BB3:" or, where its LLVM cannot disassemble,
    "BB3" and "value = instruction"."""
    found = []
    for line in listing.splitlines():
        label = re.match(r"(BB\d+):?\s*$", line.strip())
        if label:
            found.append((label.group(1), []))
        elif found and line.startswith("\t"):
            found[-1][1].append(line.split(";")[0].strip().split(" = ")[-1])
    return found


def loops(listing):
    """The instructions of every loop: from a branch's target up to the branch back to it."""
    all_blocks = blocks(listing)
    place = {label: i for i, (label, _) in enumerate(all_blocks)}
    found = []
    for i, (_, instructions) in enumerate(all_blocks):
        for instruction in instructions:
            branch = re.match(r"s_c?branch\S*\s+(?:block:)?(BB\d+)", instruction)
            if branch and place.get(branch.group(1), i + 1) <= i:
                body = all_blocks[place[branch.group(1)]:i + 1]
                found.append([x for _, part in body for x in part])
    return found


def spills(text, depth):
    """What a kernel says of its registers, and the complaints about it."""
    statistics = dict(re.findall(r"^statistic (.+) = (\d+)$", text, re.M))
    return statistics, [f"depth {depth}: {name}: {statistics.get(name, 'not reported')}"
                        for name in ("Spilled SGPRs", "Spilled VGPRs")
                        if statistics.get(name) != "0"]


def judge(family, limit, text):
    """The complaints about one kernel on a family, and the line that reports it."""
    statistics, complaints = spills(text, 1)
    hot = [x for x in loops(text[text.find("assembly\n"):]) if any("dot4" in y for y in x)]
    if not hot:
        return complaints + ["no loop with a packed dot found"], family
    body = min(hot, key=len)
    each = len(body) / (32 * ROWS)
    if each > limit:
        complaints.append(f"{each:.2f} instructions a weight, limit {limit}")
    loads = sum(bool(re.match(r"(buffer|global)_load", x)) for x in body)
    report = (f"{family}: {each:.2f} instructions a weight ({len(body)} in the loop, {loads} loads, "
              f"{sum('dot4' in x for x in body)} packed dots), VGPRs {statistics.get('VGPRs')}, "
              f"code {statistics.get('Code size')} B")
    return complaints, report


def check(program, driver, folder, family, weight):
    """0 good, 1 bad, SKIP."""
    name, shader = f"{family} {weight}", os.path.join(folder, f"MATMUL_GEMV_A16_{weight}.spv")
    code, text, errors = dump(program, driver, shader, family)
    if code == SKIP:
        print(f"skip: {name}: {errors.strip()}")
        return SKIP
    if code != 0:
        print(f"{name}: {errors.strip() or 'isa_dump failed with %d' % code}")
        return 1
    complaints, report = judge(name, LIMITS[weight][FAMILIES.index(family)], text)
    code, text, errors = dump(program, driver, shader, family, DEPTH_MOST)
    complaints += spills(text, DEPTH_MOST)[1] if code == 0 else [errors.strip()]
    print(report)
    for complaint in complaints:
        print(f"{name}: FAILED: {complaint}")
    return 1 if complaints else 0


def main():
    program, driver, folder = sys.argv[1:4]
    if not os.path.exists(driver):
        print(f"skip: no driver file {driver}")
        return SKIP
    results = {check(program, driver, folder, family, weight)
               for family in FAMILIES for weight in LIMITS}
    return 1 if 1 in results else max(results)


if __name__ == "__main__":
    sys.exit(main())
