//! What is kept for how long.

mod house;
mod support;

use std::time::{Duration, Instant};

use gatewright_control::{DEFAULT_SUBSCRIPTION, Limits};
use gatewright_store::{Key, Transaction};
use house::{House, PATIENCE, Running};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{GROUP, LOCATION, group, net};

/// Longer than anything that these tests store claims to be old.
const YEARS: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Some writes, each with an operation and events.
async fn write(running: &Running) {
    let location = json!({"location": LOCATION});
    running.api.create(&group(GROUP), &location).await;
    for number in 0..5 {
        let path = net(&format!("routeTables/t{number}"));
        running.api.create(&path, &location).await;
    }
}

async fn count(running: &Running, prefix: &str) -> usize {
    running.entries(prefix).await.len()
}

/// Waits until so many are left.
async fn left(running: &Running, prefix: &str, expected: usize) {
    let since = Instant::now();
    loop {
        let now = count(running, prefix).await;
        if now == expected {
            return;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "{prefix}: {now} are left, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_at_a_start_and_what_is_not_stays() {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    write(&running).await;
    let (operations, events) = (
        count(&running, "operation/").await,
        count(&running, "activity/").await,
    );
    assert!(operations >= 5 && events > 10, "{operations}, {events}");
    // One that has not ended stays, however old; and what is no operation is nobody's to delete.
    let mut running_one: Value =
        serde_json::from_slice(&running.entries("operation/").await[0].value).unwrap();
    let id = "00000000-0000-4000-8000-0000000000aa";
    running_one["id"] = json!(id);
    running_one["doing"] = json!("Put");
    running_one["status"] = json!("InProgress");
    running_one["began"] = json!("2001-01-01T00:00:00.0000000Z");
    running_one.as_object_mut().unwrap().remove("ended");
    running.kill();
    let running = house.start().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        count(&running, "operation/").await,
        operations,
        "a day is not over"
    );
    assert_eq!(count(&running, "activity/").await, events);
    running.kill();
    house.limits.operations_kept = Duration::ZERO;
    let gate = house::Gate::closed();
    {
        let running = house.start().await;
        left(&running, "operation/", 0).await;
        let key = Key::new(format!("operation/{id}")).unwrap();
        let put = Transaction::default().put(key, running_one.to_string());
        running.store.commit(put).await.unwrap();
        assert_eq!(count(&running, "activity/").await, events);
        running.kill();
    }
    house.limits.events_kept = Duration::ZERO;
    let running = house.start_with(gate).await;
    left(&running, "activity/", 0).await;
    assert_eq!(count(&running, "operation/").await, 1, "it goes on");
    // Resources that name an operation that is gone can still be written and deleted.
    running.kill();
    house.limits = Limits::default();
    let running = house.start().await;
    let path = net("routeTables/t0");
    let body = json!({"location": LOCATION, "tags": {"a": "b"}});
    running.api.create(&path, &body).await;
    running.api.remove(&path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_events_lose_their_oldest() {
    let limits = Limits {
        housekeeping: Duration::from_millis(100),
        events: 1000,
        events_kept: YEARS,
        ..Limits::default()
    };
    let mut house = House::new(limits);
    let running = house.start().await;
    write(&running).await;
    // More than one transaction deletes, in the middle of a page at last.
    let mut put = Transaction::default();
    for number in 0..700 {
        let key = Key::new(format!("activity/{number:020}/x")).unwrap();
        put = put.put(key, "{}");
    }
    running.store.commit(put).await.unwrap();
    let made: Vec<_> = running.entries("activity/").await;
    let first_real = made.iter().position(|entry| entry.value.len() > 2).unwrap();
    assert_eq!(first_real, 700);
    running.kill();
    house.limits.events = 10;
    let before = made.len();
    assert!(before > 710, "{before}");
    let running = house.start().await;
    left(&running, "activity/", 10).await;
    let kept = running.entries("activity/").await;
    assert!(
        kept.iter()
            .zip(&made[before - 10..])
            .all(|(a, b)| a.key == b.key)
    );
    // And again while it runs.
    let path = net("routeTables/more");
    running
        .api
        .create(&path, &json!({"location": LOCATION}))
        .await;
    left(&running, "activity/", 10).await;
    let newest = running.entries("activity/").await.pop().unwrap();
    assert!(String::from_utf8_lossy(&newest.value).contains("routeTables/more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_asked_for_any_time_there_is() {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    write(&running).await;
    let base = format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/\
         values?$filter="
    );
    for (filter, is_some) in [
        ("eventTimestamp ge '0001-01-01T00:00:00Z'", true),
        ("eventTimestamp le '9999-12-31T23:59:59.9999999Z'", true),
        ("eventTimestamp le '0001-01-01T00:00:00Z'", false),
        ("eventTimestamp ge '9999-12-31T23:59:59.9999999Z'", false),
        (
            "eventTimestamp ge '0000-01-01T00:00:00Z' and eventTimestamp le '9999-12-31T23:59:59Z'",
            true,
        ),
    ] {
        let filter = filter.replace(' ', "%20");
        let reply = running.api.get(&format!("{base}{filter}")).await;
        let reply = reply.expect(StatusCode::OK);
        let found = !reply.body["value"].as_array().unwrap().is_empty();
        assert_eq!(found, is_some, "{filter}");
    }
}
