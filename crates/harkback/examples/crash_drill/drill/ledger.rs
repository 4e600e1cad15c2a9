//! What was sent, and what of it was acknowledged?

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Session,
    Message,
    File,
}

/// What must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its creation was acknowledged.
    Present,
    /// Its deletion was acknowledged.
    Absent,
    /// Something was under way when the server died.
    InDoubt,
}

#[derive(Debug)]
struct Item {
    state: State,
    words: String,
    /// Of a message: the session it belongs to, which hides it when it is deleted.
    session: Option<String>,
    /// Of a file: whether the memory holds it.
    in_memory: State,
    /// Somebody is doing something with it now.
    is_busy: bool,
    is_new: bool,
}

/// Everything that was ever sent.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The memory that takes the files.
    pub(super) memory: String,
    /// Writes and deletions that were acknowledged.
    pub(super) n_acknowledged: usize,
    /// Messages acknowledged of those that one connection writes one after the other.
    pub(super) n_tape: usize,
    items: BTreeMap<(Kind, String), Item>,
}

impl Ledger {
    /// A new process: nobody is busy any more, and nothing is new.
    pub(super) fn begin_round(&mut self) {
        for item in self.items.values_mut() {
            (item.is_busy, item.is_new) = (false, false);
        }
    }

    pub(super) fn n_in_doubt(&self) -> usize {
        self.items.values().filter(|it| it.state == State::InDoubt).count()
    }

    /// Before a creation is sent.
    pub(super) fn begin(&mut self, kind: Kind, id: &str, words: &str) {
        let item = Item {
            state: State::InDoubt,
            words: words.to_owned(),
            session: None,
            in_memory: State::Absent,
            is_busy: true,
            is_new: true,
        };
        self.items.insert((kind, id.to_owned()), item);
    }

    /// A message that was begun belongs to a session.
    pub(super) fn put_into_session(&mut self, message: &str, session: &str) {
        self.item(Kind::Message, message).session = Some(session.to_owned());
    }

    /// Before something is done with a record that is there: its id, chosen at random.
    pub(super) fn take(&mut self, kind: Kind, random: &mut StdRng) -> Option<String> {
        let free: Vec<&String> = self
            .items
            .iter()
            .filter(|((its, _), it)| *its == kind && it.state == State::Present && !it.is_busy)
            .map(|((_, id), _)| id)
            .collect();
        if free.is_empty() {
            return None;
        }
        let id = free[random.random_range(0..free.len())].clone();
        self.item(kind, &id).is_busy = true;
        Some(id)
    }

    /// Before a deletion of what was taken is sent.
    pub(super) fn doubt(&mut self, kind: Kind, id: &str) {
        let item = self.item(kind, id);
        (item.state, item.is_new) = (State::InDoubt, true);
        if item.in_memory == State::Present {
            item.in_memory = State::InDoubt;
        }
    }

    /// What became of it.
    pub(super) fn settle(&mut self, kind: Kind, id: &str, state: State) {
        let item = self.item(kind, id);
        (item.state, item.is_busy) = (state, false);
        if state == State::Absent {
            item.in_memory = State::Absent;
        }
        self.n_acknowledged += 1;
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&mut self, kind: Kind, id: &str) {
        self.item(kind, id).is_busy = false;
    }

    /// Whether the memory holds a file.
    pub(super) fn is_in_memory(&mut self, file: &str, state: State) {
        let item = self.item(Kind::File, file);
        item.in_memory = state;
        self.n_acknowledged += usize::from(state != State::InDoubt);
    }

    pub(super) fn holds(&mut self, file: &str) -> bool {
        self.item(Kind::File, file).in_memory == State::Present
    }

    /// The records to look up: the new ones, and `n` of the others.
    pub(super) fn to_check(&self, n: usize, random: &mut StdRng) -> Vec<(Kind, String)> {
        let n_old = self.items.values().filter(|it| !it.is_new).count().max(1);
        let share = n as f64 / n_old as f64;
        let asked = self.items.iter().filter(|(_, it)| {
            it.is_new || it.state == State::InDoubt || random.random::<f64>() < share
        });
        asked.map(|(key, _)| key.clone()).collect()
    }

    /// A look-up showed this.
    pub(super) fn saw(
        &mut self,
        kind: Kind,
        id: &str,
        seen: State,
        data: &Value,
    ) -> Result<(), String> {
        // Sessions are looked up before messages, so what becomes of one is known.
        let session = self.item(kind, id).session.clone();
        let is_hidden =
            session.is_some_and(|it| self.item(Kind::Session, &it).state == State::Absent);
        let item = self.item(kind, id);
        if is_hidden && item.state == State::Present && seen == State::Absent {
            return Ok(());
        }
        if is_hidden && seen == State::Present {
            return Err(format!("{kind:?} {id} is shown, its session is deleted"));
        }
        if item.state == State::InDoubt {
            item.state = seen;
            if seen == State::Absent {
                item.in_memory = State::Absent;
            }
        }
        if item.state != seen {
            return Err(format!("{kind:?} {id} should be {:?} and is {seen:?}", item.state));
        }
        let shown = match kind {
            Kind::User => &data["lastName"],
            Kind::Session => &data["metadata"][0]["value"],
            Kind::Message => &data["content"],
            // Its text can be read only when it is ingested.
            Kind::File => return Ok(()),
        };
        if seen == State::Present && *shown != item.words {
            return Err(format!("{kind:?} {id} says {shown}, not `{}`", item.words));
        }
        Ok(())
    }

    pub(super) fn files_in_doubt(&self) -> Vec<String> {
        let there = |it: &Item| it.state == State::Present && it.in_memory == State::InDoubt;
        self.files(there).into_iter().map(|it| it.0).collect()
    }

    pub(super) fn n_in_memory(&self) -> usize {
        self.live_files().len()
    }

    pub(super) fn live_files(&self) -> Vec<(String, String)> {
        self.files(|it| it.state == State::Present && it.in_memory == State::Present)
    }

    pub(super) fn deleted_files(&self) -> Vec<(String, String)> {
        self.files(|it| it.state == State::Absent)
    }

    /// Ids and words.
    fn files(&self, wanted: impl Fn(&Item) -> bool) -> Vec<(String, String)> {
        let files = self.items.iter().filter(|((kind, _), it)| *kind == Kind::File && wanted(it));
        files.map(|((_, id), it)| (id.clone(), it.words.clone())).collect()
    }

    fn item(&mut self, kind: Kind, id: &str) -> &mut Item {
        self.items.get_mut(&(kind, id.to_owned())).expect("it was begun")
    }
}
