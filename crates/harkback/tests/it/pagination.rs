//! Lists: no item twice, none skipped, whatever comes and goes between the pages, and no token is good for anything but
//! its own list.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::Config as Runs;
use serde_json::{Value, json};

use crate::app::{Client, TestApp};

/// What happens between two pages.
#[derive(Clone, Debug)]
enum Change {
    Insert,
    /// Deletes the row at this place, counted from the oldest.
    Delete(usize),
}

proptest! {
    #![proptest_config(Runs { cases: 24, ..Runs::default() })]

    #[test]
    fn a_walk_meets_every_row_that_stays(
        n_rows in 0_usize..25,
        limit in 1_usize..8,
        changes in prop::collection::vec(prop::collection::vec(change(), 0..4), 0..12),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(walk(n_rows, limit, changes));
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![Just(Change::Insert), (0_usize..40).prop_map(Change::Delete)]
}

/// Walks to the oldest row while rows come and go, and back again while nothing changes.
async fn walk(n_rows: usize, limit: usize, changes: Vec<Vec<Change>>) {
    let test = TestApp::new().await;
    let mut live = Vec::new();
    let mut n_made = 0;
    for _ in 0..n_rows {
        insert(&test.alice, &mut live, &mut n_made).await;
    }
    let mut deleted = HashSet::new();
    let at_first: HashSet<String> = live.iter().cloned().collect();
    let mut met = Vec::new();
    let mut changes = changes.into_iter();
    let mut page = list(&test.alice, limit, "").await;
    loop {
        met.extend(ids(&page));
        for change in changes.next().unwrap_or_default() {
            match change {
                Change::Insert => insert(&test.alice, &mut live, &mut n_made).await,
                Change::Delete(at) if at < live.len() => {
                    let id = live.remove(at);
                    test.alice.delete(&format!("/users/delete/{id}")).await.expect(200);
                    deleted.insert(id);
                }
                Change::Delete(_) => {}
            }
        }
        let Some(token) = page["nextToken"].as_str() else { break };
        page = list(&test.alice, limit, &format!("&nextToken={token}")).await;
    }
    let distinct: HashSet<String> = met.iter().cloned().collect();
    assert_eq!(distinct.len(), met.len(), "a row twice: {met:?}");
    let stayed: HashSet<String> = at_first.difference(&deleted).cloned().collect();
    assert!(stayed.is_subset(&distinct), "a row skipped: {stayed:?} of {met:?}");
    walk_back(&test.alice, limit, page, &live).await;
}

/// From the last page every row before it is met, the nearest first, up to the newest.
async fn walk_back(alice: &Client, limit: usize, last: Value, live: &[String]) {
    let there = ids(&last).into_iter().filter(|it| live.contains(it)).collect::<Vec<_>>();
    let mut page = last;
    let mut before = Vec::new();
    while let Some(token) = page["previousToken"].as_str() {
        page = list(alice, limit, &format!("&previousToken={token}")).await;
        let mut rows = ids(&page);
        rows.extend(before);
        before = rows;
    }
    assert_eq!(page["previousToken"], json!(null));
    before.extend(there);
    let newest_first: Vec<String> = live.iter().rev().cloned().collect();
    // Rows that came after the first page was read may stand before it; the walk back must end at the newest.
    assert!(
        newest_first.ends_with(&before) || before == newest_first,
        "{before:?} of {newest_first:?}"
    );
}

async fn insert(alice: &Client, live: &mut Vec<String>, n_made: &mut usize) {
    // Ids do not sort as they are made, so that only the time of creation orders them.
    let id = format!("u{}", (*n_made * 37) % 101);
    *n_made += 1;
    let body = json!({"id": id, "firstName": "A", "lastName": "B"});
    alice.post("/users/create", body).await.expect(201);
    live.push(id);
}

async fn list(alice: &Client, limit: usize, rest: &str) -> Value {
    let page = alice.get(&format!("/users/list?limit={limit}{rest}")).await.expect(200);
    assert_eq!(page["count"].as_u64().unwrap() as usize, ids(&page).len());
    assert!(ids(&page).len() <= limit);
    page
}

fn ids(page: &Value) -> Vec<String> {
    let users = page["users"].as_array().unwrap();
    users.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

async fn with_users(n_users: usize) -> TestApp {
    let test = TestApp::new().await;
    for at in 0..n_users {
        let body = json!({"id": format!("u{at:02}"), "firstName": "A", "lastName": "B"});
        test.alice.post("/users/create", body).await.expect(201);
    }
    test
}

#[tokio::test]
async fn pages_hold_ten_newest_first_unless_told_otherwise() {
    let test = with_users(12).await;
    let page = test.alice.get("/users/list").await.expect(200);
    assert_eq!(ids(&page).len(), 10);
    assert_eq!((&ids(&page)[0], &ids(&page)[9]), (&"u11".to_owned(), &"u02".to_owned()));
    let rule = "limit must be an integer from 1 to 100";
    for limit in ["0", "101", "-1", "x", "1.5", "99999999999999999999"] {
        test.alice.get(&format!("/users/list?limit={limit}")).await.expect_error(400, rule);
    }
    assert_eq!(ids(&list(&test.alice, 100, "").await).len(), 12);
    assert_eq!(ids(&test.alice.get("/users/list?limit=").await.expect(200)).len(), 10);
}

#[tokio::test]
async fn pages_can_be_turned_both_ways_and_the_next_token_wins() {
    let test = with_users(5).await;
    let first = list(&test.alice, 2, "").await;
    assert_eq!(first["previousToken"], json!(null));
    let next = first["nextToken"].as_str().unwrap();
    let second = list(&test.alice, 2, &format!("&nextToken={next}")).await;
    assert_eq!(ids(&second), ["u02", "u01"]);
    let previous = second["previousToken"].as_str().unwrap();
    let back = list(&test.alice, 2, &format!("&previousToken={previous}")).await;
    assert_eq!(back, first);
    let again = second["nextToken"].as_str().unwrap();
    let both = format!("&previousToken={previous}&nextToken={again}");
    let third = list(&test.alice, 2, &both).await;
    assert_eq!(ids(&third), ["u00"]);
    assert_eq!(third["nextToken"], json!(null));
}

#[tokio::test]
async fn a_page_that_became_empty_still_leads_back() {
    let test = with_users(4).await;
    let first = list(&test.alice, 2, "").await;
    let next = first["nextToken"].as_str().unwrap();
    for id in ["u00", "u01"] {
        test.alice.delete(&format!("/users/delete/{id}")).await.expect(200);
    }
    let empty = list(&test.alice, 2, &format!("&nextToken={next}")).await;
    assert_eq!((ids(&empty), &empty["nextToken"]), (vec![], &json!(null)));
    let previous = empty["previousToken"].as_str().unwrap();
    let back = list(&test.alice, 2, &format!("&previousToken={previous}")).await;
    assert_eq!(ids(&back), ["u03", "u02"], "the row that the token names is not skipped");
    assert_eq!(back["nextToken"], json!(null));
}

#[tokio::test]
async fn tokens_are_good_for_their_own_list_only() {
    let test = with_users(4).await;
    for at in 0..4 {
        let body = json!({"id": format!("s{at}"), "customerUserID": "cust"});
        test.alice.post("/sessions/create", body).await.expect(201);
    }
    let next = list(&test.alice, 2, "").await["nextToken"].as_str().unwrap().to_owned();
    let sessions = test.alice.get("/sessions/list?limit=2&customerUserID=cust").await.expect(200);
    let of_cust = sessions["data"]["nextToken"].as_str().unwrap().to_owned();
    let go_on = format!("/sessions/list?limit=2&customerUserID=cust&nextToken={of_cust}");
    test.alice.get(&go_on).await.expect(200);

    let rule = "nextToken must be a token from an earlier answer to the same request";
    let mut foreign = vec![
        format!("/sessions/list?nextToken={next}"),
        format!("/users/list?nextToken={of_cust}"),
        format!("/sessions/list?nextToken={of_cust}"),
        format!("/sessions/list?customerUserID=other&nextToken={of_cust}"),
        "/users/list?nextToken=x".to_owned(),
        "/users/list?nextToken=%20".to_owned(),
        format!("/users/list?nextToken={next}A"),
        format!("/users/list?nextToken={}", &next[1..]),
    ];
    for at in 0..next.len() {
        let other = if &next[at..=at] == "A" { "B" } else { "A" };
        foreign.push(format!("/users/list?nextToken={}{other}{}", &next[..at], &next[at + 1..]));
    }
    for path in foreign {
        test.alice.get(&path).await.expect_error(400, rule);
    }
    test.bob.get(&format!("/users/list?nextToken={next}")).await.expect_error(400, rule);
    let reply = test.alice.get(&format!("/users/list?previousToken={next}")).await;
    reply.expect_error(400, &rule.replace("nextToken", "previousToken"));
}

#[tokio::test]
async fn tokens_outlive_a_restart() {
    let test = with_users(4).await;
    let next = list(&test.alice, 2, "").await["nextToken"].as_str().unwrap().to_owned();
    let test = test.restart().await;
    let page = list(&test.alice, 2, &format!("&nextToken={next}")).await;
    assert_eq!(ids(&page), ["u01", "u00"]);
}
