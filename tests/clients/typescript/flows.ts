// Do TypeScript programs written against the hosted API's examples run here as they are?
//
// Usage: DUOHUB_API_KEY=… node build/flows.js BASE_URL MEMORY_ID
//
// A chat handler and a bot over fetch, making a user and listing a user's messages over axios, and a walk through
// pages. MEMORY_ID is a memory of the sample clinic.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import axios, { AxiosError } from "axios";

interface Session {
  id: string;
  customerUserID: string | null;
  createdAt: string;
}

interface Message {
  id: string;
  sessionID: string;
  role: string;
  content: string;
  customerUserID: string | null;
}

interface MessagePage {
  messages: Message[];
  nextToken: string | null;
  previousToken: string | null;
  count: number;
  totalCount: number;
}

interface StringAnswer {
  payload: string;
  facts: { content: string }[];
  token_count: number;
}

interface ListAnswer {
  payload: { content: string; score: number }[];
  facts: { content: string }[];
  sources: { id: string; name: string; url: string; score: number }[];
  token_count: number;
}

const baseUrl = process.argv[2] ?? "";
const memoryID = process.argv[3] ?? "";
const apiKey = process.env.DUOHUB_API_KEY ?? "";

// --- fetch: a chat handler ---

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(baseUrl + path, {
    method,
    headers: { "X-API-Key": apiKey, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    redirect: "error",
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer as T;
}

async function getOrCreateSession(sessionID: string, customerUserID: string): Promise<Session> {
  try {
    return (await api<{ data: Session }>("GET", `/sessions/get/${sessionID}`)).data;
  } catch (error) {
    if ((error as Error).message !== "Session not found") throw error;
  }
  const body = { id: sessionID, customerUserID, metadata: [{ key: "channel", value: "web" }] };
  return (await api<{ data: Session }>("POST", "/sessions/create", body)).data;
}

async function say(sessionID: string, role: string, content: string): Promise<Message> {
  return (await api<{ data: Message }>("POST", "/messages/create", { sessionID, role, content })).data;
}

async function handleChat(sessionID: string, customerUserID: string, text: string) {
  const session = await getOrCreateSession(sessionID, customerUserID);
  await say(session.id, "user", text);
  const search = new URLSearchParams({ memoryID, query: text, assisted: "True" });
  const answer = await api<StringAnswer>("GET", `/memory/?${search}`);
  const history = await api<{ data: MessagePage }>("GET", `/messages/list?sessionID=${session.id}&limit=20`);
  const reply = await say(session.id, "assistant", answer.payload);
  return { session, history: history.data.messages, reply };
}

async function checkChat(): Promise<string> {
  const sessionID = `chat-${randomUUID()}`;
  const customer = `customer-${randomUUID()}`;
  const first = await handleChat(sessionID, customer, "Who treats eczema?");
  assert.equal(first.session.customerUserID, customer);
  assert.match(first.reply.content, /Marchetti/);
  assert.equal(first.reply.customerUserID, customer);

  const second = await handleChat(sessionID, customer, "Where are flu shots given?");
  assert.equal(second.session.createdAt, first.session.createdAt);
  assert.match(second.reply.content, /vaccination room/);
  assert.deepEqual(
    second.history.map((it) => it.role),
    ["user", "assistant", "user"],
  );
  return customer;
}

// --- fetch: a bot that asks on every turn ---

async function checkBot() {
  const turns: [string, RegExp][] = [
    ["How much does a missed appointment cost?", /25 dollars/],
    ["Where can I buy a ticket to the moon?", /.+/],
    ["What is the phone number for repeat prescriptions?", /555-0105/],
  ];
  for (const [query, wanted] of turns) {
    const search = new URLSearchParams({ memoryID, query, assisted: "true", facts: "true", top_k: "5" });
    const answer = await api<ListAnswer>("GET", `/memory?${search}`);
    assert.equal(answer.payload.length, 1);
    assert.match(answer.payload[0]?.content ?? "", wanted);
    assert.ok(answer.facts.length <= 3);
    assert.ok(answer.facts.every((it) => typeof it.content === "string"));
    assert.ok(answer.sources.every((it) => 0 <= it.score && it.score <= 1));
  }
}

// --- axios: making a user, listing a user's messages ---

const client = axios.create({ baseURL: baseUrl, headers: { "X-API-Key": apiKey }, maxRedirects: 0, timeout: 5000 });

async function checkUserAndMessages(customer: string) {
  const body = { firstName: "Rosa", lastName: "Winter", email: "rosa@example.com", id: customer };
  const made = await client.post("/users/create", body);
  assert.equal(made.status, 201);
  assert.equal(made.data.status, "success");
  assert.equal(made.data.data.id, customer);
  assert.equal(made.data.data.firstName, "Rosa");

  const listed = await client.get<{ status: string; data: MessagePage }>("/messages/list", {
    params: { customerUserID: customer, limit: 100 },
  });
  assert.equal(listed.status, 200);
  assert.equal(listed.data.data.totalCount, 4);
  assert.ok(listed.data.data.messages.every((it) => it.customerUserID === customer));

  const again = await client.post("/users/create", body).catch((error: AxiosError) => error);
  assert.ok(again instanceof AxiosError);
  assert.equal(again.response?.status, 400);
  assert.deepEqual(again.response?.data, {
    error: "User already exists",
    message: "User already exists",
    status: "bad_request",
  });
}

// --- pages, both ways ---

async function checkPages() {
  const session = (await api<{ data: Session }>("POST", "/sessions/create", {})).data;
  const ids: string[] = [];
  for (let number = 0; number < 12; number++) {
    ids.unshift((await say(session.id, "user", `message ${number}`)).id);
  }

  const pages: MessagePage[] = [];
  let token: string | null = null;
  do {
    const search = new URLSearchParams({ sessionID: session.id, limit: "5" });
    if (token !== null) search.set("nextToken", token);
    const page: MessagePage = await api("GET", `/messages/list?${search}`);
    pages.push(page);
    token = page.nextToken;
  } while (token !== null);
  assert.deepEqual(
    pages.flatMap((page) => page.messages.map((it) => it.id)),
    ids,
  );
  assert.deepEqual(
    pages.map((it) => it.count),
    [5, 5, 2],
  );
  assert.equal(pages[0]?.previousToken, null);

  const search = new URLSearchParams({ sessionID: session.id, limit: "5" });
  search.set("previousToken", pages[2]?.previousToken ?? "");
  const back: MessagePage = await api("GET", `/messages/list?${search}`);
  assert.deepEqual(back.messages, pages[1]?.messages);
}

await checkUserAndMessages(await checkChat());
await checkBot();
await checkPages();
console.log("TypeScript flows: all as they should be");
