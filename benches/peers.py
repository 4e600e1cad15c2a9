"""How does Harkback compare with what else one can install without a key?

Asks the same questions of the same passages, all in one run on one machine, and prints a Markdown table of recall and time:

    python3 -m venv .venv && .venv/bin/pip install -r benches/requirements.txt
    .venv/bin/python benches/peers.py DIR [DIR …] --harkback target/release/harkback

DIR is a question set in BEIR layout. Every system that compares meaning gets vectors of the same model: Harkback's own, run here
by onnxruntime on one thread. A peer's time is its search plus the embedding of the question where it needs one; Harkback's
is the whole answer, texts included. A record is one document of title and text for the peers.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bm25s
import chromadb
import lancedb
import numpy
import onnxruntime
import Stemmer
from lancedb.index import FTS
from lancedb.rerankers import RRFReranker
from tokenizers import Tokenizer

DEPTH = 10
QUERY_PREFIX = "Represent this sentence for searching relevant passages: "


class Embedder:
    """bge-small-en-v1.5 as Harkback's manifest pins it: CLS pooling, unit length."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(512)
        self.tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", options)

    def embed(self, text: str) -> numpy.ndarray:
        ids = numpy.array([self.tokenizer.encode(text).ids], dtype=numpy.int64)
        inputs = {
            "input_ids": ids,
            "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids),
        }
        vector = self.session.run(["last_hidden_state"], inputs)[0][0, 0]
        return (vector / numpy.linalg.norm(vector)).astype(numpy.float32)


class QuestionSet:
    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        corpus = [json.loads(line) for line in (folder / "corpus.jsonl").open()]
        self.ids = [record["_id"] for record in corpus]
        self.texts = [f"{record.get('title', '')}\n{record['text']}".strip() for record in corpus]
        questions = [json.loads(line) for line in (folder / "queries.jsonl").open()]
        gold: dict[str, set[str]] = {}
        with (folder / "qrels/test.tsv").open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if int(row["score"]) > 0:
                    gold.setdefault(row["query-id"], set()).add(row["corpus-id"])
        self.questions = [(it["text"], gold[it["_id"]]) for it in questions if it["_id"] in gold]


def bm25(questions: QuestionSet, _vectors, _embedder):
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25()
    index.index(bm25s.tokenize(questions.texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)

    def search(question: str) -> list[str]:
        tokens = bm25s.tokenize(question, stopwords="en", stemmer=stemmer, show_progress=False)
        found, _ = index.retrieve(tokens, k=DEPTH, show_progress=False)
        return [questions.ids[at] for at in found[0]]

    return search


def chroma(questions: QuestionSet, vectors, embedder):
    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection(questions.name, metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for start in range(0, len(questions.ids), 1000):
        part = slice(start, start + 1000)
        collection.add(ids=questions.ids[part], documents=questions.texts[part], embeddings=vectors[part])

    def search(question: str) -> list[str]:
        vector = embedder.embed(QUERY_PREFIX + question)
        return collection.query(query_embeddings=[vector], n_results=DEPTH)["ids"][0]

    return search


def lance(questions: QuestionSet, vectors, embedder):
    folder = tempfile.TemporaryDirectory()
    rows = [
        {"id": it, "text": text, "vector": vector}
        for it, text, vector in zip(questions.ids, questions.texts, vectors, strict=True)
    ]
    table = lancedb.connect(folder.name).create_table("passages", rows)
    table.create_index("text", config=FTS())
    reranker = RRFReranker()

    def search(question: str) -> list[str]:
        vector = embedder.embed(QUERY_PREFIX + question)
        # The parser of its query language trips over the punctuation of plain questions.
        words = " ".join("".join(it if it.isalnum() else " " for it in question).split())
        query = table.search(query_type="hybrid").vector(vector).text(words)
        found = query.distance_type("cosine").rerank(reranker).limit(DEPTH).to_list()
        return [row["id"] for row in found[:DEPTH]]

    search.folder = folder  # The table lives as long as the search.
    return search


def measure(questions: QuestionSet, search) -> dict[str, float]:
    search(questions.questions[0][0])
    times, recalls = [], {2: [], 5: [], 10: []}
    for question, gold in questions.questions:
        began = time.perf_counter()
        found = search(question)
        times.append(1000 * (time.perf_counter() - began))
        for k, values in recalls.items():
            values.append(100 * len(gold.intersection(found[:k])) / len(gold))
    return {
        **{f"R@{k}": statistics.mean(values) for k, values in recalls.items()},
        "p50_ms": statistics.median(times),
        "p95_ms": statistics.quantiles(times, n=20)[-1],
    }


def ours(harkback: str, folder: Path, *more: str) -> dict[str, float]:
    command = [harkback, "eval", str(folder), "--json", *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dirs", nargs="+", type=Path)
    arguments.add_argument("--harkback", default="target/release/harkback")
    arguments.add_argument("--model", type=Path, help="folder of the embedding model; Harkback's cache if not given")
    args = arguments.parse_args()
    cache = Path.home() / ".cache/harkback/models"
    model = args.model or next(cache.glob("bge-small-en-v1.5*"), None)
    if model is None:
        sys.exit("the model is not there: run `harkback models fetch`, or name its folder with --model")
    embedder = Embedder(model)
    peers = [
        (f"bm25s {bm25s.__version__}, stemmed", bm25),
        (f"chromadb {chromadb.__version__}, HNSW", chroma),
        (f"LanceDB {lancedb.__version__}, vectors and BM25 by RRF", lance),
    ]
    for folder in args.dirs:
        questions = QuestionSet(folder)
        print(f"\n{questions.name}: {len(questions.ids)} passages, {len(questions.questions)} questions\n")
        print("| | R@2 | R@5 | R@10 | p50 | p95 |\n|---|---|---|---|---|---|", flush=True)
        row = "| {} | {R@2:.1f} | {R@5:.1f} | {R@10:.1f} | {p50_ms:.1f} ms | {p95_ms:.1f} ms |"
        print(row.format("**Harkback**", **ours(args.harkback, folder)), flush=True)
        print(row.format("Harkback without a model", **ours(args.harkback, folder, "--lexical")), flush=True)
        vectors = numpy.stack([embedder.embed(text) for text in questions.texts])
        for name, build in peers:
            print(row.format(name, **measure(questions, build(questions, vectors, embedder))), flush=True)


if __name__ == "__main__":
    main()
