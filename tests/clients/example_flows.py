"""Do programs written against the hosted API's examples run here, with plain HTTP, as they are?

Usage: DUOHUB_API_KEY=… python example_flows.py BASE_URL MEMORY_ID

Four flows after the published examples (a chat handler, making a user, listing a user's messages, a bot that asks
on every turn), and a walk through pages while rows come and go. MEMORY_ID is a memory of the sample clinic.
"""

import os
import sys
import uuid

import requests

BASE_URL, MEMORY_ID = sys.argv[1].rstrip("/"), sys.argv[2]
HEADERS = {"X-API-Key": os.environ["DUOHUB_API_KEY"], "Content-Type": "application/json"}


class ApiFailure(Exception):
    """What the examples raise: the body's `message`."""


def call(method, path, **kwargs):
    response = requests.request(method, BASE_URL + path, headers=HEADERS, allow_redirects=False, timeout=5, **kwargs)
    if not response.ok:
        raise ApiFailure(response.json().get("message", "no message in the error"))
    return response.json()


# --- a chat handler ---


def get_or_create_session(session_id, customer_user_id):
    try:
        return call("GET", f"/sessions/get/{session_id}")["data"]
    except ApiFailure as failure:
        if str(failure) != "Session not found":
            raise
    metadata = [{"key": "channel", "value": "chat"}]
    body = {"sessionID": session_id, "customerUserID": customer_user_id, "metadata": metadata}
    return call("POST", "/sessions/create", json=body)["data"]


def say(session_id, role, content):
    body = {"sessionID": session_id, "role": role, "content": content}
    return call("POST", "/messages/create", json=body)["data"]


def handle_chat(session_id, customer_user_id, text):
    session = get_or_create_session(session_id, customer_user_id)
    say(session["id"], "user", text)
    answer = call("GET", "/memory/", params={"memoryID": MEMORY_ID, "query": text, "assisted": True})
    history = call("GET", "/messages/list", params={"sessionID": session["id"], "limit": 20})["data"]["messages"]
    reply = say(session["id"], "assistant", answer["payload"])
    return session, history, reply


def check_chat():
    session_id, customer = f"chat-{uuid.uuid4()}", f"customer-{uuid.uuid4()}"
    session, history, reply = handle_chat(session_id, customer, "Who treats migraine?")
    equal([session["id"], session["customerUserID"]], [session_id, customer], "the session that was made")
    equal([it["content"] for it in history], ["Who treats migraine?"], "the history of the first turn")
    contains(reply["content"], "Lindqvist", "the first reply")
    equal(reply["customerUserID"], customer, "the customer of the reply, taken from the session")

    again, history, reply = handle_chat(session_id, customer, "Who runs Bellflower Pharmacy?")
    equal(again["createdAt"], session["createdAt"], "the session is the same")
    equal(len(history), 3, "messages so far")
    equal(history[0]["content"], "Who runs Bellflower Pharmacy?", "newest message first")
    contains(reply["content"], "Nadia Rahman", "the second reply")

    for turn in range(20):
        say(session_id, "user", f"turn {turn}")
    _, history, _ = handle_chat(session_id, customer, "What does a missed appointment cost?")
    equal(len(history), 20, "the last messages of a long chat")
    return customer


# --- making a user, listing a user's messages ---


def check_user_and_messages(customer):
    body = {"firstName": "Rosa", "lastName": "Winter", "email": "rosa@example.com", "phone": "555-0150", "id": customer}
    user = call("POST", "/users/create", json=body)["data"]
    equal({key: user[key] for key in body}, body, "the user that was made")
    equal(call("GET", f"/users/get/{customer}")["data"], user, "the user as got")

    listed = call("GET", "/messages/list", params={"customerUserID": customer, "role": "assistant"})
    equal(listed["status"], "success", "status of the list")
    equal(listed["data"]["totalCount"], 3, "replies in all")
    equal(len(listed["data"]["messages"]), listed["data"]["count"], "count of the page")
    equal(listed["messages"], listed["data"]["messages"], "the list at the top and under data")
    refused("Session not found", "GET", "/sessions/get/never-made")
    refused("firstName is required", "POST", "/users/create", json={"lastName": "Winter"})


# --- a bot that asks on every turn ---


def check_bot():
    # `+` for a space, as a form-encoding client sends it, and `%20` mean the same.
    for encoded in ["Which+doctor+treats+diabetes%3F", "Which%20doctor%20treats%20diabetes%3F"]:
        answer = call("GET", f"/memory?memoryID={MEMORY_ID}&query={encoded}&assisted=true&top_k=5")
        equal(len(answer["payload"]), 1, "items of an assisted answer")
        contains(answer["payload"][0]["content"], "Okafor", "the bot's answer")

    turns = [
        ("Can I park at the Orchard building?", "four parking places"),
        ("How much does a missed appointment cost?", "25 dollars"),
        ("Which number do I call for the on-call doctor?", "555-0199"),
    ]
    for text, wanted in turns:
        for spelling in ["True", "true", "1", "yes", "on"]:
            params = {"memoryID": MEMORY_ID, "query": text, "assisted": spelling, "top_k": 5}
            contains(call("GET", "/memory/", params=params)["payload"][0]["content"], wanted, f"answer to {text!r}")


# --- pages ---


def check_pages():
    session_id = f"pages-{uuid.uuid4()}"
    call("POST", "/sessions/create", json={"id": session_id})
    ids = [say(session_id, "user", f"message {number}")["id"] for number in range(23)]
    seen, kept = [], set(ids)
    params = {"sessionID": session_id, "limit": 5}
    pages = []
    while True:
        page = call("GET", "/messages/list", params=params)
        pages.append(page)
        seen += [it["id"] for it in page["messages"]]
        if page["nextToken"] is None:
            break
        if len(pages) == 2:
            # Between two pages a message arrives, one already seen goes, and one not yet seen goes.
            say(session_id, "user", "late")
            for gone in [seen[0], ids[0]]:
                call("DELETE", f"/messages/delete/{gone}")
                kept.discard(gone)
        params = {"sessionID": session_id, "limit": 5, "nextToken": page["nextToken"]}

    equal(len(seen), len(set(seen)), "no message comes twice")
    equal(sorted(set(seen) & kept), sorted(kept), "no message that stayed is skipped")
    equal(seen, [it for it in reversed(ids) if it in set(seen)], "newest first")

    back = {"sessionID": session_id, "limit": 5, "previousToken": pages[-1]["previousToken"]}
    equal(call("GET", "/messages/list", params=back)["messages"], pages[-2]["messages"], "the page before the last")
    both = dict(back, nextToken=pages[0]["nextToken"])
    equal(call("GET", "/messages/list", params=both)["messages"], pages[1]["messages"], "nextToken wins")

    token = pages[0]["nextToken"]
    tampered = ("A" if token[0] != "A" else "B") + token[1:]
    for bad in [tampered, token[:-2], "nonsense"]:
        refused(None, "GET", "/messages/list", params={"sessionID": session_id, "nextToken": bad})
    for limit in ["0", "101", "-1", "ten"]:
        refused(None, "GET", "/messages/list", params={"limit": limit})


def refused(wanted, method, path, **kwargs):
    try:
        answer = call(method, path, **kwargs)
    except ApiFailure as failure:
        if wanted is not None:
            equal(str(failure), wanted, f"{method} {path}")
        return
    raise AssertionError(f"{method} {path} {kwargs} must be refused, but answered {answer}")


def equal(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {actual!r}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what}: {part!r} is not in {text!r}")


check_user_and_messages(check_chat())
check_bot()
check_pages()
print("example flows: all as they should be")
