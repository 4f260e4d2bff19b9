#!/usr/bin/env python3
"""Write the golden files of tests/text from the published implementations.

usage: gen_golden.py SHARED_GOLDEN OUT_DIR
SHARED_GOLDEN   the folder ../shared/golden (vocab/, tokenizers/, text/)
Needs the PyPI packages tokenizers (0.23.3), sentencepiece (0.2.3), protobuf, gguf, regex.

pretokenize_golden.json    pre-tokenizer name -> [[text, ends of the pieces in bytes]], by Hugging Face's
                           tokenizers running the patterns of the published tokenizer.json files
                           (kimi-k2: by the module regex)
encode_golden.json         vocabulary of ../shared/golden -> [[text, ids]], by tokenizers
sentencepiece_golden.json  two tiny models trained here on Shakespeare (public domain), BPE and unigram, each with
                           its pieces and [[text, ids, decoded text]], by sentencepiece
"""
import io
import json
import os
import random
import sys

import regex
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from gguf import GGUFReader
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.pre_tokenizers import Sequence, Split

if len(sys.argv) != 3:
    sys.exit(__doc__)
GOLDEN, OUT = sys.argv[1:]

# ---- patterns as published ----

ENGLISH = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LINES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = ENGLISH + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + LINES
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def cased(upper, lower, contraction):
    lead = r"[^\r\n\p{L}\p{N}]?"
    return lead + upper + "*" + lower + "+" + contraction + "|" + lead + upper + "+" + lower + "*" + contraction + "|"


O200K = cased(UPPER, LOWER, ENGLISH + "?") + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + LINES
WORDS = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
         r""" ?[\p{P}\p{S}]+[\r\n]*|""" + LINES)
CJK = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
BLOOM = r" ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
PATTERNS = {
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "gpt-2": [GPT2],
    "starcoder": [r"\p{N}", GPT2],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "llama-bpe": [LLAMA3],
    "glm4": [LLAMA3],
    "qwen2": [QWEN2],
    "qwen35": [ENGLISH + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + LINES],
    "minicpm5": [r"\p{N}{1,3}", QWEN2.replace(r"\p{N}|", r"\p{N}+|")],
    "ufakzeka": [QWEN2[len(ENGLISH) + 1:]],
    "laguna": [r"[^\n]+|[\n]+", QWEN2],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|"
                   r"\s+(?!\S)|\s+"],
    "seed-coder": [ENGLISH + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + LINES],
    "jais-2": [LLAMA3[:-len(r"\s+(?!\S)|\s+")] +
               "".join(r"\s{%s}(?!\S)|" % n for n in (512, 256, 128, 64, 32, 16, 8, 4, "1,2")) + r"\s{1}"],
    "exaone-moe": [ENGLISH + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|"
                   r"\s*[\r\n]|\s+(?!\S)|\s+"],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", CJK, WORDS],
    "spark2_5": [r"\p{N}{1,3}", CJK, WORDS.replace(r"[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+", r"[\p{P}\p{S}]+|[\r\n]"), r"\p{N}"],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "tekken": [cased(UPPER, LOWER, "") + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + LINES],
    "chameleon": ["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
                  r"[\p{P}!-/:-@\[-`{-~]", GPT2],
    "gpt-4o": [O200K],
    "tiny_aya": [r"\d{1,3}(?=(?:\d{3})*\b)", O200K],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "gemma4": [r"[^\n]+|[\n]+"],
    "whitespace": [r"\S+"],
}
HAN = r"\p{Script=Han}"
KIMI = regex.compile("(?V1)" + HAN + "+|" + cased("[" + UPPER + "--" + HAN + "]", "[" + LOWER + "--" + HAN + "]", ENGLISH + "?") +
                     r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + LINES)

PARTS = ["a", "b", "Z", "s", "t", "'", "'s", "'S", "'ll", "'RE", "\u017f", " ", "  ", "   ", "\n", "\r\n", "\t", "1", "23",
         "4567", "\u0663", "\u00b2", "\u2167", ".", "!", "/", "-", "$", "+", "~", "`", "^", "|", "<", "(", ")", "\u00e9",
         "\u00c9", "\u01c5", "\u02b0", "\u4e2d", "\u56fd", "\u30ab", "\ud55c", "\uae00", "\u0627", "\u0928", "\u093f",
         "\u0301", "\u0e01", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\u180e", "\u200b", "\U0001f600", "\u3002",
         "\uff0c", "\u2026", "\u0000", "\u0001", "_", "\u3007", "\u3005", "\u2e80", "\u0661\u0662\u0663\u0664", "0123456789",
         "DON'T", "xxxxx", "\n\n", " \n", "\v", "\f", "\uff10", "\u00df", "\u0130", "\ufb00", "\U0001d400", "\u00f8",
         "IMGIMGABZ", "<sentinel:12>", "\uff8a", "\u1000", " the", " of", "ing", "Hello", " world", "```", "==", "don't",
         "\u4f60\u597d", "\uff01", "\u65e5\u672c\u8a9e"]


def random_texts(count, seed):
    source = random.Random(seed)
    return ["".join(source.choice(PARTS) for _ in range(source.randint(1, 12))) for _ in range(count)]


def byte_ends(text, ends):
    return sorted({len(text[:end].encode()) for end in ends if end > 0})


def write(name, data):
    with open(os.path.join(OUT, name), "w", encoding="ascii") as file:
        file.write("{\n" + ",\n".join('%s: [\n%s]' % (json.dumps(key), ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
                                      if isinstance(rows, list) else '%s: %s' % (json.dumps(key), json.dumps(rows))
                                      for key, rows in data.items()) + "\n}\n")


# ---- pre-tokenizers ----

golden = {}
for number, (name, patterns) in enumerate(PATTERNS.items()):
    splitter = Sequence([Split(Regex(pattern), "isolated") for pattern in patterns])
    golden[name] = [[text, byte_ends(text, [end for _, (_, end) in splitter.pre_tokenize_str(text)])]
                    for text in random_texts(40, number)]
golden["kimi-k2"] = []
for text in random_texts(40, 1000):
    ends = [len(text)]
    for match in KIMI.finditer(text):
        ends += [match.start(), match.end()]
    golden["kimi-k2"].append([text, byte_ends(text, ends)])
write("pretokenize_golden.json", golden)

# ---- whole vocabularies ----


def lines(name):
    with open(os.path.join(GOLDEN, "text", name), encoding="utf-8", newline="") as file:
        return [line for line in file.read().split("\n") if line.strip()]


def from_merges(vocab_name, merges_name, pattern, ignore_merges):
    with open(os.path.join(GOLDEN, "tokenizers", vocab_name), encoding="utf-8") as file:
        vocab = json.load(file)
    with open(os.path.join(GOLDEN, "tokenizers", merges_name), encoding="utf-8") as file:
        merges = [tuple(line.split(" ")) for line in file.read().split("\n") if line and not line.startswith("#version")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = Sequence([Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    return tokenizer


def from_json(name):
    tokenizer = Tokenizer.from_file(os.path.join(GOLDEN, "tokenizers", name))
    tokenizer.normalizer = normalizers.Sequence([])  # GGUF has no place for Qwen's NFC
    return tokenizer


def bert():
    reader = GGUFReader(os.path.join(GOLDEN, "vocab", "ggml-vocab-bert-bge.gguf"))
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    vocab = {}
    for number, (token, kind) in enumerate(zip(tokens, kinds)):
        whole = token[1:] if token.startswith("\u2581") else token if kind == 3 else "##" + token
        vocab.setdefault(whole, number)
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=1000))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


picked = random.Random(7)
texts = random_texts(40, 77) + picked.sample(lines("zh-wiki-gsdsimp.test+dev.txt"), 8) + \
    picked.sample(lines("wiki.test.raw"), 4) + picked.sample(lines("pud.en.txt"), 4)
texts = [text[:200] for text in texts]
golden = {}
for name, tokenizer in {
        "gpt-2": from_merges("gpt2.vocab.json", "gpt2.merges.txt", GPT2, False),
        "llama-bpe": from_merges("llama3.2.encoder.json", "llama3.2.vocab.bpe", LLAMA3, True),
        "qwen2": from_json("qwen3.tokenizer.json"),
        "minimind": from_json("minimind.tokenizer.json"),
        "bert-bge": bert()}.items():
    golden[name] = [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]
write("encode_golden.json", golden)

# ---- sentencepiece ----


def train(model_type, **options):
    model = io.BytesIO()
    with open(os.path.join(GOLDEN, "text", "tinyshakespeare.txt"), encoding="utf-8") as file:
        sentences = [line for line in file.read().split("\n") if line][:4000]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, model_type=model_type, normalization_rule_name="identity",
        num_threads=1, minloglevel=2, user_defined_symbols=["<n>", "<|tab|>"], **options)
    return model.getvalue()


golden = {}
extra = ["", " ", "  ", "   a   b  ", "Hello world", " Hello", "<n>", "a<n>b", " <n> a<n><n>b ", "<s>", "</s><unk>", "\u2581a", "a\u2581b",
         "What, art thou mad?", "the the the the", "aaaaaaaaaaaaaaaaaaaaaaaaa", "\u4f60\u597d!", "\U0001f600\U0001f600 x", "\n\n\t", "<0x41>",
         "Before we proceed any further, hear me speak.", "KING RICHARD III:", "x<|tab|>y"]
# U+2581 would be ambiguous only in decoding.
for name, model_type, options in [
        ("bpe", "bpe", dict(vocab_size=600, byte_fallback=True, remove_extra_whitespaces=False)),
        ("bpe-trim", "bpe", dict(vocab_size=150, remove_extra_whitespaces=True)),
        ("bpe-plain", "bpe", dict(vocab_size=600, byte_fallback=True, remove_extra_whitespaces=False, add_dummy_prefix=False)),
        ("unigram", "unigram", dict(vocab_size=300, remove_extra_whitespaces=True)),
        ("unigram-bytes", "unigram", dict(vocab_size=600, byte_fallback=True, remove_extra_whitespaces=False))]:
    proto = train(model_type, **options)
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    model = sentencepiece_model_pb2.ModelProto.FromString(proto)
    golden[name] = {
        "model": "t5" if model_type == "unigram" else "llama",
        "add_space_prefix": model.normalizer_spec.add_dummy_prefix,
        "remove_extra_whitespaces": model.normalizer_spec.remove_extra_whitespaces,
        "tokens": [piece.piece for piece in model.pieces],
        "scores": [piece.score for piece in model.pieces],
        "kinds": [piece.type for piece in model.pieces],
        "cases": [[text, processor.encode(text), processor.decode(processor.encode(text))]
                  for text in extra + random_texts(40, 5)],
    }
write("sentencepiece_golden.json", golden)
