//! One connection that writes until the server is gone.

use std::sync::Mutex;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::ledger::{Kind, Ledger, State};
use super::server::{Client, Reply};
use super::{Mix, locked, text};

/// Makes a file long enough for a kill to fall into its ingestion.
const FILLER: &str = "\n\nThe bakery opens at seven, and the street before it is swept at six. Bread is sold until noon, \
                      and what is left goes to the kitchen of the school across the river.";

/// Writes at random until the server is gone. The writer of number 0 only appends to the tape: messages one after the
/// other, each sent when the one before was acknowledged.
///
/// # Errors
/// An answer that should not be.
pub(super) async fn write(
    client: Client,
    ledger: &Mutex<Ledger>,
    number: usize,
    (round, mix): (usize, Mix),
    mut random: StdRng,
) -> Result<(), String> {
    let mut writer = Writer { client, ledger, name: format!("r{round}w{number}"), n_made: 0, mix };
    // What is above all of ingestion and deletion comes last.
    let first = if mix == Mix::Ingestion { 54 } else { 0 };
    loop {
        let goes_on = match (number, random.random_range(first..100)) {
            (0, _) => writer.append_to_tape().await?,
            (_, 0..40) => writer.create_message(&mut random).await?,
            (_, 40..50) => {
                let words = writer.new_name();
                let body = json!({"id": words, "metadata": [{"key": "k", "value": words}]});
                writer.create(Kind::Session, &words, &words, &body).await?
            }
            (_, 50..57) => {
                let words = writer.new_name();
                let body = json!({"id": words, "firstName": "Ada", "lastName": words});
                writer.create(Kind::User, &words, &words, &body).await?
            }
            (_, 57..72) => writer.create_file().await?,
            (_, 72..80) => writer.put_into_memory(&mut random).await?,
            (_, 80..84) => writer.take_out_of_memory(&mut random).await?,
            (_, 84..90) => writer.delete(Kind::Message, &mut random).await?,
            (_, 90..93) => writer.delete(Kind::Session, &mut random).await?,
            (_, 93..96) => writer.delete(Kind::User, &mut random).await?,
            _ => writer.delete(Kind::File, &mut random).await?,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

struct Writer<'a> {
    client: Client,
    ledger: &'a Mutex<Ledger>,
    name: String,
    n_made: usize,
    mix: Mix,
}

/// Each act says whether the server is still there.
impl Writer<'_> {
    async fn append_to_tape(&mut self) -> Result<bool, String> {
        let id = format!("tape-{}", locked(self.ledger).n_tape + 1);
        let body = json!({"id": id, "sessionID": "tape", "role": "user", "content": id});
        match self.client.post("/messages/create", &body).await? {
            None => Ok(false),
            // The one that was under way when the server died before.
            Some((400, body)) if body["error"] == "Message already exists" => {
                locked(self.ledger).n_tape += 1;
                Ok(true)
            }
            reply => {
                self.client.expect(201, reply)?;
                let mut ledger = locked(self.ledger);
                ledger.n_tape += 1;
                ledger.n_acknowledged += 1;
                Ok(true)
            }
        }
    }

    async fn create_message(&mut self, random: &mut StdRng) -> Result<bool, String> {
        let id = self.new_name();
        let session = locked(self.ledger).take(Kind::Session, random);
        let words = format!("{id} says {}", random.random::<u64>());
        let body = json!({"id": id, "role": "user", "content": words, "sessionID": session});
        let goes_on = self.create(Kind::Message, &id, &words, &body).await?;
        if let Some(session) = session.filter(|_| goes_on) {
            locked(self.ledger).give_back(Kind::Session, &session);
        }
        Ok(goes_on)
    }

    async fn create_file(&mut self) -> Result<bool, String> {
        let id = self.new_name();
        let words = format!("Mira {id} runs the bakery {id} in Ulm.");
        let upload = self.client.post("/files/upload", &json!({"fileName": "a.txt"})).await?;
        let Some(grant) = self.ok(200, upload)? else { return Ok(false) };
        let more = if self.mix == Mix::Ingestion { FILLER.repeat(20) } else { String::new() };
        let body = format!("{words}{more}");
        let put = self.client.put(&text(&grant["data"]["uploadUrl"]), &body).await?;
        if self.ok(200, put)?.is_none() {
            return Ok(false);
        }
        let body = json!({"id": id, "name": format!("{id}.txt"), "key": grant["data"]["key"]});
        self.create(Kind::File, &id, &words, &body).await
    }

    async fn put_into_memory(&mut self, random: &mut StdRng) -> Result<bool, String> {
        let Some((file, memory)) = self.take_file(random) else { return Ok(true) };
        let was_in = locked(self.ledger).holds(&file);
        if !was_in {
            locked(self.ledger).is_in_memory(&file, State::InDoubt);
        }
        let body = json!({"memoryID": memory, "files": [file]});
        let added = self.client.post("/memories/add-files", &body).await?;
        if self.ok(201, added)?.is_none() {
            return Ok(false);
        }
        locked(self.ledger).is_in_memory(&file, State::Present);
        locked(self.ledger).give_back(Kind::File, &file);
        let body = json!({"memoryID": memory});
        match self.client.post("/memories/start-ingestion", &body).await? {
            // Somebody else took the only file out meanwhile.
            Some((400, body)) if body["error"] == "No files to ingest" => Ok(true),
            reply => Ok(self.ok(200, reply)?.is_some()),
        }
    }

    async fn take_out_of_memory(&mut self, random: &mut StdRng) -> Result<bool, String> {
        let Some((file, memory)) = self.take_file(random) else { return Ok(true) };
        if locked(self.ledger).holds(&file) {
            locked(self.ledger).is_in_memory(&file, State::InDoubt);
            let path = format!("/memories/delete-file?memoryID={memory}&fileID={file}");
            let deleted = self.client.delete(&path).await?;
            if self.ok(200, deleted)?.is_none() {
                return Ok(false);
            }
            locked(self.ledger).is_in_memory(&file, State::Absent);
        }
        locked(self.ledger).give_back(Kind::File, &file);
        Ok(true)
    }

    async fn delete(&mut self, kind: Kind, random: &mut StdRng) -> Result<bool, String> {
        let Some(id) = locked(self.ledger).take(kind, random) else { return Ok(true) };
        locked(self.ledger).doubt(kind, &id);
        let path = format!("/{}/delete/{id}", kind.plural());
        let deleted = self.client.delete(&path).await?;
        if self.ok(200, deleted)?.is_none() {
            return Ok(false);
        }
        locked(self.ledger).settle(kind, &id, State::Absent);
        Ok(true)
    }

    async fn create(
        &mut self,
        kind: Kind,
        id: &str,
        words: &str,
        body: &Value,
    ) -> Result<bool, String> {
        locked(self.ledger).begin(kind, id, words);
        if let Some(session) = body["sessionID"].as_str() {
            locked(self.ledger).put_into_session(id, session);
        }
        let made = self.client.post(&format!("/{}/create", kind.plural()), body).await?;
        if self.ok(201, made)?.is_none() {
            return Ok(false);
        }
        locked(self.ledger).settle(kind, id, State::Present);
        Ok(true)
    }

    fn take_file(&self, random: &mut StdRng) -> Option<(String, String)> {
        let mut ledger = locked(self.ledger);
        let file = ledger.take(Kind::File, random)?;
        Some((file, ledger.memory.clone()))
    }

    /// The body of an answer of this status, `None` if the server is gone.
    fn ok(&self, status: u16, reply: Reply) -> Result<Option<Value>, String> {
        match reply {
            None => Ok(None),
            some => self.client.expect(status, some).map(Some),
        }
    }

    fn new_name(&mut self) -> String {
        self.n_made += 1;
        format!("{}n{}", self.name, self.n_made)
    }
}
