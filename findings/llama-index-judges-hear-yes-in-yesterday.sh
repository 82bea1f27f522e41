#!/usr/bin/env bash
# llama-index-core 0.14.25 (PyPI): its evaluators for answers, when the model that judges adds a reason to its verdict.
#
# Guess: FaithfulnessEvaluator and RelevancyEvaluator ask a model for YES or NO, and look for the verdict at the beginning of what
# it says, or for a whole word. A reason after it, which models like to add, does no harm, or raises an error.
# Seen: an answer passes if the letters "yes" occur anywhere. "NO. The context only has yesterday's price." passes with the best
# score, 1.0, and so does a NO that explains what a YES would take. The reason is kept as feedback, and contradicts the score. In
# an evaluation of many answers, nobody sees it, and the system that is tested looks better than it is: invented prices are
# "faithful".
# What follows: let the judge answer in a schema, or read the first word of the feedback instead of the score. Test an evaluator
# with a verdict of NO and a reason in which "yes" occurs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile llama-index-core==0.14.25 2>/dev/null

cat >judge.py <<'PY'
from llama_index.core.evaluation import FaithfulnessEvaluator, RelevancyEvaluator
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

class Judge(CustomLLM):
    verdict: str

    @property
    def metadata(self):
        return LLMMetadata()

    def complete(self, prompt, formatted=False, **options):
        return CompletionResponse(text=self.verdict)

    def stream_complete(self, prompt, formatted=False, **options):
        yield CompletionResponse(text=self.verdict)

ASKED = {
    "query": "What does bread cost today?",
    "response": "It costs 4 euros today.",
    "contexts": ["Yesterday, bread cost 3 euros."],
}
VERDICTS = [
    "YES", "NO", "NO. The context only has an old price.", "NO. The context only has yesterday's price.",
    "NO. For a YES, the context would have to name today's price.",
]
for verdict in VERDICTS:
    judge = Judge(verdict=verdict)
    scores = [kind(llm=judge).evaluate(**ASKED).score for kind in (FaithfulnessEvaluator, RelevancyEvaluator)]
    print(f"{verdict} -> faithful: {scores[0]}, relevant: {scores[1]}")
PY
seen=$(timeout 100 env/bin/python -W ignore judge.py 2>/dev/null)
echo "$seen"
expected="YES -> faithful: 1.0, relevant: 1.0
NO -> faithful: 0.0, relevant: 0.0
NO. The context only has an old price. -> faithful: 0.0, relevant: 0.0
NO. The context only has yesterday's price. -> faithful: 1.0, relevant: 1.0
NO. For a YES, the context would have to name today's price. -> faithful: 1.0, relevant: 1.0"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
