//! Whatever order adding, changing, deleting, ingesting, crashing and asking come in: answers are of the live files only,
//! and a memory that lost files is the memory that never had them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::world::World;

const FILES: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 6] = [
    "Ann Weber runs the clinic in Bern. The clinic treats migraine.\n\nAnn Weber was born in Ulm.",
    "Ben Okafor sells bread in Ulm. He is a brother of Ann Weber.",
    "Ben Okafor sells bread in Ulm. He is a brother of Ann Weber.\n\nThe bakery opens at nine.",
    "Cy Tanaka painted the Old Bridge. The Old Bridge stands in Bern.",
    "The clinic in Bern was founded by Dora Lind.",
    "Ann Weber runs the clinic in Bern. The clinic treats migraine.\n\nShe has left Ulm.",
];
const QUESTIONS: [&str; 4] = [
    "Who runs the clinic in Bern?",
    "Where does the brother of Ann Weber sell bread?",
    "What did Cy Tanaka paint?",
    "Who founded the clinic that Ann Weber runs?",
];

#[derive(Clone, Debug)]
enum Act {
    /// Adds a file, or gives it this text.
    Write(usize, usize),
    TakeOut(usize),
    Delete(usize),
    Ingest,
    /// The worker dies after so many microseconds, and the program with it.
    CrashInIngestion(u64),
    Crash,
    Ask(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0..FILES.len(), 0..TEXTS.len()).prop_map(|(file, text)| Act::Write(file, text)),
        1 => (0..FILES.len()).prop_map(Act::TakeOut),
        2 => (0..FILES.len()).prop_map(Act::Delete),
        3 => Just(Act::Ingest),
        2 => (0..20_000_u64).prop_map(Act::CrashInIngestion),
        1 => Just(Act::Crash),
        2 => (0..QUESTIONS.len()).prop_map(Act::Ask),
    ]
}

/// What may be seen of a file.
#[derive(Clone, Debug, Default)]
struct Expected {
    /// The text that the next ingestion takes, if the file is in the memory.
    wanted: Option<usize>,
    /// The texts that may be live now: more than one only after a crash in an ingestion.
    live: BTreeSet<Option<usize>>,
    /// Order in which the files were put in.
    order: usize,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_memory_is_its_live_files(acts in prop::collection::vec(act(), 4..16)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(acts));
    }
}

async fn live(acts: Vec<Act>) {
    let mut world = World::new().await;
    let mut files: BTreeMap<usize, Expected> = BTreeMap::new();
    for (order, act) in acts.iter().enumerate() {
        world = step(world, &mut files, act, order).await;
        check_live(&world, &files).await;
    }
    world = step(world, &mut files, &Act::Ingest, acts.len()).await;
    check_live(&world, &files).await;
    World::assert_sound(&world.verify().await);
    check_as_if_never(&world, &files).await;
}

async fn step(
    world: World,
    files: &mut BTreeMap<usize, Expected>,
    act: &Act,
    order: usize,
) -> World {
    match *act {
        Act::Write(file, text) => write(&world, files, (file, text), order).await,
        Act::TakeOut(file) => {
            if let Some(it) = files.get_mut(&file) {
                world.take_out(FILES[file]).await;
                *it = Expected { live: [None].into(), ..Expected::default() };
            }
        }
        Act::Delete(file) => {
            if files.remove(&file).is_some() {
                world.delete(FILES[file]).await;
            }
        }
        Act::Ingest => {
            world.start().await;
            world.work().await;
            let done = files.values_mut().filter(|it| it.wanted.is_some());
            done.for_each(|it| it.live = [it.wanted].into());
        }
        Act::CrashInIngestion(micros) => {
            world.start().await;
            world.work_for(Duration::from_micros(micros)).await;
            let begun = files.values_mut().filter(|it| it.wanted.is_some());
            begun.for_each(|it| _ = it.live.insert(it.wanted));
            return world.crash().await;
        }
        Act::Crash => return world.crash().await,
        // Asked after every act anyway; here it makes the index resident before the next one.
        Act::Ask(question) => _ = world.ask(QUESTIONS[question]).await,
    }
    world
}

async fn write(
    world: &World,
    files: &mut BTreeMap<usize, Expected>,
    (file, text): (usize, usize),
    order: usize,
) {
    let new = Expected { wanted: Some(text), live: [None].into(), order };
    match files.get_mut(&file) {
        None => {
            world.add(FILES[file], TEXTS[text]).await;
            files.insert(file, new);
        }
        Some(it) => {
            world.change(FILES[file], TEXTS[text]).await;
            if it.wanted.is_some() {
                it.wanted = Some(text);
            } else {
                world.put_in(&world.file(FILES[file]).await.unwrap()).await;
                *it = new;
            }
        }
    }
}

/// What the memory holds of each file, and what it answers, is live.
async fn check_live(world: &World, files: &BTreeMap<usize, Expected>) {
    for (file, expected) in files {
        let held = world.text_of(FILES[*file]).await;
        let is_live = expected.live.iter().any(|it| it.map(|it| TEXTS[it]) == held.as_deref());
        assert!(is_live, "{held:?} of {} where {expected:?}", FILES[*file]);
    }
    for question in QUESTIONS {
        for (file, text, _) in world.ask(question).await.passages {
            let number = FILES.iter().position(|it| *it == file).unwrap();
            let expected = files.get(&number).unwrap_or_else(|| panic!("{file} was deleted"));
            let is_live = expected.live.iter().flatten().any(|it| TEXTS[*it].contains(&text));
            assert!(is_live, "{text:?} of {file} where {expected:?}");
        }
    }
}

/// The same entities, relations and answers as a memory to which only the files that are left were ever added.
async fn check_as_if_never(world: &World, files: &BTreeMap<usize, Expected>) {
    let fresh = World::new().await;
    let mut left: Vec<_> = files.iter().filter(|it| it.1.wanted.is_some()).collect();
    left.sort_by_key(|it| it.1.order);
    for (file, expected) in &left {
        fresh.add(FILES[**file], TEXTS[expected.wanted.unwrap()]).await;
    }
    fresh.start().await;
    fresh.work().await;
    if !left.is_empty() {
        assert_eq!(world.graph().await, fresh.graph().await);
    }
    for question in QUESTIONS {
        assert_eq!(world.ask(question).await, fresh.ask(question).await);
    }
}
