//! Isolation in time: whether an id is another account's or nobody's, and how much lies behind it, cannot be told by how long
//! the answer takes. Every route with an id is asked for both in turn, many times. A difference counts only if it is gross:
//! most answers of the one take longer than those of the other, by a good part of the whole, and beyond what two unknown ids
//! differ by; and that each time it is measured again. What slows the machine slows both alike.

use std::time::Instant;

use axum::http::Method;
use harkback_engine::Models;

use crate::app::{Client, TestApp};
use crate::isolation::{MARK, Records, Route, Slot, records, routes, unknown};

const SAMPLES: usize = 81;
const TRIES: usize = 4;
/// How many times as long the median of the one is as that of the other.
const GROSS: f64 = 1.2;
/// In how many of all pairs the one takes longer than the other; one half if they are alike.
const MOST: f64 = 0.8;

/// Seconds that a foreign id, an unknown one, and another unknown one took, sorted.
#[derive(Debug)]
struct Times([Vec<f64>; 3]);

impl Times {
    fn is_gross(&self) -> bool {
        let [foreign, unknown, control] = &self.0;
        let apart = |a, b| (median(a) / median(b)).max(median(b) / median(a));
        [unknown, control].into_iter().all(|it| {
            let longer = share_that_takes_longer(foreign, it);
            longer.max(1.0 - longer) > MOST && apart(foreign, it) > GROSS * apart(unknown, control)
        })
    }

    fn medians(&self) -> [f64; 3] {
        self.0.each_ref().map(|it| median(it))
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn share_that_takes_longer(one: &[f64], other: &[f64]) -> f64 {
    let n_longer: usize = one.iter().map(|x| other.partition_point(|y| y < x)).sum();
    n_longer as f64 / (one.len() * other.len()) as f64
}

async fn times(
    route: &Route,
    slot: &Slot,
    client: &Client,
    own: &Records,
    ids: &[String; 3],
) -> Times {
    let mut seconds = [const { Vec::new() }; 3];
    for turn in 0..SAMPLES + 3 {
        for at in 0..3 {
            let which = (turn + at) % 3;
            let began = Instant::now();
            route.ask(client, own, Some(slot), &ids[which]).await;
            // The first ones find nothing prepared.
            if turn >= 3 {
                seconds[which].push(began.elapsed().as_secs_f64());
            }
        }
    }
    Times(seconds.map(|mut it| {
        it.sort_unstable_by(f64::total_cmp);
        it
    }))
}

/// Whether the answers differ in time, each time it is measured; the medians.
async fn differ(
    route: &Route,
    slot: &Slot,
    client: &Client,
    own: &Records,
    ids: &[String; 3],
) -> Option<Vec<[f64; 3]>> {
    let mut medians = Vec::new();
    for _ in 0..TRIES {
        let times = times(route, slot, client, own, ids).await;
        if !times.is_gross() {
            return None;
        }
        medians.push(times.medians());
    }
    Some(medians)
}

/// A second id that no account has.
fn another(kind: &str, like: &str) -> String {
    unknown(kind, like).replace('u', "v").replace("dead", "beef").replace("00.", "01.")
}

/// The routes that tell a foreign id from an unknown one by the time they take.
async fn telling(app: &TestApp, alice: &Records) -> (usize, Vec<String>) {
    let client = app.with_key(&app.new_key("eve").await);
    let own = records(app, &client, "evening", "").await;
    let document = app.stranger().get("/openapi.json").await.expect(200);
    let mut routes = routes(&document);
    // What takes the ids of others for its own records, which later ones would find.
    routes.sort_by_key(|it| it.method == Method::POST && it.path.ends_with("/create"));
    let (mut n_asked, mut told) = (0, Vec::new());
    for route in &routes {
        for (slot, kind) in route.slots.iter().filter(|it| it.1 != "token") {
            let like = &alice[kind];
            let ids = [like.clone(), unknown(kind, like), another(kind, like)];
            n_asked += 1;
            if let Some(medians) = differ(route, slot, &client, &own, &ids).await {
                told.push(format!("{} {} {slot:?}: {medians:?}", route.method, route.path));
            }
        }
    }
    (n_asked, told)
}

#[tokio::test]
async fn nothing_is_told_by_the_time_it_takes() {
    let app = TestApp::with(Models::default(), |it| {
        it.requests_per_second = 1_000_000.try_into().unwrap();
    })
    .await;
    let padding = "And the gate is red. ".repeat(40_000);
    let alice = records(&app, &app.alice, MARK, &padding).await;
    // That a record is read at all can be seen: a list of what is in Alice's memory, as she asks for it.
    let document = app.stranger().get("/openapi.json").await.expect(200);
    let routes = routes(&document);
    let list = routes.iter().find(|it| it.path == "/deliveries/list").unwrap();
    let (slot, kind) = list.slots.iter().find(|it| it.1 == "memories").unwrap();
    let ids = [alice[kind].clone(), unknown(kind, &alice[kind]), another(kind, &alice[kind])];
    assert!(differ(list, slot, &app.alice, &alice, &ids).await.is_some(), "it cannot be seen");
    let (n_asked, told) = telling(&app, &alice).await;
    assert!(n_asked >= 30, "only {n_asked} ids were asked for");
    assert!(told.is_empty(), "{told:#?}");
}
