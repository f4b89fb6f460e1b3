"""Tokenizers and the ids that Python gives texts by them, for toolkit/data/src/tests/fixtures/tokenizers.

    pip install tokenizers==0.23.3
    python tests/python/make_tokenizer_fixtures.py

Of equals the trainers take one or the other, so that each run makes other tokenizers: the files belong together.
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(__file__).parents[2] / "toolkit/data/src/tests/fixtures/tokenizers"

TEXT = """\
The river runs past the old mill, and the miller's daughter counts the sacks of flour.
In spring the water is high; in summer it hardly turns the wheel, and the miller isn't pleased.
"How many sacks are there?" he asks. "Twenty-three, father, and one that isn't full."
A café stands where the road crosses the river: its owner, a naïve man from Genève, sells cakes.
The cakes are made of the mill's flour, of eggs, and of sugar at 3.50 a pound.
People come from the town on Sundays; they'll sit by the water, eat, and watch the ducks.
It rained for 40 days in 1887, and the river took the bridge, the road and half of the garden.
Nobody was hurt, but the wheel was found 12 miles away, in a field of barley.
They've built it anew since: of oak, not of pine, and with 24 paddles instead of 20.
The daughter has the mill now. She counts the sacks herself, and she doesn't ask anybody.
Ducks, geese and a grey heron live below the weir, where the water is slow and deep.
When the wind comes from the east, one hears the bells of the town, and the trains at night.
"""

# What is hard for a tokenizer, or unlike what it was made of.
TEXTS = [
    "",
    " ",
    "   \t\n ",
    "The river runs past the old mill.",
    "the RIVER runs Past THE Old MILL",
    "caf\u00e9 na\u00efve Gen\u00e8ve \u00c9T\u00c9",
    "cafe\u0301 nai\u0308ve Gene\u0300ve E\u0301TE\u0301",
    "don't it's we'll they've I'M she'D",
    "3.14 1234567 1,000.50 40% \u0663\u0664 x2 \u00bd",
    "  two  spaces   inside    and around  ",
    "line one\nline two\r\nline three\n\n\nend",
    "\U0001f44d\U0001f3fd \U0001f389\U0001f389 \U0001f468\u200d\U0001f469\u200d\U0001f467 ok",
    "\u6c34\u8eca\u5c0f\u5c4b\u306e\u5ddd\u3001\u6771\u4eac",
    "\uac15\uac00\uc758 \ubb3c\ub808\ubc29\uc557\uac04",
    "\u0627\u0644\u0646\u0647\u0631 \u0627\u0644\u0642\u062f\u064a\u0645 \u05d4\u05e0\u05d4\u05e8",
    "a\u0000b\u0007c\u200bd\ufeffe\u0085f\u001bg",
    "[CLS] the mill [SEP] [PAD] [MASK] [UNK]",
    "<|endoftext|> the </s> <pad> <unk> <s>mill</s>",
    "\ufb01ne \ufb02our \u216b \u2460 \uff26\uff55\uff4c\uff4c \u1e9e \u0130stanbul",
    "\U0001d49c\U0001d4eb \U0001f701 \U00010348",
    "\u2028para\u2029graph \u00a0no\u00a0break \u3000wide",
    "m" * 300,
    "mill" + " " * 400 + "wheel",
    " ".join(["The ducks aren't counted, but the geese (all 17 of them) are!"] * 50),
    "!!!???...---___===",
    "camelCaseAndSnake_case_and/path/to.file#tag @name",
]

# Of GPT-4 and Llama 3, on which engines of regular expressions may differ.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    return tokenizer


def template(tokenizer, single, *tokens):
    added = [(token, tokenizer.token_to_id(token)) for token in tokens]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=added)


def bert():
    """As BERT's: padding is 0. The file says how texts are cut and filled up."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False))
    template(tokenizer, "[CLS] $A [SEP]", "[CLS]", "[SEP]")
    tokenizer.enable_truncation(5, direction="left")
    tokenizer.enable_padding(length=12, direction="left", pad_id=0, pad_token="[PAD]")
    return tokenizer


def bytes_of(special, pre_tokenizer):
    """Merges of bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"vocab_size": 400, "special_tokens": special, "initial_alphabet": alphabet, "show_progress": False}
    return train(tokenizer, trainers.BpeTrainer(**options))


def gpt2():
    """As GPT-2's: no padding, nothing is added, and the end of a text is the last token."""
    tokenizer = bytes_of([], pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def roberta():
    """As RoBERTa's: padding is 1."""
    tokenizer = bytes_of(["<s>", "<pad>", "</s>", "<unk>"], pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return tokenizer


def llama3():
    """As Llama 3's: split by an expression of its own, one token in front."""
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = bytes_of([], pre_tokenizers.Sequence([split, as_bytes]))
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>"])
    template(tokenizer, "<|begin|> $A", "<|begin|>")
    return tokenizer


def t5():
    """As T5's: padding is 0, and one token is added at the end."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    options = {"vocab_size": 200, "special_tokens": special, "unk_token": "<unk>", "show_progress": False}
    train(tokenizer, trainers.UnigramTrainer(**options))
    template(tokenizer, "$A </s>", "</s>")
    return tokenizer


def ids(tokenizer):
    return [tokenizer.encode(text).ids for text in TEXTS]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    expected = {"texts": TEXTS, "tokenizers": {}}
    for make in (bert, gpt2, roberta, llama3, t5):
        name, tokenizer = make.__name__, make()
        # One as it is written with lines.
        tokenizer.save(str(OUT / f"{name}.json"), pretty=name == "bert")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        whole = ids(tokenizer)
        tokenizer.enable_truncation(8)
        size = tokenizer.get_vocab_size()
        tokens = [tokenizer.id_to_token(at) for at in range(size)]
        expected["tokenizers"][name] = {"tokens": tokens, "ids": whole, "first_8": ids(tokenizer)}
    lines = json.dumps(expected, separators=(",", ":"))
    (OUT / "expected.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
