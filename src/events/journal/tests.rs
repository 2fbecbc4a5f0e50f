//! The journal's promises: what it took it has, in order, once, and within its bounds.

use serde_json::json;
use tempfile::TempDir;

use super::*;

/// So many seconds after some moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

pub fn journal() -> (TempDir, Journal) {
    bounded(Bounds::default())
}

fn bounded(bounds: Bounds) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::bounded(dir.path(), bounds).unwrap();
    (dir, journal)
}

fn body(id: &str) -> Vec<u8> {
    json!({ "type": "ContactUpdate", "webhookId": id, "locationId": "L", "id": "c", "timestamp": at(0).to_string() })
        .to_string()
        .into_bytes()
}

async fn take(journal: &Journal, body: &[u8], arrived: Timestamp) -> Result<Taken, Trouble> {
    journal.take(Event::read(body).ok().as_ref(), body.to_vec(), arrived).await
}

fn ids(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn what_was_taken_waits_in_order_until_it_is_settled_whatever_process_looks() {
    let (dir, journal) = journal();
    for n in 0..4 {
        assert_eq!(take(&journal, &body(&n.to_string()), at(n)).await, Ok(Taken::New(n as u64 + 1)));
    }
    drop(journal);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(ids(&journal.waiting(None, 100).unwrap()), [1, 2, 3, 4]);
    assert_eq!(ids(&journal.waiting(Some(1), 2).unwrap()), [2, 3]);
    let failed = Outcome::Failed { why: "no".into(), due: at(9) };
    let settled = vec![(1, Outcome::Done), (2, failed), (3, Outcome::Dead { why: "never".into() })];
    journal.settle(settled).await.unwrap();
    drop(journal);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(ids(&journal.waiting(None, 100).unwrap()), [2, 4]);
    assert_eq!(ids(&journal.last(100).unwrap()), [4, 3, 2, 1]);
    let dead = journal.dead(100).unwrap();
    assert_eq!((ids(&dead), dead[0].why.as_deref(), dead[0].tries), (vec![3], Some("never"), 1));
    assert_eq!(journal.body(2).unwrap(), Some(body("1")));
    let counts = journal.counts().unwrap();
    assert_eq!((counts.waiting, counts.handled, counts.dead, counts.oldest), (2, 1, 1, Some(at(1))));
    // Numbers are not given twice.
    assert_eq!(take(&journal, &body("5"), at(10)).await, Ok(Taken::New(5)));
    let again = journal.replay(3).await.unwrap().unwrap();
    assert_eq!((again.state, again.tries), (State::Waiting, 0));
    assert_eq!(journal.replay(17).await, Ok(None));
    assert_eq!(ids(&journal.waiting(None, 100).unwrap()), [2, 3, 4, 5]);
}

#[tokio::test]
async fn an_event_is_taken_once_for_as_long_as_it_could_come_again() {
    let (dir, journal) = journal();
    let dated = body("w");
    let undated = br#"{"type":"ContactUpdate"}"#.to_vec();
    for body in [&dated, &undated, &b"no JSON".to_vec()] {
        assert!(matches!(take(&journal, body, at(0)).await, Ok(Taken::New(_))));
        assert_eq!(take(&journal, body, at(1)).await, Ok(Taken::Seen));
    }
    // The vendor sends again for 70 minutes.
    assert_eq!(take(&journal, &dated, at(75 * 60)).await, Ok(Taken::Seen));
    drop(journal);
    let journal = Journal::open(dir.path()).unwrap();
    let over = at(SEEN_FOR.as_secs() as i64 + 1);
    assert!(matches!(take(&journal, &dated, over).await, Ok(Taken::New(_))));
    assert_eq!(take(&journal, &undated, over).await, Ok(Taken::Seen));
    let counted = journal.file().read(|transaction| Ok(transaction.open_table(SEEN_UNTIL)?.len()?));
    assert_eq!(counted, Ok(3), "what is over is forgotten");
}

#[tokio::test]
async fn the_oldest_that_were_handled_make_room_then_the_dead_and_never_what_waits() {
    for bounds in [Bounds { entries: 3, bytes: u64::MAX }, Bounds { entries: 100, bytes: 3 * body("1").len() as u64 }] {
        let (_dir, journal) = bounded(bounds);
        for n in 1..=3 {
            take(&journal, &body(&n.to_string()), at(n)).await.unwrap();
        }
        assert_eq!(take(&journal, &body("4"), at(4)).await, Err(Trouble::Full));
        // It was not taken, and so it may come again.
        journal.settle(vec![(1, Outcome::Dead { why: String::new() }), (3, Outcome::Done)]).await.unwrap();
        assert_eq!(take(&journal, &body("4"), at(5)).await, Ok(Taken::New(4)));
        assert_eq!(ids(&journal.last(9).unwrap()), [4, 2, 1]);
        assert_eq!(take(&journal, &body("5"), at(5)).await, Ok(Taken::New(5)));
        assert_eq!(ids(&journal.last(9).unwrap()), [5, 4, 2]);
        assert_eq!(journal.body(1).unwrap(), None);
        assert_eq!(take(&journal, &body("6"), at(5)).await, Err(Trouble::Full));
        assert_eq!(journal.counts().unwrap().bytes, 3 * body("1").len() as u64);
    }
}

#[tokio::test]
async fn many_at_once_are_all_taken_and_one_process_has_the_file() {
    let (dir, journal) = journal();
    let takes = (0..1000).map(|n| {
        let journal = journal.clone();
        async move { take(&journal, &body(&n.to_string()), at(n)).await }
    });
    let taken = futures_util::future::join_all(takes).await;
    assert!(taken.iter().all(|taken| matches!(taken, Ok(Taken::New(_)))));
    assert_eq!(journal.counts().unwrap().waiting, 1000);
    // What went wrong with one commit was not written, and is told; the next is as good as before.
    let fails = async |journal: &Journal| journal.file().write(|_| Err::<(), _>(redb::Error::PreviousIo)).await;
    let (taken, failed) = futures_util::future::join(take(&journal, &body("new"), at(0)), fails(&journal)).await;
    assert!(matches!(failed, Err(Trouble::Storage(_))));
    let expected = if taken.is_ok() { Taken::Seen } else { Taken::New(1001) };
    assert_eq!(take(&journal, &body("new"), at(0)).await, Ok(expected));
    assert!(matches!(Journal::open(dir.path()), Err(Trouble::Held)));
    drop(journal);
    assert!(Journal::open(dir.path()).is_ok());
}
