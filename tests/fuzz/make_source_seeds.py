#!/usr/bin/env python3
"""Makes the seeds of corpus/source: the configurations of tests/convert/families, fitted to the tiny
checkpoint of tests/convert/folder_rig.c, and changes of its tensors.

usage: make_source_seeds.py CORPUS_FOLDER FAMILIES_FOLDER
"""
import json
import pathlib
import sys

SIZES = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "vocab_size": 5,
         "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "n_embd": 8,
         "n_layer": 1, "n_head": 2, "num_layers": 1, "tie_word_embeddings": False}
# which tensor, elements, dims of fuzz_source.c: q_proj out, qweight, qzeros, scales, g_idx in
GPTQ = bytes([3, 0, 0, 12, 5, 10, 13, 5, 11, 14, 0, 10, 15, 0, 1])
INT8 = bytes([3, 4, 5, 17, 0, 1])
FP8 = bytes([3, 6, 5, 18, 1, 11])


def main():
    corpus, families = (pathlib.Path(path) for path in sys.argv[1:3])
    corpus.mkdir(parents=True, exist_ok=True)
    for folder in sorted(families.iterdir()):
        config = json.loads((folder / "config.json").read_text())
        for target in (config, config.get("text_config", {})):
            target.update({key: value for key, value in SIZES.items() if key in target})
        (corpus / folder.name).write_text(json.dumps(config))
    llama = {**SIZES, "model_type": "llama", "max_position_embeddings": 64, "rms_norm_eps": 1e-5}
    # was a division by it
    window = dict(llama, model_type="exaone4", sliding_window=4, sliding_window_pattern=0)
    (corpus / "changed-window").write_text(json.dumps(window))
    for name, method, changes in (("gptq", "gptq", GPTQ), ("int8", None, INT8),
                                  ("float8", "fp8", FP8)):
        config = dict(llama, **({"quantization_config": {"quant_method": method}} if method else {}))
        (corpus / f"changed-{name}").write_bytes(json.dumps(config).encode() + b"\0" + changes)


if __name__ == "__main__":
    main()
