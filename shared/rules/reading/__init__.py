"""What a reply means: no more texts, texts again, help, a question back, or none of these.

    normalise -> a reaction? -> a keyword alone? -> the grammar of each likely language -> verdict

`words` normalises, `lone` reads keywords, `grammar` matches patterns, `language` reads the data
files (`languages/en.json` and its neighbours: a language is added without touching code), `reader`
puts the stages in order. No model, no network, no clock: the same text is always read the same.

The bias, since a wrong verdict costs a person or an application something:

- A lone keyword always counts, whatever the text that it answers.
- A sentence about another object ("cancel my appointment") never blocks.
- Doubt asks: `ask` blocks nothing and ends nothing.

Import this package only where a reply is read: the files are read at the first one.
"""

from shared.rules.reading.reader import Reader, read_reply
from shared.rules.reading.verdict import ExtraKeywords, Reading, Verdict

__all__ = ["ExtraKeywords", "Reader", "Reading", "Verdict", "read_reply"]
