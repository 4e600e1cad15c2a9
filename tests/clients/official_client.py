"""Does the official duohub client, unmodified, run against this server with only its base URL changed?

Usage: DUOHUB_API_KEY=… python official_client.py BASE_URL WANTED_VERSION

Runs every public method of the installed version, failures included, and fails if a method was left out.
Where an old version cannot make what its `query` needs (a memory, an ingestion), plain HTTP does it.
"""

import inspect
import os
import sys
import tempfile
import time

import duohub
import duohub.environment
import requests
from duohub import Duohub
from duohub.exceptions import APIError

BASE_URL, WANTED_VERSION = sys.argv[1].rstrip("/"), sys.argv[2]
KEY = os.environ["DUOHUB_API_KEY"]
INGESTION_SECONDS = 120

LIBRARY = """# Juniper Lane Library

The children's section of the Juniper Lane Library is run by Mira Okonkwo.

The library has a reading garden with a pond, and a workshop where bicycles are repaired.
"""
RUN_BY = "Who runs the children's section of the library?"

STAFF = """Mira Okonkwo

Mira Okonkwo is a librarian. She reads stories aloud every Wednesday afternoon at four.

She collects old maps of river deltas.
"""
STORY_DAY = "On which day does the woman who runs the children's section read stories aloud?"


class Recorded:
    """The client, remembering which of its methods were called."""

    def __init__(self):
        self.inner = Duohub(api_key=KEY)
        self.called = set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self.inner, name)

    def has(self, name):
        return hasattr(Duohub, name)

    def never_called(self):
        methods = inspect.getmembers(Duohub, inspect.isfunction)
        return sorted({name for name, _ in methods if not name.startswith("_")} - self.called)


def main():
    equal(duohub.__version__, WANTED_VERSION, "installed version of the client")
    duohub.environment.Environment.DEFAULT_BASE_URL = BASE_URL
    client = Recorded()

    wrong_key()
    memory_id = check_memory(client, "graph")
    check_memory(client, "vector")
    if client.has("add_file"):
        check_web_file(client)
    if client.has("create_user"):
        check_users(client)
        check_conversation(client)
    check_query_errors(client, memory_id)

    equal(client.never_called(), [], "methods of the client that this test left out")
    print(f"duohub {duohub.__version__}: {len(client.called)} methods, all as they should be")


def wrong_key():
    stranger = Duohub(api_key="hb_nobody_nothing")
    message = fails(lambda: stranger.query("anything", memoryID="mem-1"), "a query with a wrong key")
    contains(message, "403", "error of a wrong key")
    contains(message, "Invalid API key", "error of a wrong key")


def check_memory(client, memory_type):
    memory_id = make_memory(client, memory_type)
    is_empty(client, memory_id)

    with tempfile.TemporaryDirectory() as folder:
        library = add_file(client, folder, "library.md", LIBRARY)
        staff = add_file(client, folder, "staff notes.txt", STAFF)
    add_to_memory(client, memory_id, [library, staff])
    ingest(client, memory_id, 2)

    if memory_type == "vector" and not takes_top_k(client):
        answers_of_old_vectors(client, memory_id)
        delete_from_memory(client, memory_id, staff)
        return memory_id
    answers(client, memory_id, memory_type)
    delete_from_memory(client, memory_id, staff)
    raw = text_of(client.query("old maps of river deltas", memoryID=memory_id))
    lacks(raw, "river deltas", "a query after its file was taken out")
    return memory_id


def make_memory(client, memory_type):
    if not client.has("create_memory"):
        body = {"name": "Library", "memoryType": memory_type, "ontology": "culture"}
        return post("/memories/create", body, 201)["data"]["id"]

    ontology = "culture" if memory_type == "graph" else None
    memory = client.create_memory(
        name="Library", memory_type=memory_type, description="A public library", ontology=ontology,
        chunk_size=300, chunk_overlap=20,
    )
    equal(memory["name"], "Library", "name of the new memory")
    equal(memory["description"], "A public library", "description of the new memory")
    equal(memory["memoryType"], memory_type, "type of the new memory")
    equal(memory["chunkSize"], 300, "chunk size of the new memory")
    equal(memory["chunkOverlap"], 20, "chunk overlap of the new memory")
    equal(memory["acceleration"], False, "acceleration of the new memory")
    equal(memory["step"], "select", "step of the new memory")
    for key in ["userID", "graphDBName", "vectorDBCollection", "adapterRepo", "adapterVersion",
                "createdAt", "updatedAt", "factExtraction"]:
        has_key(memory, key, "the new memory")
    if memory_type == "graph":
        message = fails(lambda: client.start_ingestion(memory["id"]), "an ingestion without files")
        contains(message, "400", "error of an ingestion without files")
    return memory["id"]


def is_empty(client, memory_id):
    # Assisted, because the client of the string shape refuses a list of no chunks.
    assisted = not takes_top_k(client)
    answer = client.query("Is anything here?", memoryID=memory_id, assisted=assisted, facts=True)
    equal(answer["facts"], [], "facts of an empty memory")
    if takes_top_k(client):
        equal(answer["payload"], [], "payload of an empty memory")
        equal(answer["sources"], [], "sources of an empty memory")


def add_file(client, folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    if not client.has("add_file"):
        return upload_plainly(path)

    record = client.add_file(file_path=path)
    equal(record["name"], name, "name of the added file")
    equal(record["extension"].lstrip("."), name.rsplit(".", 1)[1], "extension of the added file")
    equal(record["category"], "document", "category of the added file")
    contains(record["bronzeKey"], record["userID"] + "/", "key of the added file")

    got = get(f"/files/get/{record['id']}")["data"]
    equal(got["size"], len(text.encode("utf-8")), "size of the added file")
    return record["id"]


def add_to_memory(client, memory_id, files):
    if not client.has("add_files_to_memory"):
        post("/memories/add-files", {"memoryID": memory_id, "files": files}, 201)
        return
    sample = client.add_files_to_memory(memory_id, files)
    equal(sample["fileID"], files[0], "file of the first sample")
    equal(sample["memoryID"], memory_id, "memory of the first sample")
    equal([it["fileID"] for it in sample["samples"]], files, "files of all samples")
    for key in ["id", "userID", "type", "createdAt", "updatedAt"]:
        has_key(sample, key, "the first sample")
    message = fails(lambda: client.add_files_to_memory(memory_id, ["no-such-file"]), "adding an unknown file")
    contains(message, "File not found", "error of adding an unknown file")


def ingest(client, memory_id, n_samples):
    if client.has("start_ingestion"):
        started = client.start_ingestion(memory_id)
        equal(started["message"], "Sample batch processing started", "message of the ingestion")
    else:
        started = post("/memories/start-ingestion", {"memoryID": memory_id}, 200)
    equal(started["status"], "success", "status of the ingestion")
    equal(started["data"]["sampleCount"], n_samples, "samples to ingest")
    for key in ["tokensForIngestion", "tokensRemaining", "totalTokenLimit"]:
        has_key(started["data"]["tokenMetrics"], key, "the token metrics")

    deadline = time.monotonic() + INGESTION_SECONDS
    while True:
        memory = get(f"/memories/get/{memory_id}")["data"]
        if memory["status"] in ("success", "failed"):
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"ingestion did not end within {INGESTION_SECONDS} s: {memory}")
        time.sleep(0.1)
    equal(memory["status"], "success", f"outcome of the ingestion ({memory})")


def answers(client, memory_id, memory_type):
    raw = client.query(RUN_BY, memoryID=memory_id)
    contains(text_of(raw), "Mira Okonkwo", "raw answer")
    equal(raw["facts"], [], "facts when none are asked for")
    positive(raw["token_count"], "token count of the raw answer")

    assisted = client.query(RUN_BY, memoryID=memory_id, assisted=True)
    contains(text_of(assisted), "Mira Okonkwo", "assisted answer")
    equal(assisted["token_count"], raw["token_count"], "token count of the assisted answer")

    both_hops = text_of(client.query(STORY_DAY, memoryID=memory_id))
    contains(both_hops, "Wednesday", "raw answer over two hops")
    contains(both_hops, "run by Mira Okonkwo", "raw answer over two hops")

    supported = client.query(RUN_BY, memoryID=memory_id, facts=True)
    if not 1 <= len(supported["facts"]) <= 3:
        raise AssertionError(f"one to three facts wanted, got {supported['facts']}")
    contains(" ".join(it["content"] for it in supported["facts"]), "Mira Okonkwo", "facts")

    every = client.query(RUN_BY, memoryID=memory_id, assisted=True, facts=True)
    contains(text_of(every), "Mira Okonkwo", "assisted answer with facts")
    equal(every["facts"], supported["facts"], "facts beside an assisted answer")

    if takes_top_k(client):
        check_lists(client, memory_id, memory_type, raw, assisted)
    else:
        equal(type(raw["payload"]), str, "type of a payload without top_k")
        equal(type(assisted["payload"]), str, "type of an assisted payload without top_k")


def answers_of_old_vectors(client, memory_id):
    """Without top_k, raw chunks come as a list, which this old client refuses; what it can ask for, it gets."""
    assisted = client.query(RUN_BY, memoryID=memory_id, assisted=True)
    contains(assisted["payload"], "Mira Okonkwo", "assisted answer of a vector memory")
    refusal = fails(lambda: client.query(RUN_BY, memoryID=memory_id), "a raw query of chunks")
    contains(refusal, "'payload' must be a string", "the client's own refusal")
    plain = requests.get(
        BASE_URL + "/memory/", params={"memoryID": memory_id, "query": RUN_BY}, headers={"X-API-Key": KEY}, timeout=5
    ).json()
    contains(plain["payload"][0]["content"], "Mira Okonkwo", "the best chunk")
    for key in ["source", "sourceTitle"]:
        has_key(plain["payload"][0]["metadata"], key, "a chunk's metadata")


def check_lists(client, memory_id, memory_type, raw, assisted):
    equal(len(assisted["payload"]), 1, "items of an assisted payload")
    equal(assisted["payload"][0]["score"], 1, "score of an assisted answer")
    equal(raw["sources"][0]["name"], "library.md", "best source")
    for source in raw["sources"]:
        for key in ["id", "name", "url", "score"]:
            has_key(source, key, "a source")
        share(source["score"], "score of a source")
    for item in raw["payload"]:
        share(item["score"], "score of an item")
    if memory_type == "graph":
        equal(len(raw["payload"]), 1, "items of a raw graph payload")
        return

    one = client.query(RUN_BY, memoryID=memory_id, top_k=1)
    equal(len(one["payload"]), 1, "chunks with top_k=1")
    contains(one["payload"][0]["content"], "Mira Okonkwo", "the best chunk")
    scores = [item["score"] for item in raw["payload"]]
    equal(scores, sorted(scores, reverse=True), "order of the chunks")


def delete_from_memory(client, memory_id, file_id):
    if client.has("delete_file_from_memory"):
        equal(client.delete_file_from_memory(memory_id, file_id), {"status": "success"}, "taking a file out")
    else:
        response = requests.delete(
            BASE_URL + "/memories/delete-file", params={"memoryID": memory_id, "fileID": file_id},
            headers={"X-API-Key": KEY}, timeout=5,
        )
        equal(response.json(), {"status": "success"}, "taking a file out")
    equal(get(f"/files/get/{file_id}")["data"]["id"], file_id, "the file's record after it was taken out")


def check_web_file(client):
    uri = "https://example.com/opening-hours"
    for file_type in ["website", "sitemap", "website_bulk"]:
        record = client.add_file(external_uri=uri, file_type=file_type)
        equal(record["name"], uri, "name of a web file")
        equal(record["externalURI"], uri, "address of a web file")
        equal(record["fileType"], file_type, "type of a web file")
        equal(record["category"], "web", "category of a web file")


def check_users(client):
    own_id = f"user {duohub.__version__} ä"
    user = client.create_user("Ada", "Byron", email="ada@example.com", user_id=own_id, phone="555-0142")
    equal(user["id"], own_id, "id of the new user")
    equal([user["firstName"], user["lastName"]], ["Ada", "Byron"], "name of the new user")
    equal([user["email"], user["phone"]], ["ada@example.com", "555-0142"], "contacts of the new user")
    equal(client.create_user("Grace", "Hopper")["lastName"], "Hopper", "a user without an id")
    message = fails(lambda: client.create_user("Ada", "Again", user_id=own_id), "a second user with the same id")
    contains(message, "User already exists", "error of a second user with the same id")

    message = fails(lambda: client.get_user("nobody"), "getting an unknown user")
    contains(message, "User not found", "error of an unknown user")
    plain = client.create_user("Plain", "Id", user_id="plain-id")
    equal(client.get_user("plain-id"), plain, "the user as got")
    equal(client.get_user(own_id), user, "the user with a space and an umlaut in its id")

    page = client.list_users(limit=2)
    equal([it["id"] for it in page["users"]][0], "plain-id", "newest user first")
    equal(page["count"], 2, "users on the page")
    older = client.list_users(limit=2, next_token=page["nextToken"])
    equal([it["id"] for it in older["users"]], [own_id], "users on the second page")
    equal(older["nextToken"], None, "token at the end")
    newer = client.list_users(limit=2, previous_token=older["previousToken"])
    equal(newer["users"], page["users"], "the page before")

    equal(client.delete_user("plain-id"), {"status": "success", "message": "User deleted successfully"}, "deletion")
    fails(lambda: client.get_user("plain-id"), "getting a deleted user")


def check_conversation(client):
    metadata = [{"key": "source", "value": "web"}]
    session = client.create_session(customer_user_id="cust-1", session_id="session-1", metadata=metadata)
    equal([session["id"], session["customerUserID"]], ["session-1", "cust-1"], "the new session")
    equal(session["metadata"], metadata, "metadata of the new session")
    equal([session["deletedAt"], session["endedAt"]], [None, None], "ends of the new session")
    equal(client.get_session("session-1"), session, "the session as got")
    bare = client.create_session()
    listed = client.list_sessions(limit=1)
    equal([it["id"] for it in listed["sessions"]], [bare["id"]], "newest session first")
    rest = client.list_sessions(limit=1, next_token=listed["nextToken"])
    equal([it["id"] for it in rest["sessions"]], ["session-1"], "the session after it")
    back = client.list_sessions(limit=1, previous_token=rest["previousToken"])
    equal(back["sessions"], listed["sessions"], "the sessions before")
    equal(client.list_sessions(customer_user_id="cust-1")["sessions"], [session], "sessions of one customer")

    check_messages(client)

    done = {"status": "success", "message": "Session deleted successfully"}
    equal(client.delete_session("session-1"), done, "deletion of the session")
    contains(fails(lambda: client.delete_session("session-1"), "a second deletion"), "Session already deleted", "error")
    contains(fails(lambda: client.get_session("session-1"), "a deleted session"), "Session not found", "error")
    equal(client.list_sessions(customer_user_id="cust-1")["sessions"], [], "sessions left")


def check_messages(client):
    hello = client.create_message("Hello", "user", "session-1", message_id="message-1")
    equal([hello["id"], hello["content"], hello["role"]], ["message-1", "Hello", "user"], "the new message")
    equal([hello["sessionID"], hello["customerUserID"]], ["session-1", "cust-1"], "where the message belongs")
    client.create_message("Hello to you", "assistant", "session-1", customer_user_id="cust-1")
    for role in ["norole", "system", "function", "tool"]:
        client.create_message(f"as {role}", role, "session-1")
    equal(client.get_message("message-1"), hello, "the message as got")

    page = client.list_messages(session_id="session-1", limit=4)
    equal([page["count"], page["totalCount"]], [4, 6], "messages on the page and in all")
    equal(page["messages"][0]["role"], "tool", "newest message first")
    rest = client.list_messages(session_id="session-1", limit=4, next_token=page["nextToken"])
    equal([it["content"] for it in rest["messages"]], ["Hello to you", "Hello"], "messages of the second page")
    back = client.list_messages(session_id="session-1", limit=4, previous_token=rest["previousToken"])
    equal(back["messages"], page["messages"], "messages of the page before")
    mine = client.list_messages(customer_user_id="cust-1", role="user")
    equal(mine["messages"], [hello], "messages of one customer and role")

    done = {"status": "success", "message": "Message deleted successfully"}
    equal(client.delete_message("message-1"), done, "deletion of the message")
    contains(fails(lambda: client.get_message("message-1"), "a deleted message"), "Message not found", "error")


def check_query_errors(client, memory_id):
    message = fails(lambda: client.query("anything", memoryID="no-such-memory"), "a query to an unknown memory")
    contains(message, "Memory not found", "error of an unknown memory")
    fails(lambda: client.query("", memoryID=memory_id), "an empty query")


def takes_top_k(client):
    return "top_k" in inspect.signature(Duohub.query).parameters


def text_of(answer):
    payload = answer["payload"]
    return payload if isinstance(payload, str) else "\n".join(item["content"] for item in payload)


def upload_plainly(path):
    name = os.path.basename(path)
    upload = post("/files/upload", {"fileName": name}, 200)["data"]
    with open(path, "rb") as content:
        response = requests.put(upload["uploadUrl"], data=content.read(), allow_redirects=False, timeout=30)
    equal(response.status_code, 200, "status of the upload")
    return post("/files/create", {"name": name, "key": upload["key"]}, 201)["data"]["id"]


def get(path):
    response = requests.get(BASE_URL + path, headers={"X-API-Key": KEY}, timeout=5)
    equal(response.status_code, 200, f"status of GET {path} ({response.text})")
    return response.json()


def post(path, body, status):
    response = requests.post(BASE_URL + path, json=body, headers={"X-API-Key": KEY}, timeout=5)
    equal(response.status_code, status, f"status of POST {path} ({response.text})")
    return response.json()


def fails(call, what):
    try:
        answer = call()
    except APIError as error:
        return str(error)
    raise AssertionError(f"{what} must fail, but answered {answer!r}")


def equal(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {actual!r}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what}: {part!r} is not in {text!r}")


def lacks(text, part, what):
    if part in text:
        raise AssertionError(f"{what}: {part!r} is still in {text!r}")


def has_key(record, key, what):
    if key not in record:
        raise AssertionError(f"{what} lacks {key!r}: {record!r}")


def share(score, what):
    if not 0 <= score <= 1:
        raise AssertionError(f"{what} must be from 0 to 1, is {score!r}")


def positive(number, what):
    if not number > 0:
        raise AssertionError(f"{what} must be more than 0, is {number!r}")


main()
