/* pre_patterns.c: see pre_patterns.h. Sources of the names and of which patterns they share:
 * llama.cpp src/llama-vocab.cpp at 00ad355e. Where llama.cpp bends a pattern to fit std::regex
 * (tekken, gpt-4o, kimi-k2, tiny_aya), the pattern here is the model's own. */
#include "pre_patterns.h"
#include "pretokenize.h"

#include <string.h>

/* Inside a class: Unicode White_Space. */
#define SPACE "\\p{Z}\\x{9}-\\x{D}\\x{85}"
#define BLANKS "[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+" /* \s+(?!\S)|\s+ */
#define LINES "[" SPACE "]*[\\r\\n]+|"
#define ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define MARKS " ?[^" SPACE "\\p{L}\\p{N}]+"
/* Words by case, as in OpenAI's o200k: capitals then small letters, with the contraction. */
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define CASED(contraction)                                                                         \
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+" contraction "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER  \
    "]+[" LOWER "]*" contraction "|"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|" MARKS "|" BLANKS
#define LLAMA3 ENGLISH "|" LETTERS "\\p{N}{1,3}|" MARKS "[\\r\\n]*|" LINES BLANKS
#define QWEN2 ENGLISH "|" LETTERS "\\p{N}|" MARKS "[\\r\\n]*|" LINES BLANKS
#define O200K CASED(ENGLISH "?") "\\p{N}{1,3}|" MARKS "[\\r\\n/]*|" LINES BLANKS
#define DEEPSEEK_WORDS                                                                             \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
#define CJK "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define CJK_DEEPSEEK "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
/* Letters with case, as deepseek-llm's tokenizer.json lists them. */
#define DEEPSEEK_LETTERS                                                                           \
    "[" SPACE "]?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}"    \
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}"         \
    "\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}" \
    "\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}"  \
    "\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}"                 \
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}"                 \
    "\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}"         \
    "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}"        \
    "\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}"                 \
    "\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}"         \
    "\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}"                   \
    "\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}"         \
    "\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}"                  \
    "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}"                 \
    "\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}"                 \
    "\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}"           \
    "\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}]+"

/* Kimi's classes "[UPPER && not Han]" and "[LOWER && not Han]", by the general categories that are
 * left out. */
#define NOT_WORD "\\p{N}\\p{P}\\p{S}\\p{Z}\\p{C}\\p{sc:Han}"
#define KIMI_UPPER "[^\\p{Ll}" NOT_WORD "]"
#define KIMI_LOWER "[^\\p{Lu}\\p{Lt}" NOT_WORD "]"

#define STAGES(name) static const struct pre_stage stages_##name[PRE_STAGE_LIMIT]
#define P(pattern)                                                                                 \
    {                                                                                              \
        STAGE_PATTERN, pattern                                                                     \
    }

STAGES(default) = {P("[\\p{P}$+<=>^~|]+"), P(GPT2), P("\\p{N}+"), P("[0-9][0-9][0-9]")};
STAGES(gpt2) = {P(GPT2)};
STAGES(starcoder) = {P("\\p{N}"), P(GPT2)};
STAGES(falcon) = {P("[\\p{P}$+<=>^~|`]+"), P(GPT2), P("[0-9][0-9][0-9]")};
STAGES(llama3) = {P(LLAMA3)};
STAGES(qwen2) = {P(QWEN2)};
STAGES(qwen35) = {P(ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^" SPACE
                            "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES BLANKS)};
STAGES(minicpm5) = {P("\\p{N}{1,3}"),
                    P(ENGLISH "|" LETTERS "\\p{N}+|" MARKS "[\\r\\n]*|" LINES BLANKS)};
STAGES(ufakzeka) = {P(LETTERS "\\p{N}|" MARKS "[\\r\\n]*|" LINES BLANKS)};
STAGES(laguna) = {P("[^\\n]+|\\n+"), P(QWEN2)};
STAGES(bailing) = {
    P("'(?i:[sdmt]|ll|ve|re)|" LETTERS "\\p{N}|" MARKS "[\\r\\n]*|[" SPACE "]*[\\r\\n]|" BLANKS)};
STAGES(seed) = {P(ENGLISH "|" LETTERS "\\p{N}| ?[^" SPACE "\\p{L}\\p{N}\\r\\n]+|" LINES BLANKS)};
/* Behind a blank that is no line end, a chunk of a run is being cut in which LINES has already
 * failed: the lookbehind only keeps it from scanning the run again for every chunk. */
#define CHUNK(count) "[" SPACE "]{" count "}(?![^" SPACE "])|"
STAGES(jais2) = {P(ENGLISH "|" LETTERS "\\p{N}{1,3}|" MARKS
                           "[\\r\\n]*|(?<![\\p{Z}\\t\\x{B}\\x{C}\\x{85}])" LINES CHUNK("512")
                               CHUNK("256") CHUNK("128") CHUNK("64") CHUNK("32") CHUNK("16")
                                   CHUNK("8") CHUNK("4") CHUNK("1,2") "[" SPACE "]")};
/* A letter with its marks, again and again, each time perhaps behind one space; possessive, for
 * it never has to give anything back. */
STAGES(exaone_moe) = {P(ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}\\p{M}*+(?: ?\\p{L}\\p{M}*+)*+|"
                                "\\p{N}|" MARKS "[\\r\\n/]?|[" SPACE "]*[\\r\\n]|" BLANKS)};
STAGES(deepseek_llm) = {P("[\\r\\n]"),
                        P(DEEPSEEK_LETTERS),
                        P("[" SPACE "]?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}"
                          "\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+"),
                        P("(?<![" SPACE "])[" SPACE "]++\\z"),
                        P(CJK_DEEPSEEK),
                        P("\\p{N}+")};
STAGES(deepseek_coder) = {P("[\\r\\n]"), P("[" SPACE "]?\\p{L}+"), P("[" SPACE "]?\\p{P}+"),
                          P(CJK_DEEPSEEK), P("\\p{N}")};
STAGES(deepseek_v3) = {P("\\p{N}{1,3}"), P(CJK),
                       P(DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES BLANKS)};
STAGES(spark) = {P("\\p{N}{1,3}"), P(CJK), P(DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+|[\\r\\n]|" BLANKS),
                 P("\\p{N}")};
STAGES(afmoe) = {{STAGE_DIGITS, NULL},
                 P("[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{8C48}-\\x{FAFF}\\x{3040}-\\x{309F}"
                   "\\x{30A0}-\\x{30FF}\\x{FF65}-\\x{FF9F}\\x{2F00}-\\x{2FDF}\\x{E40}-\\x{E7F}"
                   "\\x{E80}-\\x{EFF}\\x{1780}-\\x{17FF}\\x{1000}-\\x{109F}\\x{AA60}-\\x{AA7F}"
                   "\\x{A9E0}-\\x{A9FF}\\x{AC00}-\\x{D7AF}\\x{1100}-\\x{11FF}]+"),
                 P(DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES BLANKS)};
STAGES(youtu) = {P("[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|[\\x{FF01}\\x{2026}\\x{201C}\\x{201D}"
                   "\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}\\x{3001}-\\x{303F}"
                   "\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|" CJK),
                 P(CASED(ENGLISH "?") "\\p{N}|" MARKS "[\\r\\n/]*|" LINES BLANKS)};
STAGES(bloom) = {P(" ?[^(" SPACE "|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}"
                   "\\x{60C})]+")};
STAGES(viking) = {P(" ?[^(" SPACE "|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}"
                    "\\x{60C})]+"),
                  P("\\p{N}")};
STAGES(tekken) = {P(CASED("") "\\p{N}|" MARKS "[\\r\\n/]*|" LINES BLANKS)};
STAGES(chameleon) = {P("<sentinel:[0-9]+>"),      P("IMGIMG[A-I]{1,4}Z"),
                     P("[\\t\\n]|    |  "),       P("\\p{N}"),
                     P("[\\p{P}!-/:-@\\[-`{-~]"), P(GPT2)};
STAGES(gpt4o) = {P(O200K)};
STAGES(tiny_aya) = {{STAGE_DIGITS_BOUNDED, NULL}, P(O200K)};
STAGES(kimi) = {P("\\p{sc:Han}+|[^\\r\\n\\p{L}\\p{N}]?" KIMI_UPPER "*" KIMI_LOWER "+" ENGLISH
                  "?|[^\\r\\n\\p{L}\\p{N}]?" KIMI_UPPER "+" KIMI_LOWER "*" ENGLISH
                  "?|\\p{N}{1,3}|" MARKS "[\\r\\n]*|" LINES BLANKS)};
STAGES(superbpe) = {P("\\p{N}+"), {STAGE_DIGITS_CUT, NULL}};
STAGES(newlines) = {P("[^\\n]+|\\n+")};
STAGES(whitespace) = {P("[^" SPACE "]+")};

static const struct pre_recipe recipes[] = {
    {"default", stages_default, 0},
    {"llama-bpe", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"llama3", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"llama-v3", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"falcon3", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"falcon-h1", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"pixtral", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"midm-2.0", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"lfm2", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"jina-v5-nano", stages_llama3, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"minicpm5", stages_minicpm5, PRE_IGNORE_MERGES},
    {"dbrx", stages_llama3, 0},
    {"smaug-bpe", stages_llama3, 0},
    {"glm4", stages_llama3, 0},
    {"chatglm-bpe", stages_llama3, 0},
    {"jais-2", stages_jais2, 0},
    {"deepseek-llm", stages_deepseek_llm, 0},
    {"deepseek-coder", stages_deepseek_coder, 0},
    {"deepseek-v3", stages_deepseek_v3, 0},
    {"hunyuan-dense", stages_deepseek_v3, 0},
    {"joyai-llm", stages_deepseek_v3, 0},
    {"hy_v4", stages_deepseek_v3, 0},
    {"spark2_5", stages_spark, 0},
    {"youtu", stages_youtu, PRE_IGNORE_MERGES},
    {"falcon", stages_falcon, 0},
    {"gpt-2", stages_gpt2, 0},
    {"phi-2", stages_gpt2, 0},
    {"jina-es", stages_gpt2, 0},
    {"jina-de", stages_gpt2, 0},
    {"jina-v1-en", stages_gpt2, 0},
    {"jina-v2-es", stages_gpt2, 0},
    {"jina-v2-de", stages_gpt2, 0},
    {"jina-v2-code", stages_gpt2, 0},
    {"roberta-bpe", stages_gpt2, 0},
    {"gigachat", stages_gpt2, 0},
    {"a.x-4.0", stages_gpt2, 0},
    {"mellum", stages_gpt2, 0},
    {"modern-bert", stages_gpt2, 0},
    {"mpt", stages_gpt2, 0},
    {"olmo", stages_gpt2, 0},
    {"jais", stages_gpt2, 0},
    {"trillion", stages_gpt2, 0},
    {"granite-docling", stages_gpt2, 0},
    {"exaone4", stages_gpt2, 0},
    {"starcoder", stages_starcoder, 0},
    {"refact", stages_starcoder, 0},
    {"command-r", stages_starcoder, 0},
    {"smollm", stages_starcoder, 0},
    {"codeshell", stages_starcoder, 0},
    {"exaone", stages_starcoder, 0},
    {"minerva-7b", stages_starcoder, 0},
    {"mellum2", stages_starcoder, 0},
    {"qwen2", stages_qwen2, 0},
    {"deepseek-r1-qwen", stages_qwen2, 0},
    {"kormo", stages_qwen2, 0},
    {"f2llmv2", stages_qwen2, 0},
    {"megrez", stages_qwen2, 0},
    {"stablelm2", stages_qwen2, 0},
    {"hunyuan", stages_qwen2, 0},
    {"solar-open", stages_qwen2, 0},
    {"grok-2", stages_qwen2, 0},
    {"qwen35", stages_qwen35, 0},
    {"ufakzeka", stages_ufakzeka, 0},
    {"laguna", stages_laguna, 0},
    {"poro-chat", stages_bloom, 0},
    {"bloom", stages_bloom, 0},
    {"gpt3-finnish", stages_bloom, 0},
    {"viking", stages_viking, 0},
    {"tekken", stages_tekken, PRE_IGNORE_MERGES | PRE_ADD_BOS},
    {"exaone-moe", stages_exaone_moe, 0},
    {"chameleon", stages_chameleon, PRE_ADD_BOS},
    {"gpt-4o", stages_gpt4o, 0},
    {"llama4", stages_gpt4o, 0},
    {"kanana2", stages_gpt4o, 0},
    {"talkie", stages_gpt4o, 0},
    {"minimax-m2", stages_gpt4o, 0},
    {"granite-embed-multi-97m", stages_gpt4o, PRE_IGNORE_MERGES},
    {"tiny_aya", stages_tiny_aya, 0},
    {"cohere2moe", stages_tiny_aya, 0},
    {"superbpe", stages_superbpe, 0},
    {"bailingmoe", stages_bailing, 0},
    {"bailingmoe2", stages_bailing, 0},
    {"llada-moe", stages_bailing, 0},
    {"seed-coder", stages_seed, 0},
    {"kimi-k2", stages_kimi, PRE_NO_MERGES},
    {"afmoe", stages_afmoe, 0},
    {"gemma4", stages_newlines, PRE_RAW | PRE_MARK_SPACES | PRE_ADD_BOS},
    {"granite-embed-multi-311m", stages_newlines, PRE_RAW | PRE_MARK_SPACES | PRE_ADD_BOS},
    {"sarvam-moe", stages_newlines, PRE_RAW | PRE_MARK_SPACES},
    {"whitespace", stages_whitespace, PRE_RAW},
};

const struct pre_recipe *pre_recipe_at(unsigned index)
{
    return index < sizeof recipes / sizeof *recipes ? &recipes[index] : NULL;
}

const struct pre_recipe *pre_recipe_find(const char *name)
{
    for (unsigned i = 0; pre_recipe_at(i); i++)
        if (strcmp(recipes[i].name, name) == 0)
            return &recipes[i];
    return NULL;
}
