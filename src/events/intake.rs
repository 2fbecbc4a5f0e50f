//! The way in of events: checked, written down, and only then answered.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::Claim;
use super::journal::{self, Taken, Trouble};
use super::signatures::Signed;
use super::{Event, Events, hearing};

/// So old an event may be. Whoever was answered 429, by something that stands before this gateway, sends the same bytes again for
/// 70 minutes (CONTRACT: six times, every ten minutes and something).
const OLDEST: Duration = Duration::from_secs(90 * 60);

/// By so much the sender's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What became of an event that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is written down; what follows from it follows.
    Taken,
    /// It was taken before: nothing follows.
    Seen,
    /// Its time is outside of the window: nothing follows.
    Late,
    /// It was not signed by a sender that is known here.
    Unsigned,
    /// It could not be written down. What is held was forgotten all the same.
    Lost,
}

impl Heard {
    fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Seen => "seen",
            Self::Late => "late",
            Self::Unsigned => "unsigned",
            Self::Lost => "lost",
        }
    }
}

impl Events {
    /// Takes what was sent.
    pub async fn hear(&self, body: &[u8], signed: Signed<'_>) -> Heard {
        let (kind, heard) = if self.signatures.accept(body, signed) {
            let event = Event::read(body).ok();
            let kind = event.as_ref().map_or("", |event| &event.kind);
            (counted(kind), self.take(event.as_ref(), body).await)
        } else {
            ("unknown", Heard::Unsigned)
        };
        self.metrics.heard(kind, heard.word());
        heard
    }

    async fn take(&self, event: Option<&Event>, body: &[u8]) -> Heard {
        let now = self.now();
        if let Some(event) = event
            && let Some(sent) = event.timestamp.filter(|sent| !is_in_window(*sent, now))
        {
            tracing::warn!(id = event.id.as_deref(), %sent, "an event is too old, or the clock of this machine is wrong: it is ignored");
            return Heard::Late;
        }
        let Some(claims) = &self.claims else { return self.write_down(event, body, now).await };
        let name = journal::name(event, body);
        if claims.claim(&name).await == Claim::Taken {
            return Heard::Seen;
        }
        let heard = self.write_down(event, body, now).await;
        match heard {
            Heard::Lost => claims.give(&name).await,
            _ => claims.taken(&name, journal::known_for(event)).await,
        }
        heard
    }

    async fn write_down(&self, event: Option<&Event>, body: &[u8], now: Timestamp) -> Heard {
        match self.journal.take(event, body.to_vec(), now).await {
            Ok(Taken::New(_)) => {
                self.inbox.wake();
                Heard::Taken
            }
            Ok(Taken::Seen) => {
                // Without an id and a time, another one of the same words is the same here. So nothing follows, and what is held is
                // forgotten all the same.
                if event.is_some_and(|event| event.id.is_none() && event.timestamp.is_none()) {
                    self.forget(event);
                }
                Heard::Seen
            }
            Err(trouble) => {
                self.lose(event, &trouble);
                Heard::Lost
            }
        }
    }

    /// What cannot be written down is not handled; but nobody shall be given what it says is not true any more.
    fn lose(&self, event: Option<&Event>, trouble: &Trouble) {
        tracing::error!(%trouble, "an event could not be written down; nothing follows from it but that what is held is forgotten");
        self.forget(event);
    }

    fn forget(&self, event: Option<&Event>) {
        if let Ok(change) = hearing::change(event, &self.served) {
            hearing::forget(&self.upstream, &change);
        }
    }
}

/// A type as it is counted: there is a bound on how many there are.
pub fn counted(kind: &str) -> &'static str {
    const KNOWN: [&str; 16] = [
        "ContactCreate",
        "ContactUpdate",
        "ContactDelete",
        "ContactTagUpdate",
        "ContactDndUpdate",
        "TaskCreate",
        "TaskComplete",
        "TaskDelete",
        "NoteCreate",
        "NoteUpdate",
        "NoteDelete",
        "AppointmentCreate",
        "AppointmentUpdate",
        "AppointmentDelete",
        "INSTALL",
        "UNINSTALL",
    ];
    if kind.is_empty() {
        return "unreadable";
    }
    KNOWN.into_iter().find(|known| *known == kind).unwrap_or("other")
}

fn is_in_window(sent: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(sent).as_secs();
    (-(AHEAD.as_secs() as i64)..=OLDEST.as_secs() as i64).contains(&age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lets_in_what_is_sent_again_and_nothing_older() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let aged = |seconds: i64| is_in_window(Timestamp::from_second(1_780_000_000 - seconds).unwrap(), now);
        for (age, good) in [(0, true), (75 * 60, true), (90 * 60, true), (90 * 60 + 1, false), (3 * 3600, false)] {
            assert_eq!(aged(age), good, "{age}");
        }
        assert!(aged(-300) && !aged(-301));
        assert!(!is_in_window(Timestamp::MIN, now) && !is_in_window(Timestamp::MAX, now));
    }

    #[test]
    fn every_type_that_means_something_is_counted_by_its_name() {
        for about in ["ContactDndUpdate", "TaskComplete", "AppointmentDelete"] {
            let event = Event::read(format!(r#"{{"type":"{about}"}}"#).as_bytes()).unwrap();
            assert!(event.about().is_some());
            assert_eq!(counted(&event.kind), about);
        }
        assert_eq!((counted("Planted"), counted("")), ("other", "unreadable"));
    }
}
