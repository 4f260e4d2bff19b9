#!/usr/bin/env python3
"""How long lichen convert and llama.cpp's llama_model_quantize take for the same file, in turn.

usage: convert_speed.py LICHEN LIBLLAMA_FOLDER MODEL.gguf [-r REPEATS] [-t THREADS] [-o OUT.json]

lichen is measured as a whole process (start, hashing the source, reading all of the output again,
fsync); of the peer only the call is measured, in a process of its own. Both write into the folder
of MODEL. Times are medians; wall time is only worth something on a quiet machine, CPU time always.
"""
import argparse
import ctypes
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

FILE_TYPES = {"q4_0": 2, "q4_k_m": 15, "iq4_nl": 25}


class Parameters(ctypes.Structure):
    """llama_model_quantize_params: the members that matter, and room for those behind."""
    _fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int),
                ("types", ctypes.c_int * 2), ("allow_requantize", ctypes.c_bool),
                ("flags", ctypes.c_bool * 5), ("pointers", ctypes.c_void_p * 8)]


def run_peer(folder, source, output, file_type, threads):
    """In a child: one call; prints wall and CPU seconds and the peak memory in KiB."""
    folder = pathlib.Path(folder)
    ctypes.CDLL(str(folder / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(str(next(folder.glob("libggml*v*.so"))), mode=ctypes.RTLD_GLOBAL)
    llama = ctypes.CDLL(str(next(folder.glob("libllama*v*.so"))), mode=ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(str(folder).encode())
    llama.llama_model_quantize_default_params.restype = Parameters
    parameters = llama.llama_model_quantize_default_params()
    parameters.threads, parameters.file_type = threads, file_type
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    status = llama.llama_model_quantize(source.encode(), output.encode(),
                                        ctypes.byref(parameters))
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "rss_kib": after.ru_maxrss}))
    sys.exit(status)


def measure_peer(arguments, name, output):
    command = [sys.executable, __file__, "--peer-call", arguments.folder, arguments.model,
               str(output), str(FILE_TYPES[name]), str(arguments.threads)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure_lichen(arguments, name, output):
    start = time.monotonic()
    process = subprocess.Popen([arguments.lichen, "convert", arguments.model, "-o", str(output),
                                "--type", name, "--threads", str(arguments.threads), "--force",
                                "--proof", "never", "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status:
        sys.exit(f"lichen convert failed with {status}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_kib": usage.ru_maxrss}


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    if sys.argv[1:2] == ["--peer-call"]:
        folder, source, output, file_type, threads = sys.argv[2:]
        run_peer(folder, source, output, int(file_type), int(threads))
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("lichen")
    parser.add_argument("folder")
    parser.add_argument("model")
    parser.add_argument("-r", "--repeats", type=int, default=3)
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-o", "--output")
    arguments = parser.parse_args()
    output = pathlib.Path(arguments.model).with_suffix(".speed.gguf")
    commit = subprocess.run(["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse",
                             "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    document = {"schema": 1, "command": " ".join(sys.argv), "commit": commit,
                "model": pathlib.Path(arguments.model).name,
                "model_bytes": os.path.getsize(arguments.model), "threads": arguments.threads,
                "repeats": arguments.repeats,
                "machine": {"processor": processor(), "processors": os.cpu_count(),
                            "system": platform.platform(), "load": os.getloadavg()},
                "results": []}
    for name in FILE_TYPES:
        ours, peers = [], []
        for _ in range(arguments.repeats):
            ours.append(measure_lichen(arguments, name, output))
            peers.append(measure_peer(arguments, name, output))
        ours_median, peer_median = medians(ours), medians(peers)
        row = {"type": name, "lichen": ours_median, "peer": peer_median,
               "ratio_wall": peer_median["wall_s"] / ours_median["wall_s"],
               "ratio_cpu": peer_median["cpu_s"] / ours_median["cpu_s"],
               "lichen_runs_wall_s": [run["wall_s"] for run in ours],
               "peer_runs_wall_s": [run["wall_s"] for run in peers]}
        document["results"].append(row)
        print(f"{name:8} lichen {ours_median['wall_s']:6.2f} s wall {ours_median['cpu_s']:6.2f} s "
              f"CPU {ours_median['rss_kib'] / 1024:5.0f} MiB   llama.cpp "
              f"{peer_median['wall_s']:6.2f} s {peer_median['cpu_s']:6.2f} s "
              f"{peer_median['rss_kib'] / 1024:5.0f} MiB   {row['ratio_wall']:.2f} times as fast "
              f"({row['ratio_cpu']:.2f} in CPU time)", flush=True)
    output.unlink(missing_ok=True)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
