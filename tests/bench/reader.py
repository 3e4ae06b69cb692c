"""What it costs to read a reply: a text of the corpus, the worst of many, and the first one."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.rules.keywords import read as look_up
from shared.rules.reading import read_reply
from tests.bench.result import Result
from tests.rules.reading.corpus import OWN, replies

MEAN: Final = "reader.mean_us"
WORST: Final = "reader.max_us"
IMPORT: Final = "reader.import_ms"
INPUTS: Final = 10_000
# The words of a generated input; an SMS has 160 characters.
_MOST_WORDS: Final = 32
_SEED: Final = 20_261_129
_IMPORT: Final = (
    "import json, re, unicodedata, importlib.resources, enum, dataclasses, time\n"
    "began = time.perf_counter()\n"
    "from shared.rules.reading import read_reply\n"
    "read_reply('STOP')\n"
    "print((time.perf_counter() - began) * 1e3)\n"
)


@dataclass
class ReaderFigures:
    """One figure a round.

    Attributes:
        mean: microseconds a text of the corpus.
        bare: the same with the keyword look-up alone.
        worst: microseconds of the slowest generated input, each read three times, the best of them.
        first: milliseconds from the import to the first reading, in a process of its own.
    """

    mean: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)


def reader_figures(rounds: int) -> ReaderFigures:
    """Measure so many times."""
    texts = [reply.text for reply in replies(OWN)]
    inputs = generated(texts)
    figures = ReaderFigures()
    for text in texts:
        read_reply(text)
    for _ in range(rounds):
        figures.mean.append(_mean(read_reply, texts))
        figures.bare.append(_mean(look_up, texts))
        figures.worst.append(max(_best_of_three(text) for text in inputs))
        figures.first.append(_import_time())
    return figures


def generated(texts: Sequence[str]) -> list[str]:
    """Words of the corpus in any order, up to the 160 characters of an SMS; always the same."""
    draw = random.Random(_SEED)  # noqa: S311  # no secret
    words = sorted({word for text in texts for word in text.split()})
    return [
        " ".join(draw.choices(words, k=draw.randint(1, _MOST_WORDS)))[:160] for _ in range(INPUTS)
    ]


def _mean(read: object, texts: Sequence[str]) -> float:
    assert callable(read)
    began = time.perf_counter()
    for text in texts:
        read(text)
    return (time.perf_counter() - began) * 1e6 / len(texts)


def _best_of_three(text: str) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        read_reply(text)
        times.append(time.perf_counter() - began)
    return min(times) * 1e6


def _import_time() -> float:
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def reader_results(figures: ReaderFigures) -> list[Result]:
    """What `bench.json` holds of the reader; the look-up of keywords is its baseline."""
    mean, bare = statistics.median(figures.mean), statistics.median(figures.bare)
    return [
        Result(MEAN, round(mean, 1), "us", round(bare, 1), round(mean / bare, 1)),
        Result(WORST, round(statistics.median(figures.worst), 1), "us"),
        Result(IMPORT, round(statistics.median(figures.first), 1), "ms"),
    ]


def reader_lines(figures: ReaderFigures) -> list[str]:
    """The lines that people read."""
    mean, worst, first = reader_results(figures)
    about = f"Reading replies: {mean.value:g} us a text ({mean.baseline:g} us for keywords alone)"
    return [f"{about}, {worst.value:g} us the worst of {INPUTS}, {first.value:g} ms to the first."]
