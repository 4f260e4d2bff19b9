#!/usr/bin/env python3
"""make_ice_model.py OUT: a SentencePiece model of 320 pieces that is built like ice_text.model of
ChatGLM-6B, for families/chatglm1-int4: the same control tokens (at the ids that config.json there
says), <n>, <|tab|> and <|blank_k|>, printable ASCII and the characters of the prompt.
Needs nothing but Python; not run by the tests."""
import struct
import sys

NORMAL, UNKNOWN, CONTROL, USER = 1, 2, 3, 4
COUNT = 320


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def piece(text, kind, score):
    return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) +
                 b"\x18" + bytes([kind]))


def pieces():
    table = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), ("<pad>", CONTROL),
             ("<n>", USER), ("\u2581", NORMAL)]
    table += [(chr(code), NORMAL) for code in range(33, 127)]
    table += [(text, NORMAL) for text in "问答：你好，。"]
    table += [(f"<|blank_{count}|>", USER) for count in range(2, 81)]
    table += [(text, NORMAL) for text in ("Round", "\u2581[", "\u2581a", "an", "er", "in", "你好")]
    marks = {310: "[MASK]", 311: "[gMASK]", 312: "[sMASK]", 313: "<unused_0>", 314: "<sop>",
             315: "<eop>", 316: "<ENC>", 317: "<dBLOCK>", 318: "<|tab|>"}
    while len(table) < COUNT:
        at = len(table)
        table.append((marks[at], USER) if at in marks else (f"\u2581filler{at}", NORMAL))
    return table


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    out = b"".join(piece(text, kind, -float(len(table)) if len(text) == 1 else -1.0 - at / 100)
                   for table in [pieces()] for at, (text, kind) in enumerate(table))
    out += field(2, b"\x18\x01")          # trainer_spec: unigram
    out += field(3, b"\x18\x01\x20\x00")  # normalizer_spec: dummy prefix, white space stays
    with open(sys.argv[1], "wb") as file:
        file.write(out)


if __name__ == "__main__":
    main()
